"""Intervals, shuffled nulls, ranks and correlations of independent values."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evoscope.arrays import IN_MEMORY, Array, Bools, Doubles, Ints
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator

LEVEL = 0.95
"""Confidence of an interval unless said otherwise."""
Statistic = Callable[[Doubles], Doubles]


@dataclass(frozen=True)
class Interval:
    """A value between two bounds, from ``n`` observations; the bounds are NaN where there is only one."""

    value: float
    low: float
    high: float
    n: int

    def excludes(self, point: float) -> bool:
        """Whether ``point`` lies outside; never so without bounds."""
        return bool(point < self.low or point > self.high)

    def columns(self, name: str = "") -> dict[str, float]:
        """``value``, ``low`` and ``high`` of a table's row; of a ``name``: ``name``, ``name_low``, ``name_high``."""
        low, high = (f"{name}_low", f"{name}_high") if name else ("low", "high")
        return {name or "value": self.value, low: self.low, high: self.high}


UNKNOWN = Interval(float("nan"), float("nan"), float("nan"), 0)
"""Of what cannot be measured."""


def mean_of_rows(samples: Doubles) -> Doubles:
    """Mean over the last axis."""
    return np.asarray(samples.mean(axis=-1), dtype=np.float64)


def bootstrap_interval(values: ArrayLike, seed: int, n: int = 1000, statistic: Statistic = mean_of_rows) -> Interval:
    """Percentile bootstrap interval of a statistic of independent values.

    Parameters
    ----------
    values : [m] or [m, d], one observation per row.
    seed : same seed, same interval.
    n : number of resamples.
    statistic : maps samples [..., m] (or [..., m, d]) to [...]; the mean unless given.

    Raises
    ------
    EvoscopeError : no values, or a value that is not finite.

    Notes
    -----
    With few values (below about 20) the percentile interval is too narrow: use `t_interval` for means.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    sample = _checked(values)
    value = float(statistic(sample))
    if len(sample) == 1:
        return Interval(value, float("nan"), float("nan"), 1)
    stream, size = generator(seed, "bootstrap"), max(1, IN_MEMORY // sample.size)
    parts = [min(size, n - start) for start in range(0, n, size)]
    draws = [statistic(sample[stream.integers(len(sample), size=(part, len(sample)))]) for part in parts]
    return percentile_interval(value, np.concatenate(draws), LEVEL, len(sample))


def percentile_interval(value: float, draws: ArrayLike, level: float, n: int) -> Interval:
    """``value`` between the percentiles of ``draws`` [m] that leave (1 - level) / 2 on either side."""
    tail = (1 - level) / 2
    low, high = np.quantile(np.asarray(draws, dtype=np.float64), [tail, 1 - tail])
    return Interval(value, float(low), float(high), n)


def t_interval(values: ArrayLike) -> Interval:
    """Student's interval of the mean of a few values [m], such as one per training seed."""
    from scipy import stats as distributions

    sample = _checked(values)
    count, mean = len(sample), float(sample.mean())
    if count == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    error = float(sample.std(ddof=1)) / count**0.5
    reach = error * float(distributions.t.ppf((1 + LEVEL) / 2, count - 1))
    return Interval(mean, mean - reach, mean + reach, count)


FEW = 20
"""Values below which a bootstrap of their mean is too narrow."""


def mean_interval(values: ArrayLike, seed: int, n: int = 1000) -> Interval:
    """Interval of the mean of values [m], such as one per class: Student's below `FEW`, else by bootstrap.

    Parameters
    ----------
    seed, n : of the resamples, where there are any.
    """
    return t_interval(values) if np.size(values) < FEW else bootstrap_interval(values, seed, n)


def wilson(right: int, count: int) -> Interval:
    """Wilson's score interval of a share (Wilson 1927), which stays inside [0, 1] for small counts.

    Raises
    ------
    EvoscopeError : nothing was counted, or more than there is.
    """
    if not 0 <= right <= count or count == 0:
        raise EvoscopeError(
            f"{right} of {count} is no share", "count at least one thing, and no more of it than there is"
        )
    from scipy import stats as distributions

    bounds = distributions.binomtest(right, count).proportion_ci(LEVEL, "wilson")
    return Interval(right / count, float(bounds.low), float(bounds.high), count)


def _checked(values: ArrayLike) -> Doubles:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim == 0 or len(sample) == 0:
        raise EvoscopeError("an interval was asked of no values", "check that something was measured")
    if not np.isfinite(sample).all():
        wrong = int((~np.isfinite(sample)).sum())
        raise EvoscopeError(
            f"{wrong} of {sample.size} values are not finite", "leave out what could not be measured, and report it"
        )
    return sample


