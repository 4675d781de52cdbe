"""The ledger: every verdict follows from the CSV files by the stated rule, and no cell is empty."""

import csv
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from results import registry
from results.ledger.claim import Check, Verdict, collect, summary, verdict
from results.ledger.write import CLAIMS, all_checks, ledger, write_ledger
from results.reference import published_reversal

NAN = float("nan")
PAPER = Path(__file__).resolve().parents[2] / "results" / "paper"
BINS = ("bin1", "bin2", "bin3", "bin4")


@pytest.fixture(scope="module")
def folder(exhibits, about, tmp_path_factory):
    """Every table that there are made-up exhibits for."""
    to = tmp_path_factory.mktemp("tables")
    ids = [entry.id for entry in registry.entries().values() if entry.endings == registry.TABLE]
    ids = [name for name in ids if set(registry.entry(name).reads) <= set(exhibits)]
    registry.draw(ids, exhibits, about, to)
    return to


@pytest.fixture(scope="module")
def evidence(folder):
    return collect([folder])


@pytest.fixture(scope="module")
def written(evidence, tmp_path_factory):
    to = tmp_path_factory.mktemp("ledger")
    write_ledger(evidence, to)
    return to


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def passes(row):
    """The stated rule, from the texts of ``checks.csv``."""
    value, low, high, bound = (float(row[name] or "nan") for name in ("value", "low", "high", "bound"))
    if row["side"] in ("above", "at least"):
        edge = low if row["sure"] == "True" and low == low else value
        return edge > bound or (row["side"] == "at least" and edge == bound)
    edge = high if row["sure"] == "True" and high == high else value
    return edge < bound or (row["side"] == "at most" and edge == bound)


def derived(checks):
    known = [row for row in checks if row["value"]]
    if not known:
        return "not testable here"
    share = sum(map(passes, known)) / len(known)
    return "holds" if share >= 0.9 else "does not hold" if share <= 0.1 else "holds in part"


def mismatches(folder):
    """Rows of the ledger in ``folder`` whose verdict is not what their checks say."""
    checks = read(folder / "checks.csv")
    found = []
    for row in read(folder / "claims.csv"):
        for column, protocol in (("verdict", "corrected"), ("verdict as released", "as_released")):
            own = [
                check for check in checks
                if (check["claim"], check["data"], check["scale"], check["protocol"])
                == (row["claim"], row["data"], row["scale"], protocol)
            ]  # fmt: skip
            if derived(own) != row[column]:
                found.append((row["claim"], row["data"], protocol))
    return found


def test_no_cell_is_empty_and_no_verdict_without_a_command(written):
    rows = read(written / "claims.csv")
    assert {row["claim"] for row in rows} == {claim.id for claim in CLAIMS}
    for row in rows:
        assert all(row.values()), row
        assert row["command"].startswith("python "), row
    for name in ("defects.csv", "scorecard.csv"):
        assert all(all(row.values()) for row in read(written / name)), name


def test_every_verdict_follows_from_its_checks(written):
    assert mismatches(written) == []
    assert {row["verdict"] for row in read(written / "claims.csv")} > {"not testable here"}


@pytest.mark.skipif(not (PAPER / "claims.csv").is_file(), reason="no results are kept with the code yet")
def test_every_kept_verdict_follows_from_the_kept_tables(tmp_path):
    write_ledger(collect([PAPER]), tmp_path)
    for name in ("claims.csv", "checks.csv", "defects.csv", "claims.md"):
        assert (tmp_path / name).read_text() == (PAPER / name).read_text(), name
    assert mismatches(PAPER) == []


def cells(folder, protocol):
    """The reversal's rows of one protocol by run, pair, split and metric: value by condition, from the CSV alone."""
    found = {}
    counted = "listed" if protocol == "as_released" else "once"
    for row in read(folder / "table_reversal.csv"):
        if row["protocol"] == protocol and row["layers"] == counted:
            key = tuple(row[name] for name in ("run", "pair", "split", "metric"))
            found.setdefault(key, {})[row["condition"]] = tuple(
                float(row[n]) for n in ("value", "low", "high")
            )
    return list(found.values())


ORDER = {
    "E3b": lambda c: c["bin1"][0] < min(0, *(c[b][0] for b in BINS[1:])),
    "E3c": lambda c: c["bin1"][2] < 0,
    "E3d": lambda c: all(c[a][0] <= c[b][0] for a, b in pairwise(BINS)),
    "E3e": lambda c: abs(c["bin4"][0]) <= 0.25 * abs(c["bin1"][0]),
    "E3f": lambda c: c["bin1"][0] < c["random"][0] < c["bin4"][0],
}


