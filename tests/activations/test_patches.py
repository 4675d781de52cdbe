"""Example patches are cut where the neuron answers."""

from dataclasses import replace

import numpy as np
import pytest

from evoscope.activations.patches import MASK, cut, example_patches, patch_content
from evoscope.activations.stimuli import NeuronIndex, Stimuli
from evoscope.data.images import SQUASH, ImageSet
from evoscope.data.scenes.source import concept_scenes
from evoscope.errors import EvoscopeError


class Coordinates:
    """Images whose red and green say where a pixel lies (shares of 255), and whose blue says which image it is."""

    def read(self, index, pixels, fit=SQUASH):
        share = ((np.arange(pixels) + 0.5) / pixels * 255).astype(np.uint8)
        rows, columns = np.meshgrid(share, share, indexing="ij")
        return np.stack([rows, columns, np.full_like(rows, index)], axis=2)


def image_set(count: int) -> ImageSet:
    numbers = np.arange(count)
    ids = tuple(f"i{n}" for n in numbers)
    return ImageSet("x", "train", ("a",), ids, np.zeros(count, np.int64), numbers, Coordinates(), "f")


def found(cells: np.ndarray, images: np.ndarray, grid: tuple[int, int], pool: int) -> Stimuli:
    neurons, k = images.shape
    index = NeuronIndex(
        ("conv",), np.zeros(neurons, np.int32), np.arange(neurons, dtype=np.int32), np.array([grid], np.int32)
    )
    zeros = np.zeros(neurons, np.float32)
    return Stimuli(
        tuple(f"i{n}" for n in range(pool)), index, images.astype(np.int32), np.zeros((neurons, k), np.float32),
        cells.astype(np.int32), np.zeros(neurons, np.uint8), zeros, zeros, np.zeros((pool, 0), np.int32),
    )  # fmt: skip


def test_patch_is_centred_on_the_cell():
    rng = np.random.default_rng()
    cells = rng.integers(3, 7, size=(4, 2, 2))  # far enough from the border of a 10 x 10 map
    images = rng.integers(0, 5, size=(4, 2))
    patches = example_patches(image_set(5), found(cells, images, (10, 10), 5), np.arange(4), 2, pixels=30)
    assert patches.shape == (4, 2, 30, 30, 3)
    middle = patches[:, :, 14:16, 14:16].mean(axis=(2, 3))
    np.testing.assert_allclose(middle[..., :2], (cells + 0.5) / 10 * 255, atol=2)
    np.testing.assert_array_equal(middle[..., 2], images)


def test_corner_is_half_a_cell_up_and_left():
    cells, images = np.full((1, 1, 2), 5), np.zeros((1, 1))
    stimuli = found(cells, images, (10, 10), 1)
    corner = example_patches(image_set(1), stimuli, np.array([0]), 1, pixels=30, centre="corner")
    np.testing.assert_allclose(corner[0, 0, 14:16, 14:16, :2].mean(axis=(0, 1)), 0.5 * 255, atol=2)


def test_border_patch_moves_inside_or_is_white():
    image = np.full((100, 100, 3), 7, dtype=np.uint8)
    assert (cut(image, (0.0, 1.0), 30, inside=True) == 7).all()
    outside = cut(image, (0.0, 1.0), 30, inside=False)
    assert (outside[:15] == 255).all()
    assert (outside[:, 15:] == 255).all()
    assert (outside[15:, :15] == 7).all()


def test_missing_stimulus_is_white():
    stimuli = found(np.zeros((1, 2, 2)), np.array([[0, -1]]), (4, 4), 1)
    patches = example_patches(image_set(1), stimuli, np.array([0]), 2, pixels=12)
    assert (patches[0, 1] == 255).all()
    assert not (patches[0, 0] == 255).all()


def test_another_pool_or_too_many_patches_are_refused():
    stimuli = found(np.zeros((1, 2, 2)), np.zeros((1, 2)), (4, 4), 3)
    with pytest.raises(EvoscopeError, match="another pool"):
        example_patches(image_set(2), stimuli, np.array([0]), 1)
    with pytest.raises(EvoscopeError, match="lower the count"):
        example_patches(image_set(3), stimuli, np.array([0]), 3)


def test_of_photographs_the_content_is_the_class_of_the_image():
    images = replace(image_set(4), class_names=("a", "b"), labels=np.array([0, 1, 1, 0]))
    stimuli = found(np.zeros((2, 3, 2)), np.array([[1, 2, -1], [0, 1, 3]]), (4, 4), 4)
    names, content = patch_content(images, stimuli, np.array([1, 0]), 3)
    assert names == ("a", "b")
    assert content[0].tolist() == [[True, False], [False, True], [True, False]]
    assert content[1].tolist() == [[False, True], [False, True], [False, False]]


def test_of_scenes_the_content_is_what_the_masks_have_at_the_middle_of_the_cell():
    images = concept_scenes("pool", 6, 4, 0)
    rng = np.random.default_rng(0)
    cells, chosen = rng.integers(0, 8, (5, 4, 2)), rng.integers(0, 6, (5, 4))
    stimuli = replace(found(cells, chosen, (8, 8), 6), image_ids=images.ids)
    names, content = patch_content(images, stimuli, np.arange(5), 4)
    assert names == images.concepts.names
    for neuron, rank in np.ndindex(5, 4):
        masks = images.source.masks(int(chosen[neuron, rank]), MASK)
        down, across = (cells[neuron, rank] * MASK // 8 + MASK // 16).tolist()
        shown = {name for name, mask in masks.items() if mask[down, across]}
        assert {names[column] for column in np.flatnonzero(content[neuron, rank])} == shown
    assert content.any()
