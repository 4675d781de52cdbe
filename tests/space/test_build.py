import dataclasses
import warnings

import numpy as np
import pytest

from evoscope.activations.stimuli import Status
from evoscope.errors import EvoscopeError
from evoscope.space.build import build_space, project
from evoscope.space.map2d import embed_2d
from evoscope.space.protocol import SemanticSpace
from tests import protocols

PROTOCOLS = {
    "corrected": protocols.space("corrected", k=10),
    "as_released": protocols.space("as_released", k=10),
    "v1": protocols.space("v1", skipgram_epochs=60),
}


@pytest.fixture(scope="module", params=PROTOCOLS)
def built(request, world):
    protocol = PROTOCOLS[request.param]
    return protocol, build_space(world.base, protocol, 3)


def test_the_space_is_whole_and_reproducible(built, world):
    protocol, space = built
    again = build_space(world.base, protocol, 3)
    assert space.image_vectors.tobytes() == again.image_vectors.tobytes()
    assert space.base_vectors.tobytes() == again.base_vectors.tobytes()
    assert space.base_vectors.shape == (90, protocol.dim)
    assert space.base_vectors.dtype == space.image_vectors.dtype == np.float32
    assert not (space.covered & space.indirect).any()
    assert set(np.flatnonzero(space.covered)) == set(np.unique(world.base.images))


def test_projecting_the_base_model_reproduces_it_up_to_the_residual(built, world):
    protocol, space = built
    projection = project(space, world.base, protocol)
    errors = np.linalg.norm(projection.vectors.astype(float) - space.base_vectors, axis=1)
    assert np.sqrt((errors**2).mean()) == pytest.approx(space.residual, abs=1e-5)
    assert (projection.coverage == 1).all()


def test_neurons_of_another_model_land_by_their_concept(built, world):
    """The whole spine on a world with known concepts: nearest base neuron of a projected neuron has its concept."""
    protocol, space = built
    other = project(space, world.other, protocol).vectors.astype(float)
    base = space.base_vectors.astype(float)
    cosines = other @ (base / np.linalg.norm(base, axis=1, keepdims=True)).T
    hit = world.base_concept[cosines.argmax(axis=1)] == world.other_concept
    assert hit.mean() > 0.5
    assert hit.mean() > 4 * np.mean(world.base_concept[:, None] == world.other_concept)


def test_dead_base_neurons_get_no_vector_when_corrected(world):
    status = world.base.status.copy()
    status[[2, 50]] = Status.DEAD, Status.NON_FINITE
    stimuli = dataclasses.replace(world.base, status=status)
    space = build_space(stimuli, PROTOCOLS["corrected"], 0)
    assert np.flatnonzero(np.isnan(space.base_vectors).any(axis=1)).tolist() == [2, 50]
    assert np.isfinite(build_space(stimuli, PROTOCOLS["as_released"], 0).base_vectors).all()


def test_a_neuron_that_shares_no_stimulus_was_never_trained_and_is_unplaced_when_corrected(world):
    images = world.base.images.copy()
    pool = (*world.base.image_ids, *(f"alone-{i}" for i in range(10)))
    images[7] = np.arange(len(world.base.image_ids), len(pool))
    responsive = np.pad(world.base.responsive, ((0, 10), (0, 0)), constant_values=-1)
    stimuli = dataclasses.replace(world.base, images=images, image_ids=pool, responsive=responsive)
    space = build_space(stimuli, PROTOCOLS["corrected"], 0)
    assert np.isnan(space.base_vectors[7]).all()
    assert not space.covered[-10:].any()
    assert np.isfinite(np.delete(space.base_vectors, 7, axis=0)).all()


def test_likelihood_is_recorded_for_each_epoch_and_improves(build_world):
    clear = build_world(images=800, neurons=200, noise=0.1)
    space = build_space(clear.base, PROTOCOLS["corrected"], 0)
    looks = space.likelihood[np.isfinite(space.likelihood)]
    chance = 7 * np.log(0.5)  # one pair and six negatives, all products zero
    assert looks.max() > chance + 0.15


