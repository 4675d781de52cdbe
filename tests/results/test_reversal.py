"""Reversal: exhibits that are not as one hopes, and the published values beside them."""

import numpy as np
import pandas as pd
import pytest

from evoscope.figure_data import BIN_NAMES
from evoscope.viz.charts import epochs_name
from results import reversal
from results.reference import PAIRS, published_reversal
from results.registry import entry
from tests.results.helpers import LONG_RUN, cells_of, figure_of, page_of, written

OWN = {LONG_RUN: (("my own pair", -1, 12),)}


def both(maker, **how):
    reversal = maker.reversal(**how)
    return {"reversal": reversal, "order": maker.order(reversal)}


# --- published values ------------------------------------------------------------------------------------------------


def test_published_rows_are_complete_and_paired():
    rows = published_reversal()
    assert len(rows) == 24
    assert not rows.duplicated(["run", "pair", "split", "metric"]).any()
    assert set(rows["pair"]) == set(PAIRS)
    assert set(rows["run"]) == {"vgg16", "inception_v3", "convnext"}
    late = rows[(rows["run"] == "convnext") & (rows["pair"] == PAIRS[1])]
    assert set(zip(late["from_epoch"], late["to_epoch"], strict=True)) == {(3, 96)}
    assert np.isfinite(rows[[*BIN_NAMES, "random", "accuracy"]].to_numpy(dtype=float)).all()
    assert rows["source"].str.contains("2203.16475").all()


def test_the_copied_row_is_marked_as_suspect():
    suspect = published_reversal().query("suspect")
    assert suspect[["run", "pair", "split", "metric"]].to_numpy().tolist() == [["vgg16", PAIRS[0], "test", "top1"]]


# --- figure of the reversal ------------------------------------------------------------------------------------------


def panels(figure):
    """Axes of the measured rows; the published ones have axes of their own behind each."""
    return figure.axes[::2]


def bands(figure):
    return sum(len(axes.collections) > 0 for axes in figure.axes[1::2])


def test_reversal_has_a_panel_per_network_with_the_published_rows_behind(exhibits, about):
    figure = figure_of("fig_reversal", exhibits, about)
    assert len(panels(figure)) == bands(figure) == 3


def test_reversal_draws_the_corrected_protocol_with_each_layer_once(exhibits, about):
    rows = reversal.shown(exhibits["reversal"])
    assert set(rows["protocol"]) == {"corrected"}
    assert set(rows["layers"]) == {"once"}
    own = rows[(rows["run"] == "vgg16") & rows["condition"].isin(reversal.DRAWN)]
    assert len(own) == 8 * 5
    line = next(
        line for line in panels(figure_of("fig_reversal", exhibits, about))[0].lines if len(line.get_xdata()) == 4
    )
    expected = own.groupby("condition")["value"].median()[list(BIN_NAMES)]
    np.testing.assert_allclose(line.get_ydata(), 100 * expected)


def test_both_scales_have_their_zero_at_the_same_height(exhibits, about):
    figure = figure_of("fig_reversal", exhibits, about)
    for axes, behind in zip(panels(figure), figure.axes[1::2], strict=True):
        (low, high), (below, above) = axes.get_ylim(), behind.get_ylim()
        assert low / high == pytest.approx(below / above)
        theirs = behind.collections[0].get_datalim(behind.transData)
        assert below <= theirs.y0
        assert theirs.y1 <= above


def test_the_sentence_counts_rows(exhibits, about):
    judged = exhibits["order"].query("protocol == 'corrected' and layers == 'once'")
    sentence = entry("fig_reversal").says(exhibits, about)
    assert f"in {judged['most_first'].sum()} of 24 rows" in sentence
    assert sentence.endswith(f"holds in {judged['holds'].sum()}")
    assert f"in {judged['holds'].sum()} of 24 rows (corrected)." in reversal.reversal_words(exhibits, about)


def test_reversal_of_the_released_protocol_alone(maker, about, collisions):
    alone = both(maker, protocols=("as_released",))
    figure = figure_of("fig_reversal", alone, about)
    assert bands(figure) == 3
    assert collisions(figure) == []
    assert "protocol: as released;" in reversal.reversal_words(alone, about)
    listed = alone["reversal"].query("layers == 'listed'")
    assert "as the released code lists them" in reversal.reversal_words({**alone, "reversal": listed}, about)


def test_reversal_of_somebodys_own_single_pair(maker, about, collisions):
    own = both(maker, runs=OWN)
    figure = figure_of("fig_reversal", own, about)
    assert len(panels(figure)) == 1
    assert bands(figure) == 0
    assert any(text.startswith(LONG_RUN[:20]) for text in written(figure))
    assert collisions(figure) == []
    assert f"- {LONG_RUN}: recipe not recorded" in reversal.reversal_words(own, about)


