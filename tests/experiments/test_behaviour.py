"""The criteria of the published behaviours, on curves whose verdict is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.stages.behaviour import collapses, learns, overfits


def curve(run: str, seed: int, test: list[float], train: list[float] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run": run,
            "seed": seed,
            "epoch": range(-1, len(test) - 1),
            "test_top1": test,
            "train_top1": train or test,
        }
    )


@pytest.mark.parametrize(
    ("test", "verdicts"), [([0.05, 0.4, 0.85], [True, True]), ([0.05, 0.6, 0.7], [False, False])]
)
def test_learns_gradually(test, verdicts):
    assert [row["holds"] for row in learns(curve("vgg16", 0, test))] == verdicts


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ([0.05, 0.4, 0.05], True),
        ([0.05, 0.4, 0.21], False),
        ([0.05, 0.09, 0.04], False),
        ([0.05, 0.4, 0.8], False),
    ],
)
def test_collapse_needs_a_peak_and_a_loss(test, holds):
    (row,) = collapses(curve("vgg16_large_lr", 0, test), chance=0.05)
    assert row["holds"] is holds


def test_overfitting_is_judged_by_the_paired_interval():
    rng = np.random.default_rng()
    gaps = {"vgg16": rng.uniform(0, 0.1, 3), "vgg16_no_dropout": rng.uniform(0.2, 0.3, 3)}
    frames = [
        curve(run, seed, [0.05, 0.5], [0.05, 0.5 + value])
        for run, each in gaps.items()
        for seed, value in enumerate(each)
    ]
    rows = overfits(pd.concat(frames))
    differences = gaps["vgg16_no_dropout"] - gaps["vgg16"]
    half = stats.t.ppf(0.975, 2) * differences.std(ddof=1) / np.sqrt(3)
    assert rows[-1]["value"] == pytest.approx(differences.mean())
    assert rows[-1]["low"] == pytest.approx(differences.mean() - half)
    assert rows[-1]["holds"] == (differences.mean() > half)
