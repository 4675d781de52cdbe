"""Does a neuron stay where it was? Same-neuron retrieval between two epochs of one model."""

import numpy as np
from scipy.stats import rankdata

from evoscope.arrays import Doubles, Floats, Ints, SmallInts
from evoscope.directions import unit_rows
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive
from evoscope.space.metrics import RESAMPLES, SHUFFLES, Measure, measure, placed_rows
from evoscope.space.semantic import Projection
from evoscope.stats.intervals import bootstrap_interval
from evoscope.stats.nulls import permutation_null, shuffle_within

# Cosines that agree to so many decimals are tied: a collapsed model's neurons all are.
TIE_DECIMALS = 9
# Cosines held in memory at once (8 bytes each, a few times over).
_CHUNK = 4_000_000


def same_neuron_retrieval(
    before: Projection,
    after: Projection,
    *,
    model: str,
    epoch: int,
    seed: int,
    layer: SmallInts | None = None,
) -> Measure:
    """Mean reciprocal rank of a neuron's later self among all neurons placed at the later epoch, by cosine.

    Neuron n at t is the query; the neurons placed at t' are ranked by their cosine to it (tied ones share
    their mean rank), and 1 / rank of n at t' is averaged over the neurons placed at both. The null hands
    every query the rank of another neuron.

    Parameters
    ----------
    before, after : projections of one model at t and t', same neurons.
    model, epoch : for the record; the epoch is t'.
    layer : int [neurons]; if given, the null shuffles within layers, which is stricter: it keeps what neurons
        share with their layer.
    seed : of the bootstrap and of the null.

    Raises
    ------
    EvoscopeError
        Different numbers of neurons, or none placed at both epochs.
    """
    queries, candidates, both = _placed_at_both(before.vectors, after.vectors)
    reciprocal = 1.0 / ranks(queries, candidates)
    own = np.arange(len(queries))
    found = bootstrap_interval(reciprocal[own, own], derive(seed, "retrieval"), RESAMPLES)
    groups = np.zeros(len(queries), dtype=np.int64) if layer is None else layer[both]

    def draw(stream: np.random.Generator) -> float:
        return float(reciprocal[own, shuffle_within(groups, stream)].mean())

    null = permutation_null(draw, derive(seed, "retrieval null"), SHUFFLES)
    return measure("same_neuron_mrr", model, epoch, found, null)


def ranks(queries: Doubles, candidates: Doubles) -> Floats:
    """Rank (1: nearest) of every candidate for every query by cosine, float32 [q, c], ties averaged.

    Parameters
    ----------
    queries : [q, dim]; candidates : [c, dim].
    """
    left, right = unit_rows(queries), unit_rows(candidates)
    size = max(1, _CHUNK // len(right))
    parts = [_rank_rows(left[start : start + size] @ right.T) for start in range(0, len(left), size)]
    return np.concatenate(parts)


def _rank_rows(cosines: Doubles) -> Floats:
    return rankdata(-np.round(cosines, TIE_DECIMALS), axis=1).astype(np.float32)


def _placed_at_both(before: Floats, after: Floats) -> tuple[Doubles, Doubles, Ints]:
    """Return queries, candidates (the queries' later selves first, in order) and the queries' rows."""
    if before.shape != after.shape:
        raise EvoscopeError(
            f"retrieval got {len(before)} and {len(after)} neurons", "give two epochs of the same model"
        )
    there = placed_rows(after)
    both = placed_rows(before) & there
    if not both.any():
        raise EvoscopeError(
            "no neuron is placed at both epochs", "check the health of the model at both epochs"
        )
    only_after = after[there & ~both]
    candidates = np.concatenate([after[both], only_after]).astype(np.float64)
    return before[both].astype(np.float64), candidates, np.flatnonzero(both)
