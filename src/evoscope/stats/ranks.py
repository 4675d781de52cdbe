"""How often one group of values ranks above another."""

import numpy as np
from scipy.stats import rankdata

from evoscope.arrays import Array, Bools, Doubles


def wins(values: Array, chosen: Bools) -> Doubles:
    """Pairs of a chosen and another row in which the chosen one has the larger value, ties counting half.

    The Mann-Whitney statistic; divided by the number of such pairs it is the area under the ROC curve.

    Parameters
    ----------
    values : [n], or [n, m] of m quantities.
    chosen : bool [n], or [n, k] of k choices.

    Returns
    -------
    float64 [m, k], without the axes that were not given; exact below 2^53 / n pairs, since ranks are halves.
    """
    ranks, hits = rankdata(values, axis=0), chosen.sum(axis=0).astype(np.float64)
    return np.asarray(ranks.T @ chosen.astype(np.float64) - hits * (hits + 1) / 2, dtype=np.float64)
