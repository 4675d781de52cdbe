"""How differently a network treats two groups of people, and what a projected-out direction has to do with it."""

import numpy as np

from evoscope.arrays import Array, Bools, Doubles
from evoscope.stats.intervals import Interval, bootstrap_interval


def cut(values: Doubles, reference: Doubles) -> tuple[Bools, float]:
    """Two groups by one column: its values [n] above the cut, and the cut.

    A column of two values is cut between them, any other at the median of ``reference``.
    """
    kinds = np.unique(reference)
    border = float(kinds[:2].mean()) if len(kinds) == 2 else float(np.median(reference))
    return np.asarray(values > border), border


def gap(decided: Array, group: Bools) -> Doubles:
    """Share decided so in the group minus that in the rest, of bool or 0 and 1 [..., n]; NaN if either is empty."""
    return np.asarray(_gap(np.asarray(decided, dtype=np.float64), group.astype(np.float64)))


def gap_change(before: Bools, after: Bools, group: Bools, seed: int, n: int = 1000) -> Interval:
    """Gap after minus before, with a bootstrap interval over rows; without bounds if either group is empty.

    Parameters
    ----------
    before, after : bool [rows], whether the network decides so; group : bool [rows].
    seed, n : of the bootstrap.
    """
    rows = np.stack([before, after, group], axis=1).astype(np.float64)

    def statistic(sample: Doubles) -> Doubles:
        first, second, inside = (sample[..., place] for place in range(3))
        return _gap(second, inside) - _gap(first, inside)

    return bootstrap_interval(rows, seed, n, statistic=statistic)


def _gap(decided: Doubles, group: Doubles) -> Doubles:
    rest = 1 - group
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [(decided * own).sum(axis=-1) / own.sum(axis=-1) for own in (group, rest)]
    return np.asarray(shares[0] - shares[1], dtype=np.float64)
