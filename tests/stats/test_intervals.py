import numpy as np
import pytest

from evoscope.errors import EvoscopeError
from evoscope.stats import Interval, bootstrap_interval, t_interval


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

    assert width(bootstrap_interval(values, 0, level=0.99)) > width(bootstrap_interval(values, 0, level=0.8))
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
