import dataclasses

import numpy as np
import pytest

from evoscope.activations.stimuli import Status
from evoscope.errors import EvoscopeError
from evoscope.space.build import project
from evoscope.space.protocol import SemanticSpace, as_released, corrected


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
    projection = project(space, dataclasses.replace(world.other, images=images), small(corrected()))
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
    projection = project(everywhere, world.other, small(as_released()))
    expected = everywhere.image_vectors[world.other.images].astype(float).mean(axis=1)
    np.testing.assert_allclose(projection.vectors, expected, atol=1e-6)
    assert projection.placed.all()


def test_all_averages_what_has_a_vector_where_some_have_none(world):
    space = random_space(world.other, 2)
    projection = project(space, world.other, small(as_released()))
    expected = np.nanmean(space.image_vectors[world.other.images].astype(float), axis=1)
    np.testing.assert_allclose(projection.vectors, expected, atol=1e-6)


def test_dead_neurons_are_unplaced_when_corrected_and_ordinary_as_released(world):
    status = world.other.status.copy()
    status[8] = Status.DEAD
    stimuli = dataclasses.replace(world.other, status=status)
    space = random_space(world.other, 3)
    assert not project(space, stimuli, small(corrected())).placed[8]
    assert project(space, stimuli, small(as_released())).placed[8]


def test_images_are_matched_by_id_not_by_position(world):
    space = random_space(world.other, 4)
    order = np.random.default_rng(0).permutation(len(space.image_ids))
    place = np.argsort(order)
    shuffled = dataclasses.replace(
        world.other,
        image_ids=tuple(world.other.image_ids[i] for i in order),
        images=place[world.other.images].astype(np.int32),
    )
    expected = project(space, world.other, small(corrected()))
    found = project(space, shuffled, small(corrected()))
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    np.testing.assert_array_equal(found.coverage, expected.coverage)


def test_stimuli_outside_the_pool_are_refused(world):
    names = ("elsewhere", *world.other.image_ids[1:])
    images = world.other.images.copy()
    images[0, 0] = 0
    foreign = dataclasses.replace(world.other, image_ids=names, images=images)
    with pytest.raises(EvoscopeError, match=r"1 stimuli are not in the image pool.*'elsewhere'"):
        project(random_space(world.other, 5), foreign, small(corrected()))
