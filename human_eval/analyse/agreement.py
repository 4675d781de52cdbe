"""Do raters agree more than chance would have it? Fleiss' kappa and Krippendorff's alpha."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from evoscope.arrays import Doubles
from evoscope.errors import EvoscopeError

Level = Literal["nominal", "ordinal", "interval"]


def fleiss_kappa(counts: ArrayLike) -> float:
    """Fleiss' kappa of how often each item got each category.

    Parameters
    ----------
    counts : [items, categories]; items may have different numbers of ratings, those with fewer than two are left out.

    Returns
    -------
    float
        1 for perfect agreement, 0 for chance; NaN where all ratings are of one category or nothing was rated twice.
    """
    table = np.asarray(counts, dtype=np.float64)
    table = table[table.sum(axis=1) >= 2]
    if not len(table):
        return float("nan")
    ratings = table.sum(axis=1)
    observed = float((((table**2).sum(axis=1) - ratings) / (ratings * (ratings - 1))).mean())
    expected = float(((table.sum(axis=0) / ratings.sum()) ** 2).sum())
    return (observed - expected) / (1 - expected) if expected < 1 else float("nan")


def krippendorff_alpha(ratings: ArrayLike, level: Level = "nominal") -> float:
    """Krippendorff's alpha.

    Parameters
    ----------
    ratings : [raters, units], numbers; NaN where a rater did not rate a unit.
    level : how different two values are: not at all or wholly, by rank, or by their squared distance.

    Returns
    -------
    float
        1 for perfect agreement, 0 for chance; NaN where the values do not vary.

    Notes
    -----
    Krippendorff, Computing Krippendorff's Alpha-Reliability (2011).
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2:
        raise EvoscopeError("ratings are not a table", "give one row per rater and one column per unit")
    values = np.unique(table[np.isfinite(table)])
    coincidences = _coincidences(table, values)
    totals = coincidences.sum(axis=1)
    distance = _distances(values, totals, level)
    expected = float((np.outer(totals, totals) * distance).sum())
    observed = float((coincidences * distance).sum())
    return 1 - (totals.sum() - 1) * observed / expected if expected > 0 else float("nan")


def _coincidences(table: Doubles, values: Doubles) -> Doubles:
    """How often two values meet in a unit, each unit weighing as much as it has ratings; [values, values]."""
    counts = np.stack([(table == value).sum(axis=0) for value in values]) if len(values) else np.zeros((0, 1))
    ratings = counts.sum(axis=0)
    paired = counts[:, ratings >= 2].astype(np.float64)
    weight = 1 / (ratings[ratings >= 2] - 1)
    return np.asarray((paired * weight) @ paired.T - np.diag((paired * weight).sum(axis=1)))


def _distances(values: Doubles, totals: Doubles, level: Level) -> Doubles:
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    # By rank, two values are as far apart as the ratings between their middles.
    place = values if level == "interval" else np.cumsum(totals) - totals / 2
    return np.asarray((place[:, None] - place[None, :]) ** 2)
