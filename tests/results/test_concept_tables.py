"""Tables of concept discovery: readable rows against the exhibits they come from."""

import numpy as np
import pandas as pd
import pytest

from results import (
    table_clusters,
    table_concept_relevance,
    table_concept_truth,
    table_popularity,
    table_spectrum,
    table_wrong_side,
)
from tests.results.concept_maker import ConceptMaker

TABLES = (
    table_clusters,
    table_concept_relevance,
    table_concept_truth,
    table_popularity,
    table_spectrum,
    table_wrong_side,
)


@pytest.fixture(scope="module")
def exhibits():
    return ConceptMaker(np.random.default_rng(3), runs=("vgg16", "convnext"), side=4, width=32).exhibits()


def test_clusters_stand_beside_the_published_ones(exhibits, about, tmp_path):
    csv, page = table_clusters.draw(exhibits, about, tmp_path)
    full, text = pd.read_csv(csv), page.read_text()
    assert set(full["part"]) == {"counts", "means", "bands"}
    measured = full[(full["part"] == "counts") & (full["run"] == "vgg16")]
    assert measured["directions"].sum() == exhibits["clusters"].query("run == 'vgg16'")["directions"].sum()
    assert "| published, InceptionV3 | Mixed_7b | published | SVD | 2,048 | 61.5 % | 23.8 % |" in text
    assert "| published, InceptionV3 | Mixed_7b | published | SVD | 1.246 | 0.631 | 1.640 |" in text
    assert "| published, InceptionV3 | Mixed_7b | published | SVD | 100–199 | 100 | 2.51 | 4 |" in text


def test_means_are_put_under_their_counting(exhibits):
    shown = table_clusters.mean_rows(exhibits["cluster_means"])
    row = shown.query("model == 'ConvNeXt' and protocol == 'as released' and method == 'NMF'").iloc[0]
    own = exhibits["cluster_means"].query(
        "run == 'convnext' and protocol == 'as_released' and method == 'nmf'"
    )
    values = own.set_index("counting")["value"]
    for counting, title in table_clusters.COUNTINGS.items():
        expected = "–" if np.isnan(values[counting]) else f"{values[counting]:.3f} ["
        assert row[title].startswith(expected)


def test_popular_directions_are_the_most_frequent_of_each_place():
    counts = np.random.default_rng().integers(1, 5, 60)
    rows = pd.DataFrame(
        {"run": "vgg16", "layer": "a", "protocol": "corrected", "place": np.repeat([1, 2, 3], 20),
         "direction": np.arange(60), "count": counts, "classes": "x"}
    )  # fmt: skip
    kept = table_popularity.popular(rows.sample(frac=1, random_state=0))
    assert kept["place"].is_monotonic_increasing
    for place in (1, 2, 3):
        several = sorted(
            (count for count in counts[20 * (place - 1) : 20 * place] if count > 1), reverse=True
        )
        assert kept.loc[kept["place"] == place, "count"].tolist() == several[: table_popularity.MOST]


def test_popularity_names_direction_and_classes(exhibits):
    shown = table_popularity.readable(table_popularity.popular(exhibits["popularity"]))
    assert len(shown) == 2 * 2 * 3 * 2
    first = shown.iloc[0]
    assert (first["candidate"], first["direction"], first["classes"]) == ("first", "#3", 3)
    assert first["which"].count(",") == 2


def test_relevance_rows_hold_the_numbers(exhibits):
    rows = exhibits["relevance"]
    shown = table_concept_relevance.readable(rows)
    assert len(shown) == len(rows)
    source = rows.iloc[1]
    assert shown["direction"].iloc[1] == f"#{source['direction']} −"
    assert shown["logit [95 %]"].iloc[1].startswith(f"{source['logit_change']:.3f} [")
    assert shown["stability"].iloc[1] == f"{source['stability']:.3f} (0.310)"


def test_truth_has_a_column_per_metric_with_chance(exhibits):
    shown = table_concept_truth.readable(exhibits["concept_truth"])
    assert len(shown) == 2 * 8
    probes = shown.query("model == 'VGG16' and method == 'probes (labels)'").iloc[0]
    assert probes["recovery, AUC"] == "0.900 [0.860, 0.950] (0.500)"
    assert "(" not in probes["distinctness"]
    assert shown.query("method == 'k-means'")["IoU with masks"].tolist() == ["–", "–"]


def test_wrong_side_says_chance(exhibits, about, tmp_path):
    page = table_wrong_side.draw(exhibits, about, tmp_path)[1].read_text()
    assert "| VGG16 | features.42 | as released | 20 | 0.0500 [0.0000, 0.1500] | 0.0312 |" in page


@pytest.mark.parametrize("module", TABLES)
def test_tables_of_nothing(module, exhibits, about, tmp_path):
    nothing = {name: rows.iloc[:0] for name, rows in exhibits.items() if isinstance(rows, pd.DataFrame)}
    csv, page = module.draw(nothing, about, tmp_path)
    assert csv.exists()
    assert "nan" not in page.read_text()


def test_spectrum_counts_directions_that_nearly_are_neurons():
    rows = pd.DataFrame(
        {
            "run": ["vgg16"] * 3,
            "layer": ["features.3"] * 3,
            "index": [0, 1, 2],
            "singular_value": [3.0, 2.0, 1.0],
            "share": [0.6, 0.3, 0.1],
            "alignment": [-0.61, 0.59, 0.6],
            "random_alignment": [0.2, -0.9, 0.1],
        }
    )
    line = table_spectrum.readable(rows).iloc[0]
    assert (line["beyond 0.6"], line["random ones"], line["first"]) == (2, 1, "60.0 %")