def random_space(stimuli, seed, covered=0.3, indirect=0.5, dim=6):
    rng = np.random.default_rng(seed)
    images = len(stimuli.image_ids)
    is_covered = rng.random(images) < covered
    is_indirect = ~is_covered & (rng.random(images) < indirect)
    vectors = rng.normal(0, 1, (images, dim)).astype(np.float32)
    vectors[~is_covered & ~is_indirect] = np.nan
    none = np.zeros(0, dtype=np.float32)
    return SemanticSpace(
        stimuli.image_ids, np.zeros((3, dim), dtype=np.float32), vectors, is_covered, is_indirect, none, 0.0
    )


def slow_covered_first(space, row, minimum):
    covered = [x for x in row if x >= 0 and space.covered[x]]
    real = [x for x in row if x >= 0]
    used = covered
    if len(covered) < minimum * len(real):
        used = [x for x in real if space.covered[x] or space.indirect[x]]
    return np.mean([space.image_vectors[x].astype(float) for x in used], axis=0) if used else None


def small(protocol):
    return dataclasses.replace(protocol, k=10)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("covered", [0.02, 0.25, 0.9])
def test_covered_first_equals_the_obvious_loop(world, seed, covered):
    space = random_space(world.other, seed, covered, indirect=0.2)
    images = world.other.images.copy()
    images[5, 7:], images[6] = -1, -1
    projection = project(space, dataclasses.replace(world.other, images=images), small(protocols.space("corrected")))
    for n, row in enumerate(images):
        expected = slow_covered_first(space, row, 0.25)
        assert projection.placed[n] == (expected is not None)
        if expected is None:
            assert np.isnan(projection.vectors[n]).all()
        else:
            np.testing.assert_allclose(projection.vectors[n], expected, atol=1e-6)
        real = row[row >= 0]
        assert projection.coverage[n] == pytest.approx(space.covered[real].mean() if len(real) else 0)


def test_all_is_the_plain_mean_whatever_the_vectors_are(world):
    space = random_space(world.other, 1)
    everywhere = dataclasses.replace(space, image_vectors=np.nan_to_num(space.image_vectors, nan=0.3))
    projection = project(everywhere, world.other, small(protocols.space("as_released")))
    expected = everywhere.image_vectors[world.other.images].astype(float).mean(axis=1)
    np.testing.assert_allclose(projection.vectors, expected, atol=1e-6)
    assert projection.placed.all()


def test_all_averages_what_has_a_vector_where_some_have_none(world):
    space = random_space(world.other, 2)
    projection = project(space, world.other, small(protocols.space("as_released")))
    expected = np.nanmean(space.image_vectors[world.other.images].astype(float), axis=1)
    np.testing.assert_allclose(projection.vectors, expected, atol=1e-6)


def test_dead_neurons_are_unplaced_when_corrected_and_ordinary_as_released(world):
    status = world.other.status.copy()
    status[8] = Status.DEAD
    stimuli = dataclasses.replace(world.other, status=status)
    space = random_space(world.other, 3)
    assert not project(space, stimuli, small(protocols.space("corrected"))).placed[8]
    assert project(space, stimuli, small(protocols.space("as_released"))).placed[8]


def test_images_are_matched_by_id_not_by_position(world):
    space = random_space(world.other, 4)
    order = np.random.default_rng(0).permutation(len(space.image_ids))
    place = np.argsort(order)
    shuffled = dataclasses.replace(
        world.other,
        image_ids=tuple(world.other.image_ids[i] for i in order),
        images=place[world.other.images].astype(np.int32),
    )
    expected = project(space, world.other, small(protocols.space("corrected")))
    found = project(space, shuffled, small(protocols.space("corrected")))
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    np.testing.assert_array_equal(found.coverage, expected.coverage)


def test_stimuli_outside_the_pool_are_refused(world):
    names = ("elsewhere", *world.other.image_ids[1:])
    images = world.other.images.copy()
    images[0, 0] = 0
    foreign = dataclasses.replace(world.other, image_ids=names, images=images)
    with pytest.raises(EvoscopeError, match=r"1 stimuli are not in the image pool.*'elsewhere'"):
        project(random_space(world.other, 5), foreign, small(protocols.space("corrected")))


