"""Tables: the CSV holds every digit, the Markdown reads well."""

import itertools

import numpy as np
import pandas as pd
import pytest

from results import (
    table_behaviour,
    table_importance,
    table_metrics,
    table_protocols,
    table_reversal,
    table_training,
)
from results.tables import markdown, with_interval, write_table

TABLES = (table_metrics, table_protocols, table_behaviour, table_training, table_reversal, table_importance)
SHARES = ("train_top1", "train_top5", "test_top1", "test_top5")
COLUMNS = ["run", "seed", "epoch", *SHARES, "train_loss", "test_loss", "diverged"]
each_table = pytest.mark.parametrize("module", TABLES, ids=lambda module: module.ID)


def floats(column):
    """What Python reads in a column of a CSV."""
    return [float(cell) if cell else np.nan for cell in column]


@each_table
def test_csv_gives_back_every_value(module, exhibits, everything):
    found = pd.read_csv(everything[f"{module.ID}.csv"], dtype=str, keep_default_na=False)
    whole = exhibits[module.READS[0]]
    expected = table_training.final_rows(whole.curves) if module is table_training else whole
    assert list(found.columns) == list(expected.columns)
    for name in expected.columns:
        if pd.api.types.is_float_dtype(expected[name]):
            np.testing.assert_array_equal(floats(found[name]), expected[name])
        else:
            assert list(found[name]) == [str(value) for value in expected[name]]


@each_table
def test_markdown_has_a_caption_and_rows_of_equal_width(module, everything, about):
    text = everything[f"{module.ID}.md"].read_text()
    for fact in (
        module.TITLE,
        "n: ",
        f"data: {about.data}",
        f"scale: {about.scale}",
        f"Commit={about.commit}",
    ):
        assert fact in text
    whole, tables = text.replace("\\|", ""), 0
    for starts, block in itertools.groupby(whole.splitlines(), lambda line: line.startswith("|")):
        rows = list(block)
        if starts:
            tables += 1
            assert len(rows) > 2
            assert len({row.count("|") for row in rows}) == 1
    assert tables == (2 if module in (table_reversal, table_importance) else 1)


@each_table
def test_same_bytes_twice(module, exhibits, about, everything, tmp_path):
    again = module.draw(exhibits, about, tmp_path)
    assert all(path.read_bytes() == everything[path.name].read_bytes() for path in again)


def test_protocols_stand_side_by_side(exhibits):
    rows = exhibits["coverage"]
    wide = table_protocols.side_by_side(rows)
    assert len(wide) == len(rows) / rows["protocol"].nunique()
    row = rows.query("protocol == 'corrected' and run == 'convnext' and k == 20").iloc[0]
    cell = wide[(wide["model"] == "ConvNeXt") & (wide["k"] == 20)]["corrected: purity@10"].item()
    assert cell == with_interval(row["value"], row["low"], row["high"])


def test_a_protocol_that_lacks_a_setting_has_a_dash(exhibits):
    rows = exhibits["coverage"].query("not (protocol == 'v1' and k == 1)")
    wide = table_protocols.side_by_side(rows)
    assert (wide.loc[wide["k"] == 1, "first version: purity@10"] == "–").all()


def test_behaviour_counts_what_holds(exhibits, about, tmp_path):
    page = table_behaviour.draw(exhibits, about, tmp_path)[1].read_text()
    assert "2 of 3 hold" in page
    assert "| no |" in page


def test_training_takes_the_last_and_the_best_epoch():
    rows = [
        ("mine", 0, epoch, 0.5, 0.9, test, 0.9, 1.0, 1.0, epoch == 2)
        for epoch, test in ((2, 0.1), (0, 0.2), (1, 0.7))
    ]
    final = table_training.final_rows(pd.DataFrame(rows, columns=COLUMNS)).iloc[0]
    assert (final["epoch"], final["test_top1"]) == (2, 0.1)
    assert (final["best_epoch"], final["best_test_top1"]) == (1, 0.7)
    assert final["diverged"]


def test_training_of_a_run_that_was_never_evaluated():
    rows = [("mine", 0, epoch, *[np.nan] * 6, True) for epoch in (0, 1)]
    final = table_training.final_rows(pd.DataFrame(rows, columns=COLUMNS)).iloc[0]
    assert final["epoch"] == final["best_epoch"] == 1


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.4123, 0.3981, 0.4249), "0.412 [0.398, 0.425]"),
        ((0.00871, np.nan, np.nan), "0.0087"),
        ((np.nan, 0.1, 0.2), "–"),
        ((-0.3, -0.4, -0.2), "-0.300 [-0.400, -0.200]"),
    ],
)
def test_interval_in_words(numbers, text):
    assert with_interval(*numbers) == text


def test_markdown_escapes_and_aligns():
    frame = pd.DataFrame({"name": ["a|b", "c\nd"], "n": [1.5, np.nan], "ok": [True, False]})
    assert markdown(frame).splitlines() == [
        "| name | n | ok |",
        "| --- | ---: | ---: |",
        "| a\\|b | 1.5 | yes |",
        "| c d | – | no |",
    ]


def test_csv_keeps_every_bit_of_a_random_number(tmp_path):
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=200) * 10.0 ** np.arange(-100, 100)})
    csv, _ = write_table(frame, frame, tmp_path, "numbers", "Caption.", {})
    found = pd.read_csv(csv, dtype=str)["x"]
    np.testing.assert_array_equal(floats(found), frame["x"])


def test_reason_for_a_missing_value_is_shown(exhibits, about, tmp_path):
    metrics = exhibits["metrics"].assign(note="")
    metrics.loc[0, ["value", "low", "high"]] = np.nan
    metrics.loc[0, "note"] = "only one neuron is placed."
    page = table_metrics.draw({"metrics": metrics}, about, tmp_path)[1].read_text()
    assert "only one neuron is placed." in page
    assert "why there is no value" in page


def test_protocols_with_unknown_shares_have_dashes(exhibits):
    rows = exhibits["coverage"].assign(placed=np.nan, unlabelled=np.nan)
    assert (
        not table_protocols.side_by_side(rows)
        .astype(str)
        .apply(lambda cells: cells.str.contains("nan"))
        .any(axis=None)
    )
