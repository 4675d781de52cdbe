"""Planted concepts: pixels are where the masks say, shares are those stated, and classes tell nothing of them."""

from dataclasses import replace

import numpy as np
import pytest

from evoscope.data.images import Located
from evoscope.data.planted import BORDERS, KINDS, SHARE, STAMPS, STRENGTH, TINTS, planted
from tests.discovery.small import image_set

PIXELS = 40


class Photographs:
    """Pictures of noise, other ones for every fit."""

    thread_safe = True

    def read(self, index, pixels, fit=None):
        return np.random.default_rng(index).integers(0, 256, (pixels, pixels, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def plain():
    return replace(image_set(600), source=Photographs())


@pytest.fixture(scope="module")
def images(plain):
    return planted(plain, 3)


def test_pixels_are_changed_where_the_masks_say_and_nowhere_else(plain, images):
    """Written from the definition, pixel by pixel."""
    assert isinstance(images.source, Located)
    for row in range(60):
        before, after = plain.read(row, PIXELS), images.read(row, PIXELS)
        masks = images.source.masks(row, PIXELS)
        assert {
            name for name, shown in zip(images.concepts.names, images.concepts.present[row], strict=True) if shown
        } == set(masks)
        for down, across in np.ndindex(PIXELS, PIXELS):
            here = {name.split(":")[0]: name.split(":")[1] for name, mask in masks.items() if mask[down, across]}
            expected = before[down, across].astype(float)
            if "tint" in here:
                expected = np.round((1 - STRENGTH) * expected + STRENGTH * np.array(TINTS[here["tint"]]))
            if "stamp" in here:
                expected = np.array(STAMPS[here["stamp"]])
            if "border" in here:
                expected = np.array(BORDERS[here["border"]])
            assert after[down, across].tolist() == expected.tolist()


def test_shares_are_those_stated_and_independent_of_the_class_and_of_one_another(images):
    present, names = images.concepts.present, images.concepts.names
    for kind, colours in KINDS.items():
        own = present[:, [name.startswith(f"{kind}:") for name in names]]
        assert own.sum(axis=1).max() == 1
        assert own.any(axis=1).mean() == pytest.approx(SHARE, abs=0.06)
        assert (own.mean(axis=0) > SHARE / len(colours) / 2).all()
    together = np.corrcoef(np.column_stack([present.astype(float), images.labels]).T)
    kinds = [name.split(":")[0] for name in names] + ["class"]
    for first, second in np.ndindex(together.shape):
        if kinds[first] != kinds[second]:
            assert abs(together[first, second]) < 0.15


def test_a_subset_and_another_order_bear_the_same_marks_and_another_seed_others(plain, images):
    some = images.subset([5, 2, 9])
    assert np.array_equal(some.read(1, PIXELS), images.read(2, PIXELS))
    assert np.array_equal(some.concepts.present, images.concepts.present[[5, 2, 9]])
    other = planted(plain, 4)
    assert not np.array_equal(other.concepts.present, images.concepts.present)
    assert other.fingerprint != images.fingerprint != plain.fingerprint
