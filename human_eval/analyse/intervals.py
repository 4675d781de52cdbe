"""Intervals of shares and of their differences where people and items are both a sample of more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from evoscope.arrays import Bools, Doubles
from evoscope.errors import EvoscopeError

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its interval over people and items, and the two-sided ``p`` against ``null``.

    The bounds and ``p`` are NaN where there is one person or one item, who cannot differ.
    """

    value: float
    low: float
    high: float
    p: float
    null: float
    people: int
    items: int
    answers: int


def unbounded(value: float, null: float, people: int, items: int, answers: int) -> Estimate:
    """An estimate without an interval."""
    nan = float("nan")
    return Estimate(value, nan, nan, nan, null, people, items, answers)


@dataclass(frozen=True)
class Spread:
    """Variance of an estimate, with the degrees of freedom that its parts have together."""

    variance: float
    df: float

    @property
    def reach(self) -> float:
        """Student's quantile at ``LEVEL``."""
        return float(stats.t.ppf((1 + LEVEL) / 2, self.df))


def spread(influence: Doubles, people: Sequence[Any], items: Sequence[Any], strata: Sequence[Any]) -> Spread:
    """Variance of an estimate whose deviation is the sum of ``influence`` [n], one value an answer.

    Parameters
    ----------
    people, items, strata : of each answer; items of two strata (conditions) are two samples.

    Notes
    -----
    That of clusters of people plus that of clusters of items less that of single answers, which both hold
    (Cameron, Gelbach and Miller 2011), but never less than either; a cluster of n counts n / (n - 1). The degrees of
    freedom are Satterthwaite's of the sum.
    """
    weight = np.asarray(influence, dtype=np.float64)
    over_people = _clusters(weight, people)
    codes, _ = pd.factorize(pd.Series(list(strata)))
    own = np.asarray(items, dtype=object)
    over_items = [_clusters(weight[codes == code], own[codes == code]) for code in np.unique(codes)]
    items_variance = sum(variance for variance, _ in over_items)
    both = over_people[0] + items_variance - float((weight**2).sum())
    variance = max(both, over_people[0], items_variance)
    parts = [over_people, *over_items]
    if any(count < 2 for _, count in parts):
        return Spread(float("nan"), float("nan"))
    below = sum(each**2 / (count - 1) for each, count in parts)
    least = min(count for _, count in parts) - 1
    return Spread(variance, max(variance**2 / below, least) if below > 0 else least)


def _clusters(weight: Doubles, of: Sequence[Any]) -> tuple[float, int]:
    """Variance of the sum over clusters, and how many there are."""
    codes, names = pd.factorize(pd.Series(list(of)))
    count = len(names)
    sums = np.bincount(codes, weight, minlength=count)
    return float((sums**2).sum()) * count / max(count - 1, 1), count


def share(answers: pd.DataFrame, null: float = float("nan"), column: str = "right") -> Estimate:
    """Share of answers whose ``column`` is true, with Wilson's interval of as many answers as would be independent.

    Parameters
    ----------
    answers : ``participant``, ``item`` and ``column``, one row an answer.
    null : what the share is tested against; chance.

    Raises
    ------
    EvoscopeError : there are no answers.

    Notes
    -----
    The effective number is p (1 - p) over the variance over people and items (`spread`), as of a survey with clusters
    (Dean and Pagano 2015). Where all answers are right or all wrong no variance can be estimated, and answers
    of one person, or to one item, count as one.
    """
    if answers.empty:
        raise EvoscopeError("there is no share of no answers", "count answers, of which there is at least one")
    right = answers[column].astype(float).to_numpy()
    value = float(right.mean())
    people, items = answers["participant"].nunique(), answers["item"].nunique()
    same = [0] * len(right)
    found = spread((right - value) / len(right), answers["participant"].array, answers["item"].array, same)
    return bounded(value, found, null, (people, items, len(right)))


def bounded(value: float, found: Spread, null: float, counts: tuple[int, int, int]) -> Estimate:
    """Wilson's bounds of a share of as many independent answers as this spread is worth; ``counts``: see `Estimate`."""
    from statsmodels.stats.proportion import proportion_confint

    people, items, answers = counts
    if np.isnan(found.df):
        return unbounded(value, null, *counts)
    varies = 0 < value < 1 and found.variance > 0
    size = float(min(answers, value * (1 - value) / found.variance) if varies else min(people, items))
    # Student's quantile in place of the normal one: the level at which the normal one is as large.
    alpha = 2 * float(stats.norm.sf(found.reach))
    low, high = proportion_confint(value * size, size, alpha, "wilson")
    error = (null * (1 - null) / size) ** 0.5
    bounds = max(0.0, float(low)), min(1.0, float(high))
    return Estimate(value, *bounds, _p(value - null, error, found.df), null, *counts)


def difference(answers: pd.DataFrame, first: Bools, column: str = "right") -> Estimate:
    """Share among the ``first`` [n] answers less that among the others, tested against 0.

    Where either share is 0 or 1 the bounds are Newcombe's, of the intervals of both.
    """
    value = answers[column].astype(float).to_numpy()
    parts = [answers[first], answers[~first]]
    if any(part.empty for part in parts):
        raise EvoscopeError("one of two conditions has no answers", "compare once both have been answered")
    one, other = (share(part, column=column) for part in parts)
    influence = np.where(first, (value - one.value) / first.sum(), -(value - other.value) / max((~first).sum(), 1))
    found = spread(influence, answers["participant"].array, answers["item"].array, first.tolist())
    between, people = one.value - other.value, answers["participant"].nunique()
    counts = (people, one.items + other.items, len(answers))
    if np.isnan(found.df):
        return unbounded(between, 0.0, *counts)
    error = found.variance**0.5
    low, high = between - found.reach * error, between + found.reach * error
    if {one.value, other.value} & {0.0, 1.0}:
        low = between - np.hypot(one.value - one.low, other.high - other.value)
        high = between + np.hypot(one.high - one.value, other.value - other.low)
        error = max(between - low, high - between) / found.reach
    bounds = max(-1.0, float(low)), min(1.0, float(high))
    return Estimate(between, *bounds, _p(between, error, found.df), 0.0, *counts)


def _p(distance: float, error: float, df: float) -> float:
    return float(2 * stats.t.sf(abs(distance) / error, df)) if error > 0 else float("nan")
