"""What the pictures of the unified space show: names of regions, and neurons that are followed."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from evoscope.activations.stimuli import NeuronConcepts, NeuronIndex, Stimuli
from evoscope.data.scenes.source import concept_scenes
from experiments.stages.space import forming, is_seen, measured_by, region_title


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (["texture:dots"], "dots"),
        (["colour:purple", "texture:dots"], "dotted purple"),
        (["texture:plain", "colour:yellow"], "plain yellow"),
        (["part:wheels"], "wheels"),
        (["golf ball"], "golf ball"),
    ],
)
def test_regions_are_called_as_people_would(names, title):
    assert region_title(names) == title


def test_a_region_of_sky_is_not_seen():
    rng = np.random.default_rng(0)
    lively = rng.integers(0, 255, (2, 3, 8, 8, 3), dtype=np.uint8)
    assert is_seen(lively)
    sky = np.full_like(lively, 200)
    assert not is_seen(sky)
    assert is_seen(np.concatenate([lively, lively, lively, lively, sky[:1]]))


POOL = concept_scenes("pool", 40, 4, 0)


def look(images, label, auc, epoch=0):
    """A look at neurons of one layer, with ten stimuli each, whose map has one cell."""
    neurons, zeros = len(images), np.zeros(len(images), np.float32)
    index = NeuronIndex(
        ("a",), np.zeros(neurons, np.int32), np.arange(neurons, dtype=np.int32), np.ones((1, 2), np.int32)
    )
    stimuli = Stimuli(
        POOL.ids, index, images.astype(np.int32), np.zeros(images.shape, np.float32),
        np.zeros((*images.shape, 2), np.int32), np.zeros(neurons, np.uint8), zeros, zeros,
        np.zeros((len(POOL), 0), np.int32),
    )  # fmt: skip
    concepts = NeuronConcepts(POOL.concepts.names, auc, auc, label)
    found = SimpleNamespace(stimuli=stimuli, concepts=concepts)
    return SimpleNamespace(stimuli=SimpleNamespace(load=lambda: found), run="x", epoch=epoch)


def test_neurons_are_followed_whose_patches_show_what_they_are_named_by():
    names = POOL.concepts.names
    seen = [set(np.flatnonzero(POOL.concepts.present[row])) for row in range(len(POOL))]
    middle = [
        {names.index(name) for name, mask in POOL.source.masks(row, 64).items() if mask[32, 32]}
        for row in range(len(POOL))
    ]
    concept = max(range(len(names)), key=lambda each: sum(each in shown for shown in middle))
    other = next(each for each in range(len(names)) if each != concept and sum(each in shown for shown in middle) < 4)
    rows = np.array([row for row in range(len(POOL)) if concept in middle[row]][:10])
    assert all(concept in seen[row] for row in rows)
    images = np.tile(rows, (3, 1))
    label = np.array([other, concept, -1], np.int32)
    before, after = np.full((3, len(names)), 0.5), np.full((3, len(names)), 0.9)
    after[0] = 0.99  # rises most, and its patches do not show it
    looks = [look(images, np.full(3, -1, np.int32), before), look(images, label, after, 1)]
    which, values, told, by = measured_by(looks, POOL)
    assert (list(which), by, told) == ([other, concept, -1], "AUC", names)
    assert values[1, 0] == 0.99
    assert np.isnan(values[:, 2]).all()
    vectors = [np.ones((3, 2), np.float32)] * 2
    assert list(forming(looks[-1], POOL, vectors, which, values, 3)) == [1, 0, 2]


def test_without_concepts_neurons_are_followed_by_the_class_that_excites_them_in_the_end():
    photographs = replace(POOL, concepts=None)
    own = [np.flatnonzero(POOL.labels == label)[:5] for label in range(4)]
    first = np.stack([np.concatenate([own[0], own[1]]), np.concatenate([own[1], own[0]])])
    last = np.stack([np.concatenate([own[2], own[2]]), np.concatenate([own[1], own[3]])])
    looks = [look(images, np.full(2, -1), np.zeros((2, 0)), epoch) for epoch, images in enumerate((first, last))]
    for each in looks:
        each.stimuli.load().concepts = NeuronConcepts.unknown(2)
    which, values, told, by = measured_by(looks, photographs)
    assert (list(which), by, told) == ([2, 1], "share", POOL.class_names)
    np.testing.assert_array_equal(values, [[0.0, 0.5], [1.0, 0.5]])
