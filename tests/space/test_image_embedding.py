import dataclasses

import numpy as np
import pytest
from scipy import sparse

from benchmarks.image_embedding import released_descent
from evoscope.activations.stimuli import NeuronIndex
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from evoscope.space.image_embedding import (
    averaging_matrix,
    embed_images,
    embed_indirectly,
    images_by_character,
    images_by_neuron,
    minimum_norm,
)
from evoscope.space.kernels import train_pairs_in_turn
from tests import protocols

EXACT = protocols.space("corrected", image_ridge=0.0)


def problem(seed, neurons=25, images=70, k=5, dim=4):
    rng = np.random.default_rng(seed)
    stimuli = np.stack([rng.permutation(images)[:k] for _ in range(neurons)]).astype(np.int32)
    return stimuli, rng.normal(0, 1, (neurons, dim))


def dense_means(stimuli, images):
    matrix = np.zeros((len(stimuli), images))
    for n, row in enumerate(stimuli):
        real = row[row >= 0]
        for x in real:
            matrix[n, x] = 1 / len(real)
    return matrix


def slow_descent(stimuli, targets, vectors, lr, in_place):
    """One sweep by definition, in the order in which images appear: each neuron's mean is computed anew for each."""
    vectors, start = vectors.copy(), vectors.copy()
    for x in dict.fromkeys(stimuli[stimuli >= 0].tolist()):
        seen = vectors if in_place else start
        step = np.zeros(vectors.shape[1])
        for n, row in enumerate(stimuli):
            real = row[row >= 0]
            if x in real:
                step += (seen[real].mean(axis=0) - targets[n]) / len(real)
        vectors[x] -= lr * step
    return vectors


def with_gaps(stimuli, seed):
    stimuli[np.random.default_rng(seed).random(stimuli.shape) < 0.15] = -1
    return stimuli


@pytest.mark.parametrize("seed", range(4))
def test_least_squares_is_the_pseudo_inverse_solution(seed):
    stimuli, targets = problem(seed)
    stimuli = with_gaps(stimuli, seed)
    expected = np.linalg.pinv(dense_means(stimuli, 70)) @ targets
    found = embed_images(stimuli, targets, 70, EXACT, 0)
    np.testing.assert_allclose(found.vectors[found.covered], expected[found.covered], atol=1e-7)
    assert np.isnan(found.vectors[~found.covered]).all()
    assert set(np.flatnonzero(found.covered)) == set(stimuli[stimuli >= 0])
    assert found.residual == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("ridge", [0.1, 1.0, 30.0])
def test_ridge_solution_by_its_closed_form(ridge):
    """M + A' (A A' + rho I)^-1 (V - A M), with M the mean of the neurons that each image excites."""
    stimuli, targets = problem(np.random.default_rng().integers(1 << 30))
    dense = dense_means(stimuli, 70)
    found = embed_images(stimuli, targets, 70, protocols.space("corrected", image_ridge=ridge), 0)
    expected = np.full((70, 4), np.nan)
    excited = dense > 0
    mean = np.stack([targets[excited[:, x]].mean(axis=0) if excited[:, x].any() else np.zeros(4) for x in range(70)])
    rho = ridge * (dense**2).sum(axis=1).mean()
    expected = mean + dense.T @ np.linalg.solve(dense @ dense.T + rho * np.eye(25), targets - dense @ mean)
    np.testing.assert_allclose(found.vectors[found.covered], expected[found.covered], atol=1e-7)
    assert np.isnan(found.vectors[~found.covered]).all()


def test_least_squares_of_contradicting_neurons_is_still_the_shortest_minimiser():
    """Two neurons with the same stimuli and more neurons than images: no exact solution, singular equations."""
    stimuli, targets = problem(3, neurons=40, images=12)
    stimuli[1] = stimuli[0][::-1]
    dense = dense_means(stimuli, 12)
    found = embed_images(stimuli, targets, 12, EXACT, 0)
    np.testing.assert_allclose(found.vectors, np.linalg.lstsq(dense, targets, rcond=None)[0], atol=1e-6)
    distances = np.linalg.norm(dense @ found.vectors - targets, axis=1)
    assert found.residual == pytest.approx(np.sqrt((distances**2).mean()), rel=1e-6)
    assert found.residual > 0.1


