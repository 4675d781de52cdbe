"""Correlation of many quantities with many others, with intervals and against chance."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Array, Doubles
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator

LEVEL = 0.95
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
    bounds = np.quantile(
        [correlations(left[rows], right[rows]) for rows in resampled], [0.025, 0.975], axis=0
    )
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
