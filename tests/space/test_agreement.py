import numpy as np
import pytest
from scipy.stats import spearmanr

from evoscope.errors import EvoscopeError
from evoscope.space.purity import _moments, _weighted, jaccard, stimulus_agreement


def random_images(rng, neurons=30, pool=40, k=6):
    images = np.stack([rng.permutation(pool)[:k] for _ in range(neurons)]).astype(np.int32)
    images[rng.random(images.shape) < 0.1] = -1
    return images


def aligned(seed, neurons=60, images=80, k=8, dim=5):
    """Neurons whose stimuli are the images nearest to them."""
    rng = np.random.default_rng(seed)
    points, vectors = rng.normal(0, 1, (images, dim)), rng.normal(0, 1, (neurons, dim)).astype(np.float32)
    return vectors, np.argsort(-vectors @ points.T, axis=1)[:, :k].astype(np.int32)


@pytest.mark.parametrize("seed", range(3))
def test_jaccard_equals_the_set_definition(seed):
    rng = np.random.default_rng(seed)
    images = random_images(rng)
    images[0] = -1
    first, second = rng.integers(30, size=(2, 200))
    sets = [set(row[row >= 0].tolist()) for row in images]
    expected = [
        len(sets[a] & sets[b]) / len(sets[a] | sets[b]) if sets[a] | sets[b] else 0
        for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(jaccard(images, first, second), expected)


def test_with_every_pair_sampled_it_is_spearmans_correlation():
    vectors, images = aligned(0, neurons=12)
    found = stimulus_agreement(vectors, images, model="m", epoch=0, seed=0, pairs=4000)
    v = vectors.astype(float)
    cosines, overlaps = [], []
    for a in range(12):
        for b in range(a):
            cosines.append(round(v[a] @ v[b] / np.linalg.norm(v[a]) / np.linalg.norm(v[b]), 9))
            overlaps.append(len(set(images[a]) & set(images[b])) / len(set(images[a]) | set(images[b])))
    assert found.value == pytest.approx(spearmanr(cosines, overlaps).statistic, rel=1e-9)
    assert found.n == 12


def test_aligned_neurons_exceed_the_null_and_shuffled_ones_do_not():
    vectors, images = aligned(1)
    found = stimulus_agreement(vectors, images, model="m", epoch=0, seed=0)
    assert found.low > found.null_high
    assert found.low < found.value < found.high
    assert abs(found.null) < 0.05
    shuffled = np.random.default_rng(0).permutation(vectors)
    chance = stimulus_agreement(shuffled, images, model="m", epoch=0, seed=0)
    assert chance.low < chance.null_high
    assert chance.high > chance.null_low


def test_weights_that_count_pairs_equal_repeating_them():
    rng = np.random.default_rng(2)
    x, y = rng.normal(0, 1, (2, 30))
    weights = rng.integers(0, 4, size=(5, 30)).astype(float)
    for weight, found in zip(weights, _weighted(_moments(x, y), weights), strict=True):
        repeated = np.repeat(np.stack([x, y]), weight.astype(int), axis=1)
        assert found == pytest.approx(np.corrcoef(repeated)[0, 1], abs=1e-10)


def test_unplaced_neurons_take_no_part():
    vectors, images = aligned(3)
    vectors[:5], images[5:8] = np.nan, -1
    kept = stimulus_agreement(vectors[8:], images[8:], model="m", epoch=0, seed=0)
    assert stimulus_agreement(vectors, images, model="m", epoch=0, seed=0) == kept


def test_a_collapsed_model_agrees_with_nothing():
    vectors, images = aligned(4)
    found = stimulus_agreement(np.ones_like(vectors), images, model="m", epoch=0, seed=0)
    assert (found.value, found.null) == (0, 0)


def test_too_few_neurons_and_no_shared_stimulus_are_refused():
    vectors, images = aligned(5)
    with pytest.raises(EvoscopeError, match="only 2 neurons"):
        stimulus_agreement(vectors[:2], images[:2], model="m", epoch=0, seed=0)
    apart = np.arange(60 * 2, dtype=np.int32).reshape(60, 2)
    with pytest.raises(EvoscopeError, match="no two neurons share"):
        stimulus_agreement(vectors, apart, model="m", epoch=0, seed=0)
