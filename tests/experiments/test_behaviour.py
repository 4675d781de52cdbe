"""The stage judges each run and seed by the library's criteria; the paired interval is its own."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evoscope.figure_data import TrainingCurves
from experiments.stages.networks import collapses, judged, learns, overfits


def curve(run: str, seed: int, test: list[float], train: list[float] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {"run": run, "seed": seed, "epoch": range(-1, len(test) - 1), "test_top1": test, "train_top1": train or test}
    )


def of_run(run: str, *curves: pd.DataFrame):
    return judged(TrainingCurves(pd.concat(curves, ignore_index=True), classes=20), run)


@pytest.mark.parametrize(("test", "verdicts"), [([0.05, 0.4, 0.85], [True, True]), ([0.05, 0.6, 0.7], [False, False])])
def test_learns_gradually(test, verdicts):
    rows = learns(of_run("vgg16", curve("vgg16", 0, test)))
    assert [row["holds"] for row in rows] == verdicts
    assert [row["value"] for row in rows] == [test[-1], test[1]]


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ([0.05, 0.4, 0.05], True),
        ([0.05, 0.4, 0.21], False),
        ([0.05, 0.4, 0.05, 0.4], False),
        ([0.05, 0.09, 0.04], False),
    ],
)
def test_collapse_is_judged_at_the_end(test, holds):
    (row,) = collapses(of_run("vgg16_large_lr", curve("vgg16_large_lr", 0, test)))
    assert row["holds"] is holds
    assert row["value"] == pytest.approx(test[-1] / max(test))
    assert "at least 10%" in str(row["statement"])


def test_runs_and_seeds_are_kept_apart():
    run = "vgg16_large_lr"
    frames = [curve("vgg16", 3, [0.05, 0.4, 0.8]), curve(run, 5, [0.05, 0.4, 0.4]), curve(run, 3, [0.05, 0.4, 0.1])]
    rows = collapses(of_run(run, *frames))
    assert [(row["seed"], row["holds"]) for row in rows] == [(3, True), (5, False)]


def gaps_of(run: str, gaps: dict[int, float]) -> pd.DataFrame:
    return pd.concat([curve(run, seed, [0.05, 0.9, 0.5], [0.05, 0.1, 0.5 + gap]) for seed, gap in gaps.items()])


@pytest.mark.parametrize(("extra", "holds"), [([0.2, 0.25, 0.22], True), ([0.2, -0.2, 0.1], False)])
def test_overfitting_is_judged_by_the_paired_interval(extra, holds):
    differences = np.array(extra)
    frames = [
        gaps_of("vgg16", {0: 0.01, 1: 0.3, 2: 0.1, 8: 0.0}),
        gaps_of("vgg16_no_dropout", {0: 0.01 + extra[0], 1: 0.3 + extra[1], 2: 0.1 + extra[2], 9: 0.9}),
    ]
    rows = overfits(of_run("vgg16", *frames), of_run("vgg16_no_dropout", *frames))
    half = stats.t.ppf(0.975, 2) * differences.std(ddof=1) / np.sqrt(3)
    assert [row["seed"] for row in rows] == [0, 1, 2, -1]
    assert [row["holds"] for row in rows] == [*(differences > 0), holds]
    assert [row["value"] for row in rows] == pytest.approx([*extra, differences.mean()])
    assert (rows[-1]["low"], rows[-1]["high"]) == pytest.approx((differences.mean() - half, differences.mean() + half))


def test_one_seed_has_no_interval():
    frames = [gaps_of("vgg16", {0: 0.1}), gaps_of("vgg16_no_dropout", {0: 0.3})]
    (row,) = overfits(of_run("vgg16", *frames), of_run("vgg16_no_dropout", *frames))
    assert (row["criterion"], row["holds"]) == ("gap difference", True)