def test_conjugate_gradients_cope_with_targets_that_need_no_step():
    solution, steps = minimum_norm(sparse.csr_array(np.eye(3)), np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]]))
    np.testing.assert_allclose(solution, [[0, 1], [0, 2], [0, 3]], atol=1e-12)
    assert steps == 1


def test_averaging_matrix_equals_the_definition():
    stimuli, _ = problem(1)
    stimuli = with_gaps(stimuli, 1)
    np.testing.assert_allclose(averaging_matrix(stimuli, 70).toarray(), dense_means(stimuli, 70))


@pytest.mark.parametrize(
    ("protocol", "in_place"), [(protocols.space("as_released"), True), (protocols.space("v1"), False)]
)
def test_published_descents_equal_the_slow_loops(protocol, in_place):
    stimuli, targets = problem(2)
    stimuli = with_gaps(stimuli, 2)
    lr = protocol.image_lr if in_place else protocol.image_lr / len(targets)
    expected = generator(5, "image start").uniform(-0.5, 0.5, (70, 4))
    for _ in range(3):
        expected = slow_descent(stimuli, targets, expected, lr, in_place)
    found = embed_images(stimuli, targets, 70, dataclasses.replace(protocol, image_sweeps=3), 5)
    np.testing.assert_allclose(found.vectors, expected, atol=1e-12)
    assert found.sweeps == 3


def test_the_released_descent_equals_the_benchmarks_slow_version_up_to_its_stop():
    stimuli, targets = problem(9)
    vectors, sweeps = released_descent(stimuli, targets, 70, protocols.space("as_released"), 3)
    found = embed_images(stimuli, targets, 70, protocols.space("as_released"), 3)
    assert found.sweeps == sweeps > 10
    np.testing.assert_allclose(found.vectors, vectors, atol=1e-10)


def test_the_released_descent_stops_below_its_threshold_and_leaves_other_images_alone():
    stimuli, targets = problem(4)
    found = embed_images(stimuli, targets, 90, protocols.space("as_released"), 1)
    errors = dense_means(stimuli, 90) @ found.vectors - targets
    assert 0.005 < np.sqrt((errors**2).sum(axis=1).mean()) < 0.01
    start = generator(1, "image start").uniform(-0.5, 0.5, (90, 4))
    np.testing.assert_array_equal(found.vectors[~found.covered], start[~found.covered])


def test_v1_stops_on_half_the_mean_squared_error():
    stimuli, targets = problem(5)
    found = embed_images(stimuli, targets, 70, protocols.space("v1"), 1)
    errors = dense_means(stimuli, 70) @ found.vectors - targets
    assert (errors**2).sum() / (2 * len(targets)) < 0.001


def test_least_squares_is_never_further_and_never_longer_than_the_descent():
    stimuli, targets = problem(6)
    patient = protocols.space("as_released", image_threshold=1e-6)
    exact, descent = (embed_images(stimuli, targets, 70, p, 0) for p in (EXACT, patient))
    assert descent.residual < 1e-6
    assert exact.residual < descent.residual
    covered = exact.covered
    assert np.linalg.norm(exact.vectors[covered]) < np.linalg.norm(descent.vectors[covered])


def test_neurons_without_vector_or_stimuli_take_no_part():
    stimuli, targets = problem(7)
    targets[0], stimuli[1] = np.nan, -1
    alone = embed_images(stimuli[2:], targets[2:], 70, protocols.space("corrected"), 0)
    found = embed_images(stimuli, targets, 70, protocols.space("corrected"), 0)
    np.testing.assert_array_equal(found.vectors, alone.vectors)
    with pytest.raises(EvoscopeError, match="no base neuron"):
        embed_images(stimuli[:2], targets[:2], 70, protocols.space("corrected"), 0)


