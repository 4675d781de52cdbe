"""How well neurons are aligned: the form of a measure, and the measures of a single projection."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Bools, Doubles, Floats
from evoscope.directions import unit_rows
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive, generator
from evoscope.space.semantic import Projection, SemanticSpace
from evoscope.stats.intervals import Interval, bootstrap_interval, mean_of_rows
from evoscope.stats.nulls import permutation_null, summary

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

    @property
    def above_null(self) -> bool:
        """Whether the interval lies wholly above the null's."""
        return self.low > self.null_high


def measure(metric: str, model: str, epoch: int, found: Interval, null: Interval) -> Measure:
    """Put an interval and its null side by side."""
    return Measure(
        metric, model, epoch, found.value, found.low, found.high, null.value, null.low, null.high, found.n
    )


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
    shares = projection.coverage.astype(np.float64)
    draws = _random_coverage(space.covered, len(shares), min(k, len(space.covered)), seed)
    found = bootstrap_interval(shares, derive(seed, "coverage"), RESAMPLES)
    placed = bootstrap_interval(projection.placed.astype(np.float64), derive(seed, "placed"), RESAMPLES)
    return [
        measure("coverage", model, epoch, found, summary(draws.mean(axis=1))),
        measure("placed", model, epoch, placed, summary((draws > 0).mean(axis=1))),
    ]


def _random_coverage(covered: Bools, neurons: int, k: int, seed: int) -> Doubles:
    inside = int(covered.sum())
    stream = generator(seed, "coverage null")
    hits = stream.hypergeometric(inside, len(covered) - inside, k, size=(SHUFFLES, neurons))
    return np.asarray(hits / k, dtype=np.float64)


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
    EvoscopeError
        No base neuron is placed both ways, or the projection is not the base model's.
    """
    own, projected = _both(space.base_vectors, projection.vectors)
    squares = ((projected - own) ** 2).sum(axis=1)
    cosines = (unit_rows(projected) * unit_rows(own)).sum(axis=1)
    rmse = bootstrap_interval(squares, derive(seed, "rmse"), RESAMPLES, statistic=_root_of_mean)
    cosine = bootstrap_interval(cosines, derive(seed, "cosine"), RESAMPLES)
    return [
        measure("self_projection_rmse", model, epoch, rmse, _rmse_null(own, projected, seed)),
        measure("self_projection_cosine", model, epoch, cosine, _cosine_null(own, projected, seed)),
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


def _root_of_mean(squares: Doubles) -> Doubles:
    return np.sqrt(mean_of_rows(squares))


def _rmse_null(own: Doubles, projected: Doubles, seed: int) -> Interval:
    def draw(stream: np.random.Generator) -> float:
        return float(np.sqrt(((projected - stream.permutation(own)) ** 2).sum(axis=1).mean()))

    return permutation_null(draw, derive(seed, "rmse null"), SHUFFLES)


def _cosine_null(own: Doubles, projected: Doubles, seed: int) -> Interval:
    left, right = unit_rows(projected), unit_rows(own)

    def draw(stream: np.random.Generator) -> float:
        return float((left * stream.permutation(right)).sum(axis=1).mean())

    return permutation_null(draw, derive(seed, "cosine null"), SHUFFLES)
