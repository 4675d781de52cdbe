"""Concept vectors followed over epochs, against obvious slow versions and planted evolutions."""

from itertools import permutations

import numpy as np
import pytest

from evoscope.activations.stimuli import Status
from evoscope.arrays import unit_rows
from evoscope.discovery.basis import Moments, svd_basis
from evoscope.discovery.following import Snapshot, first_lasting, follow, share_since, virtual_neurons
from evoscope.discovery.ranking import ClassRanking, Discovery
from evoscope.discovery.refine import most_activating
from evoscope.discovery.virtual_neurons import (
    Virtual,
    as_stimuli,
    level,
    match,
    on_the_map,
    permuted_stimuli,
    placer,
    random_directions,
    random_frame,
    reach,
    resampled,
    shared,
    top_images,
)
from evoscope.errors import EvoscopeError
from evoscope.figure_data import NEVER
from evoscope.space.build import project
from evoscope.space.protocol import SemanticSpace
from tests import protocols

K, DIM = 5, 6
PROTOCOL = protocols.space("corrected", k=K, dim=DIM)


def space_of(vectors):
    """A space whose images lie where the test wants them."""
    images = len(vectors)
    ids = tuple(f"image-{row}" for row in range(images))
    everything = np.ones(images, dtype=bool)
    return SemanticSpace(
        ids,
        np.zeros((3, vectors.shape[1]), np.float32),
        vectors.astype(np.float32),
        everything,
        ~everything,
        np.zeros(0, np.float32),
        0.0,
    )


def snapshot_of(epoch, features, z, candidates="both"):
    labels = np.arange(len(features)) % len(z)
    basis = svd_basis(Moments.of("layer", features, labels, labels, len(z)))
    return Snapshot(epoch, Discovery(basis, ClassRanking("layer", "svd", np.ones(len(z)), z, candidates)), features)


def concepts(rng, images=120, number=3, width=8):
    """Images with independent concepts of falling strength, a space that knows them, and features that show them."""
    present = rng.random((images, number)) < 0.3
    places = present @ (3 * np.eye(number, DIM)) + 0.05 * rng.standard_normal((images, DIM))
    axes = random_frame(rng, number, width)
    strengths = np.linspace(9, 3, number)
    features = (present - present.mean(axis=0)) * strengths @ axes
    return present, space_of(places), features + 0.01 * rng.standard_normal(features.shape)


# --- stimuli and places ----------------------------------------------------------------------------------------------


def test_top_images_are_those_of_a_full_stable_sort(rng):
    features = rng.integers(-2, 3, (40, 3)).astype(float)
    vectors = rng.integers(-1, 2, (7, 3)).astype(float)
    found = top_images(features, vectors, K)
    for row, vector in zip(found, vectors, strict=True):
        scores = features @ vector
        expected = np.argsort(-scores, kind="stable")[:K] if np.ptp(scores) else np.full(K, -1)
        assert row.tolist() == expected.tolist()


@pytest.mark.parametrize("count", [1, 4, 9, 30])
def test_the_most_activating_sort_like_a_full_stable_sort(rng, count):
    scores = rng.integers(0, 4, 9).astype(float)
    assert most_activating(scores, count).tolist() == np.argsort(-scores, kind="stable")[:count].tolist()


def test_few_images_leave_places_empty_and_rounding_makes_no_stimuli(rng):
    features = rng.standard_normal((3, 4)).astype(np.float32) * [1, 1, 1, 0] + [0, 0, 0, 1e4]
    found = top_images(features, np.eye(4), K)
    assert (found[:3, :3] >= 0).all()
    assert (found[:, 3:] == -1).all()
    assert (found[3] == -1).all()


def test_virtual_neurons_are_placed_as_neurons_are(rng):
    space = space_of(rng.standard_normal((30, DIM)))
    images = np.array([[0, 1, 2, 3, 4], [7, 7, 7, 8, 9], [5, 6, -1, -1, -1], [-1] * 5], dtype=np.int32)
    places = placer(space, space.image_ids, PROTOCOL)(images)
    for row, place in zip(images[:3], places[:3], strict=True):
        np.testing.assert_allclose(place, space.image_vectors[row[row >= 0]].mean(axis=0), rtol=1e-6)
    assert np.isnan(places[3]).all()
    stimuli = as_stimuli(images, space.image_ids)
    assert stimuli.status.tolist() == [Status.OK] * 3 + [Status.CONSTANT]
    np.testing.assert_array_equal(project(space, stimuli, PROTOCOL).vectors, places.astype(np.float32))


