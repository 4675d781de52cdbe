"""Where the concepts are known: whether the important evolutions belong to the neurons that matter."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Array, Bools, Doubles
from evoscope.seeds import derive
from evoscope.stats.nulls import exceedance, shuffle_within, shuffled, summary
from evoscope.stats.ranks import wins

SHUFFLES = 200


@dataclass(frozen=True)
class Ranked:
    """How highly a score ranks some neurons within their layers.

    ``auc``: chance that one of them scores above another neuron of its layer, ties counting half; NaN where no
    layer has both; ``null``, ``null_low``, ``null_high``: the same with the neurons drawn anew within each layer
    (mean and 95 %); ``p``: one-sided; ``neurons``: how many there are, ``of`` how many.
    """

    auc: float
    null: float
    null_low: float
    null_high: float
    p: float
    neurons: int
    of: int


def ranked(score: Doubles, chosen: Bools, layer: Array, seed: int, shuffles: int = SHUFFLES) -> Ranked:
    """Compare a score of neurons with a choice of them, layer by layer, and with chance.

    Parameters
    ----------
    score : float64 [neurons].
    chosen : bool [neurons], the neurons that should rank.
    layer : integers [neurons]; scores are compared within a layer only, since bins are cut within layers.
    seed, shuffles : of the null.
    """
    observed = auc_within(score, chosen, layer)
    count = int(chosen.sum())
    if not np.isfinite(observed):
        nothing = float("nan")
        return Ranked(observed, nothing, nothing, nothing, nothing, count, len(chosen))
    draws = shuffled(
        lambda stream: auc_within(score, chosen[shuffle_within(layer, stream)], layer),
        derive(seed, "important neurons"),
        shuffles,
    )
    null = summary(draws)
    p = exceedance(observed, draws)
    return Ranked(observed, null.value, null.low, null.high, p, count, len(chosen))


def auc_within(score: Doubles, chosen: Bools, layer: Array) -> float:
    """Area under the ROC curve over all pairs of neurons of the same layer; NaN without such a pair."""
    won = pairs = 0.0
    for number in np.unique(layer):
        own = layer == number
        hits, total = int(chosen[own].sum()), int(own.sum())
        if 0 < hits < total:
            won += float(wins(score[own], chosen[own]))
            pairs += hits * (total - hits)
    return won / pairs if pairs else float("nan")
