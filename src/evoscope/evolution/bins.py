"""Neurons of a layer from the most to the least important, cut into four bins (ConceptEvo, reversal)."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from evoscope.arrays import Array, Doubles, SmallInts

BINS = 4
Ties = Literal["sensitivity", "channel"]
Cut = Literal["all", "quarter"]


@dataclass(frozen=True)
class BinRule:
    """How neurons are ordered and cut.

    ``ties``: equal scores are ordered by mean ``sensitivity`` and then channel, or by ``channel`` alone (as
    released); ``cut``: ``all`` channels fall in a bin, sizes differing by one at most, or each bin holds
    int(n / 4) and the last channels fall in none (``quarter``, as released).
    """

    ties: Ties = "sensitivity"
    cut: Cut = "all"

    def size(self, channels: int) -> int:
        """Channels of the first bin; what a random set has too."""
        return channels // BINS if self.cut == "quarter" else _bounds(channels)[1]


CORRECTED = BinRule()
RELEASED = BinRule("channel", "quarter")


def ranking(score: Array, mean: Doubles, ties: Ties = "sensitivity") -> Array:
    """Channels of one layer, most important first: int64 [channels].

    Parameters
    ----------
    score : [channels], share of images that the evolution helps.
    mean : float64 [channels], mean sensitivity.
    ties : see `BinRule`.
    """
    if ties == "channel":
        return np.argsort(-score, kind="stable")
    return np.lexsort((np.arange(len(score)), -mean, -score))


def bins_of_layer(score: Array, mean: Doubles, rule: BinRule = CORRECTED) -> SmallInts:
    """Bin of each channel of one layer, int32 [channels]: 0 the most important, 3 the least, -1 none.

    Parameters
    ----------
    score, mean : as for `ranking`.
    rule : how ties are broken and where the cuts lie.
    """
    order = ranking(score, mean, rule.ties)
    cuts = _bounds(len(order)) if rule.cut == "all" else [rule.size(len(order)) * b for b in range(BINS + 1)]
    bins = np.full(len(order), -1, dtype=np.int32)
    for number, (start, stop) in enumerate(pairwise(cuts)):
        bins[order[start:stop]] = number
    return bins


def bins_of_all(layer: Array, score: Array, mean: Doubles, rule: BinRule = CORRECTED) -> SmallInts:
    """Bin of every neuron within its own layer, int32 [neurons].

    Parameters
    ----------
    layer : [neurons], number of each neuron's layer.
    score, mean : [neurons].
    rule : as for `bins_of_layer`.
    """
    bins = np.full(len(score), -1, dtype=np.int32)
    for number in np.unique(layer):
        own = np.flatnonzero(layer == number)
        bins[own] = bins_of_layer(score[own], mean[own], rule)
    return bins


def _bounds(channels: int) -> list[int]:
    """Where the bins of all channels begin and end: at the quarters, rounded up."""
    return [-(-channels * number // BINS) for number in range(BINS + 1)]
