import dataclasses

import numpy as np
import pytest

from evoscope.activations.stimuli import Status
from evoscope.space.build import build_space, project
from evoscope.space.protocol import as_released, corrected, v1

PROTOCOLS = {
    "corrected": dataclasses.replace(corrected(), k=10),
    "as_released": dataclasses.replace(as_released(), k=10),
    "v1": dataclasses.replace(v1(), skipgram_epochs=60),
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