@pytest.mark.parametrize("protocol", ["corrected", "as_released"])
@pytest.mark.parametrize("claim", ORDER)
def test_checks_of_the_reversal_are_those_of_the_table(claim, protocol, folder, written):
    expected = [ORDER[claim](cell) for cell in cells(folder, protocol)]
    own = [
        row["passes"] == "True"
        for row in read(written / "checks.csv")
        if (row["claim"], row["protocol"]) == (claim, protocol)
    ]
    assert own == expected
    assert len(own) > 8


def test_checks_against_nulls_are_those_of_the_tables(folder, written):
    rows = [
        row
        for row in read(folder / "table_importance.csv")
        if not row["class_name"] and row["kind"] == "defining"
    ]
    expected = [float(row["low"]) > float(row["null_high"]) for row in rows]
    checks = [row for row in read(written / "checks.csv") if row["claim"] == "E2"]
    assert [row["passes"] == "True" for row in checks] == expected
    purity = [
        float(row["low"]) > float(row["null_high"])
        for name, column in (("table_metrics.csv", "metric"), ("table_protocols.csv", "protocol"))
        for row in read(folder / name)
        if row[column] in ("concept_purity@10", "corrected") and row["run"] != "all"
    ]
    checks = [
        row for row in read(written / "checks.csv") if (row["claim"], row["protocol"]) == ("E1b", "corrected")
    ]
    assert [row["passes"] == "True" for row in checks] == purity


def test_published_orders_in_words_are_those_of_the_published_rows():
    rows = published_reversal()
    monotone = sum(a <= b <= c <= d for a, b, c, d in rows[list(BINS)].itertuples(index=False))
    (claim,) = (claim for claim in CLAIMS if claim.id == "E3d")
    assert claim.published == f"{monotone} of {len(rows)} published rows"


def test_a_verdict_counts_checks():
    def checks(passing, failing):
        return [Check("x", 1.0, NAN, NAN, "above", b) for b in [0.0] * passing + [2.0] * failing]

    assert verdict(checks(9, 1)) is Verdict.HOLDS
    assert verdict(checks(8, 2)) is Verdict.PARTLY
    assert verdict(checks(2, 8)) is Verdict.PARTLY
    assert verdict(checks(1, 9)) is Verdict.FAILS
    assert verdict([]) is Verdict.UNTESTED
    assert verdict([Check("x", NAN, NAN, NAN, "above", 0.0)]) is Verdict.UNTESTED
    assert "9 of 10" in summary(checks(9, 1))


def test_only_sure_checks_ask_for_the_interval():
    rng = np.random.default_rng(3)
    for value, half, bound in rng.normal(size=(200, 3)):
        half = abs(half)
        sure = Check("x", value, value - half, value + half, "above", bound)
        mirrored = Check("x", -value, -value - half, -value + half, "below", -bound)
        assert sure.passes == mirrored.passes == (value - half > bound)
        assert replace(sure, sure=False).passes == (value > bound)


def test_tables_go_to_the_data_and_scale_of_their_stamp(folder, tmp_path):
    for name, data in (("a", "concept_scenes"), ("b", "cifar10")):
        (tmp_path / name).mkdir()
        for path in folder.glob("table_reversal.*"):
            text = path.read_text().replace("Data=concept_scenes", f"Data={data}")
            (tmp_path / name / path.name).write_text(text)
    (tmp_path / "table_strange.csv").write_text("a,b\n1,2\n")
    found = collect([tmp_path])
    assert [each.data for each in found] == ["concept_scenes", "cifar10"]
    claims = ledger(found)
    assert all(cell != "" for cell in claims.to_numpy().ravel())
    assert (claims["claim"].value_counts() == 2).all()
    unknown = claims[(claims["claim"] == "E2") & (claims["data"] == "cifar10")].iloc[0]
    assert unknown["measured, corrected"] == "no concept is known of these images"


def test_without_tables_everything_is_untested(tmp_path):
    paths = write_ledger(collect([tmp_path]), tmp_path / "out")
    assert (tmp_path / "out" / "claims.csv") in paths
    assert all_checks([]).empty


def test_several_seeds_count_once(folder, tmp_path):
    """Of the outlier scores the rows over seeds are checked, not those of every seed."""
    shutil.copytree(folder, tmp_path / "copy")
    rows = all_checks(collect([tmp_path / "copy"]))
    own = rows[(rows["claim"] == "C5") & (rows["protocol"] == "corrected")]
    if not (folder / "table_outliers.csv").is_file():
        pytest.skip("no table of outliers among the made-up exhibits")
    table = pd.read_csv(folder / "table_outliers.csv")
    single = table["seed"].astype(str).str.fullmatch(r"-?\d+")
    assert 0 < len(own) <= len(table[(table["metric"] == "auroc") & ~single])