def permutation_null(draw: Callable[[np.random.Generator], float], seed: int, n: int = 200) -> Interval:
    """Distribution of a statistic under shuffling.

    Parameters
    ----------
    draw : shuffles with the generator it gets, and returns the statistic.
    seed, n : of the stream, and how many shuffles.

    Returns
    -------
    Interval
        The mean over the shuffles between the percentiles that hold 95 % of them; its ``n`` is the number of shuffles.
    """
    return summary(shuffled(draw, seed, n))


def shuffled(draw: Callable[[np.random.Generator], float], seed: int, n: int) -> Doubles:
    """Compute the statistic of ``n`` shuffles, float64 [n]."""
    stream = generator(seed, "null")
    return np.array([draw(stream) for _ in range(n)], dtype=np.float64)


def summary(draws: ArrayLike) -> Interval:
    """Mean of the draws [n] between their percentiles."""
    values = np.asarray(draws, dtype=np.float64)
    return percentile_interval(float(values.mean()), values, LEVEL, len(values))


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


def wins(values: Array, chosen: Bools) -> Doubles:
    """Pairs of a chosen and another row in which the chosen one has the larger value, ties counting half.

    The Mann-Whitney statistic; divided by the number of such pairs it is the area under the ROC curve.

    Parameters
    ----------
    values : [n], or [n, m] of m quantities.
    chosen : bool [n], or [n, k] of k choices.

    Returns
    -------
    float64 [m, k], without the axes that were not given; exact below 2^53 / n pairs, since ranks are halves.
    """
    from scipy.stats import rankdata

    ranks, hits = rankdata(values, axis=0), chosen.sum(axis=0).astype(np.float64)
    return np.asarray(ranks.T @ chosen.astype(np.float64) - hits * (hits + 1) / 2, dtype=np.float64)


def assignment(likeness: Doubles) -> tuple[Ints, Doubles]:
    """Match the rows of likeness [r, c] one to one with its columns, with the largest sum (Hungarian method).

    Returns the partner of each row, int64 [r], and their likeness, float64 [r]; -1 and NaN for a row without one.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-likeness)
    partner, found = np.full(len(likeness), -1, dtype=np.int64), np.full(len(likeness), np.nan)
    partner[rows], found[rows] = columns, likeness[rows, columns]
    return partner, found


LEAST = 3


@dataclass(frozen=True)
class Correlated:
    """Pearson correlations, [r, c] each.

    ``value`` between ``low`` and ``high`` (percentile bootstrap over rows), NaN where one of the two does not vary;
    ``p``: share of shuffles in which the largest |correlation| of all pairs reaches the pair's own, so that many pairs
    do not make one of them look good; ``chance``: the |correlation| that the largest of all exceeds in 5 % of the
    shuffles.
    """

    value: Doubles
    low: Doubles
    high: Doubles
    p: Doubles
    chance: float


def correlations(scores: Array, values: Array) -> Doubles:
    """Pearson correlation of scores [n, r] with values [n, c], float64 [r, c]; 0 where one of the two does not vary."""
    left, right = (_standard(np.asarray(each, dtype=np.float64)) for each in (scores, values))
    return np.asarray(left.T @ right / len(scores), dtype=np.float64)


def correlated(scores: Array, values: Array, seed: int, draws: int = 1000) -> Correlated:
    """Correlate scores [n, r] with values [n, c].

    Parameters
    ----------
    seed : of the resamples and the shuffles.
    draws : how many of each.

    Raises
    ------
    EvoscopeError : too few rows.

    Notes
    -----
    The shuffles move whole rows of scores, so dependence among the scores and among the values stays (Westfall and
    Young 1993, single step).
    """
    if len(scores) < LEAST:
        raise EvoscopeError(f"nothing correlates over {len(scores)} rows", f"give at least {LEAST}")
    left, right = (np.asarray(each, dtype=np.float64) for each in (scores, values))
    value = correlations(left, right)
    first, second = _standard(left), _standard(right)
    undefined = (first == 0).all(axis=0)[:, None] | (second == 0).all(axis=0)
    stream = generator(seed, "correlation")
    resampled = (stream.integers(len(left), size=len(left)) for _ in range(draws))
    bounds = np.quantile([correlations(left[rows], right[rows]) for rows in resampled], [0.025, 0.975], axis=0)
    shuffles = (stream.permutation(len(left)) for _ in range(draws))
    largest = np.array([np.abs(first[rows].T @ second).max(initial=0) for rows in shuffles]) / len(left)
    p = (1 + (largest >= np.abs(value)[..., None]).sum(axis=-1)) / (1 + draws)
    value, low, high, p = (np.where(undefined, np.nan, each) for each in (value, *bounds, p))
    return Correlated(value, low, high, p, float(np.quantile(largest, LEVEL)))


def _standard(values: Doubles) -> Doubles:
    centred = values - values.mean(axis=0)
    deviation = centred.std(axis=0)
    varies = deviation > 1e-12 * np.abs(values).max(axis=0, initial=0)
    unit: Doubles = np.divide(centred, deviation, out=np.zeros_like(centred), where=varies)
    return unit
