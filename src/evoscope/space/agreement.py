"""Do neurons that are near in the space share stimuli? Rank correlation of cosine with overlap."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from evoscope.arrays import Doubles, Floats, Ints, SmallInts
from evoscope.directions import unit_rows
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive, generator
from evoscope.space.coactivation import coactivation
from evoscope.space.metrics import RESAMPLES, SHUFFLES, Measure, measure, placed_rows
from evoscope.stats.intervals import Interval, percentile_interval
from evoscope.stats.nulls import permutation_null

# Weights held in memory at once (8 bytes each) while bootstrapping.
_CHUNK = 4_000_000


@dataclass(frozen=True)
class _Pairs:
    """Sampled neuron pairs int64 [pairs], and the average ranks of their Jaccard overlap."""

    first: Ints
    second: Ints
    overlap: Doubles


def stimulus_agreement(
    vectors: Floats,
    images: SmallInts,
    *,
    model: str,
    epoch: int,
    seed: int,
    pairs: int = 20_000,
) -> Measure:
    """Spearman correlation of cosine in the space with the Jaccard overlap of stimuli, over pairs of neurons.

    Half of the pairs share a stimulus (a random image's random two neurons), half are any two neurons: among
    all pairs, those that overlap are too few to be seen. Repeated pairs count once. The interval resamples
    neurons, not pairs: a pair weighs as much as both its neurons' multiplicities together, with the ranks of
    the full sample. The null hands the vectors to other neurons.

    Parameters
    ----------
    vectors : [neurons, dim], NaN rows for unplaced neurons.
    images : int32 [neurons, k], stimuli as positions in the pool, -1 for none (see `counted_stimuli`). To
        compare models, stack both arrays.
    model, epoch : for the record.
    seed : of the sample, the bootstrap and the null.
    pairs : to sample.

    Raises
    ------
    EvoscopeError
        Fewer than three placed neurons, or no two of them share a stimulus.
    """
    placed = placed_rows(vectors) & (images >= 0).any(axis=1)
    unit, images = unit_rows(vectors[placed]), images[placed]
    sample = _sample(images, pairs, generator(seed, "agreement pairs"))

    def correlation(of: Doubles) -> float:
        return _correlation(_cosine_ranks(of, sample), sample.overlap)

    found = _interval(unit, sample, derive(seed, "agreement"))
    null = permutation_null(
        lambda stream: correlation(stream.permutation(unit)), derive(seed, "agreement null"), SHUFFLES
    )
    return measure("stimulus_agreement", model, epoch, found, null)


def jaccard(images: SmallInts, first: Ints, second: Ints) -> Doubles:
    """Overlap |A and B| / |A or B| of the stimuli of pairs of neurons, float64 [pairs].

    Parameters
    ----------
    images : int32 [neurons, k], distinct in a row but for -1 (none); first, second : int [pairs].
    """
    count = (images >= 0).sum(axis=1)
    shared = np.zeros(len(first), dtype=np.int64)
    for column in images.T:
        wanted = column[first]
        shared += ((images[second] == wanted[:, None]) & (wanted >= 0)[:, None]).any(axis=1)
    either = count[first] + count[second] - shared
    return _divided(shared.astype(np.float64), either.astype(np.float64))


def _sample(images: SmallInts, pairs: int, stream: np.random.Generator) -> _Pairs:
    if len(images) < 3:
        raise EvoscopeError(
            f"only {len(images)} neurons are placed, too few to correlate", "check the health of the model"
        )
    drawn = np.concatenate([_sharing(images, pairs // 2, stream), _any_two(len(images), pairs // 2, stream)])
    distinct = np.unique(np.sort(drawn, axis=1), axis=0)
    first, second = distinct[:, 0], distinct[:, 1]
    return _Pairs(first, second, rankdata(jaccard(images, first, second)))


def _sharing(images: SmallInts, pairs: int, stream: np.random.Generator) -> Ints:
    groups = coactivation(images)
    if len(groups) == 0:
        raise EvoscopeError("no two neurons share a stimulus", "take a larger k or a smaller image pool")
    chosen = stream.integers(len(groups), size=pairs)
    sizes, starts = groups.sizes[chosen], groups.offsets[chosen]
    first = stream.integers(sizes)
    second = (first + 1 + stream.integers(sizes - 1)) % sizes
    ends: Ints = groups.members[np.stack([starts + first, starts + second], axis=1)].astype(np.int64)
    return ends


def _any_two(neurons: int, pairs: int, stream: np.random.Generator) -> Ints:
    first = stream.integers(neurons, size=pairs)
    second = (first + 1 + stream.integers(neurons - 1, size=pairs)) % neurons
    return np.stack([first, second], axis=1)


def _cosine_ranks(unit: Doubles, sample: _Pairs) -> Doubles:
    cosines = np.einsum("pd,pd->p", unit[sample.first], unit[sample.second])
    return np.asarray(rankdata(np.round(cosines, 9)), dtype=np.float64)


def _correlation(x: Doubles, y: Doubles) -> float:
    """Pearson correlation; 0 where one side does not vary (a collapsed model tells nothing apart)."""
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / spread if spread > 0 else 0.0


def _interval(unit: Doubles, sample: _Pairs, seed: int) -> Interval:
    x = _cosine_ranks(unit, sample)
    value = _correlation(x, sample.overlap)
    moments = _moments(x, sample.overlap)
    stream = generator(seed, "neurons")
    size = max(1, _CHUNK // len(x))
    parts = [
        _weighted(moments, _weights(sample, len(unit), min(size, RESAMPLES - start), stream))
        for start in range(0, RESAMPLES, size)
    ]
    return percentile_interval(value, np.concatenate(parts), 0.95, len(unit))


def _weights(sample: _Pairs, neurons: int, samples: int, stream: np.random.Generator) -> Doubles:
    times = stream.multinomial(neurons, np.full(neurons, 1 / neurons), size=samples).astype(np.float64)
    return times[:, sample.first] * times[:, sample.second]


def _moments(x: Doubles, y: Doubles) -> Doubles:
    """1, x, y, x^2, y^2 and xy of centred values, float64 [pairs, 6]."""
    x, y = x - x.mean(), y - y.mean()
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)


def _weighted(moments: Doubles, weights: Doubles) -> Doubles:
    total, x, y, xx, yy, xy = (weights @ moments).T
    total = np.maximum(total, 1)
    spread = np.sqrt(np.maximum((xx - x * x / total) * (yy - y * y / total), 0))
    return _divided(xy - x * y / total, spread)


def _divided(above: Doubles, below: Doubles) -> Doubles:
    """``above / below``, 0 where there is nothing to divide by."""
    quotient: Doubles = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return quotient
