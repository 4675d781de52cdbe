"""Epochs between which evolutions are judged."""

import pandas as pd
import pytest

from evoscope.errors import EvoscopeError
from experiments.selection import reaching

THRESHOLDS = (0.38, 0.62, 0.80)


def metrics(*accuracies):
    """Metrics of a run: before training, then one accuracy per epoch."""
    return pd.DataFrame({"epoch": range(-1, len(accuracies)), "train_top1": [0.9, *accuracies]})


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ((0.1, 0.4, 0.5, 0.7, 0.75, 0.81, 0.9), (1, 3, 5)),
        ((0.7, 0.8, 0.9), (0, 1, 2)),
        ((0.2, 0.5, 0.7, 0.72, 0.71), (1, 2, 3)),
        ((0.1, 0.2, 0.3), (0, 1, 2)),
        ((0.2, 0.5, 0.55, 0.61, 0.64), (1, 3, 4)),
        ((0.2, 0.3, 0.35, 0.39), (1, 2, 3)),
    ],
)
def test_first_epochs_that_reach_the_thresholds_in_turn(accuracies, expected):
    assert reaching(metrics(*accuracies), THRESHOLDS, "net") == expected


def test_too_few_epochs_are_refused():
    with pytest.raises(EvoscopeError, match="train longer"):
        reaching(metrics(0.5, 0.9), THRESHOLDS, "net")


def test_the_epoch_before_training_never_counts():
    assert reaching(metrics(0.3, 0.95, 0.96, 0.97), THRESHOLDS, "net") == (1, 2, 3)
