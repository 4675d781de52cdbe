import itertools

import numpy as np
import pytest

from evoscope.errors import EvoscopeError
from evoscope.stats import (
    Interval,
    bootstrap_interval,
    correlated,
    correlations,
    exceedance,
    mean_interval,
    percentile_interval,
    permutation_null,
    shuffle_within,
    shuffled,
    t_interval,
    wins,
)


def test_bootstrap_equals_the_slow_resampling_loop_in_distribution():
    values = np.random.default_rng(0).exponential(1, 60)
    rng = np.random.default_rng(1)
    means = [np.mean([values[rng.integers(60)] for _ in range(60)]) for _ in range(3000)]
    found = bootstrap_interval(values, 0, n=3000)
    low, high = np.quantile(means, [0.025, 0.975])
    width = high - low
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(low, abs=0.07 * width)
    assert found.high == pytest.approx(high, abs=0.07 * width)
    assert found.n == 60


def test_means_of_few_values_have_students_interval():
    values = np.random.default_rng(0).normal(size=20)
    assert mean_interval(values[:19], 0) == t_interval(values[:19])
    assert mean_interval(values, 0, 50) == bootstrap_interval(values, 0, 50)


def test_intervals_cover_the_true_mean_about_as_often_as_they_say():
    rng = np.random.default_rng(2)
    samples = rng.normal(3, 2, (300, 50))
    boot = [bootstrap_interval(s, i, n=400) for i, s in enumerate(samples)]
    student = [t_interval(s[:3]) for s in samples]
    assert 0.9 <= np.mean([not i.excludes(3) for i in boot]) <= 0.985
    assert 0.92 <= np.mean([not i.excludes(3) for i in student]) <= 0.985


def test_width_grows_with_the_level_and_shrinks_with_the_sample():
    values = np.random.default_rng(3).normal(0, 1, 400)

    def width(interval):
        return interval.high - interval.low

    draws = [np.random.default_rng(seed).choice(values, len(values)).mean() for seed in range(300)]
    assert width(percentile_interval(0, draws, 0.99, 1)) > width(percentile_interval(0, draws, 0.8, 1))
    assert width(bootstrap_interval(values[:25], 0)) > 2 * width(bootstrap_interval(values, 0))


def test_other_statistics_and_rows_of_several_numbers():
    rows = np.random.default_rng(4).normal(0, 1, (80, 2)) @ np.array([[1, 0.8], [0, 0.6]])

    def correlation(samples):
        x, y = np.moveaxis(samples - samples.mean(axis=-2, keepdims=True), -1, 0)
        return (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))

    found = bootstrap_interval(rows, 0, statistic=correlation)
    assert found.value == pytest.approx(np.corrcoef(rows.T)[0, 1])
    assert found.low < found.value < found.high <= 1


def test_same_seed_same_interval_also_in_chunks(monkeypatch):
    values = np.random.default_rng(5).normal(0, 1, 50)
    whole = bootstrap_interval(values, 7)
    assert bootstrap_interval(values, 7) == whole
    assert bootstrap_interval(values, 8) != whole
    monkeypatch.setattr("evoscope.stats.IN_MEMORY", 1000)
    assert bootstrap_interval(values, 7) == whole


def test_one_value_has_no_bounds_and_equal_values_have_no_width():
    single = bootstrap_interval([4.0], 0)
    assert single.value == 4
    assert np.isnan([single.low, single.high]).all()
    assert not single.excludes(100)
    assert np.isnan(t_interval([4.0]).low)
    assert bootstrap_interval([2.0] * 9, 0) == Interval(2.0, 2.0, 2.0, 9)


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [np.inf, 0.0]])
def test_nothing_and_non_finite_values_are_refused(values):
    with pytest.raises(EvoscopeError, match=r"no values|not finite"):
        bootstrap_interval(values, 0)
    with pytest.raises(EvoscopeError, match=r"no values|not finite"):
        t_interval(values)


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


@pytest.mark.parametrize("shape", [((30,), (30,)), ((30, 3), (30, 4)), ((30,), (30, 2))])
def test_pairs_are_counted(shape):
    rng = np.random.default_rng()
    values, chosen = rng.integers(0, 8, shape[0]).astype(float), rng.random(shape[1]) < 0.4
    columns, choices = values.reshape(30, -1), chosen.reshape(30, -1)
    expected = [[sum((a > b) + 0.5 * (a == b) for a in v[c] for b in v[~c]) for c in choices.T] for v in columns.T]
    found = wins(values, chosen)
    assert found.shape == (*shape[0][1:], *shape[1][1:])
    np.testing.assert_array_equal(found.ravel(), np.ravel(expected))


@pytest.fixture
def drawn():
    rng = np.random.default_rng()
    scores = rng.normal(size=(200, 3))
    values = np.column_stack([scores[:, 0] + rng.normal(size=200), rng.integers(0, 2, 200), np.ones(200)])
    return scores, values


def test_values_are_those_of_numpy(drawn):
    scores, values = drawn
    expected = np.corrcoef(scores.T, values[:, :2].T)[:3, 3:]
    np.testing.assert_allclose(correlations(scores, values)[:, :2], expected, rtol=1e-10, atol=1e-12)


def test_planted_correlation_stands_out_and_a_constant_is_unknown(drawn):
    found = correlated(*drawn, seed=0, draws=200)
    assert np.isnan([each[:, 2] for each in (found.value, found.low, found.high, found.p)]).all()
    assert found.p[0, 0] == pytest.approx(1 / 201)
    assert found.low[0, 0] < found.value[0, 0] < found.high[0, 0]
    assert found.value[0, 0] > found.chance


def test_chance_is_that_of_the_largest_of_many_pairs():
    rng = np.random.default_rng(5)
    drawn = ((rng.normal(size=(40, 4)), rng.normal(size=(40, 5)), seed) for seed in range(60))
    hits = [correlated(*each, draws=39).p.min() < 0.05 for each in drawn]
    # 5 % of 60 is 3; 10 or more has a chance of 0.001.
    assert sum(hits) < 10


def test_units_do_not_matter_and_a_sign_only_turns(drawn):
    scores, values = drawn
    one, other = (correlated(each, values, 0, 50) for each in (scores, scores * [-3, 2, 0.1] + 7))
    np.testing.assert_allclose(other.value[:, :2], one.value[:, :2] * [[-1], [1], [1]], atol=1e-12)
    np.testing.assert_allclose(other.low[0, :2], -one.high[0, :2], atol=1e-12)
    np.testing.assert_array_equal(other.p, one.p)


def test_two_rows_are_refused():
    with pytest.raises(EvoscopeError, match="over 2 rows"):
        correlated(np.ones((2, 1)), np.ones((2, 1)), 0)
