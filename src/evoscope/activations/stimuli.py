"""What excites each neuron: the artefact that the activation pass leaves and the semantic space reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from evoscope.arrays import Array, Bools, Bytes, Floats, SmallInts
from evoscope.stats import wins


class Status(IntEnum):
    """Health of a neuron over the image pool.

    ``OK``; ``DEAD``: its maximum is zero on every image (rectified neurons); ``CONSTANT``: the same other value
    on every image; ``NON_FINITE``: NaN or infinite on at least one image.
    """

    OK = 0
    DEAD = 1
    CONSTANT = 2
    NON_FINITE = 3


@dataclass(frozen=True)
class NeuronIndex:
    """Which neuron each row of an artefact is.

    ``layers``: dotted names in forward order; ``layer``: int32 [neurons], index into ``layers``;
    ``channel``: int32 [neurons]; ``grid``: int32 [layers, 2], height and width of each layer's map.
    """

    layers: tuple[str, ...]
    layer: SmallInts
    channel: SmallInts
    grid: SmallInts

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, int, int]]) -> "NeuronIndex":
        """All channels of layers, by name, whose maps have these channels, heights and widths."""
        channels = [channels for channels, _, _ in shapes.values()]
        return cls(
            layers=tuple(shapes),
            layer=np.repeat(np.arange(len(channels), dtype=np.int32), channels),
            channel=np.concatenate([np.arange(count, dtype=np.int32) for count in channels]),
            grid=np.array([grid for _, *grid in shapes.values()], dtype=np.int32),
        )

    def __len__(self) -> int:
        return len(self.layer)

    def name(self, neuron: int) -> str:
        """Readable name of a neuron, ``layer#channel``."""
        return f"{self.layers[self.layer[neuron]]}#{self.channel[neuron]}"


@dataclass(frozen=True)
class Stimuli:
    """The k images that excite each neuron most (ConceptEvo, step 1.1), most exciting first.

    ``image_ids``: the pool, one id per image; ``neurons``: what each row is;
    ``images``: int32 [neurons, k], positions in ``image_ids`` (-1: none, when the pool is smaller than k);
    ``values``: float32 [neurons, k], spatial maximum of the neuron's map on that image;
    ``cells``: int32 [neurons, k, 2], row and column of the arg-max in the layer's map;
    ``status``: uint8 [neurons], see `Status`. Ties go to the image that comes first in the pool, so a dead
    neuron lists the first k images, as the released code does; whether those count is the space's decision;
    ``mean``, ``deviation``: float32 [neurons], of the maxima over the pool (population standard deviation);
    ``responsive``: int32 [images, r], the r neurons that respond most to each image (ConceptEvo, step 2.1.1),
    or [images, 0].
    """

    image_ids: tuple[str, ...]
    neurons: NeuronIndex
    images: SmallInts
    values: Floats
    cells: SmallInts
    status: Bytes
    mean: Floats
    deviation: Floats
    responsive: SmallInts

    @property
    def k(self) -> int:
        """Stimuli per neuron."""
        return int(self.images.shape[1])


CHUNK = 2**22
"""Maxima ranked at a time: bounds the float64 copies."""


def concept_auc(maxima: Array, present: Bools) -> Floats:
    """Compute the area under the ROC curve of every neuron as a detector of every concept.

    The chance that an image with the concept excites the neuron more than one without it, ties counting half:
    the Mann-Whitney statistic, from each neuron's ranks (averaged over ties) and one product with the concept
    table.

    Parameters
    ----------
    maxima : float32 [images, neurons], spatial maxima.
    present : bool [images, concepts].

    Returns
    -------
    float32 [neurons, concepts]; NaN for neurons with a non-finite maximum and for concepts that all or no
    images show.
    """
    if len(maxima) != len(present):
        raise ValueError(f"{len(maxima)} images in maxima, {len(present)} in the concept table")
    positives = present.sum(axis=0).astype(np.float64)
    pairs = positives * (len(present) - positives)
    pairs[pairs == 0] = np.nan
    step = max(1, CHUNK // max(1, len(maxima)))
    areas = np.full((maxima.shape[1], present.shape[1]), np.nan, np.float32)
    for start in range(0, maxima.shape[1], step):
        some = maxima[:, start : start + step]
        finite = np.isfinite(some).all(axis=0)
        areas[start : start + step][finite] = wins(some[:, finite], present) / pairs
    return areas


def label_neurons(auc_pool: Array, auc_held_out: Array, threshold: float = 0.7) -> SmallInts:
    """Name the concept of each neuron by its index, int32 [neurons]; -1 for a neuron without one.

    A neuron's concept is the best by AUC on the pool (the first of equals), and counts only if its AUC on
    images that had no part in choosing it reaches ``threshold``.

    Parameters
    ----------
    auc_pool, auc_held_out : [neurons, concepts], from `concept_auc`; NaN is never chosen.
    threshold : least AUC on the held-out images.
    """
    if auc_pool.shape != auc_held_out.shape:
        raise ValueError(f"AUC of shape {auc_pool.shape} on the pool, {auc_held_out.shape} on held-out images")
    if auc_pool.shape[1] == 0:
        return np.full(len(auc_pool), -1, dtype=np.int32)
    best = np.where(np.isnan(auc_pool), -1.0, auc_pool).argmax(axis=1)
    rows = np.arange(len(best))
    # Comparisons with NaN are false, so a concept without a defined AUC on either side does not count.
    holds = (auc_pool[rows, best] >= 0) & (auc_held_out[rows, best] >= threshold)
    return np.where(holds, best, -1).astype(np.int32)


@dataclass(frozen=True)
class NeuronConcepts:
    """How well each neuron's maximum tells each true concept, over the pool and over held-out images.

    ``names``: of the concepts, or empty where no truth is known; ``auc_pool``, ``auc_held_out``: float32
    [neurons, concepts];
    ``label``: int32 [neurons], the concept with the best AUC over the pool if its AUC on held-out images is
    high enough, or -1.
    """

    names: tuple[str, ...]
    auc_pool: Floats
    auc_held_out: Floats
    label: SmallInts

    @classmethod
    def unknown(cls, neurons: int) -> "NeuronConcepts":
        """No truth is known (photographs)."""
        nothing = np.zeros((neurons, 0), dtype=np.float32)
        return cls((), nothing, nothing, np.full(neurons, -1, dtype=np.int32))

    def name(self, neuron: int) -> str:
        """Concept of a neuron, or "" for none."""
        return self.names[self.label[neuron]] if self.label[neuron] >= 0 else ""

    def all_names(self) -> list[str]:
        """Concept of every neuron, "" for none."""
        return [self.name(neuron) for neuron in range(len(self.label))]
