"""Concept vectors, clusters, spectrum, relevance and truth: what is drawn is what was measured."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from evoscope.viz.pictures import GAP, TILE, glow_over, mosaic, show_concept
from results import clusters, concept_truth, concepts, relevance, spectrum
from results.reference import published_bands, published_clusters, published_means
from results.registry import entry
from tests.results.concept_maker import CLASSES, ConceptMaker
from tests.results.helpers import LONG_CLASSES, LONG_RUN, figure_of, written

FIGURES = ("fig_concepts", "fig_concept_spectrum", "fig_clusters", "fig_concept_relevance", "fig_concept_truth")
TABLES = (
    "table_class_ranking",
    "table_cluster_map",
    "table_clusters",
    "table_concept_relevance",
    "table_concept_truth",
    "table_equal_rank",
    "table_method_ranks",
    "table_popularity",
    "table_spectrum",
    "table_wrong_side",
)


@pytest.fixture
def rng():
    return np.random.default_rng()


@pytest.fixture(scope="module")
def one():
    return ConceptMaker(np.random.default_rng(3), runs=("vgg16",), classes=CLASSES[:2], side=12).exhibits()


@pytest.fixture(scope="module")
def two():
    return ConceptMaker(np.random.default_rng(3), runs=("vgg16", "convnext"), side=4, width=32).exhibits()


# --- published numbers -----------------------------------------------------------------------------------------------


def test_published_counts_are_complete():
    counts = published_clusters()
    assert counts.groupby("method")["directions"].sum().to_dict() == {"svd": 2048, "neurons": 2048}
    none = counts[counts["clusters"] == 0].set_index("method")["directions"].to_dict()
    assert none == {"svd": 1260, "neurons": 15}
    bands = published_bands()
    assert bands["directions"].sum() == 2048
    assert (bands["last"] - bands["first"] + 1 == bands["directions"]).all()
    assert bands["directions_with_zero"].sum() == 1260


def test_published_means_are_those_of_every_direction():
    each = {
        method: np.repeat(own["clusters"], own["directions"]) for method, own in published_clusters().groupby("method")
    }
    means = published_means().set_index(["method", "counting"])["value"]
    for method, found in each.items():
        assert means[method, "empty as none"] == pytest.approx(found.mean())
        assert means[method, "empty as one"] == pytest.approx(np.maximum(found, 1).mean())
        assert means[method, "without empty"] == pytest.approx(found[found > 0].mean())


# --- every figure ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", FIGURES)
def test_long_names_neither_overlap_nor_leave_the_paper(result, about, collisions):
    maker = ConceptMaker(np.random.default_rng(5), runs=(LONG_RUN,), classes=LONG_CLASSES, side=8, width=32)
    figure = figure_of(result, maker.exhibits(), about)
    assert collisions(figure) == []
    assert any(text.startswith(LONG_RUN[:20]) for text in written(figure))


@pytest.mark.parametrize("result", FIGURES)
def test_nothing_to_draw_is_said(result, about, one):
    boards = one["concepts"]
    nothing = {name: rows.iloc[:0] for name, rows in one.items() if isinstance(rows, pd.DataFrame)}
    none = np.zeros(0, dtype=int)
    parts = {name: getattr(boards, name)[none] for name in ("images", "heat", "segments", "predicted")}
    nothing["concepts"] = replace(boards, concepts=boards.concepts.iloc[:0], **parts)
    assert len(written(figure_of(result, nothing, about))) == 1
    assert "nan" not in entry(result).words(nothing, about)


@pytest.mark.parametrize(
    "result", ["fig_concept_spectrum", "fig_clusters", "fig_concept_relevance", "fig_concept_truth"]
)
def test_unknown_numbers_are_never_written(result, about, one, collisions):
    keys = {"index", "clusters", "directions", "first", "last", "side", "direction", "place", "count"}
    unknown = {}
    for name, rows in one.items():
        if isinstance(rows, pd.DataFrame):
            numbers = [column for column in rows.select_dtypes("number") if column not in keys]
            unknown[name] = rows.assign(**dict.fromkeys(numbers, np.nan))
    figure = figure_of(result, unknown, about)
    assert not any("nan" in text for text in [*written(figure), entry(result).words(unknown, about)])
    assert collisions(figure) == []


# --- boards ----------------------------------------------------------------------------------------------------------


def test_half_of_the_boards_is_chosen_and_half_drawn(about):
    maker = ConceptMaker(np.random.default_rng(3), runs=("vgg16", "convnext", LONG_RUN), side=4)
    boards = maker.boards()
    boards = replace(boards, concepts=boards.concepts.assign(auc=np.linspace(0.5, 0.9, len(boards.concepts))))
    kept = concepts.shown(boards, 0)
    each = concepts.MOST // 3
    assert kept.concepts.groupby("run").size().tolist() == [each] * 3
    for run, own in kept.concepts.groupby("run", sort=False):
        best = boards.concepts[boards.concepts["run"] == run].nlargest((each + 1) // 2, "auc")["class_name"]
        assert list(own.loc[own["chosen"], "class_name"]) == list(best)
    for place, row in kept.concepts.iterrows():
        same = (boards.concepts["run"] == row["run"]) & (boards.concepts["class_name"] == row["class_name"])
        origin = int(np.flatnonzero(same)[0])
        np.testing.assert_array_equal(kept.images[place], boards.images[origin])
        np.testing.assert_array_equal(kept.predicted[place], boards.predicted[origin])
    again = [concepts.shown(boards, seed).concepts["class_name"].tolist() for seed in range(6)]
    assert kept.concepts["class_name"].tolist() == again[0]
    assert len(set(map(tuple, again))) > 1


def test_boards_that_fit_leave_nothing_out(about, one):
    assert "0 further ones" in concepts.concepts_words(one, about)
    figure = figure_of("fig_concepts", one, about)
    assert len(figure.axes) == 2 * 3
    assert written(figure).count("80 %") == 2


def test_boards_without_truth_predictions_or_numbers(about, one, collisions):
    boards = one["concepts"]
    bare = boards.concepts.assign(concept="", auc=np.nan, z=np.nan, predicted_count=0, clusters=0)
    heat = np.full_like(boards.heat, np.nan)
    alone = {"concepts": replace(boards, concepts=bare, heat=heat, segments=np.zeros_like(boards.segments))}
    figure = figure_of("fig_concepts", alone, about)
    texts = written(figure)
    assert texts.count("none") == texts.count("no cluster · chosen") == 2
    assert not any("AUC" in text or "nan" in text for text in texts)
    assert collisions(figure) == []


def test_facts_name_direction_side_and_truth(one):
    row = concepts.shown(one["concepts"], 0).concepts.iloc[0].copy()
    row[["direction", "side", "z", "clusters", "concept", "auc"]] = [7, -1, 2.345, 1, "wheel", 0.912]
    assert [text for text, _ in concepts.fact_lines(row)] == ["#7 −, z 2.3", "1 cluster · chosen", "wheel, AUC 0.91"]


def test_mosaic_puts_tiles_row_by_row(rng):
    tiles = np.repeat(rng.integers(0, 250, (5, 1, 1, 3), dtype=np.uint8), 6, axis=1).repeat(6, axis=2)
    whole = mosaic(tiles, 3)
    assert whole.shape == (2 * TILE + GAP, 3 * TILE + 2 * GAP, 3)
    for place, tile in enumerate(tiles):
        top, left = (place // 3) * (TILE + GAP), (place % 3) * (TILE + GAP)
        assert (whole[top : top + TILE, left : left + TILE] == tile[0, 0]).all()
    assert (whole[TILE + GAP :, 2 * (TILE + GAP) :] == 255).all()


def test_glow_grows_with_the_map_above_its_median(rng):
    images = np.full((3, 8, 8, 3), 120, np.uint8)
    heat = rng.normal(0, 1, (3, 8, 8)).astype(np.float32)
    heat[1], heat[2, 0, 0] = 4.0, np.nan
    glow = glow_over(images, heat).astype(int)
    strength = glow[..., 0] - glow[..., 2]
    assert (strength[1] == 0).all()
    assert strength[2, 0, 0] == 0
    below = heat[0] <= np.median(heat[0])
    assert (strength[0][below] == 0).all()
    order = np.argsort(heat[0][~below])
    assert (np.diff(strength[0][~below][order]) >= 0).all()
    assert strength[0][~below].max() > 20


def test_outlines_stay_with_their_images():
    figure = Figure()
    axes = figure.add_subplot()
    images = np.zeros((2, 8, 8, 3), np.uint8)
    segments = np.zeros((2, 8, 8), bool)
    segments[1, :, 4:] = True
    show_concept(axes, images, np.zeros((2, 8, 8), np.float32), segments)
    paths = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    assert paths[:, 0].min() > TILE + GAP + TILE / 3
    assert axes.get_xlim() == (-0.5, 2 * TILE + GAP - 0.5)


def test_a_row_per_method_with_the_published_ticks(one, about):
    figure = figure_of("fig_clusters", one, about)
    means = one["cluster_means"].query("protocol == 'corrected' and counting == 'empty as none'")
    methods = clusters.methods_of(one["cluster_means"])
    (axes,) = figure.axes
    dots = {int(line.get_ydata()[0]): line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"}
    assert dots == {methods.index(row.method): row.value for row in means.itertuples()}
    ticks = {methods[int(line.get_ydata()[0])]: line.get_xdata()[0] for line in axes.lines if line.get_marker() == "|"}
    published = published_means().query("counting == 'empty as none'").set_index("method")["value"]
    assert ticks == {"svd": published["svd"], "neurons": published["neurons"]}


def test_clusters_of_one_protocol_without_svd(one, about, collisions):
    few = {
        name: one[name].query("protocol == 'as_released' and method in ['ica', 'nmf']")
        for name in ("clusters", "cluster_means", "bands")
    }
    figure = figure_of("fig_clusters", few, about)
    assert not any(line.get_marker() == "|" for axes in figure.axes for line in axes.lines)
    assert collisions(figure) == []
    assert "protocol: as released;" in clusters.clusters_words(few, about)
    assert entry("fig_clusters").says(few, about) == ""


# --- spectrum, relevance, truth --------------------------------------------------------------------------------------


def test_random_curve_has_either_sign_where_only_sizes_are_known(rng):
    sizes = rng.uniform(0.1, 0.4, 40)
    curve = spectrum.random_curve(sizes, 40)
    assert (np.diff(curve) >= 0).all()
    np.testing.assert_allclose(curve, -curve[::-1])
    assert curve[-1] == sizes.max()
    np.testing.assert_allclose(spectrum.random_curve(sizes, 40, either=False), np.sort(sizes))
    signed = sizes * rng.choice([-1, 1], 40)
    signed[0] = -0.2
    np.testing.assert_allclose(spectrum.random_curve(signed, 40), np.sort(signed))


def test_aligned_share_counts_both_signs():
    rows = pd.DataFrame({"alignment": [-0.7, -0.6, 0.59, 0.61, 0.1]})
    assert spectrum.aligned_share(rows) == "3 of 5 beyond ±0.6"


def test_relevance_claims_only_what_the_intervals_say(one):
    rows = one["relevance"].iloc[[0, 0, 0, 0]].reset_index(drop=True)
    rows["logit_change"], rows["random_low"] = [-0.5, -0.3, -0.1, np.nan], -0.2
    assert relevance.beyond(rows).startswith("2 of 3 concepts cost")
    assert "not known" in relevance.beyond(rows.iloc[3:])


def test_full_dots_are_those_that_claim_c2_counts(one, about):
    rows = one["relevance"].iloc[[0] * 4].reset_index(drop=True)
    rows["logit_change"], rows["random_low"] = [-0.5, -0.3, -0.1, np.nan], -0.2
    assert relevance.lost_more(rows).tolist() == [True, True, False, False]
    assert "2 of 4 (VGG16)" in entry("fig_concept_relevance").says({"relevance": rows}, about)


def test_relevance_of_many_classes_is_cut_and_says_so(one, about):
    rows = pd.concat([one["relevance"]] * 8, ignore_index=True)
    figure = figure_of("fig_concept_relevance", {"relevance": rows}, about)
    assert [len(axes.get_yticks()) for axes in figure.axes] == [relevance.MOST]
    assert "VGG16, 4 further concepts" in relevance.concept_relevance_words({"relevance": rows}, about)


def test_truth_limits_hold_everything_drawn(one):
    rows = one["concept_truth"]
    for metric, own in rows.groupby("metric"):
        low, high = concept_truth.limits(rows, metric)
        assert low < np.nanmin(own[["low", "null"]].to_numpy())
        assert high > own["high"].max()


def test_truth_says_how_many_concepts(one):
    rows = one["concept_truth"]
    assert concept_truth.concepts_of(rows) == "23"
    assert concept_truth.concepts_of(rows.assign(concepts=[20] + [23] * (len(rows) - 1))) == "20 to 23"


def test_small_changes_leave_room_between_the_panels(one, about, collisions):
    rows = one["relevance"].copy()
    changes = [name for name in rows.columns if name.startswith(("logit_", "random_"))]
    rows[changes] = rows[changes] * 0.004
    rows[[name for name in rows.columns if "accuracy" in name]] = 0.0
    assert collisions(figure_of("fig_concept_relevance", {"relevance": rows}, about)) == []


def test_a_class_without_candidate_is_named_but_not_counted(one, about, collisions):
    rows = one["relevance"].copy()
    numbers = rows.columns[5:]
    rows[numbers] = rows[numbers].astype(float)
    rows.loc[0, ["direction", "side"]] = -1, 1
    rows.loc[0, numbers] = np.nan
    figure = figure_of("fig_concept_relevance", {"relevance": rows}, about)
    assert collisions(figure) == []
    assert "n: 1 concepts of 1 classes (1 more without" in relevance.concept_relevance_words({"relevance": rows}, about)


def test_clusters_stand_beside_the_published_ones(two, about, tmp_path):
    csv, page = entry("table_clusters").draw(two, about, tmp_path)
    full, text = pd.read_csv(csv), page.read_text()
    assert set(full["part"]) == {"counts", "means", "bands"}
    measured = full[(full["part"] == "counts") & (full["run"] == "vgg16")]
    assert measured["directions"].sum() == two["clusters"].query("run == 'vgg16'")["directions"].sum()
    assert "| published, InceptionV3 | Mixed_7b | published | SVD | 2,048 | 61.5 % | 23.8 % |" in text
    assert "| published, InceptionV3 | Mixed_7b | published | SVD | 1.246 | 0.631 | 1.640 |" in text
    assert "| published, InceptionV3 | Mixed_7b | published | SVD | 100–199 | 100 | 2.51 | 4 |" in text


def test_means_are_put_under_their_counting(two):
    shown = clusters.mean_rows(two["cluster_means"])
    row = shown.query("model == 'ConvNeXt' and protocol == 'as released' and method == 'NMF'").iloc[0]
    own = two["cluster_means"].query("run == 'convnext' and protocol == 'as_released' and method == 'nmf'")
    values = own.set_index("counting")["value"]
    for counting, title in clusters.COUNTINGS.items():
        expected = "–" if np.isnan(values[counting]) else f"{values[counting]:.3f} ["
        assert row[title].startswith(expected)


def test_popular_directions_are_the_most_frequent_of_each_place():
    counts = np.random.default_rng().integers(1, 5, 60)
    rows = pd.DataFrame(
        {"run": "vgg16", "layer": "a", "protocol": "corrected", "place": np.repeat([1, 2, 3], 20),
         "direction": np.arange(60), "count": counts, "classes": "x"}
    )  # fmt: skip
    kept = concepts.popular(rows.sample(frac=1, random_state=0))
    assert kept["place"].is_monotonic_increasing
    for place in (1, 2, 3):
        several = sorted((count for count in counts[20 * (place - 1) : 20 * place] if count > 1), reverse=True)
        assert kept.loc[kept["place"] == place, "count"].tolist() == several[: concepts.LISTED]


def test_popularity_names_direction_and_classes(two):
    shown = concepts.popular_rows(concepts.popular(two["popularity"]))
    assert len(shown) == 2 * 2 * 3 * 2
    first = shown.iloc[0]
    assert (first["candidate"], first["direction"], first["classes"]) == ("first", "#3", 3)
    assert first["which"].count(",") == 2


def test_relevance_rows_hold_the_numbers(two):
    rows = two["relevance"]
    shown = relevance.readable(rows)
    assert len(shown) == len(rows)
    source = rows.iloc[1]
    assert shown["direction"].iloc[1] == f"#{source['direction']} −"
    assert shown["logit [95 %]"].iloc[1].startswith(f"{source['logit_change']:.3f} [")
    assert shown["stability"].iloc[1] == f"{source['stability']:.3f} (0.310)"


def test_truth_has_a_column_per_metric_with_chance(two):
    shown = concept_truth.readable(two["concept_truth"])
    assert len(shown) == 2 * 9
    probes = shown.query("model == 'VGG16' and method == 'probes (labels)'").iloc[0]
    assert probes["recovery, AUC"] == "0.900 [0.860, 0.950] (0.500)"
    assert "(" not in probes["distinctness"]
    assert shown.query("method == 'k-means'")["IoU with masks"].tolist() == ["–", "–"]


def test_wrong_side_says_chance(two, about, tmp_path):
    page = entry("table_wrong_side").draw(two, about, tmp_path)[1].read_text()
    assert "| VGG16 | features.42 | as released | 20 | 0.0500 [0.0000, 0.1500] | 0.0312 |" in page


@pytest.mark.parametrize("result", TABLES)
def test_tables_of_nothing(result, two, about, tmp_path):
    nothing = {name: rows.iloc[:0] for name, rows in two.items() if isinstance(rows, pd.DataFrame)}
    csv, page = entry(result).draw(nothing, about, tmp_path)
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
    line = spectrum.readable(rows).iloc[0]
    assert (line["beyond 0.6"], line["random ones"], line["first"]) == (2, 1, "60.0 %")
