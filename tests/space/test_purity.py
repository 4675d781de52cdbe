import dataclasses

import numpy as np
import pytest
from scipy.stats import spearmanr

from evoscope.errors import EvoscopeError
from evoscope.space.purity import (
    LabelledNeurons,
    _moments,
    _weighted,
    concept_purity,
    jaccard,
    nearest_of_others,
    stimulus_agreement,
)


def models(seed, sizes=(60, 50, 40), concepts=6, dim=8, spread=0.4, unlabelled=0.2):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 1, (concepts, dim))
    made = []
    for i, size in enumerate(sizes):
        concept = rng.integers(concepts, size=size)
        vectors = (centres[concept] + spread * rng.normal(0, 1, (size, dim))).astype(np.float32)
        vectors[rng.random(size) < 0.1] = np.nan
        concept[rng.random(size) < unlabelled] = -1
        layer = rng.integers(3, size=size).astype(np.int32)
        made.append(LabelledNeurons(f"model-{i}", 0, vectors, concept.astype(np.int64), layer))
    return made


def slow_purity(group, own, k):
    """Every candidate of another model sorted by cosine, for each labelled placed neuron of one model."""

    def usable(m):
        return [n for n in range(len(m.concept)) if m.concept[n] >= 0 and np.isfinite(m.vectors[n]).all()]

    shares = []
    for n in usable(group[own]):
        v = group[own].vectors[n].astype(float)
        candidates = []
        for m in group:
            if m.model != group[own].model:
                for j in usable(m):
                    w = m.vectors[j].astype(float)
                    candidates.append((v @ w / np.linalg.norm(v) / np.linalg.norm(w), m.concept[j]))
        candidates.sort(key=lambda pair: -pair[0])
        nearest = [concept for _, concept in candidates[:k]]
        shares.append(np.mean([c == group[own].concept[n] for c in nearest]))
    return shares


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("k", [1, 10, 500])
def test_purity_equals_the_obvious_loop(seed, k):
    group = models(seed)
    found = concept_purity(group, seed=0, neighbours=k)
    shares = [slow_purity(group, i, k) for i in range(3)]
    for measure, expected in zip(found, [*shares, [s for own in shares for s in own]], strict=True):
        assert measure.value == pytest.approx(np.mean(expected), rel=1e-9)
        assert measure.n == len(expected)
    assert [m.model for m in found] == ["model-0", "model-1", "model-2", "all"]


def test_concepts_that_lie_together_exceed_the_null_with_disjoint_intervals():
    found = concept_purity(models(0), seed=0)[-1]
    assert found.value > 3 * found.null
    assert found.low > found.null_high
    assert found.low < found.value < found.high
    assert found.null == pytest.approx(1 / 6, abs=0.05)


def test_random_labels_are_at_the_null():
    rng = np.random.default_rng(1)
    group = [dataclasses.replace(m, concept=rng.integers(6, size=len(m.concept))) for m in models(1, sizes=(200, 200))]
    found = concept_purity(group, seed=0)[-1]
    assert found.value == pytest.approx(found.null, abs=0.04)
    assert found.low <= found.null_high


def test_a_concept_known_from_the_layer_alone_is_no_evidence():
    """Layers lie apart and each has one concept: shuffling within layers changes nothing, so neither does the null."""
    rng = np.random.default_rng(2)
    centres = rng.normal(0, 1, (3, 8))

    def model(name):
        layer = np.repeat(np.arange(3), 20).astype(np.int32)
        vectors = (centres[layer] + 0.1 * rng.normal(0, 1, (60, 8))).astype(np.float32)
        return LabelledNeurons(name, 0, vectors, layer.astype(np.int64), layer)

    found = concept_purity([model("a"), model("b")], seed=0)[-1]
    assert found.value == found.null == found.null_low == found.null_high


def test_epochs_of_one_model_are_not_each_others_neighbours():
    a, b, _ = models(3)
    later = dataclasses.replace(a, epoch=5)
    alone = concept_purity([a, b], seed=0)[0]
    together = concept_purity([a, later, b], seed=0)
    assert together[0].value == together[1].value == alone.value
    assert [m.epoch for m in together] == [0, 5, 0, -1]


def test_neighbours_are_padded_where_others_are_few():
    unit = np.eye(4)
    found = nearest_of_others(unit, np.array([0, 0, 0, 1]), 2)
    assert found[:3].tolist() == [[3, -1]] * 3
    assert set(found[3]) <= {0, 1, 2}


def test_one_model_or_one_without_labels_is_refused():
    a, b, _ = models(5)
    with pytest.raises(EvoscopeError, match="got one model"):
        concept_purity([a, dataclasses.replace(a, epoch=3)], seed=0)
    blank = dataclasses.replace(b, concept=np.full(len(b.concept), -1))
    with pytest.raises(EvoscopeError, match="model-1 at epoch 0"):
        concept_purity([a, blank], seed=0)


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
