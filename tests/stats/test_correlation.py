import numpy as np
import pytest

from evoscope.errors import EvoscopeError
from evoscope.stats import correlated, correlations


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
