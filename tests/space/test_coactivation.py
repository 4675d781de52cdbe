import dataclasses

import numpy as np
import pytest

from evoscope.activations.stimuli import Status
from evoscope.errors import EvoscopeError
from evoscope.space.protocol import as_released, corrected
from evoscope.space.skipgram import coactivation, counted_stimuli, group


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
    excluded = counted_stimuli(stimuli, dataclasses.replace(corrected(), k=10))
    ordinary = counted_stimuli(stimuli, dataclasses.replace(as_released(), k=10))
    assert (excluded[3] == -1).all()
    assert (ordinary == world.base.images).all()
    assert (np.delete(excluded, 3, 0) == np.delete(ordinary, 3, 0)).all()


def test_the_most_exciting_k_count_and_too_few_are_refused(world):
    first = counted_stimuli(world.base, dataclasses.replace(corrected(), k=4))
    assert (first == world.base.images[:, :4]).all()
    with pytest.raises(EvoscopeError, match=r"10 images per neuron.*k=11"):
        counted_stimuli(world.base, dataclasses.replace(corrected(), k=11))
