"""What human studies are made of: concepts, neurons and their patches, and what decides a study's key."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from evoscope.activations.patches import example_patches
from evoscope.activations.stimuli import NeuronIndex, Stimuli
from evoscope.data.scenes import concept_scenes
from evoscope.discovery.latent import scan_latents
from evoscope.discovery.ranking import class_concepts, discover
from experiments.stages.concepts import LayerConcepts
from experiments.stages.stimuli import Patches
from experiments.stages.studies import (
    StudyConcepts,
    StudyImages,
    StudyNeurons,
    first_concepts,
    options_of,
    remembered,
    spoken,
    study,
    study_vectors,
)
from tests import protocols
from tests.discovery.small import batches_of, noise, small

PATCHES = Patches(2, "centre", pixels=8)


@pytest.fixture(scope="module")
def latents():
    return scan_latents(small(), batches_of(noise(60)), 60, ("second",), ("loss", "logit", "slope"))


@pytest.fixture(scope="module")
def images():
    return concept_scenes("test", 8, 4, seed=1)


def found_in(latents, protocol):
    layer = latents.layers[0]
    found = discover(layer, latents.outcomes, protocol)
    return LayerConcepts(found.basis, found.ranking, found.ranking, class_concepts(layer, found, protocol, seed=0))


def test_study_concepts_are_unit_seeded_and_alive(latents):
    found, alive = (
        found_in(latents, protocols.discovery("corrected")),
        np.array([True, False, True, True, False, True]),
    )
    drawn, again = (study_vectors(found, alive, seed=5) for _ in range(2))
    assert {name: len(rows) for name, rows in drawn.items()} == {"svd": 12, "neuron": 4, "random": 60}
    for name, rows in drawn.items():
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)
        np.testing.assert_array_equal(rows, again[name])
    assert not drawn["neuron"][:, ~alive].any()


def test_study_concepts_come_from_the_first_places_that_suffice(latents):
    found = found_in(latents, protocols.discovery("corrected"))
    directions, _ = first_concepts(found, 1)
    assert set(directions) == set(found.ranking.best(1)[0][:, 0])


def stimuli(images, first):
    """Two neurons of one layer, each with three images, whose cells are the corner or the middle of a map of 2 x 2."""
    nothing = np.zeros(2, np.float32)
    index = NeuronIndex(
        layers=("conv",), layer=np.array([0, 0], np.int32), channel=np.array([3, 5], np.int32),
        grid=np.array([[2, 2]], np.int32),
    )  # fmt: skip
    shown = np.array([[first, 1, 2], [2, first, 3]], np.int32)
    return Stimuli(
        images.ids, index, shown, np.ones((2, 3), np.float32), np.zeros((2, 3, 2), np.int32),
        np.zeros(2, np.uint8), nothing, nothing, np.zeros((len(images), 0), np.int32),
    )  # fmt: skip


def look(run, epoch, level, found):
    def loaded(**values):
        return SimpleNamespace(load=lambda: SimpleNamespace(**values))

    return SimpleNamespace(
        run=run,
        epoch=epoch,
        spec=SimpleNamespace(fit="squash"),
        stimuli=loaded(stimuli=found),
        projection=loaded(vectors=np.full((2, 3), level, np.float32)),
    )


def test_neurons_are_pooled_look_by_look_and_each_has_its_own_patches(images):
    one, other = stimuli(images, 0), stimuli(images, 5)
    neurons = StudyNeurons([look("vgg16", 0, 10, one), look("vgg16", 7, 20, other)], images, PATCHES)
    pool = neurons.pool()
    assert pool.ids == ("vgg16@0/conv#3", "vgg16@0/conv#5", "vgg16@7/conv#3", "vgg16@7/conv#5")
    assert (pool.model, pool.layer) == (("vgg16",) * 4, ("conv",) * 4)
    assert (list(pool.epoch), list(pool.channel)) == ([0, 0, 7, 7], [3, 5, 3, 5])
    assert list(pool.vectors[:, 0]) == [10, 10, 20, 20]
    assert pool.patches.shape == (4, 2, 0, 0, 3)
    assert pool.photos.tolist() == [[0, 1], [2, 0], [5, 1], [2, 5]]
    cut = neurons.cut(np.array([3, 0, 2]), np.array([1, 1, 0]))
    first = example_patches(images, other, np.array([1, 0]), 2, side=0.3, pixels=8)
    np.testing.assert_array_equal(cut[0], first[0, 1])
    np.testing.assert_array_equal(cut[2], first[1, 0])
    np.testing.assert_array_equal(cut[1], example_patches(images, one, np.array([0]), 2, pixels=8)[0, 1])


def test_held_out_patches_come_from_all_stimuli_of_the_images_that_they_were_found_on(images):
    found = SimpleNamespace(load=lambda: stimuli(images, 4))
    neurons = StudyNeurons([look("vgg16", 0, 10, stimuli(images, 0))], images, PATCHES, [found])
    pool = neurons.pool()
    assert pool.photos.tolist() == [[4, 1, 2], [2, 4, 3]]
    assert pool.patches.shape[1] == 3


def test_concepts_are_shown_by_their_best_images_at_most_as_many_as_asked(images):
    rows = np.array([[3, 1, 0], [2, 3, 1]])
    found = StudyConcepts(("a", "b"), ("svd", "neuron"), ("layer",) * 2, ("colour:red", ""), np.eye(2), rows)
    pool = StudyImages(SimpleNamespace(load=lambda: found), images).pool(2)
    assert pool.label == ("red (colour)", "")
    for place, row in (((0, 0), 3), ((0, 1), 1), ((1, 0), 2), ((1, 1), 3)):
        np.testing.assert_array_equal(pool.images[place], images.read(row, pool.images.shape[2]))
    assert pool.images.shape[:2] == (2, 2)
    assert pool.names == tuple(spoken(name) for name in images.concepts.names)
    np.testing.assert_array_equal(pool.shows, images.concepts.present[rows[:, :2]])


def test_how_images_are_read_is_no_part_of_a_study(images):
    def key(shown, pixels=8):
        neurons = StudyNeurons((), shown, replace(PATCHES, pixels=pixels))
        return study("alignability", neurons, "corrected", options_of("alignability"), 0).key

    kept = remembered(images, PATCHES, memory_mb=1)
    assert key(kept) == key(images)
    assert len({key(images), key(images.subset([0, 1])), key(images, pixels=9)}) == 3
    for row in (0, 1, 0):
        np.testing.assert_array_equal(kept.read(row, 16), images.read(row, 16))


def test_labels_are_spoken():
    assert [spoken(label) for label in ("colour:red", "plain", "", "a:")] == ["red (colour)", "plain", "", "a:"]
