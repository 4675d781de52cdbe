import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks.skipgram import numpy_loop, released_loop
from evoscope.activations.stimuli import Status
from evoscope.errors import EvoscopeError
from evoscope.space.kernels import below, draw_pairs, random_state, train_pairs
from evoscope.space.skipgram import (
    CHECK_EVERY,
    PATIENCE,
    coactivation,
    counted_stimuli,
    embed_neurons,
    group,
    hold_out,
    pair_likelihood,
)
from tests import protocols


def slow_coactivation(images):
    by_image = {}
    for neuron, row in enumerate(images):
        for image in row:
            if image >= 0:
                by_image.setdefault(int(image), []).append(neuron)
    return {image: neurons for image, neurons in by_image.items() if len(neurons) >= 2}


def as_dict(groups):
    return {
        int(key): groups.members[groups.offsets[i] : groups.offsets[i + 1]].tolist()
        for i, key in enumerate(groups.keys)
    }


@pytest.mark.parametrize("seed", range(5))
def test_groups_equal_the_obvious_loop(seed):
    rng = np.random.default_rng(seed)
    images = np.stack([rng.permutation(30)[:6] for _ in range(12)]).astype(np.int32)
    images[rng.random(images.shape) < 0.2] = -1
    assert as_dict(coactivation(images)) == slow_coactivation(images)


def test_group_drops_repetitions_and_keeps_an_empty_input_empty():
    groups = group(np.array([5, 2, 5, 5]), np.array([1, 0, 1, 0]))
    assert as_dict(groups) == {2: [0], 5: [0, 1]}
    nothing = group(np.array([], dtype=np.int64), np.array([], dtype=np.int64))
    assert len(nothing) == 0
    assert nothing.offsets.tolist() == [0]


def test_take_keeps_the_members_of_the_chosen_groups():
    groups = group(np.array([0, 0, 1, 2, 2, 2]), np.array([3, 4, 5, 6, 7, 8]))
    assert as_dict(groups.take(np.array([True, False, True]))) == {0: [3, 4], 2: [6, 7, 8]}


@pytest.mark.parametrize("status", [Status.DEAD, Status.CONSTANT, Status.NON_FINITE])
def test_unhealthy_neurons_count_only_where_the_protocol_says_so(world, status):
    broken = world.base.status.copy()
    broken[3] = status
    stimuli = dataclasses.replace(world.base, status=broken)
    excluded = counted_stimuli(stimuli, protocols.space("corrected", k=10))
    ordinary = counted_stimuli(stimuli, protocols.space("as_released", k=10))
    assert (excluded[3] == -1).all()
    assert (ordinary == world.base.images).all()
    assert (np.delete(excluded, 3, 0) == np.delete(ordinary, 3, 0)).all()


def test_the_most_exciting_k_count_and_too_few_are_refused(world):
    first = counted_stimuli(world.base, protocols.space("corrected", k=4))
    assert (first == world.base.images[:, :4]).all()
    with pytest.raises(EvoscopeError, match=r"10 images per neuron.*k=11"):
        counted_stimuli(world.base, protocols.space("corrected", k=11))


NO_LIMIT = np.iinfo(np.int64).max


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slow_gradient(v, n, m, negatives):
    """ConceptEvo 1.3: g_n = (1 - s(v_n.v_m)) v_m - sum_r s(v_n.v_r) v_r."""
    return (1 - sigmoid(v[n] @ v[m])) * v[m] - sum(sigmoid(v[n] @ v[r]) * v[r] for r in negatives)


def slow_training(v, pairs, negatives, lr):
    v, total = v.copy(), 0.0
    for (n, m), (of_n, of_m) in zip(pairs, negatives, strict=True):
        g_n, g_m = slow_gradient(v, n, m, of_n), slow_gradient(v, m, n, of_m)
        v[n] += lr * g_n
        v[m] += lr * g_m
        total += g_n @ g_n + g_m @ g_m
    return v, total


