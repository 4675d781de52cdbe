"""Coverage and protocols side by side, also where a setting is missing."""

import numpy as np
import pandas as pd
import pytest

from results import coverage
from results.page_style import with_interval
from results.registry import entry
from tests.results.helpers import figure_of, written


def test_protocols_stand_side_by_side(exhibits):
    rows = exhibits["coverage"]
    wide = coverage.side_by_side(rows)
    assert len(wide) == len(rows) / rows["protocol"].nunique()
    row = rows.query("protocol == 'corrected' and run == 'convnext' and k == 20").iloc[0]
    cell = wide[(wide["model"] == "ConvNeXt") & (wide["k"] == 20)]["corrected: purity@10"].item()
    assert cell == with_interval(row["value"], row["low"], row["high"])


def test_a_protocol_that_lacks_a_setting_has_a_dash(exhibits):
    rows = exhibits["coverage"].query("not (protocol == 'v1' and k == 1)")
    wide = coverage.side_by_side(rows)
    assert (wide.loc[wide["k"] == 1, "first version: purity@10"] == "–").all()


def test_protocols_with_unknown_shares_have_dashes(exhibits):
    rows = exhibits["coverage"].assign(placed=np.nan, unlabelled=np.nan)
    assert not coverage.side_by_side(rows).astype(str).apply(lambda cells: cells.str.contains("nan")).any(axis=None)


@pytest.mark.parametrize("protocols", [("corrected",), ("as_released", "corrected"), ("v1", "corrected", "mine", "v3")])
def test_coverage_with_any_protocols(maker, about, collisions, protocols):
    rows = maker.coverage()
    corrected = rows[rows["protocol"] == "corrected"]
    chosen = pd.concat([corrected.assign(protocol=name) for name in protocols], ignore_index=True)
    figure = figure_of("fig_coverage", {"coverage": chosen}, about)
    assert len(figure.axes) == len(protocols)
    assert [axes.get_ylim() for axes in figure.axes] == [figure.axes[0].get_ylim()] * len(protocols)
    assert collisions(figure) == []


def test_coverage_where_purity_is_undefined_or_coverage_zero(maker, about):
    rows = maker.coverage()
    rows.loc[rows["protocol"] == "v1", ["value", "low", "high"]] = np.nan
    rows.loc[rows["k"] == 1, "coverage"] = 0.0
    figure = figure_of("fig_coverage", {"coverage": rows}, about)
    assert written(figure).count("purity not defined") == 1
    drawn = [line.get_ydata() for line in figure.axes[2].lines if line.get_marker() not in ("None", "")]
    own = rows.query("protocol == 'corrected'")
    np.testing.assert_allclose(np.concatenate(drawn), own["value"] - own["null"])


def test_the_sentence_names_the_ends_of_the_sweep(exhibits, about):
    rows = exhibits["coverage"].query("run == 'all' and protocol == 'corrected'").sort_values("coverage")
    ends = [f"{row.value - row.null:.2f}" for row in rows.iloc[[0, -1]].itertuples()]
    assert f"corrected {ends[0]} → {ends[1]} (4 % → 100 % covered)" in entry("fig_coverage").says(exhibits, about)


def test_coverage_of_a_space_that_could_not_be_built(maker, about, collisions):
    """The published descent diverges in some settings: the row has no coverage, only a reason."""
    rows = maker.coverage().assign(note="")
    failed = rows.query("protocol == 'v1'").groupby("k", as_index=False).first().assign(note="the descent diverged.")
    failed[["coverage", "value", "low", "high", "null", "null_low", "null_high", "placed", "unlabelled"]] = np.nan
    mixed = pd.concat([rows.query("protocol != 'v1'"), failed], ignore_index=True)
    figure = figure_of("fig_coverage", {"coverage": mixed}, about)
    assert written(figure).count("purity not defined") == 1
    assert collisions(figure) == []
    assert "No value for first version, 5,000 images, k = 1: the descent diverged;" in coverage.coverage_words(
        {"coverage": mixed}, about
    )
    assert figure_of("fig_coverage", {"coverage": failed}, about)
