"""Example patches: the part of an image where a neuron answers most (ConceptEvo's concept pictures)."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import numpy as np

from evoscope.activations.stimuli import Stimuli
from evoscope.arrays import Array, Bools, Bytes, Doubles, Ints
from evoscope.data.images import SQUASH, Fit, ImageSet, Located
from evoscope.errors import EvoscopeError

PAPER = 255  # what lies outside the image
MASK = 64  # pixels of a mask: what lies at a patch's middle needs no finer one


def example_patches(
    images: ImageSet,
    stimuli: Stimuli,
    neurons: Ints,
    count: int,
    *,
    side: float = 0.3,
    pixels: int = 96,
    centre: Literal["centre", "corner"] = "centre",
    fit: Fit = SQUASH,
    ranks: Ints | None = None,
) -> Bytes:
    """The ``count`` most exciting patches of each neuron, as uint8 [neurons, count, pixels, pixels, 3].

    ``images`` is the pool of ``stimuli``; ``side`` is the patch's side as a share of the image's. Each image is
    read anew at the size that makes its patch ``pixels`` wide, so a drawn scene stays sharp. With ``centre``
    the square is centred on the arg-max cell's centre and moved inside the image; with ``corner`` (as released)
    it is centred on the cell's top-left corner, and what lies outside the image is white. A missing stimulus is
    white. ``ranks``, int [neurons, count], takes other stimuli of each neuron than the first.

    Raises
    ------
    EvoscopeError : ``images`` is not the pool of ``stimuli``, or the neurons have fewer than ``count`` stimuli.
    """
    _check_pool(images, stimuli, count)
    taken = np.tile(np.arange(count), (len(neurons), 1)) if ranks is None else ranks
    whole = round(pixels / side)

    @lru_cache(maxsize=256)
    def read(image: int) -> Bytes:
        return images.read(image, whole, fit)

    patches = np.full((len(neurons), count, pixels, pixels, 3), PAPER, dtype=np.uint8)
    for row, neuron in enumerate(neurons):
        grid = stimuli.neurons.grid[stimuli.neurons.layer[neuron]]
        for number, rank in enumerate(taken[row]):
            image = stimuli.images[neuron, rank]
            if image >= 0:
                place = cell_places(stimuli.cells[neuron, rank], grid, centre)
                patches[row, number] = cut(read(int(image)), place, pixels, inside=centre == "centre")
    return patches


def patch_content(images: ImageSet, stimuli: Stimuli, neurons: Ints, count: int) -> tuple[tuple[str, ...], Bools]:
    """What the ``count`` most exciting patches of each neuron show: names, and bool [neurons, count, names].

    Of images whose concepts have known places, those whose mask holds the middle of the arg-max cell; of others, their
    class. A
    missing stimulus shows nothing.

    Raises
    ------
    EvoscopeError : as for `example_patches`.
    """
    _check_pool(images, stimuli, count)
    source = images.source
    drawn = source if isinstance(source, Located) and images.concepts is not None else None
    names = images.concepts.names if drawn and images.concepts else images.class_names
    column = {name: place for place, name in enumerate(names)}
    content = np.zeros((len(neurons), count, len(names)), dtype=bool)

    @lru_cache(maxsize=1024)
    def masks(image: int) -> dict[str, Bools]:
        return drawn.masks(int(images.rows[image]), MASK) if drawn else {}

    for row, neuron in enumerate(neurons):
        grid = stimuli.neurons.grid[stimuli.neurons.layer[neuron]]
        for number, image in enumerate(stimuli.images[neuron, :count]):
            if image < 0:
                continue
            if drawn is None:
                content[row, number, int(images.labels[image])] = True
                continue
            down, across = (cell_places(stimuli.cells[neuron, number], grid) * MASK).astype(int)
            for name, mask in masks(int(image)).items():
                content[row, number, column[name]] = mask[down, across]
    return names, content


def _check_pool(images: ImageSet, stimuli: Stimuli, count: int) -> None:
    if images.ids != stimuli.image_ids:
        raise EvoscopeError(
            f"the stimuli were found in another pool than {images.name}/{images.split}",
            "pass the image set that the activation pass saw",
        )
    if count > stimuli.k:
        raise EvoscopeError(f"{count} patches were asked for but neurons have {stimuli.k} stimuli", "lower the count")


def cell_places(cells: Array, grids: Array, centre: Literal["centre", "corner"] = "centre") -> Doubles:
    """Where cells [..., 2] of maps of ``grids`` [..., 2] (rows, columns) lie: shares of the image's height and width.

    The middle of each cell, or its top left ``corner``, as released.
    """
    found: Doubles = (cells + (0.5 if centre == "centre" else 0.0)) / grids
    return found


def cut(image: Bytes, place: Iterable[float], pixels: int, *, inside: bool) -> Bytes:
    """Square of ``pixels`` around ``place`` (shares of height and width) of an image [height, width, 3].

    ``inside`` moves the square into the image; otherwise what lies outside is white.
    """
    tops = [round(share * length - pixels / 2) for share, length in zip(place, image.shape[:2], strict=True)]
    if inside:
        tops = [min(max(top, 0), length - pixels) for top, length in zip(tops, image.shape[:2], strict=True)]
    patch = np.full((pixels, pixels, 3), PAPER, dtype=np.uint8)
    (y0, y1), (x0, x1) = (
        (max(top, 0), min(top + pixels, length)) for top, length in zip(tops, image.shape[:2], strict=True)
    )
    patch[y0 - tops[0] : y1 - tops[0], x0 - tops[1] : x1 - tops[1]] = image[y0:y1, x0:x1]
    return patch
