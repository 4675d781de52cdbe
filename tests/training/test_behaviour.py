import pandas as pd
import pytest

from evoscope.training.behaviour import behaviour


def run(test, train=None, diverged=False):
    """Metrics of a run with these accuracies, the initial state (a lucky 0.9) included."""
    train = train or test
    return pd.DataFrame(
        {
            "epoch": range(-1, len(test)),
            "train_top1": [0.9, *train],
            "test_top1": [0.9, *test],
            "diverged": [False] * len(test) + [diverged],
        }
    )


def test_the_numbers_are_those_of_the_table():
    seen = behaviour(run([0.1, 0.4, 0.3, 0.2, 0.25], [0.1, 0.5, 0.6, 0.7, 0.8], diverged=True), classes=20)
    assert (seen.chance, seen.first, seen.peak, seen.peak_epoch) == (0.05, 0.1, 0.4, 1)
    assert (seen.final, seen.lowest_after, seen.diverged) == (0.25, 0.2, True)
    assert seen.gap == pytest.approx(0.55)
    assert seen.lost == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("test", "collapsed", "gradual"),
    [
        ([0.05, 0.3, 0.6, 0.8], False, True),
        ([0.6, 0.7, 0.8, 0.8], False, False),
        ([0.1, 0.4, 0.05, 0.05], True, False),
        ([0.1, 0.4, 0.1, 0.4], True, False),
        ([0.05, 0.09, 0.01, 0.05], False, False),
        ([0.1, 0.4, 0.3, 0.3], False, False),
        ([0.0, 0.0], False, False),
    ],
)
def test_criteria(test, collapsed, gradual):
    seen = behaviour(run(test), classes=20)
    assert seen.collapsed is collapsed
    assert seen.learnt_gradually is (gradual and not collapsed)
