"""Outlier scores from the concepts of a sample's class (CDISCO, claim C5).

The authors' score is not known. Here the concepts of a class are the directions that rank first for it, and a
sample is judged by where its projections lie among those of the samples with its label, in robust units
(median, and 1.4826 times the median absolute deviation), so that the outliers sought do not hide themselves.
"""

from collections.abc import Callable

import numpy as np

from evoscope.arrays import Array, Doubles, Ints
from evoscope.discovery.ranking import ClassRanking

CONCEPTS = 5
_TO_DEVIATION = 1.4826


def concept_deviation(scores: Array, labels: Ints, ranking: ClassRanking, count: int = CONCEPTS) -> Doubles:
    """How far a sample lies from its class along the class's concepts, on either side, float64 [samples].

    The root of the mean squared robust z. NaN for samples of a class without concepts (never predicted).

    Parameters
    ----------
    scores : [samples, r], projections on the ranked directions.
    labels : int64 [samples].
    ranking : of the classes.
    count : concepts per class.
    """
    return _by_class(scores, labels, ranking, count, _root_mean_square)


def concept_absence(scores: Array, labels: Ints, ranking: ClassRanking, count: int = CONCEPTS) -> Doubles:
    """How little of its class's concepts a sample shows, float64 [samples]: minus the mean robust z.

    Parameters and NaN as for `concept_deviation`.
    """
    return _by_class(scores, labels, ranking, count, _minus_mean)


def robust_z(values: Array) -> Doubles:
    """Distance from the median in robust deviations, per column of [samples, concepts].

    Where more than half the samples agree, the standard deviation takes over; 0 where all do.
    """
    exact = np.asarray(values, dtype=np.float64)
    gap = exact - np.median(exact, axis=0)
    robust = _TO_DEVIATION * np.median(np.abs(gap), axis=0)
    deviation = np.where(robust > 0, robust, exact.std(axis=0))
    scaled: Doubles = np.divide(gap, deviation, out=np.zeros_like(gap), where=deviation > 0)
    return scaled


def _root_mean_square(z: Doubles) -> Doubles:
    return np.asarray(np.sqrt((z**2).mean(axis=1)), dtype=np.float64)


def _minus_mean(z: Doubles) -> Doubles:
    return np.asarray(-z.mean(axis=1), dtype=np.float64)


def _by_class(
    scores: Array, labels: Ints, ranking: ClassRanking, count: int, reduce: Callable[[Doubles], Doubles]
) -> Doubles:
    best, sides = ranking.best(count)
    found = np.full(len(labels), np.nan)
    for label in np.unique(labels):
        own, concepts = labels == label, best[label] >= 0
        if concepts.any():
            projections = scores[own][:, best[label][concepts]] * sides[label][concepts]
            found[own] = reduce(robust_z(projections))
    return found
