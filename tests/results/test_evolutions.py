"""Reversal, important evolutions and importance against the truth: exhibits that are not as one hopes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from evoscope.figure_data import NeuronMap
from evoscope.viz import Sheet, heat_over, interval_bars, level_band, move, reference_marks, use_style
from evoscope.viz.charts import epochs_name
from results import fig_important, fig_reversal, table_importance, table_reversal
from results.reference import BINS, PAIRS, published_reversal

LONG_RUN = "a_rather_long_name_of_my_own_network_run_7"
LONG_LAYER = "backbone.encoder.stage4.blocks.11.attention.projection.conv"
LONG_CONCEPT = "American Staffordshire terrier or a breed that costs $5 or $6"
OWN = {LONG_RUN: (("my own pair", -1, 12),)}


def figure_of(module, exhibits, about):
    with use_style():
        return module.figure(exhibits, about)


def written(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def page_of(module, exhibits, about, folder):
    return module.draw(exhibits, about, folder)[1].read_text()


def rows_of(page):
    """Cells of every line of the tables on a page."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("|")
    ]


def both(maker, **how):
    reversal = maker.reversal(**how)
    return {"reversal": reversal, "order": maker.order(reversal)}


def diamonds(axes):
    return [line for line in axes.lines if line.get_marker() in ("D", "v", "^")]


# --- published values ------------------------------------------------------------------------------------------------


def test_published_rows_are_complete_and_paired():
    rows = published_reversal()
    assert len(rows) == 24
    assert not rows.duplicated(["run", "pair", "split", "metric"]).any()
    assert set(rows["pair"]) == set(PAIRS)
    assert set(rows["run"]) == {"vgg16", "inception_v3", "convnext"}
    late = rows[(rows["run"] == "convnext") & (rows["pair"] == PAIRS[1])]
    assert set(zip(late["from_epoch"], late["to_epoch"], strict=True)) == {(3, 96)}
    assert np.isfinite(rows[[*BINS, "random", "accuracy"]].to_numpy(dtype=float)).all()
    assert rows["source"].str.contains("2203.16475").all()


def test_the_copied_row_is_marked_as_suspect():
    suspect = published_reversal().query("suspect")
    assert suspect[["run", "pair", "split", "metric"]].to_numpy().tolist() == [
        ["vgg16", PAIRS[0], "test", "top1"]
    ]


# --- figure of the reversal ------------------------------------------------------------------------------------------


def test_reversal_has_four_panels_per_pair_with_published_values(exhibits, about):
    figure = figure_of(fig_reversal, exhibits, about)
    assert len(figure.axes) == 4 * 2 * 3
    assert all(len(axes.patches) >= 4 and len(diamonds(axes)) >= 4 for axes in figure.axes)


def test_reversal_draws_the_corrected_protocol_with_each_layer_once(exhibits, about):
    rows = fig_reversal.shown(exhibits["reversal"])
    assert set(rows["protocol"]) == {"corrected"}
    assert set(rows["layers"]) == {"once"}
    first = figure_of(fig_reversal, exhibits, about).axes[0]
    expected = rows.query("run == 'vgg16' and from_epoch == 1 and split == 'train' and metric == 'top1'")
    heights = [bar.get_height() / 100 for bar in first.patches[:4]]
    np.testing.assert_allclose(heights, expected.set_index("condition").loc[list(BINS), "value"])


def test_reversal_of_the_released_protocol_alone(maker, about, collisions):
    alone = both(maker, protocols=("as_released",))
    figure = figure_of(fig_reversal, alone, about)
    assert all(diamonds(axes) for axes in figure.axes)
    assert collisions(figure) == []
    assert "protocol: as released;" in fig_reversal.words(alone, about)
    listed = alone["reversal"].query("layers == 'listed'")
    assert "as the released code lists them" in fig_reversal.words({**alone, "reversal": listed}, about)


def test_reversal_of_somebodys_own_single_pair(maker, about, collisions):
    own = both(maker, runs=OWN)
    figure = figure_of(fig_reversal, own, about)
    assert len(figure.axes) == 4
    assert not any(diamonds(axes) for axes in figure.axes)
    assert "my own pair, before training to epoch 12" in written(figure)
    assert collisions(figure) == []
    assert f"- {LONG_RUN}: recipe not recorded" in fig_reversal.words(own, about)


def test_a_protocol_that_nobody_published_has_no_published_values(maker, about):
    figure = figure_of(fig_reversal, both(maker, protocols=("v1",)), about)
    assert not any(diamonds(axes) for axes in figure.axes)