def test_a_protocol_that_nobody_published_has_no_published_values(maker, about):
    assert bands(figure_of("fig_reversal", both(maker, protocols=("v1",)), about)) == 0


def test_reversal_without_intervals_random_or_any_value(maker, about, collisions):
    parts = both(maker, runs={"vgg16": (("early to middle", 1, 4),), "mine": (("early to middle", 1, 4),)})
    rows = parts["reversal"].assign(low=np.nan, high=np.nan, se=np.nan, accuracy=np.nan)
    rows = rows[(rows["condition"] != "random") & (rows["metric"] == "top1")]
    rows.loc[rows["run"] == "mine", "value"] = np.nan
    bare = {"reversal": rows, "order": parts["order"].iloc[:0]}
    figure = figure_of("fig_reversal", bare, about)
    texts = written(figure)
    assert texts.count("not measured") == 1
    assert not any("nan" in text for text in texts)
    assert "not judged" in reversal.reversal_words(bare, about)
    assert collisions(figure) == []


def test_reversal_of_nothing(exhibits, about):
    nothing = {"reversal": exhibits["reversal"].iloc[:0], "order": exhibits["order"].iloc[:0]}
    assert written(figure_of("fig_reversal", nothing, about)) == ["no reversal was measured"]
    assert reversal.reversal_words(nothing, about)


# --- table of the reversal -------------------------------------------------------------------------------------------


def test_every_measurement_is_a_row_with_the_released_protocol_after_the_corrected(exhibits, about, everything):
    rows = cells_of(everything["table_reversal.md"].read_text())
    first = [row for row in rows if len(row) == 13]
    assert len(first) == 2 + 2 * 24
    assert [row[3] for row in first[2:6]] == ["corrected", "as released, layers as listed"] * 2
    assert all(one[:3] == other[:3] for one, other in zip(first[2::2], first[3::2], strict=True))


def test_values_published_values_and_reasons_stand_in_the_row(exhibits, about, everything):
    rows = [row for row in cells_of(everything["table_reversal.md"].read_text()) if len(row) == 13]
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
    rows = [row for row in cells_of(everything["table_reversal.md"].read_text()) if len(row) == 11]
    assert len(rows) == 2 + 48
    own = exhibits["reversal"].query("layers == 'together' and condition == 'all'").iloc[0]
    assert rows[2][-1] == f"{own['value']:.3f} [{own['low']:.3f}, {own['high']:.3f}]"


def test_table_of_an_own_pair_without_intervals_verdicts_or_whole_layers(maker, about, tmp_path):
    rows = maker.reversal(runs=OWN, protocols=("corrected", "mine")).assign(low=np.nan, high=np.nan, se=np.nan)
    rows = rows[(rows["layers"] != "together") & (rows["condition"] != "all")]
    none = maker.order(rows).iloc[:0]
    page = page_of("table_reversal", {"reversal": rows, "order": none}, about, tmp_path)
    cells = cells_of(page)
    assert len(cells) == 2 + 8
    assert [row[3] for row in cells[2:4]] == ["corrected", "mine, layers as listed"] or "mine" in cells[3][3]
    assert all(row[10] == reversal.DASH for row in cells[2:])
    assert all(row[11] == reversal.DASH for row in cells[2:])
    assert "nan" not in page


def test_table_of_nothing(exhibits, about, tmp_path):
    nothing = {"reversal": exhibits["reversal"].iloc[:0], "order": exhibits["order"].iloc[:0]}
    assert "n: unknown classes" in page_of("table_reversal", nothing, about, tmp_path)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((-0.12944, -0.15, -0.1084), "-0.129 [-0.150, -0.108]"),
        ((-0.0001, np.nan, np.nan), "0.000"),
        ((np.nan, 0.1, 0.2), "–"),
    ],
)
def test_changes_in_words(numbers, text):
    assert reversal.change(*numbers) == text


def test_epochs_in_words():
    assert epochs_name(3, 7) == "epochs 3 to 7"
    assert epochs_name(-1, 7) == "before training to epoch 7"


def test_tables_do_not_change_their_exhibits(exhibits, about, tmp_path):
    before = {name: exhibits[name].copy() for name in ("reversal", "order", "truth")}
    entry("table_reversal").draw(exhibits, about, tmp_path)
    entry("table_importance").draw(exhibits, about, tmp_path)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(exhibits[name], frame)


def test_a_trade_has_a_column_per_bin_and_a_dash_where_random_has_no_class(exhibits, about, tmp_path):
    csv, page = entry("table_reversal_trade").draw(exhibits, about, tmp_path)
    assert len(csv.read_text().splitlines()) == len(exhibits["trade"]) + 1
    lines = [line for line in page.read_text().splitlines() if line.startswith("| VGG16")]
    assert len(lines) == 6
    assert lines[0].endswith(" | -0.0300 [-0.0500, -0.0100] |")
    assert lines[3].endswith(" | – |")
