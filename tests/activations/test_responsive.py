import numpy as np
import pytest
import torch

from evoscope.activations import reductions as responsive
from evoscope.activations.reductions import Statistics, strongest, strongest_standardised


def by_definition(scores, r):
    lists = []
    for row in np.asarray(scores, dtype=np.float64):
        able = [neuron for neuron in range(len(row)) if row[neuron] > -np.inf]  # false for NaN
        order = sorted(able, key=lambda neuron: (-row[neuron], neuron))[:r]
        lists.append(order + [-1] * (r - len(order)))
    return np.array(lists)


@pytest.mark.parametrize("r", [1, 5, 12, 20])
def test_strongest_matches_the_definition(r):
    scores = np.random.default_rng(r).integers(-2, 3, (15, 12)).astype(np.float32)
    scores[3, 4], scores[3, 5], scores[8] = np.nan, np.inf, np.nan
    scores[9, 2:] = -np.inf
    listed = strongest(torch.from_numpy(scores), r)
    assert listed.dtype == torch.int32
    np.testing.assert_array_equal(listed.numpy(), by_definition(scores, r))


def test_standardised_matches_the_definition_across_chunks(monkeypatch):
    monkeypatch.setattr(responsive, "ROWS", 7)
    rng = np.random.default_rng(3)
    maxima = (rng.normal(size=(30, 10)) * np.logspace(-3, 3, 10)).astype(np.float32)
    maxima[:, 2], maxima[:, 5] = 0, 4.5
    maxima[12, 7] = np.nan
    statistics = Statistics.of(torch.from_numpy(maxima))
    mean, deviation = statistics.moments()
    listed = strongest_standardised(maxima, mean, deviation, statistics.status(), 9)

    exact = maxima.astype(np.float64)
    scores = np.full(exact.shape, -np.inf)
    for neuron in sorted({*range(10)} - {2, 5, 7}):
        scores[:, neuron] = (exact[:, neuron] - exact[:, neuron].mean()) / exact[:, neuron].std()
    np.testing.assert_array_equal(listed, by_definition(scores, 9))
    assert (listed[:, 7:] == -1).all()


def test_standardising_lets_quiet_layers_speak():
    rng = np.random.default_rng(4)
    maxima = np.hstack([rng.random((200, 5)) * 1000, rng.random((200, 5))]).astype(np.float32)
    statistics = Statistics.of(torch.from_numpy(maxima))
    fair = strongest_standardised(maxima, *statistics.moments(), statistics.status(), 3)
    raw = strongest(torch.from_numpy(maxima), 3).numpy()
    assert (raw >= 5).mean() < 0.05
    assert 0.4 < (fair >= 5).mean() < 0.6


def test_strongest_without_ties_matches_the_definition():
    scores = np.random.default_rng(5).normal(size=(15, 40)).astype(np.float32)
    np.testing.assert_array_equal(strongest(torch.from_numpy(scores), 6).numpy(), by_definition(scores, 6))
    scores[:, 3] = scores[:, 7] = 9  # tied, but not for the last place
    np.testing.assert_array_equal(strongest(torch.from_numpy(scores), 6).numpy(), by_definition(scores, 6))