def random_problem(seed, items=40, dim=30, pairs=300, negatives=3):
    rng = np.random.default_rng(seed)
    drawn = np.stack([rng.permutation(items)[:2] for _ in range(pairs)]).astype(np.int32)
    return (rng.normal(0, 0.6, (items, dim)), drawn, rng.integers(items, size=(pairs, 2, negatives)).astype(np.int32))


@pytest.mark.parametrize(("dim", "negatives"), [(30, 3), (1, 1), (7, 5)])
def test_update_equals_the_definition_on_the_same_pairs_and_negatives(dim, negatives):
    vectors, pairs, drawn = random_problem(dim, dim=dim, negatives=negatives)
    expected, total = slow_training(vectors, pairs, drawn, 0.05)
    squared = train_pairs(vectors, pairs, drawn, 0.05)
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-12)
    assert squared == pytest.approx(total, rel=1e-10)


def test_the_benchmarks_slow_loops_give_the_same_values():
    """They are what the speed is compared with, so they must do the same work."""
    vectors, pairs, drawn = random_problem(11)
    in_torch, in_numpy = torch.from_numpy(vectors.copy()), vectors.copy()
    released_loop(in_torch, pairs, drawn, 0.05)
    numpy_loop(in_numpy, pairs, drawn, 0.05)
    train_pairs(vectors, pairs, drawn, 0.05)
    np.testing.assert_allclose(vectors, in_torch.numpy(), atol=1e-12)
    np.testing.assert_allclose(vectors, in_numpy, atol=1e-12)


def test_gradient_is_that_of_the_pair_likelihood():
    """The update ascends log s(v_n.v_m) + sum log s(-v_n.v_r), by finite differences."""
    vectors, pairs, drawn = random_problem(1, pairs=1)
    (n, m), negatives = pairs[0], drawn[0, 0]
    negatives = negatives[~np.isin(negatives, [n, m])]

    def likelihood(v_n):
        return np.log(sigmoid(v_n @ vectors[m])) + np.log(sigmoid(-vectors[negatives] @ v_n)).sum()

    steps = 1e-6 * np.eye(30)
    numeric = [(likelihood(vectors[n] + s) - likelihood(vectors[n] - s)) / 2e-6 for s in steps]
    np.testing.assert_allclose(slow_gradient(vectors, n, m, negatives), numeric, atol=1e-8)


def test_likelihood_equals_the_definition():
    v, pairs, drawn = random_problem(2, pairs=20)
    expected = np.mean(
        [
            np.log(sigmoid(v[n] @ v[m]))
            + sum(np.log(sigmoid(-v[n] @ v[r])) for r in of_n)
            + sum(np.log(sigmoid(-v[m] @ v[r])) for r in of_m)
            for (n, m), (of_n, of_m) in zip(pairs, drawn, strict=True)
        ]
    )
    assert pair_likelihood(v, pairs, drawn) == pytest.approx(expected, rel=1e-12)


def test_an_epoch_pairs_every_group_along_one_random_path():
    keys, members = np.repeat(np.arange(50), 6), np.tile(np.arange(6), 50) + np.repeat(np.arange(50) * 6, 6)
    groups = group(keys, members)
    pairs, negatives = draw_pairs(groups.offsets, groups.members.copy(), NO_LIMIT, 300, 3, random_state(7))
    assert pairs.shape == (250, 2)
    for g, path in enumerate(pairs.reshape(50, 5, 2)):
        assert (path[1:, 0] == path[:-1, 1]).all()
        assert sorted([path[0, 0], *path[:, 1]]) == list(range(6 * g, 6 * g + 6))
    assert negatives.min() >= 0
    assert negatives.max() < 300


def test_a_limit_cuts_large_groups_and_leaves_small_ones_whole():
    groups = group(np.repeat([0, 1, 2], [2, 5, 40]), np.arange(47))
    pairs, _ = draw_pairs(groups.offsets, groups.members.copy(), 10, 47, 2, random_state(1))
    owner = np.repeat([0, 1, 2], [2, 5, 40])[pairs[:, 0]]
    assert np.bincount(owner).tolist() == [1, 4, 10]