def test_places_do_not_depend_on_the_order_of_the_pool(rng):
    space = space_of(rng.standard_normal((30, DIM)))
    order = rng.permutation(30)
    images = rng.integers(0, 30, (4, K)).astype(np.int32)
    ids = tuple(space.image_ids[row] for row in order)
    moved = placer(space, ids, PROTOCOL)(np.argsort(order)[images].astype(np.int32))
    np.testing.assert_array_equal(moved, placer(space, space.image_ids, PROTOCOL)(images))


def test_candidates_are_class_tops_and_the_first_by_energy_on_both_sides(rng):
    _, space, features = concepts(rng)
    place = placer(space, space.image_ids, PROTOCOL)
    z = np.array([[0, 1, 0, 0, 0, 0, 7, 0], [0, 0, 0, 0, 0, -9, 3, 0]], dtype=float)
    found = virtual_neurons(snapshot_of(0, features, z), place, K, first=2)
    assert found.direction.tolist() == [0, 0, 1, 1, 5, 5, 6, 6]
    assert found.side.tolist() == [1, -1] * 4
    np.testing.assert_array_equal(found.vectors[0], -found.vectors[1])
    alone = virtual_neurons(snapshot_of(0, features, z, "positive"), place, K, first=2)
    assert (alone.direction.tolist(), set(alone.side)) == ([0, 1, 6], {1})


# --- matching --------------------------------------------------------------------------------------------------------


def test_match_is_the_best_of_all_assignments(rng):
    rows, others = rng.standard_normal((4, 3)), rng.standard_normal((5, 3))
    partner, similarity = match(rows, others)
    cosines = unit_rows(rows) @ unit_rows(others).T
    best = max(sum(cosines[i, j] for i, j in enumerate(order)) for order in permutations(range(5), 4))
    assert similarity.sum() == pytest.approx(best)
    np.testing.assert_allclose(similarity, cosines[np.arange(4), partner])


def test_match_leaves_unplaced_and_surplus_rows_alone(rng):
    rows, others = rng.standard_normal((4, 3)), rng.standard_normal((3, 3))
    rows[1], others[0] = np.nan, np.nan
    partner, similarity = match(rows, others)
    assert partner[1] == -1
    assert sorted(partner[partner >= 0]) == [1, 2]
    assert (np.isnan(similarity) == (partner < 0)).all()
    assert (match(rows, np.full((2, 3), np.nan))[0] == -1).all()


