"""Accuracies against chance and against the published ones, agreement of raters, and the mixed model."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from scipy.sparse import csr_matrix, hstack
from scipy.special import expit

from evoscope.arrays import Doubles
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from evoscope.stats import Interval, t_interval, wilson
from human_eval.analyse.answers import decidable
from results.reference import published_study

Level = Literal["nominal", "ordinal", "interval"]
LEAST = 20  # answers that a mixed model is fitted to
PUBLISHED_COLUMNS = [
    *("condition", "items", "participants", "chance", "accuracy", "source"),
    *("ours", "ours_low", "ours_high", "our_participants"),
]
MEASURED = {
    "by_participant": "ours", "clustered_low": "ours_low", "clustered_high": "ours_high",
    "participants": "our_participants",
}  # fmt: skip
# What stands in for hand-picked sets where nobody has picked any.
INSTEAD = {"hand_picked": "tightest"}


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
    rows = [_condition(str(name), part) for name, part in decidable(answers).groupby("condition", sort=True)]
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
    """How often two values meet in a unit, which weighs as much as it has ratings; [values, values]."""
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


def mixed_model(answers: pd.DataFrame, seed: int = 0, most: int = 500) -> pd.DataFrame:
    """Accuracy of each condition for a typical participant and item, with the spread of both.

    Parameters
    ----------
    answers : a tidy table.
    seed, most : of more than ``most`` participants a random sample is taken.

    Returns
    -------
    DataFrame
        ``term`` (a condition; ``participant SD``, ``item SD``), ``estimate`` and ``sd`` (log-odds; of the logarithm of
        the SD for the last two), ``value``, ``low``, ``high`` (probability, or SD; 95 %); no rows where there are
        fewer than 20 answers or two participants, or where all answers are right or all wrong.

    Notes
    -----
    Bayesian mixed GLM by variational Bayes (statsmodels), whose intervals are somewhat too narrow.
    """
    known = answers[(answers["role"] == "main") & answers["right"].notna()]
    people = known["participant"].unique()
    if len(people) > most:
        known = known[known["participant"].isin(generator(seed, "mixed").choice(people, most, replace=False))]
    columns = ["term", "estimate", "sd", "value", "low", "high"]
    few = len(known) < LEAST or known["participant"].nunique() < 2
    if few or known["right"].nunique() < 2:
        return pd.DataFrame(columns=columns)
    return pd.DataFrame(_fitted(known), columns=columns)


def _fitted(known: pd.DataFrame) -> list[list[object]]:
    try:
        from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM
    except ImportError as error:
        raise EvoscopeError("statsmodels is not installed", "pip install -e '.[study]'") from error
    conditions = sorted(known["condition"].unique())
    fixed = np.stack([(known["condition"] == name).to_numpy(float) for name in conditions], axis=1)
    groups = [_indicators(known[name]) for name in ("participant", "item")]
    kinds = np.repeat([0, 1], [group.shape[1] for group in groups])
    right = known["right"].to_numpy(float)
    model = BinomialBayesMixedGLM(right, fixed, hstack(groups).tocsr(), kinds, vcp_p=1.0, fe_p=2.0)
    # A start of our own: statsmodels' is random.
    size = fixed.shape[1] + len(groups) + len(kinds)
    start = {"mean": np.zeros(size), "sd": np.full(size, np.exp(-0.5))}
    # With an unknown per participant, statsmodels' BFGS spends its time on a dense matrix of theirs.
    found = model.fit_vb(**start, fit_method="L-BFGS-B", minim_opts={"maxiter": 5000, "maxfun": 10000})
    rows = [
        _row(name, m, s, expit) for name, m, s in zip(conditions, found.fe_mean, found.fe_sd, strict=True)
    ]
    spreads = zip(("participant SD", "item SD"), found.vcp_mean, found.vcp_sd, strict=True)
    return rows + [_row(name, mean, sd, np.exp) for name, mean, sd in spreads]


def _indicators(names: pd.Series) -> csr_matrix:
    codes = names.astype("category").cat.codes.to_numpy()
    return csr_matrix((np.ones(len(codes)), (np.arange(len(codes)), codes)))


def _row(name: str, mean: float, sd: float, scale: np.ufunc) -> list[object]:
    bounds = [float(scale(mean + step * sd)) for step in (0.0, -1.96, 1.96)]
    return [name, float(mean), float(sd), *bounds]


def beside(kind: str, measured: pd.DataFrame) -> pd.DataFrame:
    """Published rows of a ``kind`` of study with our accuracy (mean of participants) in the same condition.

    NaN where nothing was published or measured. A row of the study as a whole (``condition`` "") has none of ours:
    which of our conditions it equals is for the reader to say.
    """
    published = published_study(kind)
    ours = measured.set_index("condition")[list(MEASURED)].rename(columns=MEASURED)
    known = [name if name in ours.index else INSTEAD.get(str(name), name) for name in published["condition"]]
    return pd.concat([published, ours.reindex(known).reset_index(drop=True)], axis=1)[PUBLISHED_COLUMNS]
