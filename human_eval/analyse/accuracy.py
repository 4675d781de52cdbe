"""Accuracies against chance and against the published ones, and agreement of raters with others and themselves."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from evoscope.arrays import Doubles
from evoscope.errors import EvoscopeError
from human_eval.analyse.answers import answered_twice, decidable
from human_eval.analyse.intervals import difference, share
from human_eval.design.trial import Contrast, Study
from results.reference import published_study

Level = Literal["nominal", "ordinal"]
PUBLISHED_COLUMNS = [
    *("condition", "items", "participants", "chance", "accuracy", "low", "high", "source"),
    *("beside", "ours", "ours_low", "ours_high", "our_participants"),
]
MEASURED = {"accuracy": "ours", "low": "ours_low", "high": "ours_high", "participants": "our_participants"}
# What stands in for hand-picked sets where nobody has picked any.
INSTEAD = {"hand_picked": "tightest"}


def accuracy(answers: pd.DataFrame) -> pd.DataFrame:
    """One row per condition of the main trials that have a right answer; own labels and foils together.

    Returns
    -------
    DataFrame
        ``condition``, ``answers``, ``participants``, ``items``, ``accuracy`` with ``low`` and ``high`` (95 %, over
        people and items; NaN for one of either), ``chance``, and two-sided ``p`` against it. Labels with foils have
        the mean of the share of Yes to own labels and of the share of anything else to foils, of which whoever
        always says yes has one half.
    """
    known = decidable(answers)
    if set(known["condition"]) == {"own", "foil"}:
        said = known.assign(right=known["given"] == 0)
        found = difference(said, (known["condition"] == "own").to_numpy())
        values = [(1 + value) / 2 for value in (found.value, found.low, found.high)]
        rows = [["own and foil, balanced", found.answers, found.people, found.items, *values, 0.5, found.p]]
    else:
        rows = [_condition(str(name), part) for name, part in known.groupby("condition", sort=True)]
    return pd.DataFrame(
        rows, columns=["condition", "answers", "participants", "items", "accuracy", "low", "high", "chance", "p"]
    )


def _condition(name: str, part: pd.DataFrame) -> list[object]:
    # A label without foils is no test: always Yes would do.
    chance = float("nan") if name == "own" else float((1 / part["alternatives"].astype(float)).mean())
    found = share(part, chance)
    values = found.value, found.low, found.high
    return [name, found.answers, found.people, found.items, *values, chance, found.p]


def response_times(answers: pd.DataFrame) -> pd.DataFrame:
    """Quartiles of the response time (seconds) of each condition's main trials."""
    seconds = answers.loc[answers["role"] == "main", "ms"].astype("float64") / 1000
    grouped = seconds.groupby(answers["condition"])
    quartiles = {name: grouped.quantile(q) for name, q in (("lower", 0.25), ("median", 0.5), ("upper", 0.75))}
    return pd.DataFrame({**quartiles, "answers": grouped.size()}).rename_axis("condition").reset_index()


def fleiss_kappa(counts: ArrayLike) -> float:
    """Fleiss' kappa of how often each item got each category.

    Parameters
    ----------
    counts : [items, categories]; items with fewer than two ratings are left out.

    Returns
    -------
    float
        1 for perfect agreement, 0 for chance; NaN where all ratings are of one category, nothing was rated twice, or
        items have different numbers of ratings, which Krippendorff's alpha takes and this one does not.
    """
    from statsmodels.stats.inter_rater import fleiss_kappa as kappa

    table = np.asarray(counts, dtype=np.float64)
    table = table[table.sum(axis=1) >= 2]
    if not len(table) or len(set(table.sum(axis=1))) > 1 or (table.sum(axis=0) > 0).sum() < 2:
        return float("nan")
    return float(kappa(table))


def krippendorff_alpha(ratings: ArrayLike, level: Level = "nominal") -> float:
    """Krippendorff's alpha.

    Parameters
    ----------
    ratings : [raters, units], numbers; NaN where a rater did not rate a unit.
    level : how different two values are: not at all or wholly, or by rank.

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
    # By rank, two values are as far apart as the ratings between their middles.
    place = np.cumsum(totals) - totals / 2
    distance = (place[:, None] - place) ** 2 if level == "ordinal" else 1.0 - np.eye(len(values))
    expected = float((np.outer(totals, totals) * distance).sum())
    observed = float((coincidences * distance).sum())
    return 1 - (totals.sum() - 1) * observed / expected if expected > 0 else float("nan")


def _coincidences(table: Doubles, values: Doubles) -> Doubles:
    """How often two values meet in a unit, which weighs as much as it has ratings; [values, values]."""
    counts = np.stack([(table == value).sum(axis=0) for value in values]) if len(values) else np.zeros((0, 1))
    ratings = counts.sum(axis=0)
    paired = counts[:, ratings >= 2].astype(np.float64)
    weight = 1 / (ratings[ratings >= 2] - 1)
    return np.asarray((paired * weight) @ paired.T - np.diag((paired * weight).sum(axis=1)))


def beside(kind: str, measured: pd.DataFrame, primary: Contrast) -> pd.DataFrame:
    """Published rows of a ``kind`` of study with our accuracy in the same condition, both with their intervals.

    Wilson's interval of a published share takes each participant as one answer, as nothing finer was published. A row
    of the study as a whole (``condition`` "") stands beside the first condition of our primary contrast. NaN where
    nothing was published or measured.
    """
    published = published_study(kind)
    ours = measured.set_index("condition")[list(MEASURED)].rename(columns=MEASURED)
    whole = ours.index[0] if len(ours) == 1 else primary.first
    names = [str(name) or whole for name in published["condition"]]
    known = [name if name in ours.index else INSTEAD.get(name, name) for name in names]
    found = pd.concat([published, ours.reindex(known).reset_index(drop=True)], axis=1)
    bounds = [_published(*pair) for pair in zip(found["accuracy"], found["participants"], strict=True)]
    found["low"], found["high"] = zip(*bounds, strict=True) if bounds else ([], [])
    return found.assign(beside=known)[PUBLISHED_COLUMNS]


def _published(accuracy: float, participants: int) -> tuple[float, float]:
    from statsmodels.stats.proportion import proportion_confint

    if np.isnan(accuracy):
        return float("nan"), float("nan")
    low, high = proportion_confint(accuracy * participants, participants, method="wilson")
    return float(low), min(1.0, float(high))


def retest(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """How often people answered a trial alike when it came again, by condition.

    Returns
    -------
    DataFrame
        ``condition``, ``pairs``, ``alike`` with ``low`` and ``high`` (over people and items), ``chance`` (of one who
        answers at random).
    """
    both = answered_twice(study, answers)
    rows = []
    for name, part in both.groupby("condition"):
        chance = float((1 / part["alternatives"].astype(float)).mean())
        found = share(part, chance)
        rows.append([name, found.answers, found.value, found.low, found.high, chance])
    return pd.DataFrame(rows, columns=["condition", "pairs", "alike", "low", "high", "chance"])
