"""Which direction of one epoch is which of another: one to one, by cosine in the semantic space."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from evoscope.arrays import Doubles, Ints, SmallInts
from evoscope.directions import unit_rows
from evoscope.space.metrics import placed_rows


@dataclass(frozen=True)
class Match:
    """The partner of each row, int64 [rows] (-1: none), and their cosine, float64 [rows] (NaN: none)."""

    partner: Ints
    similarity: Doubles


def match(rows: Doubles, others: Doubles) -> Match:
    """Pair rows [r, dim] with others [o, dim] so that the sum of cosines is largest (Hungarian method).

    Unplaced vectors (NaN) have no partner, and where one side has more vectors some of it have none.
    """
    partner = np.full(len(rows), -1, dtype=np.int64)
    similarity = np.full(len(rows), np.nan)
    left, right = np.flatnonzero(placed_rows(rows)), np.flatnonzero(placed_rows(others))
    if len(left) and len(right):
        cosines = unit_rows(rows[left]) @ unit_rows(others[right]).T
        first, second = linear_sum_assignment(-cosines)
        partner[left[first]] = right[second]
        similarity[left[first]] = np.clip(cosines[first, second], -1, 1)
    return Match(partner, similarity)


def shared(images: SmallInts, others: SmallInts) -> Doubles:
    """Share of the images [rows, k] that are also in the same row of ``others``, float64 [rows]; NaN for none."""
    counts = (images >= 0).sum(axis=1)
    same = (images[:, :, None] == others[:, None, :]) & (images >= 0)[:, :, None]
    hits = same.any(axis=2).sum(axis=1)
    share: Doubles = np.divide(hits, counts, out=np.full(len(images), np.nan), where=counts > 0)
    return share
