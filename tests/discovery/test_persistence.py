"""Directions that stay, turn, or are others, against matches tried one by one."""

from itertools import permutations

import numpy as np
import pytest

from evoscope.discovery.basis import Moments, svd_basis
from evoscope.discovery.persistence import Epoch, matched, persistence_rows


def epoch(axes, seed, noise=0.3):
    """Features that vary along the axes, each less than the one before, and the basis of other such features."""
    rng = np.random.default_rng(seed)
    pool, held_out = (
        rng.normal(size=(400, len(axes))) * np.linspace(5, 1, len(axes)) @ axes
        + noise * rng.normal(size=(400, axes.shape[1]))
        for _ in range(2)
    )
    one = np.zeros(400, dtype=np.int64)
    return Epoch(svd_basis(Moments.of("layer", pool, one, one, 1)), held_out)


def axes_of(seed, count=4, width=24):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0][:count]


def test_the_match_has_the_largest_sum():
    likeness = np.random.default_rng(0).random((4, 6))
    best = max(permutations(range(6), 4), key=lambda order: sum(likeness[range(4), order]))
    np.testing.assert_array_equal(matched(likeness), likeness[range(4), best])


def test_directions_that_stay_are_found_by_channels():
    rows = persistence_rows(epoch(axes_of(0), 1), epoch(axes_of(0), 2), seed=0, first=4).set_index(["by", "against"])
    channels = rows.loc[("channels", "rotation")]
    assert channels["value"] > 0.95
    assert channels["above"] == 1
    assert channels["gain_low"] > 0
    assert channels["gain"] == pytest.approx(channels["value"] - channels["other"])


def test_the_same_images_are_ordered_alike_in_turned_channels():
    """The later epoch has the same scores along other channels: only the images tell."""
    first = epoch(axes_of(0), 1)
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(24, 24)))[0]
    basis = first.basis.directions @ turn
    last = Epoch(type(first.basis)(**{**first.basis.__dict__, "directions": basis}), first.held_out @ turn)
    rows = persistence_rows(first, last, seed=0, first=4).set_index(["by", "against"])
    assert rows.loc[("scores", "rotation"), "value"] == pytest.approx(1)
    assert rows.loc[("scores", "rotation"), "above"] == 1
    assert rows.loc[("scores", "within"), "gain"] > 0
    assert rows.loc[("channels", "rotation"), "above"] < 1


def test_other_directions_are_not_taken_for_the_same():
    """Twenty pairs of unrelated epochs: above their own 95 % about one in twenty."""
    above = []
    for seed in range(20):
        rows = persistence_rows(epoch(axes_of(seed), seed), epoch(axes_of(seed + 50), seed + 50), seed, first=4)
        above += rows.loc[rows["against"] == "rotation", "above"].tolist()
    assert np.mean(above) < 0.15
