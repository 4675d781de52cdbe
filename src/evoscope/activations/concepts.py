"""Which known concept each neuron detects: ranking quality of its maxima, confirmed on held-out images."""

import numpy as np

from evoscope.arrays import Array, Bools, Floats, SmallInts
from evoscope.stats.ranks import wins

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
    neurons = maxima.shape[1]
    step = max(1, CHUNK // max(1, len(maxima)))
    areas = np.empty((neurons, present.shape[1]), np.float32)
    for start in range(0, neurons, step):
        areas[start : start + step] = _auc(maxima[:, start : start + step], present)
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
        raise ValueError(
            f"AUC of shape {auc_pool.shape} on the pool, {auc_held_out.shape} on held-out images"
        )
    if auc_pool.shape[1] == 0:
        return np.full(len(auc_pool), -1, dtype=np.int32)
    best = np.where(np.isnan(auc_pool), -1.0, auc_pool).argmax(axis=1)
    rows = np.arange(len(best))
    # Comparisons with NaN are false, so a concept without a defined AUC on either side does not count.
    holds = (auc_pool[rows, best] >= 0) & (auc_held_out[rows, best] >= threshold)
    return np.where(holds, best, -1).astype(np.int32)


def _auc(maxima: Array, present: Bools) -> Array:
    finite = np.isfinite(maxima).all(axis=0)
    positives = present.sum(axis=0).astype(np.float64)
    negatives = len(present) - positives
    pairs = np.where(positives * negatives > 0, positives * negatives, np.nan)
    areas = np.full((maxima.shape[1], present.shape[1]), np.nan)
    areas[finite] = wins(maxima[:, finite], present) / pairs
    return areas