def test_reversal_without_intervals_random_or_some_panels(maker, about, collisions):
    parts = both(maker, runs={"vgg16": (("early to middle", 1, 4),)})
    rows = parts["reversal"].assign(low=np.nan, high=np.nan, se=np.nan, accuracy=np.nan)
    rows = rows[(rows["condition"] != "random") & (rows["metric"] == "top1")]
    figure = figure_of(fig_reversal, {"reversal": rows, "order": parts["order"].iloc[:0]}, about)
    texts = written(figure)
    assert texts.count("not measured") == 2
    assert not any("nan" in text for text in texts)
    assert not any(text in (fig_reversal.HOLDS, fig_reversal.FAILS) for text in texts)
    assert "not judged" in fig_reversal.words({"reversal": rows, "order": parts["order"].iloc[:0]}, about)
    assert collisions(figure) == []


def test_reversal_of_nothing(exhibits, about):
    nothing = {"reversal": exhibits["reversal"].iloc[:0], "order": exhibits["order"].iloc[:0]}
    assert written(figure_of(fig_reversal, nothing, about)) == ["no reversal was measured"]
    assert fig_reversal.words(nothing, about)


def test_marks_say_whether_the_order_holds(exhibits, about):
    texts = written(figure_of(fig_reversal, exhibits, about))
    judged = exhibits["order"].query("protocol == 'corrected' and layers == 'once'")["holds"]
    assert texts.count(fig_reversal.HOLDS) == judged.sum()
    assert texts.count(fig_reversal.FAILS) == (~judged).sum()
    assert f"in {judged.sum()} of 24 rows (corrected)." in fig_reversal.words(exhibits, about)


def test_far_published_values_do_not_flatten_the_bars(maker, about):
    rows = maker.reversal(runs={"inception_v3": (("middle to late", 4, 9),)})
    rows = fig_reversal.shown(rows)[lambda frame: frame["condition"] != "all"]
    values = rows[["value", "low", "high"]]
    small = rows.assign(**0.05 * values / values.abs().to_numpy().max())
    low, high = fig_reversal.heights(small)
    assert -11 < low < -5
    figure = figure_of(fig_reversal, {"reversal": small, "order": maker.order(small)}, about)
    assert any(line.get_marker() == "v" for line in figure.axes[0].lines)
    flat = rows.assign(value=0.0, low=0.0, high=0.0)
    low, high = fig_reversal.heights(flat)
    assert low < 0 < high


# --- table of the reversal -------------------------------------------------------------------------------------------


def test_every_measurement_is_a_row_with_the_released_protocol_after_the_corrected(
    exhibits, about, everything
):
    rows = rows_of(everything["table_reversal.md"].read_text())
    first = [row for row in rows if len(row) == 13]
    assert len(first) == 2 + 2 * 24
    assert [row[3] for row in first[2:6]] == ["corrected", "as released, layers as listed"] * 2
    assert all(one[:3] == other[:3] for one, other in zip(first[2::2], first[3::2], strict=True))


def test_values_published_values_and_reasons_stand_in_the_row(exhibits, about, everything):
    rows = [row for row in rows_of(everything["table_reversal.md"].read_text()) if len(row) == 13]
    key = "run == 'vgg16' and from_epoch == 1 and protocol == 'corrected' and split == 'test' and metric == 'top1'"
    own = exhibits["reversal"].query(f"{key} and layers == 'once'").set_index("condition")
    row = next(row for row in rows if row[0] == "VGG16" and row[2] == "test, top-1")
    value, low, high = own.loc["bin1", ["value", "low", "high"]].astype(float)
    assert row[5] == f"{value:.3f} [{low:.3f}, {high:.3f}]"
    assert row[9].endswith(f"(se {own.loc['random', 'se']:.4f})")
    assert row[10] == "-0.178, -0.070, -0.037, 0.003; -0.033 (suspect)"
    verdict = exhibits["order"].query(f"{key} and layers == 'once'").iloc[0]
    assert row[11:] == (["yes", ""] if verdict["holds"] else ["no", verdict["why"]])


def test_caveats_of_published_rows_are_named(everything):
    page = everything["table_reversal.md"].read_text()
    assert "VGG16 early to middle, test top-1: suspect: the four bins are identical" in page


def test_whole_layers_and_all_layers_at_once_have_a_table_of_their_own(exhibits, everything):
    rows = [row for row in rows_of(everything["table_reversal.md"].read_text()) if len(row) == 11]
    assert len(rows) == 2 + 48
    own = exhibits["reversal"].query("layers == 'together' and condition == 'all'").iloc[0]
    assert rows[2][-1] == f"{own['value']:.3f} [{own['low']:.3f}, {own['high']:.3f}]"


