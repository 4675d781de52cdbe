"""Which neurons the pictures of important evolutions show."""

import numpy as np
import pytest

from evoscope.activations.stimuli import NeuronIndex
from evoscope.evolution.importance import EvolutionImportance
from experiments.stages.importance import ClassImportance
from experiments.stages.importance_pictures import top_neurons, with_places

LAYER = np.repeat([0, 1, 2], 3).astype(np.int32)


def found(positive, mean, grid=((4, 4), (2, 2), (1, 1))):
    """Importance of nine neurons in three layers over ten images."""
    index = NeuronIndex(("a", "b", "c"), LAYER, np.tile(np.arange(3, dtype=np.int32), 3), np.array(grid))
    positive = np.array(positive)
    sample = EvolutionImportance(index, 0, tuple("abcdefghij"), positive, 10 - positive, np.array(mean, dtype=float))
    return ClassImportance("class", 0, 1, (sample,))


@pytest.fixture
def apart():
    """Stimuli that no two neurons share."""
    return np.arange(9 * 4).reshape(9, 4)


def test_highest_scores_first_and_mean_sensitivity_between_equals(apart):
    importance = found([9, 10, 10, 8, 7, 0, 9, 9, 9], [0, 1, 2, 0, 0, 0, 1, 3, 2])
    assert top_neurons(importance, np.ones(9, dtype=bool), apart, 3).tolist() == [2, 7, 3]


def test_what_may_not_be_shown_gives_way(apart):
    importance = found([9, 10, 10, 8, 7, 0, 9, 9, 9], [0, 1, 2, 0, 0, 0, 1, 3, 2])
    shown = np.ones(9, dtype=bool)
    shown[[2, 7]] = False
    assert top_neurons(importance, shown, apart, 2).tolist() == [1, 8]


def test_neurons_that_share_half_of_their_stimuli_are_one(apart):
    importance = found([9, 10, 10, 8, 7, 0, 9, 9, 9], [0, 1, 2, 0, 0, 0, 1, 3, 2])
    stimuli = apart.copy()
    stimuli[7, :2] = stimuli[2, 2:]
    assert top_neurons(importance, np.ones(9, dtype=bool), stimuli, 2).tolist() == [2, 8]


@pytest.mark.parametrize(("grid", "layers"), [(((4, 4), (2, 2), (1, 1)), {0, 1}), (((1, 1),) * 3, {0, 1, 2})])
def test_maps_of_one_cell_are_left_out_unless_there_are_no_others(grid, layers):
    chosen = with_places(found([0] * 9, [0] * 9, grid).neurons)
    assert set(LAYER[chosen]) == layers
