import dataclasses

import numpy as np
import pytest

from evoscope.activations.stimuli import NeuronIndex
from evoscope.errors import EvoscopeError
from evoscope.space.image_embedding import embed_indirectly, images_by_character, images_by_neuron
from evoscope.space.kernels import train_pairs_in_turn
from evoscope.space.protocol import as_released, corrected, v1


def slow_in_turn(v, fixed, pairs, negatives, lr):
    v = v.copy()
    for (first, second), of_each in zip(pairs, negatives, strict=True):
        for mover, partner, of_mover in ((first, second, of_each[0]), (second, first, of_each[1])):
            if not fixed[mover]:
                pull = (1 - 1 / (1 + np.exp(-v[mover] @ v[partner]))) * v[partner]
                push = sum(v[r] / (1 + np.exp(-v[mover] @ v[r])) for r in of_mover)
                v[mover] = v[mover] + lr * (pull - push)
    return v


def index_of(layers, channels):
    return NeuronIndex(
        tuple(layers),
        np.repeat(np.arange(len(layers)), channels).astype(np.int32),
        np.tile(np.arange(channels), len(layers)).astype(np.int32),
        np.ones((len(layers), 2), dtype=np.int32),
    )


def case(seed, images=60, neurons=8, covered=25, dim=5):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 1, (images, dim))
    flags = np.zeros(images, dtype=bool)
    flags[:covered] = True
    vectors[~flags] = np.nan
    return (
        vectors,
        flags,
        rng.integers(neurons, size=(images, 3)).astype(np.int32),
        index_of(["features.0"], neurons),
    )


def test_update_in_turn_equals_the_definition():
    rng = np.random.default_rng(0)
    vectors, fixed = rng.normal(0, 1, (20, 6)), rng.random(20) < 0.4
    pairs = np.stack([rng.permutation(20)[:2] for _ in range(100)]).astype(np.int32)
    negatives = rng.integers(20, size=(100, 2, 2)).astype(np.int32)
    expected = slow_in_turn(vectors, fixed, pairs, negatives, 0.1)
    train_pairs_in_turn(vectors, fixed, pairs, negatives, 0.1)
    np.testing.assert_allclose(vectors, expected, atol=1e-12)


def test_groups_by_neuron_equal_the_obvious_loop():
    _, _, responsive, _ = case(1)
    responsive[4, 1] = -1
    groups = images_by_neuron(responsive)
    for i, neuron in enumerate(groups.keys):
        expected = [x for x in range(60) if neuron in responsive[x]]
        assert groups.members[groups.offsets[i] : groups.offsets[i + 1]].tolist() == expected


def test_released_groups_join_images_that_share_a_character_of_a_neuron_name():
    neurons = index_of(["a.1", "b.2"], 12)
    responsive = np.array(
        [[0, -1], [13, -1], [14, 23], [11, 1]], dtype=np.int32
    )  # a.1-0, b.2-1, b.2-2 b.2-11, a.1-11 a.1-1
    names = [["a.1-0"], ["b.2-1"], ["b.2-2", "b.2-11"], ["a.1-11", "a.1-1"]]
    alphabet = sorted(set("".join(name for own in names for name in own)))
    groups = images_by_character(responsive, neurons)
    found = [groups.members[groups.offsets[i] : groups.offsets[i + 1]].tolist() for i in range(len(groups))]
    by_definition = [[x for x, own in enumerate(names) if c in "".join(own)] for c in alphabet]
    assert sorted(found) == sorted(images for images in by_definition if len(images) >= 2)
    assert [0, 1, 2, 3] in found  # "." and "-" join everything: the released defect


@pytest.mark.parametrize("protocol", [corrected(), as_released()])
def test_covered_images_stay_and_uncovered_ones_get_a_vector(protocol):
    vectors, covered, responsive, neurons = case(2)
    found = embed_indirectly(vectors, covered, responsive, neurons, protocol, 0)
    np.testing.assert_array_equal(found.vectors[covered], vectors[covered])
    assert not found.indirect[covered].any()
    assert found.indirect[~covered].all()
    assert np.isfinite(found.vectors).all()
    again = embed_indirectly(vectors, covered, responsive, neurons, protocol, 0)
    assert found.vectors.tobytes() == again.vectors.tobytes()


def test_an_image_that_shares_no_neuron_keeps_what_it_had():
    vectors, covered, responsive, neurons = case(3)
    responsive[responsive == 7] = 0
    responsive[59] = [7, -1, -1]
    found = embed_indirectly(vectors, covered, responsive, neurons, corrected(), 0)
    assert not found.indirect[59]
    assert np.isnan(found.vectors[59]).all()
    vectors[59] = 0.25
    assert (embed_indirectly(vectors, covered, responsive, neurons, corrected(), 0).vectors[59] == 0.25).all()


def test_sharing_neurons_places_images_by_what_they_show(world):
    """Corrected pairing recovers the hidden concept of uncovered images better than the released pairing does."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1, (12, 10))
    truth = centres[world.image_concept]
    covered = rng.random(len(truth)) < 0.5
    vectors = np.where(covered[:, None], truth, np.nan)

    def accuracy(protocol):
        placed = embed_indirectly(vectors, covered, world.base.responsive, world.base.neurons, protocol, 0)
        unit = placed.vectors / np.linalg.norm(placed.vectors, axis=1, keepdims=True)
        nearest = (unit @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T).argmax(axis=1)
        return (nearest == world.image_concept)[~covered].mean()

    assert accuracy(corrected()) > 2 * accuracy(as_released())


def test_small_and_large_groups_both_work_around_the_limit_of_pairs():
    """The released code, mended for characters alone, fails for neurons with 2 to 500 images."""
    for images in (2, 3, 500, 501, 502):
        vectors = np.full((images, 3), 0.1)
        covered = np.arange(images) == 0
        responsive = np.zeros((images, 1), dtype=np.int32)
        found = embed_indirectly(vectors, covered, responsive, index_of(["a"], 1), corrected(), 0)
        assert found.indirect[1:].all()


def test_nothing_happens_without_the_option_or_without_uncovered_images():
    vectors, covered, responsive, neurons = case(4)
    untouched = embed_indirectly(vectors, covered, responsive, neurons, v1(), 0)
    np.testing.assert_array_equal(untouched.vectors, vectors)
    whole = embed_indirectly(np.ones((60, 5)), np.ones(60, dtype=bool), responsive, neurons, corrected(), 0)
    assert not whole.indirect.any()


def test_missing_responsive_neurons_and_divergence_are_named():
    vectors, covered, responsive, neurons = case(5)
    with pytest.raises(EvoscopeError, match="needs responsive neurons"):
        embed_indirectly(vectors, covered, responsive[:, :0], neurons, corrected(), 0)
    wild = dataclasses.replace(corrected(), indirect_lr=1e200)
    with pytest.raises(EvoscopeError, match="diverged in epoch"):
        embed_indirectly(vectors, covered, responsive, neurons, wild, 0)
