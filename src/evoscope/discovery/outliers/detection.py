"""How well a score finds known outliers, with intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from evoscope.arrays import Array, Bools, Doubles, Ints
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from evoscope.stats.intervals import Interval, percentile_interval
from evoscope.stats.ranks import wins

Metric = Callable[[Bools, Doubles], float]
RESAMPLES = 300
LEVEL = 0.95


@dataclass(frozen=True)
class Detection:
    """How well a score ranks outliers above other samples.

    ``outliers``, ``samples``: judged; ``left_out``: samples whose score is NaN; ``k``: of precision@k.
    """

    auroc: Interval
    average_precision: Interval
    precision_at_k: Interval
    outliers: int
    samples: int
    left_out: int
    k: int


def detection(score: Array, outlier: Bools, seed: int, k: int | None = None) -> Detection:
    """Judge a score, larger meaning more of an outlier.

    Parameters
    ----------
    score : [samples]; samples with NaN are left out, and counted.
    outlier : bool [samples].
    seed : of the bootstrap, which draws outliers and others separately so that their numbers stay.
    k : of precision@k; the number of outliers unless given.

    Raises
    ------
    EvoscopeError : all samples are outliers, or none is.
    """
    known = ~np.isnan(score)
    truth, values = np.asarray(outlier)[known], np.asarray(score, dtype=np.float64)[known]
    _check(truth)
    size = k or int(truth.sum())
    rows = _resamples(truth, seed)

    def judged(metric: Metric) -> Interval:
        draws = [metric(truth[row], values[row]) for row in rows]
        return percentile_interval(metric(truth, values), draws, LEVEL, len(truth))

    return Detection(
        auroc=judged(auroc),
        average_precision=judged(average_precision),
        precision_at_k=judged(partial(precision_at, k=size)),
        outliers=int(truth.sum()),
        samples=len(truth),
        left_out=int((~known).sum()),
        k=size,
    )


def difference(metric: Metric, first: Array, second: Array, outlier: Bools, seed: int) -> Interval:
    """By how much one score beats another on the same samples and resamples.

    Parameters
    ----------
    metric : `auroc`, `average_precision`, or `precision_at` with its k.
    first, second : [samples]; samples with NaN in either are left out.
    """
    known = ~(np.isnan(first) | np.isnan(second))
    truth, a, b = np.asarray(outlier)[known], np.asarray(first)[known], np.asarray(second)[known]
    _check(truth)
    draws = [metric(truth[row], a[row]) - metric(truth[row], b[row]) for row in _resamples(truth, seed)]
    return percentile_interval(metric(truth, a) - metric(truth, b), draws, LEVEL, len(truth))


def auroc(truth: Bools, score: Doubles) -> float:
    """Chance that an outlier scores above another sample, ties counting half."""
    hits = int(truth.sum())
    return float(wins(score, truth)) / (hits * (len(truth) - hits))


def average_precision(truth: Bools, score: Doubles) -> float:
    """Mean precision over the steps of the recall; tied samples are one step."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    hits = np.cumsum(truth[order])[ends]
    return float((np.diff(hits, prepend=0) * hits / (ends + 1)).sum() / hits[-1])


def precision_at(truth: Bools, score: Doubles, k: int) -> float:
    """Share of outliers among the k largest scores; samples tied at the border count by their average."""
    if k >= len(score):
        return float(truth.mean())
    border = np.partition(score, -k)[-k]
    above, tied = score > border, score == border
    share = (k - above.sum()) / tied.sum()
    return float((truth[above].sum() + share * truth[tied].sum()) / k)


def _resamples(truth: Bools, seed: int) -> list[Ints]:
    stream = generator(seed, "detection")
    groups = [np.flatnonzero(truth), np.flatnonzero(~truth)]
    return [np.concatenate([stream.choice(group, len(group)) for group in groups]) for _ in range(RESAMPLES)]


def _check(truth: Bools) -> None:
    if not 0 < truth.sum() < len(truth):
        raise EvoscopeError(
            f"{int(truth.sum())} of {len(truth)} samples are outliers, so finding them means nothing",
            "judge a set with some outliers and some other samples",
        )
