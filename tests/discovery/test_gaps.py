import numpy as np
import pytest

from evoscope.discovery.relevance import cut, gap, gap_change


@pytest.fixture
def drawn():
    rng = np.random.default_rng(1)
    return tuple(rng.random(300) < share for share in (0.5, 0.3, 0.4))


def test_gap_is_the_difference_of_shares(drawn):
    before, after, group = drawn
    expected = [each[group].mean() - each[~group].mean() for each in (before, after)]
    np.testing.assert_allclose(gap(np.stack([before, after]), group), expected, rtol=1e-12)
    assert gap_change(before, after, group, 0).value == pytest.approx(expected[1] - expected[0])


def test_interval_is_that_of_rows_drawn_anew(drawn):
    before, after, group = drawn
    rng = np.random.default_rng(2)
    draws = [
        float(gap(after[rows], group[rows]) - gap(before[rows], group[rows]))
        for rows in rng.integers(300, size=(4000, 300))
    ]
    found = gap_change(before, after, group, 0, 4000)
    np.testing.assert_allclose([found.low, found.high], np.quantile(draws, [0.025, 0.975]), atol=0.01)
    assert gap_change(before, after, group, 0, 4000) == found


def test_nothing_changes_without_a_change_and_an_empty_group_is_unknown(drawn):
    before, _, group = drawn
    same = gap_change(before, before, group, 0)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    empty = gap_change(before, before, np.zeros_like(group), 0)
    assert np.isnan([empty.value, empty.low]).all()


def test_two_values_are_cut_between_them_and_many_at_the_median():
    column = np.array([0.0, 1, 1, 1])
    assert cut(column, column)[0].tolist() == [False, True, True, True]
    ages = np.array([20.0, 30, 40, 50])
    above, border = cut(ages, ages)
    assert (above.tolist(), border) == ([False, False, True, True], 35)
