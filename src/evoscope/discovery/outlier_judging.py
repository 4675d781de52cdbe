"""How well a score finds known outliers, with intervals."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Bools, Doubles, Ints
from evoscope.discovery.outliers import CONCEPT_SCORES, RIVALS
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from evoscope.stats import LEVEL, UNKNOWN, Interval, percentile_interval, t_interval, wins

Metric = Callable[[Bools, Doubles], float]
RESAMPLES = 300


def detection(score: Array, outlier: Bools, seed: int) -> dict[str, Interval]:
    """How well a score, larger meaning more of an outlier, ranks outliers above other samples, by each of `METRICS`.

    Parameters
    ----------
    score : [samples]; samples with NaN are left out.
    outlier : bool [samples].
    seed : of the bootstrap, which draws outliers and others separately so that their numbers stay.

    Raises
    ------
    EvoscopeError : all samples are outliers, or none is.
    """
    known = ~np.isnan(score)
    truth, values = np.asarray(outlier)[known], np.asarray(score, dtype=np.float64)[known]
    _check(truth)
    rows = _resamples(truth, seed)

    def judged(metric: Metric) -> Interval:
        draws = [metric(truth[row], values[row]) for row in rows]
        return percentile_interval(metric(truth, values), draws, LEVEL, len(truth))

    return {name: judged(_function(name, int(truth.sum()))) for name in METRICS}


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


FIRST = 20


def lift(truth: Bools, score: Doubles) -> float:
    """Share of outliers among the 20 largest scores, over their share of all."""
    return precision_at(truth, score, FIRST) / float(truth.mean())


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


LIFT = "lift_at_20"
METRICS = ("auroc", "average_precision", "precision_at_k", LIFT)
ONE_SEED = "one seed: interval over images"
Row = dict[str, object]


def judged_scores(scores: pd.DataFrame, outlier: Bools, seed: int) -> pd.DataFrame:
    """Judge every column of ``scores`` [samples, scores] against the truth, bool [samples].

    Returns
    -------
    One row per score and metric: ``score``, ``metric``, ``value``, ``low``, ``high`` (95 %, bootstrap over samples),
    ``outliers``, ``images`` (judged), ``left_out`` (without a score), ``k`` (of precision at k), ``note`` (why there
    is no value, else "").
    """
    columns = [(str(name), scores[name].to_numpy(dtype=np.float64)) for name in scores.columns]
    return pd.DataFrame([row for column in columns for row in _rows_of(*column, outlier, seed)])


def compared_scores(scores: pd.DataFrame, outlier: Bools, seed: int) -> pd.DataFrame:
    """Compare each concept score with loss and confidence on the same samples and resamples.

    Returns
    -------
    One row per pair and metric: ``score``, ``against``, ``metric``, ``value`` (by how much the concept score is
    better), ``low``, ``high``, ``images``, ``note``.
    """
    rows: list[Row] = []
    for name in CONCEPT_SCORES:
        for rival in RIVALS:
            first, second = (scores[column].to_numpy(dtype=np.float64) for column in (name, rival))
            known = ~(np.isnan(first) | np.isnan(second))
            note = why_not(outlier[known])
            for metric in METRICS:
                function = _function(metric, int(outlier[known].sum()))
                found = UNKNOWN if note else difference(function, first, second, outlier, seed)
                head: Row = {"score": name, "against": rival, "metric": metric}
                rows.append({**head, **found.columns(), "images": int(known.sum()), "note": note})
    return pd.DataFrame(rows)


def over_seeds(rows: pd.DataFrame, head: Sequence[str], bounds: tuple[float, float] | None = None) -> pd.DataFrame:
    """Mean of ``value`` over the seeds, with Student's interval; one row per combination of ``head``, ``seed`` "all".

    Each seed draws its own outliers, network and split, so that the spread over seeds holds every source of chance.
    A single seed keeps its own interval, and a note says so. Counts are summed up.

    Parameters
    ----------
    rows : with ``seed``, ``value``, ``low``, ``high``, ``note`` and ``images``.
    bounds : that the interval is cut to.
    """
    found: list[Row] = []
    for keys, group in rows.groupby(list(head), sort=False):
        names = dict(zip(head, keys, strict=True))
        first = {str(name): value for name, value in group.iloc[0].items()}
        found.append({**first, **names, **_mean(group, bounds), "seed": "all"})
    return pd.DataFrame(found, columns=rows.columns)


def why_not(outlier: Bools) -> str:
    """Say why outliers cannot be looked for in these samples; "" where they can."""
    hits = int(outlier.sum())
    if hits == 0:
        return "no outliers among the samples with a score"
    return "all samples are outliers" if hits == len(outlier) else ""


def _rows_of(name: str, values: Doubles, outlier: Bools, seed: int) -> list[Row]:
    known = ~np.isnan(values)
    counts: Row = {
        "outliers": int(outlier[known].sum()),
        "images": int(known.sum()),
        "left_out": int((~known).sum()),
        "k": int(outlier[known].sum()),
    }
    note = why_not(outlier[known])
    found = dict.fromkeys(METRICS, UNKNOWN) if note else detection(values, outlier, seed)
    return [
        {"score": name, "metric": metric, **each.columns(), **counts, "note": note} for metric, each in found.items()
    ]


def _function(metric: str, k: int) -> Metric:
    functions: dict[str, Metric] = {
        "auroc": auroc,
        "average_precision": average_precision,
        "precision_at_k": partial(precision_at, k=k),
        LIFT: lift,
    }
    return functions[metric]


def _mean(group: pd.DataFrame, bounds: tuple[float, float] | None) -> Row:
    known = group[group["value"].notna()]
    counts: Row = {name: int(group[name].sum()) for name in ("outliers", "images", "left_out", "k") if name in group}
    if known.empty:
        return counts
    if len(known) == 1:
        row = known.iloc[0]
        return {**counts, "value": row["value"], "low": row["low"], "high": row["high"], "note": ONE_SEED}
    mean = t_interval(known["value"].to_numpy(dtype=np.float64))
    low, high = (mean.low, mean.high) if bounds is None else np.clip((mean.low, mean.high), *bounds)
    note = f"{len(known)} of {len(group)} seeds" if len(known) < len(group) else ""
    return {**counts, "value": mean.value, "low": float(low), "high": float(high), "note": note}
