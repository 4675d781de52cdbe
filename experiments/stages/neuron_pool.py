"""Neurons for human studies: all that runs have at some epochs, and their example patches once they are chosen."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from evoscope.activations.stimuli import Stimuli
from evoscope.arrays import Bytes, Ints
from evoscope.data.images import SQUASH, Fit, ImageSet, ImageSource
from experiments.stages.looks import Found, Look
from experiments.stages.showing import PatchOptions, patches_of
from human_eval.design.pools import NeuronPool

MIB = 2**20


def neuron_pool(looks: Sequence[Look], found: Sequence[Found], patches: int) -> NeuronPool:
    """All neurons of ``looks``, look by look, in one pool whose ``patches`` pictures each have no pixels yet."""
    columns = [_columns(look, item.looked.stimuli) for look, item in zip(looks, found, strict=True)]
    ids, models, layers = (
        tuple(name for part in parts for name in part) for parts in zip(*columns, strict=True)
    )
    index = [item.looked.stimuli.neurons for item in found]
    return NeuronPool(
        ids=ids,
        vectors=np.concatenate([item.projection.vectors for item in found]),
        model=models,
        epoch=np.repeat([look.epoch for look in looks], [len(each) for each in index]).astype(np.int64),
        layer=layers,
        channel=np.concatenate([each.channel for each in index]).astype(np.int64),
        patches=np.zeros((len(ids), patches, 0, 0, 3), dtype=np.uint8),
    )


def _columns(look: Look, stimuli: Stimuli) -> tuple[list[str], list[str], list[str]]:
    """Ids, models and layers of one look's neurons."""
    index = stimuli.neurons
    layers = [index.layers[layer] for layer in index.layer]
    ids = [f"{look.name}/{index.name(neuron)}" for neuron in range(len(index))]
    return ids, [look.run.name] * len(index), layers


def cutter(
    pool: ImageSet, looks: Sequence[Look], found: Sequence[Found], options: PatchOptions
) -> Callable[[Ints], Bytes]:
    """What cuts the patches of rows of `neuron_pool`: int64 [m] -> uint8 [m, count, pixels, pixels, 3]."""
    ends = np.cumsum([len(item.looked.stimuli.neurons) for item in found])

    def cut(rows: Ints) -> Bytes:
        of_look = np.searchsorted(ends, rows, side="right")
        starts = np.concatenate([[0], ends])
        shape = (len(rows), options.count, options.pixels, options.pixels, 3)
        patches = np.empty(shape, dtype=np.uint8)
        for number, (look, item) in enumerate(zip(looks, found, strict=True)):
            own = of_look == number
            if own.any():
                patches[own] = patches_of(pool, look, item, rows[own] - starts[number], options)
        return patches

    return cut


def remembered(images: ImageSet, pixels: int, memory_mb: int) -> ImageSet:
    """The same images, of which those read last, at most ``pixels`` wide, stay in a quarter of the memory there is.

    Neurons that belong together are excited by the same images, and drawing or decoding one takes long.
    """
    kept = max(memory_mb * MIB // 4 // (3 * pixels**2), 1)
    return replace(images, source=_Remembering(images.source, kept))


class _Remembering:
    """A source that reads an image again only when it has been forgotten."""

    def __init__(self, source: ImageSource, kept: int) -> None:
        self._read = lru_cache(maxsize=kept)(source.read)

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """RGB image as uint8 [pixels, pixels, 3]."""
        return self._read(index, pixels, fit)
