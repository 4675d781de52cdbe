"""What a statistic would be if nothing but chance were at work."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from evoscope.arrays import Array, Doubles, Ints
from evoscope.seeds import generator
from evoscope.stats.intervals import Interval, percentile_interval


def permutation_null(
    draw: Callable[[np.random.Generator], float], seed: int, n: int = 200, level: float = 0.95
) -> Interval:
    """Distribution of a statistic under shuffling.

    Parameters
    ----------
    draw : shuffles with the generator it gets, and returns the statistic.
    seed, n : of the stream, and how many shuffles.
    level : share of the shuffles between the bounds.

    Returns
    -------
    Interval
        The mean over the shuffles between its percentiles; its ``n`` is the number of shuffles.
    """
    return summary(shuffled(draw, seed, n), level)


def shuffled(draw: Callable[[np.random.Generator], float], seed: int, n: int) -> Doubles:
    """Compute the statistic of ``n`` shuffles, float64 [n]."""
    stream = generator(seed, "null")
    return np.array([draw(stream) for _ in range(n)], dtype=np.float64)


def summary(draws: ArrayLike, level: float = 0.95) -> Interval:
    """Mean of the draws [n] between their percentiles."""
    values = np.asarray(draws, dtype=np.float64)
    return percentile_interval(float(values.mean()), values, level, len(values))


def exceedance(observed: float, draws: ArrayLike) -> float:
    """One-sided p-value: share of draws [n] at least as large as ``observed``, itself counted among them."""
    values = np.asarray(draws, dtype=np.float64)
    return float((1 + (values >= observed).sum()) / (1 + values.size))


def shuffle_within(groups: Array, stream: np.random.Generator) -> Ints:
    """Random permutation [m] of positions that stays inside each group.

    Parameters
    ----------
    groups : integers [m], the group of each position.
    stream : where the randomness comes from.
    """
    by_group = np.argsort(groups, kind="stable")
    shuffled_by_group = np.lexsort((stream.random(len(groups)), groups))
    order = np.empty(len(groups), dtype=np.int64)
    order[by_group] = shuffled_by_group
    return order
