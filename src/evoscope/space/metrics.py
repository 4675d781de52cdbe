"""Alignment measures with intervals and nulls: coverage, self-projection, retrieval and changes over epochs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from evoscope.activations.stimuli import NeuronConcepts
from evoscope.arrays import IN_MEMORY, Array, Bools, Doubles, Floats, Ints, SmallInts, unit_rows
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive, generator
from evoscope.space.protocol import Projection, SemanticSpace
from evoscope.stats import Interval, bootstrap_interval, mean_of_rows, permutation_null, shuffle_within, summary

# Resamples behind an interval, and shuffles behind a null.
RESAMPLES = 1000
SHUFFLES = 200


@dataclass(frozen=True)
class Measure:
    """A value with its 95 % bootstrap interval, and what shuffling makes of it (mean and 95 % range).

    ``n``: observations behind the value. Intervals resample neurons as if they were independent; neurons of
    one layer are not quite, so that intervals are somewhat narrow.
    """

    metric: str
    model: str
    epoch: int
    value: float
    low: float
    high: float
    null: float
    null_low: float
    null_high: float
    n: int


def measure(metric: str, model: str, epoch: int, found: Interval, null: Interval) -> Measure:
    """Put an interval and its null side by side."""
    return Measure(metric, model, epoch, found.value, found.low, found.high, null.value, null.low, null.high, found.n)


def as_frame(measures: Sequence[Measure]) -> pd.DataFrame:
    """One row per measure, columns named as the fields of `Measure`."""
    return pd.DataFrame([asdict(row) for row in measures], columns=list(Measure.__dataclass_fields__))


def placed_rows(vectors: Array) -> Bools:
    """Which rows of [n, dim] are vectors."""
    return np.asarray(np.isfinite(vectors).all(axis=1))


def coverage(
    projection: Projection, space: SemanticSpace, k: int, *, model: str, epoch: int, seed: int
) -> list[Measure]:
    """Mean share of a neuron's stimuli that the base covers, and share of neurons that are placed.

    The null gives each neuron ``k`` images drawn from the pool, without regard to what excites it; for the
    share of placed neurons it counts those that would have a covered image.
    """
    shares, images = projection.coverage.astype(np.float64), len(space.covered)
    inside, drawn = int(space.covered.sum()), min(k, images)
    stream = generator(seed, "coverage null")
    draws = stream.hypergeometric(inside, images - inside, drawn, size=(SHUFFLES, len(shares))) / drawn
    found = bootstrap_interval(shares, derive(seed, "coverage"), RESAMPLES)
    placed = bootstrap_interval(projection.placed.astype(np.float64), derive(seed, "placed"), RESAMPLES)
    return [
        measure("coverage", model, epoch, found, summary(draws.mean(axis=1))),
        measure("placed", model, epoch, placed, summary((draws > 0).mean(axis=1))),
    ]


def self_projection(
    space: SemanticSpace, projection: Projection, *, model: str, epoch: int, seed: int
) -> list[Measure]:
    """How far the base model's neurons, projected, lie from their own vectors.

    Returns
    -------
    Two measures: ``self_projection_rmse``, sqrt(mean ||v'_n - v_n||^2), and ``self_projection_cosine``, the
    mean cosine of v'_n and v_n. Their null compares v'_n with the vector of another neuron, by shuffling.

    Raises
    ------
    EvoscopeError : no base neuron is placed both ways, or the projection is not the base model's.
    """
    own, projected = _both(space.base_vectors, projection.vectors)
    left, right = unit_rows(projected), unit_rows(own)

    def shuffled_rmse(stream: np.random.Generator) -> float:
        return float(np.sqrt(((projected - stream.permutation(own)) ** 2).sum(axis=1).mean()))

    def shuffled_cosine(stream: np.random.Generator) -> float:
        return float((left * stream.permutation(right)).sum(axis=1).mean())

    squares, cosines = ((projected - own) ** 2).sum(axis=1), (left * right).sum(axis=1)
    rmse = bootstrap_interval(
        squares, derive(seed, "rmse"), RESAMPLES, statistic=lambda each: np.sqrt(mean_of_rows(each))
    )
    cosine = bootstrap_interval(cosines, derive(seed, "cosine"), RESAMPLES)
    nulls = [
        permutation_null(shuffled_rmse, derive(seed, "rmse null"), SHUFFLES),
        permutation_null(shuffled_cosine, derive(seed, "cosine null"), SHUFFLES),
    ]
    return [
        measure("self_projection_rmse", model, epoch, rmse, nulls[0]),
        measure("self_projection_cosine", model, epoch, cosine, nulls[1]),
    ]


def _both(own: Floats, projected: Floats) -> tuple[Doubles, Doubles]:
    if own.shape != projected.shape:
        raise EvoscopeError(
            f"the space holds {len(own)} base neurons, the projection {len(projected)}",
            "measure the self-projection with the projection of the base model itself",
        )
    both = placed_rows(own) & placed_rows(projected)
    if not both.any():
        raise EvoscopeError("no base neuron is placed", "check the health and the coverage of the base model")
    return own[both].astype(np.float64), projected[both].astype(np.float64)


# Cosines that agree to so many decimals are tied: a collapsed model's neurons all are.
TIE_DECIMALS = 9


def same_neuron_retrieval(
    before: Projection, after: Projection, *, model: str, epoch: int, seed: int, layer: SmallInts | None = None
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
    EvoscopeError : different numbers of neurons, or none placed at both epochs.
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
    from scipy.stats import rankdata

    left, right = unit_rows(queries), unit_rows(candidates)
    size = max(1, IN_MEMORY // len(right))
    cosines = (left[start : start + size] @ right.T for start in range(0, len(left), size))
    parts = [rankdata(-np.round(part, TIE_DECIMALS), axis=1).astype(np.float32) for part in cosines]
    return np.concatenate(parts)


def _placed_at_both(before: Floats, after: Floats) -> tuple[Doubles, Doubles, Ints]:
    """Return queries, candidates (the queries' later selves first, in order) and the queries' rows."""
    if before.shape != after.shape:
        raise EvoscopeError(
            f"retrieval got {len(before)} and {len(after)} neurons", "give two epochs of the same model"
        )
    there = placed_rows(after)
    both = placed_rows(before) & there
    if not both.any():
        raise EvoscopeError("no neuron is placed at both epochs", "check the health of the model at both epochs")
    only_after = after[there & ~both]
    candidates = np.concatenate([after[both], only_after]).astype(np.float64)
    return before[both].astype(np.float64), candidates, np.flatnonzero(both)


def steps_taken(vectors: Sequence[Floats]) -> Doubles:
    """How far each neuron moved in the space since the epoch before: float64 [epochs, neurons].

    ``vectors``: float32 [neurons, dim] per epoch; a step from or to an unplaced neuron is NaN, and so is the
    first.
    """
    first = np.full(len(vectors[0]), np.nan)
    later = [np.linalg.norm(b.astype(float) - a, axis=1) for a, b in pairwise(vectors)]
    return np.stack([first, *later])


def concept_changes(concepts: Sequence[NeuronConcepts]) -> tuple[Ints, Doubles]:
    """The concept that each neuron's change is measured by, and how well it tells it at each epoch.

    Returns int64 [neurons] and the held-out AUC, float64 [epochs, neurons]. The concept is the neuron's label at the
    last epoch, else at the first; -1 and NaN where it has neither.
    """
    first, last = concepts[0].label, concepts[-1].label
    concept = np.where(last >= 0, last, first).astype(np.int64)
    if not concepts[0].names:
        return concept, np.full((len(concepts), len(concept)), np.nan)
    rows = np.arange(len(concept))
    aucs = [np.where(concept >= 0, c.auc_held_out[rows, concept], np.nan) for c in concepts]
    return concept, np.stack(aucs).astype(float)


def choose_followed(vectors: Sequence[Floats], values: Doubles, concepts: Ints, count: int) -> Ints:
    """The ``count`` neurons whose concept forms most: int64 rows.

    The size is the rise of ``values`` between the first and the last epoch. At most one neuron per concept is taken
    while there are enough; neurons without a concept, and those unplaced at the last epoch, come after all others.

    Parameters
    ----------
    vectors : float32 [neurons, dim] per epoch.
    values : how well each neuron tells its concept, [epochs, neurons]; NaN: unknown.
    concepts : int [neurons], -1: none.
    """
    rise = np.nan_to_num(values[-1] - values[0], nan=-2.0)
    order = np.argsort(-rise, kind="stable")
    late = ((concepts < 0) | np.isnan(vectors[-1]).any(axis=1))[order]
    known = order[~late]
    # The first of each concept, then the rest.
    ahead = np.sort(np.unique(concepts[known], return_index=True)[1])
    rest = np.setdiff1d(np.arange(len(known)), ahead)
    return np.concatenate([known[ahead], known[rest], order[late]])[:count].astype(np.int64)