def test_random_numbers_are_uniform():
    state = random_state(5)
    counts = np.bincount([below(state, 20) for _ in range(20_000)], minlength=20)
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi-square, 19 degrees of freedom, p = .001


def test_same_seed_same_bytes_and_another_seed_another_space(world):
    groups = coactivation(world.base.images)
    first, again, other = (embed_neurons(groups, 90, protocols.space("corrected"), seed) for seed in (0, 0, 1))
    assert first.vectors.tobytes() == again.vectors.tobytes()
    assert not np.allclose(first.vectors, other.vectors)


def test_training_puts_coactivated_neurons_together(world):
    vectors = embed_neurons(coactivation(world.base.images), 90, protocols.space("corrected"), 0).vectors
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    same = world.base_concept[:, None] == world.base_concept
    cosines = unit @ unit.T
    assert cosines[same & ~np.eye(90, dtype=bool)].mean() > cosines[~same].mean() + 0.5


def test_settled_stops_at_the_likelihood_plateau_and_returns_the_best_look(world):
    groups = coactivation(world.base.images)
    result = embed_neurons(groups, 90, protocols.space("corrected"), 0)
    looks = np.flatnonzero(np.isfinite(result.likelihood))
    assert len(result.likelihood) < protocols.space("corrected").skipgram_epochs
    assert (np.diff(looks) == CHECK_EVERY).all()
    best = looks[result.likelihood[looks].argmax()]
    assert len(result.likelihood) - 1 - best <= PATIENCE * CHECK_EVERY
    capped = protocols.space("corrected", skipgram_epochs=int(best) + 1)
    np.testing.assert_array_equal(embed_neurons(groups, 90, capped, 0).vectors, result.vectors)


def test_gradient_stop_and_no_stop(world):
    groups = coactivation(world.base.images)
    released = protocols.space("as_released", skipgram_epochs=6)
    assert len(embed_neurons(groups, 90, released, 0).likelihood) == 6
    easily = dataclasses.replace(released, skipgram_threshold=1e9)
    stopped = embed_neurons(groups, 90, easily, 0)
    assert len(stopped.likelihood) == 1
    assert np.isnan(stopped.likelihood).all()
    endless = dataclasses.replace(easily, skipgram_stop="none")
    assert len(embed_neurons(groups, 90, endless, 0).likelihood) == 6


@pytest.mark.parametrize("seed", range(3))
def test_every_neuron_keeps_an_image_when_some_are_held_out(world, seed):
    groups = coactivation(world.base.images)
    held = hold_out(groups, 90, 0.3, seed)
    kept = groups.take(~held)
    assert 0 < held.sum() <= round(0.3 * len(groups))
    assert set(kept.members) == set(groups.members)


def test_a_single_shared_image_is_trained_on_although_none_can_be_held_out():
    groups = group(np.array([4, 4]), np.array([0, 1]))
    result = embed_neurons(groups, 2, protocols.space("corrected", skipgram_epochs=20), 0)
    assert np.isfinite(result.vectors).all()
    assert np.isfinite(result.likelihood).any()


def test_divergence_and_nothing_to_learn_are_named(world):
    groups = coactivation(world.base.images)
    with pytest.raises(EvoscopeError, match=r"diverged in epoch \d+ with skipgram_lr=1e\+200"):
        embed_neurons(groups, 90, protocols.space("corrected", skipgram_lr=1e200), 0)
    with pytest.raises(EvoscopeError, match="nothing to learn from"):
        embed_neurons(coactivation(np.arange(6, dtype=np.int32).reshape(2, 3)), 2, protocols.space("corrected"), 0)


@pytest.mark.slow
def test_kernels_compile_where_no_folder_can_be_written(tmp_path):
    """A read-only install with no user cache must still work, only without the disk cache."""
    code = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "from evoscope.space.kernels import below, random_state\n"
        "assert 0 <= below(random_state(1), 10) < 10\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
