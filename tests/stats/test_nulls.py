import itertools

import numpy as np
import pytest

from evoscope.stats import exceedance, permutation_null, shuffle_within, shuffled


def test_null_has_the_mean_and_range_of_all_permutations():
    x, y = np.array([0.0, 1, 2, 5, 9]), np.array([1.0, 0, 4, 3, 8])
    every = [x @ y[list(order)] for order in itertools.permutations(range(5))]
    null = permutation_null(lambda stream: float(x @ stream.permutation(y)), seed=0, n=3000)
    assert null.value == pytest.approx(np.mean(every), rel=0.02)
    assert null.low == pytest.approx(np.quantile(every, 0.025), rel=0.1)
    assert null.high == pytest.approx(np.quantile(every, 0.975), rel=0.1)
    assert null.n == 3000


def test_same_seed_same_null():
    first, again, other = (shuffled(lambda s: s.random(), seed, 5) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_p_values_are_uniform_when_nothing_is_there():
    rng = np.random.default_rng(0)
    values = [exceedance(rng.normal(), rng.normal(size=99)) for _ in range(500)]
    assert np.mean(np.array(values) <= 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(values) == pytest.approx(0.5, abs=0.05)
    assert exceedance(10, np.zeros(99)) == 0.01


@pytest.mark.parametrize("seed", range(5))
def test_shuffling_stays_within_groups_and_is_a_permutation(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(4, size=50)
    order = shuffle_within(groups, rng)
    assert sorted(order) == list(range(50))
    assert (groups[order] == groups).all()


def test_every_order_of_a_group_is_equally_likely():
    rng = np.random.default_rng(1)
    counts = {}
    for _ in range(3000):
        order = tuple(shuffle_within(np.array([0, 1, 0, 0]), rng))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert max(abs(c - 500) for c in counts.values()) < 110
