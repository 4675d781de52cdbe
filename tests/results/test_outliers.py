"""Figures and tables of outliers, also for exhibits that are not as one hopes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from evoscope.viz import use_style
from results import outliers
from results.reference import published_stamps
from results.registry import entry
from tests.results.outlier_maker import CASES, outlier_exhibits

FIGURES = ("fig_outliers", "fig_outlier_boards", "fig_stamp_accuracy")
LONG = ("American Staffordshire terrier or a breed that costs $5 or $6", "church")
ALL = tuple(("stamp", p) for p in published_stamps()["p"])
VARIANTS = {
    "all p": {"cases": (*ALL, ("mislabelled", 0.05))},
    "one p": {"cases": (("stamp", 1.0),), "seeds": ("0",)},
    "nothing to find": {"cases": (("stamp", 0.0),), "seeds": ("0",)},
    "long names": {"names": LONG, "run": "a_rather_long_name_of_my_own_network_run_7"},
}


def drawn(result, exhibits, about):
    with use_style():
        return entry(result).made(exhibits, about)[0]


def written(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("result", FIGURES)
@pytest.mark.parametrize("how", VARIANTS.values(), ids=VARIANTS)
def test_texts_do_not_collide(result, how, about, collisions):
    exhibits = outlier_exhibits(np.random.default_rng(1), **how)
    assert collisions(drawn(result, exhibits, about)) == []
    assert entry(result).words(exhibits, about)


def test_what_has_no_outliers_says_so(about):
    exhibits = outlier_exhibits(np.random.default_rng(1), cases=(("stamp", 0.0),))
    assert "no outliers to find" in written(drawn("fig_outliers", exhibits, about))
    assert "nothing to find: stamps, p = 0." in outliers.outliers_words(exhibits, about)
    assert "there were no outliers to find" in written(drawn("fig_outlier_boards", exhibits, about))


def test_red_frames_are_the_truth(about):
    exhibits = outlier_exhibits(np.random.default_rng(1))
    figure = drawn("fig_outlier_boards", exhibits, about)
    red = sum(
        frame.get_edgecolor()[0] > 0.8 and frame.get_edgecolor()[1] < 0.5
        for axes in figure.axes
        for frame in axes.patches
    )
    assert red == exhibits["outlier_boards"].rows["outlier"].sum() > 0


def test_published_values_stand_beside_their_own_p(about):
    exhibits = outlier_exhibits(np.random.default_rng(1), cases=(("stamp", 0.1), ("stamp", 0.3)))
    (axes,) = drawn("fig_stamp_accuracy", exhibits, about).axes
    marks = [line.get_ydata() for line in axes.lines if line.get_marker() == "D"]
    assert [list(np.round(each, 2)) for each in marks] == [[94.75], [59.8]]


def test_beaten_counts_only_intervals_above_zero():
    rows = pd.DataFrame(
        {
            "metric": ["auroc"] * 4,
            "value": [0.1, 0.1, -0.2, np.nan],
            "low": [0.05, -0.05, -0.3, np.nan],
            "high": [0.2, 0.3, -0.1, np.nan],
        }
    )
    sentence = outliers.beaten(rows.assign(beats=rows["low"] > 0))
    assert "1 of 3 (AUROC)" in sentence
    assert sentence.endswith("in 1 of 3.")
    assert "could be compared" in outliers.beaten(rows.iloc[3:].assign(beats=False))


def test_tables_hold_every_seed_and_show_the_mean(about, tmp_path):
    exhibits = outlier_exhibits(np.random.default_rng(1))
    csv, page = entry("table_outliers").draw(exhibits, about, tmp_path)
    assert len(pd.read_csv(csv)) == len(exhibits["outliers"])
    text = page.read_text()
    assert "| stamps, p = 0.1 | concepts (SVD), deviation |" in text
    assert text.count("no outliers among the samples") == 10
    beats = outliers.by_pair(exhibits["outlier_differences"].query("seed == 'all'"))["beats"]
    assert (beats == "no").sum() == len(beats) / 2
    assert len(beats) == 8 * (len(CASES) - 1)
    csv, page = entry("table_outlier_readings").draw(exhibits, about, tmp_path)
    assert len(pd.read_csv(csv)) == len(exhibits["outlier_readings"])
    assert "| layer4.0 | ranked by evidence, scored by projection | random rotation | " in page.read_text()
    text = entry("table_stamp_accuracy").draw(exhibits, about, tmp_path)[1].read_text()
    assert "0.948 | " in text
    assert "| 5 % of the labels wrong | – | – |" in text


def test_tables_of_nothing(about, tmp_path):
    exhibits = {
        name: each.iloc[:0]
        for name, each in outlier_exhibits(np.random.default_rng(1)).items()
        if name != "outlier_boards"
    }
    for result in ("table_outliers", "table_outlier_readings", "table_stamp_accuracy"):
        assert all(path.exists() for path in entry(result).draw(exhibits, about, tmp_path))
    assert "no score was judged" in written(drawn("fig_outliers", exhibits, about))
    assert "no stamped images were judged" in written(drawn("fig_stamp_accuracy", exhibits, about))


def test_published_accuracies_are_shares():
    rows = published_stamps()
    assert len(rows) == 8
    assert rows.loc[rows["p"] == 0.2, ["stamped", "plain"]].to_numpy().round(4).tolist() == [[0.9249, 0.8405]]


def test_every_case_is_a_panel_with_a_row_per_score(about):
    exhibits = outlier_exhibits(np.random.default_rng(1))
    rows = exhibits["outliers"].query("seed == 'all' and metric == 'auroc'")
    figure = drawn("fig_outliers", exhibits, about)
    cases = outliers.cases_of(rows)
    assert len(figure.axes) == len(cases) <= outliers.PANELS
    for axes, case in zip(figure.axes, cases, strict=True):
        known = case.drop_duplicates("score").set_index("score")["value"]
        dots = {line.get_ydata()[0]: line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"}
        scores = outliers.shown_scores(exhibits["outliers"])
        assert {scores[int(row)]: value for row, value in dots.items() if np.isfinite(value)} == dict(known)


def test_the_caption_counts_the_images_of_one_training(about):
    exhibits = outlier_exhibits(np.random.default_rng(1))
    rows = exhibits["outliers"]
    each = rows.loc[rows["seed"] != "all", "images"].max()
    assert f"up to {each:,} training images each" in outliers.outliers_words(exhibits, about)


def test_images_are_counted_for_one_seed_not_for_all_together(about):
    exhibits = outlier_exhibits(np.random.default_rng(1))
    rows = exhibits["outliers"]
    exhibits["outliers"] = rows.assign(images=np.where(rows["seed"] == "all", 2560, 1280))
    assert "up to 1,280 training images each" in outliers.outliers_words(exhibits, about)
