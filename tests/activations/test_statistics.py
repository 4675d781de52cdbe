import numpy as np
import pytest
import torch

from evoscope.activations.reductions import Statistics
from evoscope.activations.stimuli import Status


def merged(maxima, sizes):
    parts = torch.split(torch.from_numpy(maxima), sizes)
    total = Statistics.of(parts[0])
    for part in parts[1:]:
        total = total.merge(Statistics.of(part))
    return total


@pytest.mark.parametrize("sizes", [[50], [1] * 50, [49, 1], [16, 16, 16, 2]])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_match_two_passes_in_float64(sizes, offset):
    maxima = (np.random.default_rng(0).normal(size=(50, 7)) + offset).astype(np.float32)
    mean, deviation = merged(maxima, sizes).moments()
    exact = maxima.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(deviation, exact.std(0), rtol=1e-6)


def test_merge_is_associative_and_commutative():
    maxima = np.random.default_rng(1).normal(size=(30, 5)).astype(np.float32)
    a, b, c = (Statistics.of(part) for part in torch.split(torch.from_numpy(maxima), [4, 25, 1]))
    reference = merged(maxima, [30])
    for total in (a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(b).merge(a)):
        assert total.count == 30
        assert torch.equal(total.low, reference.low)
        assert torch.equal(total.high, reference.high)
        torch.testing.assert_close(total.mean, reference.mean, rtol=1e-13, atol=1e-13)
        torch.testing.assert_close(total.squares, reference.squares, rtol=1e-12, atol=1e-12)


def every_health():
    rng = np.random.default_rng(2)
    maxima = rng.normal(size=(40, 9)).astype(np.float32)
    maxima[:, 1] = 0
    maxima[::2, 2], maxima[1::2, 2] = 0, -0.0
    maxima[:, 3] = 0.1
    maxima[:, 4] = -7.3
    maxima[17, 5] = np.nan
    maxima[39, 6] = np.inf
    maxima[0, 7] = -np.inf
    maxima[:, 8] = np.nan
    status = [Status.OK] + [Status.DEAD] * 2 + [Status.CONSTANT] * 2 + [Status.NON_FINITE] * 4
    return maxima, status


@pytest.mark.parametrize("sizes", [[40], [1] * 40, [13, 13, 13, 1]])
def test_status_of_dead_constant_and_non_finite_neurons(sizes):
    maxima, status = every_health()
    total = merged(maxima, sizes)
    mean, deviation = total.moments()
    assert total.status().tolist() == status
    assert total.status().dtype == np.uint8
    assert deviation[1:5].tolist() == [0] * 4
    np.testing.assert_array_equal(mean[1:5], maxima[0, 1:5])
    assert np.isnan(mean[5:]).all()
    assert np.isnan(deviation[5:]).all()


def test_a_neuron_that_is_silent_on_all_but_one_image_is_alive():
    maxima = np.zeros((20, 1), np.float32)
    maxima[11] = 1e-30
    assert merged(maxima, [10, 10]).status().tolist() == [Status.OK]