def test_table_of_an_own_pair_without_intervals_verdicts_or_whole_layers(maker, about, tmp_path):
    rows = maker.reversal(runs=OWN, protocols=("corrected", "mine")).assign(
        low=np.nan, high=np.nan, se=np.nan
    )
    rows = rows[(rows["layers"] != "together") & (rows["condition"] != "all")]
    none = maker.order(rows).iloc[:0]
    page = page_of(table_reversal, {"reversal": rows, "order": none}, about, tmp_path)
    cells = rows_of(page)
    assert len(cells) == 2 + 8
    assert [row[3] for row in cells[2:4]] == ["corrected", "mine, layers as listed"] or "mine" in cells[3][3]
    assert all(row[10] == table_reversal.DASH for row in cells[2:])
    assert all(row[11] == table_reversal.DASH for row in cells[2:])
    assert "nan" not in page


def test_table_of_nothing(exhibits, about, tmp_path):
    nothing = {"reversal": exhibits["reversal"].iloc[:0], "order": exhibits["order"].iloc[:0]}
    assert "n: unknown classes" in page_of(table_reversal, nothing, about, tmp_path)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((-0.12944, -0.15, -0.1084), "-0.129 [-0.150, -0.108]"),
        ((-0.0001, np.nan, np.nan), "0.000"),
        ((np.nan, 0.1, 0.2), "–"),
    ],
)
def test_changes_in_words(numbers, text):
    assert table_reversal.change(*numbers) == text


# --- important evolutions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [(1, 1), (3, 2), (4, 5), (9, 8), (0, 0)])
def test_important_with_any_number_of_patches_and_images(maker, about, collisions, counts):
    important = maker.important(counts=counts)
    figure = figure_of(fig_important, {"important": important, "map": maker.map()}, about)
    patches, images = min(counts[0], 4), min(counts[1], 5)
    pictures = sum(len(axes.images) for axes in figure.axes)
    missing = max(2 - images, 0) if images else 0
    assert pictures == len(important.neurons) * (2 * patches + 2 * images + missing)
    assert figure.get_figwidth() <= 7.21
    assert collisions(figure) == []


def test_important_says_class_epochs_concepts_and_numbers(exhibits, about):
    texts = written(figure_of(fig_important, exhibits, about))
    assert "class: striped circle on grass, epochs 1 to 5" in texts
    assert {"wheel (stays)", "striped → red circle", "score 0.98", "q < .001", "q .004"} <= set(texts)
    assert texts.count("epoch 5") == 2


def test_important_with_long_names_and_unplaced_neurons(maker, about, collisions):
    important = maker.important(((LONG_RUN, LONG_CONCEPT), ("vgg16", "")), each=4)
    neurons = important.neurons.assign(layer=LONG_LAYER, concept_before=LONG_CONCEPT)
    neurons.loc[0, ["x_before", "y_before"]] = np.nan
    neurons.loc[1, ["x_after", "y_after"]] = np.nan
    neurons.loc[2, ["x_before", "y_before", "x_after", "y_after", "moved"]] = np.nan
    neurons.loc[3, ["concept_before", "concept_after"]] = ""
    neurons.loc[4, ["q", "mean"]] = np.nan
    figure = figure_of(
        fig_important, {"important": replace(important, neurons=neurons), "map": maker.map()}, about
    )
    texts = written(figure)
    assert [texts.count(text) for text in ("unplaced", "unplaced before", "unplaced after")] == [1, 1, 1]
    assert not any("nan" in text for text in texts)
    assert "all classes, epochs 1 to 5" in texts
    assert collisions(figure) == []


def test_important_of_nothing_and_without_a_base(maker, about):
    nothing = {"important": maker.important(()), "map": maker.map()}
    assert written(figure_of(fig_important, nothing, about)) == ["no neuron was chosen"]
    own = NeuronMap(maker.neurons("vgg16", 5), "pca")
    assert figure_of(fig_important, {"important": maker.important(), "map": own}, about)


def test_neurons_keep_their_pictures_whatever_their_index(maker, about):
    important, neurons = maker.important(), maker.map()
    renumbered = replace(important, neurons=important.neurons.set_index(important.neurons.index[::-1] + 7))
    shown = [
        [image.get_array() for axes in figure_of(fig_important, parts, about).axes for image in axes.images]
        for parts in ({"important": one, "map": neurons} for one in (important, renumbered))
    ]
    assert all(np.array_equal(one, other) for one, other in zip(*shown, strict=True))


