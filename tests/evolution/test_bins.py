from itertools import pairwise

import numpy as np
import pytest

from evoscope.evolution.reversal import (
    BINS,
    CORRECTED,
    RELEASED,
    BinRule,
    bins_of_all,
    bins_of_layer,
    ranking,
)

CHANNELS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 64, 254]


def scores(channels, seed):
    """Shares of few images and few distinct means, so that both tie."""
    random = np.random.default_rng([channels, seed])
    return random.integers(0, 6, channels) / 5, random.integers(-2, 3, channels) / 4


def by_definition(score, mean, ties):
    second = (lambda c: c) if ties == "channel" else (lambda c: (-mean[c], c))
    return sorted(range(len(score)), key=lambda c: (-score[c], second(c)))


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("ties", ["sensitivity", "channel"])
@pytest.mark.parametrize("seed", range(3))
def test_the_order_is_by_score_and_then_by_the_rule_of_ties(channels, ties, seed):
    score, mean = scores(channels, seed)
    assert ranking(score, mean, ties).tolist() == by_definition(score, mean, ties)


def test_the_rules_of_ties_differ():
    score, mean = np.zeros(4), np.array([-1.0, 2.0, 0.0, 2.0])
    assert ranking(score, mean, "channel").tolist() == [0, 1, 2, 3]
    assert ranking(score, mean, "sensitivity").tolist() == [1, 3, 2, 0]


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("seed", range(3))
def test_corrected_bins_hold_every_channel_in_order_and_evenly(channels, seed):
    score, mean = scores(channels, seed)
    bins = bins_of_layer(score, mean, CORRECTED)
    sizes = np.bincount(bins, minlength=BINS)
    assert bins.dtype == np.int32
    assert sizes.sum() == channels
    assert len(sizes) == BINS
    assert sizes.max() - sizes.min() <= 1
    in_order = bins[by_definition(score, mean, "sensitivity")]
    assert all(first <= second for first, second in pairwise(in_order))
    assert sizes[0] == CORRECTED.size(channels) == sizes.max()


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("seed", range(3))
def test_released_bins_leave_the_last_channels_out(channels, seed):
    score, mean = scores(channels, seed)
    bins, quarter = bins_of_layer(score, mean, RELEASED), channels // 4
    expected = np.full(channels, -1)
    for rank, channel in enumerate(by_definition(score, mean, "channel")[: 4 * quarter]):
        expected[channel] = rank // quarter
    np.testing.assert_array_equal(bins, expected)
    assert RELEASED.size(channels) == quarter


@pytest.mark.parametrize(
    "rule", [CORRECTED, RELEASED, BinRule("channel", "all"), BinRule("sensitivity", "quarter")]
)
def test_every_layer_is_cut_on_its_own(rule):
    random = np.random.default_rng(0)
    layer = np.repeat([0, 1, 2], [5, 12, 3])
    score, mean = random.integers(0, 4, 20) / 3 + layer, random.normal(size=20)
    found = bins_of_all(layer, score, mean, rule)
    parts = [bins_of_layer(score[layer == number], mean[layer == number], rule) for number in range(3)]
    np.testing.assert_array_equal(found, np.concatenate(parts))
    assert set(found[layer == 1]) == {0, 1, 2, 3}


def test_a_better_score_never_means_a_later_bin():
    score, mean = scores(40, 9)
    before = bins_of_layer(score, mean)
    for channel in range(40):
        raised = score.copy()
        raised[channel] += 0.1
        assert bins_of_layer(raised, mean)[channel] <= before[channel]
