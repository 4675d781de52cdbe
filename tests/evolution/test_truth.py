"""Ranking of chosen neurons within their layers, against the definition pair by pair."""

import numpy as np
import pytest

from evoscope.evolution.summary import auc_within, ranked


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


def pairwise_auc(score, chosen, layer):
    """Share of pairs of one layer in which the chosen neuron scores higher; a tie counts half."""
    wins = total = 0.0
    for i in np.flatnonzero(chosen):
        for j in np.flatnonzero(~chosen & (layer == layer[i])):
            wins += float(score[i] > score[j]) + 0.5 * float(score[i] == score[j])
            total += 1
    return wins / total


@pytest.mark.parametrize("steps", [2, 5, 10_000])
def test_auc_counts_pairs_within_layers(rng, steps):
    layer = np.sort(rng.integers(0, 4, 120))
    score = rng.integers(0, steps, 120) / steps
    chosen = rng.random(120) < 0.2
    assert auc_within(score, chosen, layer) == pytest.approx(pairwise_auc(score, chosen, layer), abs=1e-12)


def test_a_shift_of_a_whole_layer_does_not_matter(rng):
    layer, score = np.repeat([0, 1], 50), rng.random(100)
    chosen = rng.random(100) < 0.3
    assert auc_within(score + 5.0 * layer, chosen, layer) == auc_within(score, chosen, layer)


def test_the_null_is_near_a_half_and_perfect_ranking_beats_it(rng):
    layer = np.repeat([0, 1], 50)
    chosen = np.tile(np.arange(50) < 5, 2)
    found = ranked(chosen.astype(float), chosen, layer, seed=1)
    assert found.auc == 1
    assert found.null == pytest.approx(0.5, abs=0.05)
    assert found.null_high < 1
    assert found.p == pytest.approx(1 / 201)
    assert (found.neurons, found.of) == (10, 100)


def test_without_a_chosen_neuron_nothing_is_claimed(rng):
    found = ranked(rng.random(10), np.zeros(10, dtype=bool), np.zeros(10, dtype=int), seed=0)
    assert np.isnan(found.auc)
    assert np.isnan(found.p)
