"""Where in an image a concept is: projections of feature maps, and segments of them (CDISCO, step 5)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from evoscope.arrays import Array, Bools, Doubles, Ints
from evoscope.data.loader import Batch
from evoscope.discovery.gradients import frozen
from evoscope.discovery.refine import most_activating
from evoscope.models.network import Network
from evoscope.models.taps import capture

OVERLAY = 85.0
SEGMENT = 80.0
BOARD = 4
"""Published percentiles of an overlay and of a segment, and images on a board."""


@dataclass(frozen=True)
class MapBatch:
    """Concept maps of some images.

    ``rows``: int64 [b], positions in the set; ``maps``: float [b, r, h, w].
    """

    rows: Ints
    maps: Array


def concept_maps(maps: Tensor, directions: Array, pixels: int | None = None) -> Tensor:
    """Project feature maps [b, d, h, w] on directions [r, d]: M = v . A, [b, r, h, w].

    Parameters
    ----------
    pixels : side that the maps are upsampled to, bilinearly; None leaves the layer's grid.
    """
    vectors = torch.from_numpy(np.ascontiguousarray(directions)).to(maps)
    found = torch.einsum("bdhw,rd->brhw", maps, vectors)
    if pixels is None:
        return found
    return interpolate(found, size=(pixels, pixels), mode="bilinear", align_corners=False)


def map_batches(
    network: Network,
    batches: Iterable[Batch],
    layer: str,
    directions: Doubles,
    pixels: int | None = None,
) -> Iterator[MapBatch]:
    """Concept maps of images, batch by batch; feature maps die with their batch.

    Parameters
    ----------
    network : on the device of the batches; in eval mode while batches are read.
    layer : dotted name.
    directions, pixels : as for `concept_maps`.
    """
    reduce = partial(_projection, directions, pixels)
    with frozen(network.module):
        for batch in batches:
            with torch.no_grad(), capture(network.module, (layer,), reduce) as found:
                network.module(batch.pixels)
            yield MapBatch(batch.rows.cpu().numpy(), found[layer].cpu().numpy())


def segments(maps: Array, percentile: float = SEGMENT) -> Bools:
    """Pixels above a percentile of their own map [..., h, w]; none of a constant map."""
    bar = np.percentile(maps, percentile, axis=(-2, -1), keepdims=True)
    return np.asarray(maps > bar)


def peaks(maps: Array) -> Ints:
    """Row and column of the largest pixel (the first of equals) of maps [..., h, w], int64 [..., 2]."""
    flat = maps.reshape(*maps.shape[:-2], -1).argmax(axis=-1)
    return np.stack(np.divmod(flat, maps.shape[-1]), axis=-1).astype(np.int64)


def board(scores: Array, count: int = BOARD, among: Bools | None = None) -> Ints:
    """Images of each concept's board, int64 [concepts, count]: the most activating, -1 beyond.

    Parameters
    ----------
    scores : [images, concepts], <phi, v>.
    among : bool [images], which images may be shown; all unless given.
    """
    allowed = np.arange(len(scores)) if among is None else np.flatnonzero(among)
    shown = np.full((scores.shape[1], count), -1, dtype=np.int64)
    for concept, column in enumerate(scores[allowed].T):
        best = allowed[most_activating(column, count)]
        shown[concept, : len(best)] = best
    return shown


def predicted_board(predictions: Ints, label: int, count: int = 10) -> Ints:
    """First images predicted as a class, in the order of the data (the released boards), int64 [up to count]."""
    return np.flatnonzero(predictions == label)[:count]


def _projection(directions: Doubles, pixels: int | None, name: str, maps: Tensor) -> Tensor:
    return concept_maps(maps, directions, pixels)