def clusters(seed, per=30, dim=8):
    rng = np.random.default_rng(seed)
    centres = 6 * rng.normal(0, 1, (3, dim))
    points = (np.repeat(centres, per, axis=0) + 0.3 * rng.normal(0, 1, (3 * per, dim))).astype(np.float32)
    return points, np.repeat(np.arange(3), per)


def test_pca_is_the_projection_on_the_two_widest_directions():
    points, _ = clusters(0)
    (plane,) = embed_2d(points, method="pca")
    centred = points.astype(float) - points.mean(axis=0)
    variance, axes = np.linalg.eigh(centred.T @ centred)
    for column, axis in zip(plane.T, axes[:, [-1, -2]].T, strict=True):
        sign = np.sign(axis[np.abs(axis).argmax()])
        np.testing.assert_allclose(column, sign * centred @ axis, atol=1e-4)
    assert variance[-1] >= variance[-2]


def test_pca_keeps_its_sign_under_reordering():
    points, _ = clusters(1)
    order = np.random.default_rng(0).permutation(len(points))
    np.testing.assert_allclose(
        embed_2d(points[order], method="pca")[0], embed_2d(points, method="pca")[0][order], atol=1e-4
    )


def test_unplaced_neurons_stay_out_and_the_parts_come_back_in_order():
    points, _ = clusters(2)
    gaps = points.copy()
    gaps[[0, 40]] = np.nan
    first, second, empty = points[:5].copy(), points[5:12].copy(), np.full((2, 8), np.nan, dtype=np.float32)
    second[3] = np.nan
    base, a, b, c = embed_2d(gaps, [first, second, empty], method="pca")
    assert [len(x) for x in (base, a, b, c)] == [90, 5, 7, 2]
    assert np.isnan(base[[0, 40]]).all()
    assert np.isfinite(np.delete(base, [0, 40], axis=0)).all()
    assert np.flatnonzero(np.isnan(b).any(axis=1)).tolist() == [3]
    assert np.isnan(c).all()
    np.testing.assert_allclose(a[1:], base[1:5], atol=1e-5)


def test_few_neurons_fall_back_to_principal_components():
    points, _ = clusters(3, per=4)
    np.testing.assert_array_equal(embed_2d(points, method="umap")[0], embed_2d(points, method="pca")[0])


def test_one_dimension_is_padded_and_too_few_neurons_are_refused():
    assert embed_2d(np.arange(5, dtype=np.float32)[:, None], method="pca")[0].shape == (5, 2)
    with pytest.raises(EvoscopeError, match="only 2 base neurons"):
        embed_2d(np.zeros((2, 4), dtype=np.float32))


@pytest.mark.slow
def test_umap_keeps_clusters_together_and_is_reproducible():
    points, cluster = clusters(4)
    nearby = points + 0.01
    first, moved = embed_2d(points, [nearby], seed=1)
    again, moved_again = embed_2d(points, [nearby], seed=1)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(moved, moved_again)
    for plane in (first, moved):
        distances = np.linalg.norm(plane[:, None] - first[None], axis=-1)
        np.fill_diagonal(distances, np.inf)
        assert (cluster[distances.argmin(axis=1)] == cluster).mean() > 0.95


@pytest.mark.slow
def test_umap_places_the_others_where_its_own_transform_would():
    """UMAP's own search for neighbours gives the same places, but takes minutes for many neurons."""
    import umap

    points, _ = clusters(5)
    others = clusters(5)[0][::3] + np.random.default_rng(1).normal(0, 0.5, (30, 8)).astype(np.float32)
    base, moved, rest = embed_2d(points, [others[:20], others[20:]], seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = umap.UMAP(random_state=3, init="pca", n_jobs=1)
        np.testing.assert_array_equal(base, model.fit_transform(points))
        expected = model.transform(others)
    # Distances differ in their last bit, which the descent carries on for a few of the points.
    distances = np.linalg.norm(np.concatenate([moved, rest]) - expected, axis=1)
    assert np.median(distances) < 1e-3
