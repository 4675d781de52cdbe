"""Accuracies against chance, and how long answers took."""

import pandas as pd
from scipy import stats

from evoscope.errors import EvoscopeError
from evoscope.stats import Interval, t_interval


def wilson(right: int, count: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share (Wilson 1927), which stays inside [0, 1] for small counts."""
    if not 0 <= right <= count or count == 0:
        raise EvoscopeError(
            f"{right} of {count} is no share", "count answers, of which there is at least one"
        )
    z = float(stats.norm.ppf((1 + level) / 2))
    share, weight = right / count, 1 + z**2 / count
    centre = (share + z**2 / (2 * count)) / weight
    reach = z * (share * (1 - share) / count + z**2 / (4 * count**2)) ** 0.5 / weight
    return Interval(share, max(0.0, centre - reach), min(1.0, centre + reach), count)


def clustered(answers: pd.DataFrame, level: float = 0.95) -> Interval:
    """Mean of the participants' accuracies with Student's interval over participants."""
    return t_interval(answers.groupby("participant")["right"].mean().astype(float).to_numpy(), level)


def accuracy(answers: pd.DataFrame) -> pd.DataFrame:
    """One row per condition of the main trials that have a right answer.

    Returns
    -------
    DataFrame
        ``condition``, ``answers``, ``participants``, ``accuracy`` with Wilson's ``low`` and ``high``,
        ``by_participant`` with ``clustered_low`` and ``clustered_high`` (NaN for one participant), ``chance``, and
        ``p``, one-sided exact binomial against chance (all answers as if independent).
    """
    known = answers[(answers["role"] == "main") & answers["right"].notna() & (answers["alternatives"] > 0)]
    rows = [_condition(str(name), part) for name, part in known.groupby("condition", sort=True)]
    columns = "condition answers participants accuracy low high by_participant clustered_low clustered_high chance p"
    return pd.DataFrame(rows, columns=columns.split())


def _condition(name: str, part: pd.DataFrame) -> list[object]:
    right, count = int(part["right"].sum()), len(part)
    chance = float((1 / part["alternatives"].astype(float)).mean())
    share, people = wilson(right, count), clustered(part)
    p = float(stats.binomtest(right, count, chance, alternative="greater").pvalue)
    bounds = [share.value, share.low, share.high, people.value, people.low, people.high]
    return [name, count, people.n, *bounds, chance, p]


def response_times(answers: pd.DataFrame) -> pd.DataFrame:
    """Quartiles of the response time (seconds) of each condition's main trials."""
    seconds = answers.loc[answers["role"] == "main", "ms"].astype("float64") / 1000
    grouped = seconds.groupby(answers["condition"])
    quartiles = {name: grouped.quantile(q) for name, q in (("lower", 0.25), ("median", 0.5), ("upper", 0.75))}
    return pd.DataFrame({**quartiles, "answers": grouped.size()}).rename_axis("condition").reset_index()
