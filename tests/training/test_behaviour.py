import math

import pandas as pd
import pytest

from evoscope.training.recipe import behaviour


def run(test, train=None):
    """Metrics of a run with these accuracies, the initial state (a lucky 0.9) included."""
    return pd.DataFrame(
        {"epoch": range(-1, len(test)), "train_top1": [0.9, *(train or test)], "test_top1": [0.9, *test]}
    )


def test_the_numbers_are_those_of_the_table():
    metrics = run([0.1, 0.4, 0.3, 0.2, 0.25], [0.1, 0.5, 0.6, 0.7, 0.8])
    seen = behaviour(metrics, classes=20)
    assert (seen.chance, seen.first, seen.peak, seen.final) == (0.05, 0.1, 0.4, 0.25)
    assert seen.gap == pytest.approx(0.55)
    assert seen.kept == pytest.approx(0.625)
    assert behaviour(metrics.sample(frac=1), classes=20) == seen


@pytest.mark.parametrize(("last", "good"), [(0.8, True), (0.79, False)])
def test_good_is_judged_after_the_last_epoch(last, good):
    assert behaviour(run([0.1, 0.95, last]), classes=20).good is good


@pytest.mark.parametrize(("first", "gradual"), [(0.5, True), (0.51, False)])
def test_gradual_is_judged_after_the_first_epoch(first, gradual):
    assert behaviour(run([first, 0.3, 0.9]), classes=20).gradual is gradual


@pytest.mark.parametrize(
    ("test", "collapsed"),
    [
        ([0.1, 0.4, 0.05], True),
        ([0.1, 0.4, 0.2], True),
        ([0.1, 0.4, 0.21], False),
        ([0.1, 0.4, 0.05, 0.4], False),  # recovers: only the end counts
        ([0.1, 0.04, 0.02], True),
        ([0.05, 0.09, 0.01], False),  # the untrained network's luck is no peak
        ([0.0, 0.0], False),
    ],
)
def test_collapse_needs_a_peak_and_half_of_it_lost_at_the_end(test, collapsed):
    assert behaviour(run(test), classes=20).collapsed is collapsed


def test_nothing_is_kept_of_nothing():
    assert math.isnan(behaviour(run([0.0, 0.0]), classes=20).kept)