def test_shared_images_as_sets(rng):
    one, other = (np.stack([rng.permutation(12)[:K] for _ in range(6)]).astype(np.int32) for _ in range(2))
    expected = [len(set(a) & set(b)) / K for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(shared(one, other), expected)
    one[0] = -1
    assert np.isnan(shared(one, other)[0])


# --- chance and resampling -------------------------------------------------------------------------------------------


def test_random_frames_are_orthonormal_and_uniform():
    frames = np.stack([random_frame(np.random.default_rng(seed), 3, 6) for seed in range(2000)])
    np.testing.assert_allclose(frames @ frames.transpose(0, 2, 1), np.tile(np.eye(3), (2000, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.einsum("sri,srj->ij", frames, frames) / 6000, np.eye(6) / 6, atol=0.02)
    assert np.abs(frames.mean(axis=0)).max() < 0.06


def test_chance_reaches_its_level_as_often_as_it_says(rng):
    """Targets that are random directions themselves exceed the 95th percentile in a twentieth of the cases."""
    _, space, features = concepts(rng)
    place = placer(space, space.image_ids, PROTOCOL)
    frame = np.vstack([random_frame(rng, 4, 8) for _ in range(2)])
    images = top_images(features, frame, K)
    like = Virtual(np.arange(4), np.ones(4, np.int64), frame[:4], images[:4], place(images[:4]))
    null = random_directions(like.places, features, like, place, 1, 300)
    fresh = random_directions(like.places, features, like, place, 2, 300)
    assert 0.01 < (fresh > level(null, 0.95)).mean() < 0.12


def test_permuted_stimuli_keep_what_candidates_share(rng):
    seen = []
    images = np.array([[0, 1, 2], [2, 1, 0], [5, 6, -1]], dtype=np.int32)
    like = Virtual(np.arange(3), np.ones(3, np.int64), np.eye(3), images, rng.standard_normal((3, 4)))

    def place(rows):
        seen.extend(rows.reshape(-1, 3, 3))
        return rng.standard_normal((len(rows), 4))

    assert permuted_stimuli(like.places, like, 9, place, 0, 30).shape == (30, 3)
    assert len(seen) == 30
    assert all((draw[0] == draw[1][::-1]).all() and draw[2, 2] == -1 for draw in seen)
    assert len({tuple(draw[0]) for draw in seen}) > 20


def test_resampled_images_are_the_first_of_a_list_with_repeats(rng):
    order = np.stack([rng.permutation(20) for _ in range(5)]).astype(np.int32)
    counts = rng.integers(0, 3, 20)
    for row, found in zip(order, resampled(order, counts, K), strict=True):
        repeated = [image for image in row for _ in range(counts[image])]
        assert found.tolist() == repeated[:K]
    assert resampled(order[:, :2], np.ones(20, int), K)[:, 2:].max() == -1


def test_reach_is_nothing_where_all_images_are_alike_and_grows_with_their_spread(rng):
    _, _, features = concepts(rng)
    radii = []
    for spread in (0.0, 0.1, 1.0):
        vectors = np.ones((len(features), DIM)) + spread * rng.standard_normal((len(features), DIM))
        place = placer(space_of(vectors), space_of(vectors).image_ids, PROTOCOL)
        directions = unit_rows(rng.standard_normal((4, 8)))
        images = top_images(features, directions, K)
        found = Virtual(np.arange(4), np.ones(4, np.int64), directions, images, place(images))
        radii.append(reach(features, found, place, 0, 40))
    assert radii[0].max() < 1e-6
    assert (radii[1] > 0).all()
    assert (radii[2] > radii[1]).all()


# --- timing ----------------------------------------------------------------------------------------------------------


def test_first_lasting_against_a_loop(rng):
    holds, epochs = rng.random((5, 60)) < 0.7, (-1, 0, 2, 6, 9)
    for column, found in enumerate(first_lasting(holds, epochs)):
        lasting = [epoch for row, epoch in enumerate(epochs) if holds[row:, column].all()]
        assert found == (lasting[0] if lasting else NEVER)


def test_share_since_counts_rows_and_resamples_directions(rng):
    since = np.array([NEVER, -1, 0, 0, 3, 5] * 10)
    groups = np.repeat(np.arange(30), 2)
    assert share_since(since, 0, groups, 0).value == pytest.approx(0.5)
    assert share_since(since, -1, groups, 0).value == pytest.approx(1 / 6)
    double = share_since(np.repeat(since, 2), 0, np.repeat(np.arange(60), 2), 0)
    single = share_since(since, 0, np.arange(60), 0)
    assert (double.low, double.high) == pytest.approx((single.low, single.high))
    assert double.n == 60


# --- on the map ------------------------------------------------------------------------------------------------------


def test_place_on_the_map_against_a_loop(rng):
    anchors, places = rng.standard_normal((40, DIM)), rng.standard_normal((40, 2))
    anchors[3], places[5] = np.nan, np.nan
    vectors = rng.standard_normal((6, DIM))
    vectors[2] = np.nan
    found = on_the_map(vectors, anchors, places, 4)
    usable = [row for row in range(40) if row not in (3, 5)]
    for vector, own in zip(vectors, found, strict=True):
        near = sorted((np.linalg.norm(vector - anchors[row]), row) for row in usable)[:4]
        expected = np.average([places[row] for _, row in near], axis=0, weights=[1 / d for d, _ in near])
        np.testing.assert_allclose(own, expected if np.isfinite(vector).all() else np.nan)
    np.testing.assert_allclose(on_the_map(anchors[:2], anchors, places), places[:2])
    assert np.isnan(on_the_map(vectors, anchors, np.full((40, 2), np.nan))).all()


# --- all of it -------------------------------------------------------------------------------------------------------


def test_a_planted_evolution_is_found(rng):
    """Six concepts from epoch 3 on, in channels turned until epoch 6; before, features of other images."""
    _, space, last = concepts(rng, 400, 6, 12)
    place = placer(space, space.image_ids, PROTOCOL)
    turned = last @ random_frame(rng, 12, 12)
    z = np.eye(2, 12)
    series = [(-1, rng.permutation(last)), (0, rng.permutation(last)), (3, turned), (6, last)]
    found = follow([snapshot_of(epoch, rows, z) for epoch, rows in series], place, K, seed=0, draws=40, first=6)
    assert found.partner[-1].tolist() == list(range(12))
    np.testing.assert_array_equal(found.similarity[-1], 1)
    np.testing.assert_array_equal(found.distance[-1], 0)
    np.testing.assert_allclose(found.shared_stimuli[2:], 1)
    np.testing.assert_allclose(found.similarity[2], 1, atol=1e-6)
    assert (found.appears == 3).mean() > 0.5
    expected = np.where(found.appears == NEVER, NEVER, np.maximum(found.appears, 3))
    np.testing.assert_array_equal(found.settles, expected)
    assert (found.similarity[:2] > found.null[:2]).mean() < 0.3
    assert np.abs(found.channel_cosine[2]).mean() < 0.6


def test_following_repeats_and_changes_with_the_seed(rng):
    _, space, features = concepts(rng)
    place = placer(space, space.image_ids, PROTOCOL)
    z = rng.standard_normal((2, 8))
    series = [snapshot_of(0, features + 0.3 * rng.standard_normal(features.shape), z), snapshot_of(4, features, z)]
    one, same, other = (follow(series, place, K, seed=seed, draws=20) for seed in (0, 0, 1))
    for name in ("similarity", "null_random", "null_permuted", "reach", "appears", "settles"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
    assert (one.null_random != other.null_random).any()
    np.testing.assert_array_equal(one.similarity, other.similarity)
    settled = one.settles[one.settles > NEVER]
    assert (settled >= one.appears[one.settles > NEVER]).all()


def test_turning_signs_changes_nothing_but_the_names_of_sides(rng):
    _, space, features = concepts(rng)
    place = placer(space, space.image_ids, PROTOCOL)
    z = rng.standard_normal((2, 8))
    one, other = snapshot_of(0, features, z), snapshot_of(4, features[:, ::-1], z)
    found = follow([one, other], place, K, seed=0, draws=5)
    basis = other.found.basis
    turned = basis.__class__(**{**vars(basis), "directions": -basis.directions})
    again = follow(
        [one, Snapshot(4, Discovery(turned, other.found.ranking), other.features)], place, K, seed=0, draws=5
    )
    swap = np.arange(len(found.virtual[-1])).reshape(-1, 2)[:, ::-1].ravel()
    np.testing.assert_array_equal(found.similarity, again.similarity[:, swap])
    np.testing.assert_array_equal(found.distance, again.distance[:, swap])


def test_dead_layer_is_never_there(rng):
    _, space, features = concepts(rng)
    place = placer(space, space.image_ids, PROTOCOL)
    z = np.full((2, 8), np.nan)
    dead = snapshot_of(2, np.zeros_like(features), z)
    found = follow([snapshot_of(0, features, z), dead], place, K, seed=0, draws=5)
    assert (found.appears == NEVER).all()
    assert (found.settles == NEVER).all()
    assert (found.partner == -1).all()
    back = follow([dead, snapshot_of(3, features, z)], place, K, seed=0, draws=5)
    assert (back.partner[0] == -1).all()
    assert set(back.appears) <= {3, NEVER}


@pytest.mark.parametrize("epochs", [(), (3, 1), (2, 2)])
def test_epochs_out_of_order_are_refused(rng, epochs):
    _, space, features = concepts(rng)
    series = [snapshot_of(epoch, features, np.zeros((2, 8))) for epoch in epochs]
    with pytest.raises(EvoscopeError, match="cannot be followed over epochs"):
        follow(series, placer(space, space.image_ids, PROTOCOL), K, seed=0)
