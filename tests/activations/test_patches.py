"""Example patches are cut where the neuron answers."""

import numpy as np
import pytest

from evoscope.activations.patches import cut, example_patches
from evoscope.activations.stimuli import NeuronIndex, Stimuli
from evoscope.data.images import SQUASH, ImageSet
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
