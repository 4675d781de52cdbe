"""How differently a network treats two groups of people, and what a projected-out direction has to do with it."""

import numpy as np

from evoscope.arrays import Array, Bools, Doubles, Ints
from evoscope.seeds import generator
from evoscope.stats.intervals import Interval, percentile_interval

LEVEL = 0.95


def cut(values: Doubles, reference: Doubles) -> tuple[Bools, float]:
    """Two groups by one column: its values [n] above the cut, and the cut.

    A column of two values is cut between them, any other at the median of ``reference``.
    """
    kinds = np.unique(reference)
    border = float(kinds[:2].mean()) if len(kinds) == 2 else float(np.median(reference))
    return np.asarray(values > border), border


def gap(decided: Array, group: Bools) -> Doubles:
    """Share decided so in the group minus that in the rest, of bool [..., n]; NaN if either is empty."""
    inside, outside = (np.asarray(decided, dtype=np.float64) @ own for own in (group, ~group))
    return _difference(inside, outside, group.sum(), (~group).sum())


def gap_change(before: Bools, after: Bools, group: Bools, seed: int, n: int = 1000) -> Interval:
    """Gap after minus before, with a bootstrap interval over rows; without bounds if either group may be empty.

    Parameters
    ----------
    before, after : bool [rows], whether the network decides so; group : bool [rows].
    seed, n : of the bootstrap.
    """
    kinds = 4 * group.astype(np.int64) + 2 * after + before
    counts = np.bincount(kinds, minlength=8)
    # Rows of a kind are alike, so that drawing rows anew is drawing how many there are of each.
    drawn = generator(seed, "bootstrap").multinomial(len(kinds), counts / len(kinds), size=n)
    return percentile_interval(float(_change(counts)), _change(drawn), LEVEL, len(kinds))


def _change(counts: Ints) -> Doubles:
    """Change of the gap from numbers of rows [..., 8] by group, decision after and decision before."""
    cells = counts.reshape(*counts.shape[:-1], 2, 2, 2).astype(np.float64)
    # The gain of decisions for it: those taken only after, minus those taken only before.
    gained = cells[..., 1, 0] - cells[..., 0, 1]
    sizes = cells.sum(axis=(-1, -2))
    return _difference(gained[..., 1], gained[..., 0], sizes[..., 1], sizes[..., 0])


def _difference(inside: Array, outside: Array, own: Array, rest: Array) -> Doubles:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(inside / own - outside / rest, dtype=np.float64)
