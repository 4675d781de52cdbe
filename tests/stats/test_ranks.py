import numpy as np
import pytest

from evoscope.stats import wins


@pytest.mark.parametrize("shape", [((30,), (30,)), ((30, 3), (30, 4)), ((30,), (30, 2))])
def test_pairs_are_counted(shape):
    rng = np.random.default_rng()
    values, chosen = rng.integers(0, 8, shape[0]).astype(float), rng.random(shape[1]) < 0.4
    columns, choices = values.reshape(30, -1), chosen.reshape(30, -1)
    expected = [
        [sum((a > b) + 0.5 * (a == b) for a in v[c] for b in v[~c]) for c in choices.T] for v in columns.T
    ]
    found = wins(values, chosen)
    assert found.shape == (*shape[0][1:], *shape[1][1:])
    np.testing.assert_array_equal(found.ravel(), np.ravel(expected))