def test_concepts_fit_on_two_lines():
    assert fig_important.concept_words("eye", "eye", 1.0) == ["eye (stays)"]
    assert fig_important.concept_words("", "eye", 1.0) == ["unclear → eye"]
    long = fig_important.concept_words(LONG_CONCEPT, "eye", 1.0)
    assert len(long) == 2
    assert long[1] == "→ eye"


# --- importance against the truth ------------------------------------------------------------------------------------


def test_means_come_before_the_classes(exhibits, everything):
    page = everything["table_importance.md"].read_text()
    assert page.index("Means over the classes") < page.index("Every class")
    rows = rows_of(page)
    means = [row for row in rows if len(row) == 8]
    assert len(means) == 2 + 12
    mean = exhibits["truth"].iloc[0]
    assert means[2][3] == f"{mean['auc']:.3f} [{mean['low']:.3f}, {mean['high']:.3f}]"
    assert means[2][-2:] == ["48", "1,056"]
    assert sum(row[-1] == "no neuron answers to a concept of this class" for row in rows) == 12


@pytest.mark.parametrize("kept", ["class_name == ''", "class_name != ''"])
def test_importance_with_means_or_classes_alone(exhibits, about, tmp_path, kept):
    rows = exhibits["truth"].query(kept).assign(neurons=np.nan, p=np.nan)
    page = page_of(table_importance, {"truth": rows}, about, tmp_path)
    assert "Every class" not in page
    assert "nan" not in page
    assert len(rows_of(page)) == 2 + len(rows)


def test_importance_of_nothing(exhibits, about, tmp_path):
    assert page_of(table_importance, {"truth": exhibits["truth"].iloc[:0]}, about, tmp_path)


# --- pictures --------------------------------------------------------------------------------------------------------


def test_heat_is_red_where_positive_blue_where_negative_and_grey_elsewhere():
    images = np.full((1, 1, 4, 3), (200, 40, 40), dtype=np.uint8)
    heat = np.array([[[1.0, -1.0, 0.0, np.nan]]], dtype=np.float32)
    red, blue, none, unknown = heat_over(images, heat)[0, 0].astype(int)
    assert red[0] > red[2] + 60
    assert blue[2] > blue[0] + 60
    assert np.array_equal(none, unknown)
    assert len(set(none)) == 1
    half = heat_over(images, heat * [0.5, 2, 1, 1])[0, 0, 0].astype(int)
    assert red[0] - red[2] > half[0] - half[2] > 0


def test_heat_of_nothing_leaves_a_grey_image():
    images = np.full((2, 3, 3, 3), 90, dtype=np.uint8)
    calm = heat_over(images, np.zeros((2, 3, 3), dtype=np.float32))
    assert calm.dtype == np.uint8
    assert len(np.unique(calm)) == 1


def test_bars_and_bands_leave_out_what_is_unknown():
    with use_style():
        axes = Sheet(2, 2).axes(0.3, 0.3, 1, 1)
        value, nan = np.array([-1.0, np.nan, -0.5]), np.full(3, np.nan)
        interval_bars(axes, value, nan, nan, "#000000")
        level_band(axes, np.nan, 0.0, 1.0)
        bars, lines = len(axes.patches), len(axes.lines)
        level_band(axes, -0.3, np.nan, np.nan)
        axes.set_ylim(-1, 1)
        reference_marks(axes, np.array([-3.0, 0.0, np.nan]), 2.0)
    assert (bars, lines) == (2, 1)
    assert [line.get_marker() for line in axes.lines[2:]] == ["v", "D", "^"]


def test_a_move_is_an_arrow_only_between_two_places():
    with use_style():
        sheet = Sheet(2, 2)
        whole, half = sheet.axes(0.1, 0.1, 0.8, 0.8), sheet.axes(1.1, 0.1, 0.8, 0.8)
        move(whole, np.array([0.2, 0.8]), np.array([0.2, 0.5]), "#000000")
        move(half, np.array([0.2, np.nan]), np.array([0.2, np.nan]), "#000000")
    assert len(whole.collections) == 2
    assert len(half.collections) == 1
    assert [text.get_text() for text in half.texts] == ["unplaced after"]


def test_epochs_in_words():
    assert epochs_name(3, 7) == "epochs 3 to 7"
    assert epochs_name(-1, 7) == "before training to epoch 7"


def test_tables_do_not_change_their_exhibits(exhibits, about, tmp_path):
    before = {name: exhibits[name].copy() for name in ("reversal", "order", "truth")}
    table_reversal.draw(exhibits, about, tmp_path)
    table_importance.draw(exhibits, about, tmp_path)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(exhibits[name], frame)
