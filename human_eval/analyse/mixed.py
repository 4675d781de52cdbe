"""Logistic model with participants and items as random effects."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack
from scipy.special import expit

from evoscope.errors import EvoscopeError
from evoscope.seeds import generator

LEAST = 20


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
