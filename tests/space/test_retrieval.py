import numpy as np
import pytest

from evoscope.errors import EvoscopeError
from evoscope.space.metrics import ranks, same_neuron_retrieval
from evoscope.space.protocol import Projection


def projection_of(vectors):
    placed = np.isfinite(vectors).all(axis=1)
    return Projection(vectors.astype(np.float32), np.ones(len(vectors), dtype=np.float32), placed)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def slow_mrr(before, after):
    """Rank by counting: 1 + those that are nearer + half of those that are as near."""
    before, after = before.astype(float), after.astype(float)
    there = [m for m in range(len(after)) if np.isfinite(after[m]).all()]
    values = []
    for n in there:
        if np.isfinite(before[n]).all():
            own = round(cosine(before[n], after[n]), 9)
            others = [round(cosine(before[n], after[m]), 9) for m in there if m != n]
            values.append(1 / (1 + sum(c > own for c in others) + sum(c == own for c in others) / 2))
    return np.mean(values)


def epochs(seed, neurons=50, dim=5, noise=0.8):
    rng = np.random.default_rng(seed)
    before = rng.normal(0, 1, (neurons, dim)).astype(np.float32)
    return before, before + noise * rng.normal(0, 1, before.shape).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_mrr_equals_the_obvious_loop(seed):
    before, after = epochs(seed)
    before[[1, 5]], after[[5, 20, 21]] = np.nan, np.nan
    found = same_neuron_retrieval(projection_of(before), projection_of(after), model="m", epoch=1, seed=0)
    assert found.value == pytest.approx(slow_mrr(before, after), rel=1e-6)
    assert found.n == 46
    assert found.low < found.value < found.high


def test_a_collapsed_model_retrieves_nothing_beyond_chance():
    """All later vectors alike: every rank is the middle one, and the null says the same."""
    before, _ = epochs(0)
    after = np.ones_like(before)
    found = same_neuron_retrieval(projection_of(before), projection_of(after), model="m", epoch=1, seed=0)
    assert found.value == pytest.approx(2 / 51)
    assert found.null == pytest.approx(found.value)
    assert found.low <= found.null_high


def test_unrelated_epochs_are_at_the_null_which_is_the_harmonic_mean_rank():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, (2, 300, 8))
    found = same_neuron_retrieval(projection_of(a), projection_of(b), model="m", epoch=1, seed=0)
    assert found.null == pytest.approx((1 / np.arange(1, 301)).sum() / 300, rel=0.1)
    assert found.low < found.null_high
    assert found.high > found.null_low


def test_a_null_within_layers_is_stricter_when_layers_lie_apart():
    rng = np.random.default_rng(2)
    layer = np.repeat([0, 1, 2, 3], 15)
    centres = 5 * rng.normal(0, 1, (4, 6))[layer]
    a, b = (projection_of(centres + rng.normal(0, 1, centres.shape)) for _ in range(2))
    loose = same_neuron_retrieval(a, b, model="m", epoch=1, seed=0)
    strict = same_neuron_retrieval(a, b, model="m", epoch=1, seed=0, layer=layer.astype(np.int32))
    assert strict.value == loose.value
    assert strict.null > 2 * loose.null


def test_ranks_do_not_depend_on_scale_and_cover_all_places():
    a, b = epochs(3)
    found = ranks(a, b)
    np.testing.assert_array_equal(ranks(3 * a, 0.5 * b), found)
    assert (np.sort(found, axis=1) == np.arange(1, 51)).all()


def test_epochs_that_cannot_be_compared_are_refused():
    a, b = epochs(4)
    with pytest.raises(EvoscopeError, match="50 and 49 neurons"):
        same_neuron_retrieval(projection_of(a), projection_of(b[:-1]), model="m", epoch=1, seed=0)
    with pytest.raises(EvoscopeError, match="no neuron is placed at both"):
        same_neuron_retrieval(projection_of(a), projection_of(b * np.nan), model="m", epoch=1, seed=0)
