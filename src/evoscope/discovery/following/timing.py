"""When something begins that then lasts, and what share of the directions has begun by when."""

from collections.abc import Sequence

import numpy as np

from evoscope.arrays import Array, Bools, Doubles, Ints
from evoscope.stats.intervals import Interval, bootstrap_interval

NEVER = -2
"""Epoch of what does not happen (-1 is before training)."""


def first_lasting(holds: Bools, epochs: Sequence[int]) -> Ints:
    """First epoch from which something holds at every later one too, int64 [rows]; `NEVER` if not at the last.

    Parameters
    ----------
    holds : bool [epochs, rows]; epochs : ascending.
    """
    lasting = np.logical_and.accumulate(holds[::-1], axis=0)[::-1]
    first = lasting.argmax(axis=0)
    return np.where(lasting[-1], np.asarray(epochs, dtype=np.int64)[first], NEVER)


def share_since(since: Ints, epoch: int, groups: Array, seed: int) -> Interval:
    """Share of rows that have begun by an epoch, with a 95 % bootstrap interval over groups.

    Parameters
    ----------
    since : int64 [rows], epochs, or `NEVER`.
    epoch : by which.
    groups : [rows], what is resampled whole: both sides of a direction are not independent.
    seed : of the bootstrap.
    """
    begun = (since > NEVER) & (since <= epoch)
    _, own = np.unique(groups, return_inverse=True)
    pairs = np.stack([np.bincount(own, begun), np.bincount(own)], axis=1)
    return bootstrap_interval(pairs, seed, statistic=_ratio)


def _ratio(samples: Doubles) -> Doubles:
    totals = samples.sum(axis=-2)
    return np.asarray(totals[..., 0] / totals[..., 1], dtype=np.float64)