def test_a_diverging_descent_is_named():
    stimuli, targets = problem(8)
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(EvoscopeError, match=r"diverged in sweep \d+ with image_lr=1e\+60"),
    ):
        embed_images(stimuli, targets, 70, protocols.space("as_released", image_lr=1e60), 0)


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
    return (vectors, flags, rng.integers(neurons, size=(images, 3)).astype(np.int32), index_of(["features.0"], neurons))


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


@pytest.mark.parametrize("protocol", [protocols.space("corrected"), protocols.space("as_released")])
def test_covered_images_stay_and_uncovered_ones_get_a_vector(protocol):
    vectors, covered, responsive, neurons = case(2)
    found, moved = embed_indirectly(vectors, covered, responsive, neurons, protocol, 0)
    np.testing.assert_array_equal(found[covered], vectors[covered])
    assert not moved[covered].any()
    assert moved[~covered].all()
    assert np.isfinite(found).all()
    again, _ = embed_indirectly(vectors, covered, responsive, neurons, protocol, 0)
    assert found.tobytes() == again.tobytes()


def test_an_image_that_shares_no_neuron_keeps_what_it_had():
    vectors, covered, responsive, neurons = case(3)
    responsive[responsive == 7] = 0
    responsive[59] = [7, -1, -1]
    found, moved = embed_indirectly(vectors, covered, responsive, neurons, protocols.space("corrected"), 0)
    assert not moved[59]
    assert np.isnan(found[59]).all()
    vectors[59] = 0.25
    found, _ = embed_indirectly(vectors, covered, responsive, neurons, protocols.space("corrected"), 0)
    assert (found[59] == 0.25).all()


def test_sharing_neurons_places_images_by_what_they_show(world):
    """Corrected pairing recovers the hidden concept of uncovered images better than the released pairing does."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1, (12, 10))
    truth = centres[world.image_concept]
    covered = rng.random(len(truth)) < 0.5
    vectors = np.where(covered[:, None], truth, np.nan)

    def accuracy(protocol):
        base = world.base
        placed, _ = embed_indirectly(vectors, covered, base.responsive, base.neurons, protocol, 0)
        unit = placed / np.linalg.norm(placed, axis=1, keepdims=True)
        nearest = (unit @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T).argmax(axis=1)
        return (nearest == world.image_concept)[~covered].mean()

    assert accuracy(protocols.space("corrected")) > 2 * accuracy(protocols.space("as_released"))


def test_small_and_large_groups_both_work_around_the_limit_of_pairs():
    """The released code, mended for characters alone, fails for neurons with 2 to 500 images."""
    for images in (2, 3, 500, 501, 502):
        vectors = np.full((images, 3), 0.1)
        covered = np.arange(images) == 0
        responsive = np.zeros((images, 1), dtype=np.int32)
        _, moved = embed_indirectly(vectors, covered, responsive, index_of(["a"], 1), protocols.space("corrected"), 0)
        assert moved[1:].all()


def test_nothing_happens_without_the_option_or_without_uncovered_images():
    vectors, covered, responsive, neurons = case(4)
    untouched, _ = embed_indirectly(vectors, covered, responsive, neurons, protocols.space("v1"), 0)
    np.testing.assert_array_equal(untouched, vectors)
    _, moved = embed_indirectly(
        np.ones((60, 5)), np.ones(60, dtype=bool), responsive, neurons, protocols.space("corrected"), 0
    )
    assert not moved.any()


def test_missing_responsive_neurons_and_divergence_are_named():
    vectors, covered, responsive, neurons = case(5)
    with pytest.raises(EvoscopeError, match="needs responsive neurons"):
        embed_indirectly(vectors, covered, responsive[:, :0], neurons, protocols.space("corrected"), 0)
    wild = protocols.space("corrected", indirect_lr=1e200)
    with pytest.raises(EvoscopeError, match="diverged in epoch"):
        embed_indirectly(vectors, covered, responsive, neurons, wild, 0)
