"""Concept purity across models, and agreement of the space with shared stimuli."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evoscope.arrays import IN_MEMORY, Array, Bools, Doubles, Floats, Ints, SmallInts, unit_rows
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive, generator
from evoscope.space.metrics import RESAMPLES, SHUFFLES, Measure, measure, placed_rows
from evoscope.space.skipgram import coactivation
from evoscope.stats import Interval, bootstrap_interval, percentile_interval, permutation_null, shuffle_within, summary


@dataclass(frozen=True)
class LabelledNeurons:
    """Neurons of one model in the space with the concept each responds to.

    ``model``: its name; ``epoch``: of the checkpoint; ``vectors``: [neurons, dim], NaN rows for unplaced
    neurons; ``concept``: int [neurons], -1 for none; ``layer``: int [neurons].
    """

    model: str
    epoch: int
    vectors: Floats
    concept: Ints
    layer: SmallInts


@dataclass(frozen=True)
class _Stacked:
    """Labelled, placed neurons of all models: unit vectors [n, dim]; concept, model, stratum [n]."""

    unit: Doubles
    concept: Ints
    model: Ints
    stratum: Ints


def concept_purity(models: Sequence[LabelledNeurons], *, seed: int, neighbours: int = 10) -> list[Measure]:
    """Share of a neuron's nearest neighbours from other models that respond to the same concept.

    One measure per model in order, then ``model="all"``.

    Queries and neighbours are the neurons that are placed and have a concept; nearest is by cosine, among all
    such neurons of the other models together. Where the others have fewer than ``neighbours``, all of them
    count. The interval resamples query neurons; the null permutes concepts among the labelled neurons of each
    layer of each model.

    Parameters
    ----------
    models : two or more; entries with one name (epochs of a model) are never each other's neighbours.
    seed : of the bootstrap and of the null.
    neighbours : how many count.

    Raises
    ------
    EvoscopeError : only one model, or a model without any labelled, placed neuron.
    """
    used = [placed_rows(m.vectors) & (m.concept >= 0) for m in models]
    if len({m.model for m in models}) < 2:
        raise EvoscopeError("concept purity across models got one model", "give at least two models")
    for m, rows in zip(models, used, strict=True):
        if not rows.any():
            raise EvoscopeError(
                f"no neuron of {m.model} at epoch {m.epoch} is both placed and labelled",
                "leave this model out of the purity, and report that it has no concept",
            )
    stacked, owner = _stack(models, used)
    nearest = nearest_of_others(stacked.unit, stacked.model, neighbours)
    hits = share_of_same(nearest, stacked.concept)
    # Purity of each query under each shuffle, float64 [shuffles, n].
    stream = generator(seed, "purity null")
    shuffles = (shuffle_within(stacked.stratum, stream) for _ in range(SHUFFLES))
    draws = np.stack([share_of_same(nearest, stacked.concept[order]) for order in shuffles])
    each = [
        _row(m.model, m.epoch, hits[owner == i], draws[:, owner == i], neighbours, seed) for i, m in enumerate(models)
    ]
    return [*each, _row("all", -1, hits, draws, neighbours, seed)]


def nearest_of_others(unit: Doubles, model: Ints, neighbours: int) -> Ints:
    """Neighbours of each row among the rows of other models by cosine, nearest first, int64 [n, neighbours].

    Padded with -1 where the other models have fewer rows. Parameters: ``unit`` [n, dim] rows of length 1;
    ``model`` int [n].
    """
    found = np.full((len(unit), neighbours), -1, dtype=np.int64)
    for own in np.unique(model):
        mine, others = np.flatnonzero(model == own), np.flatnonzero(model != own)
        size = max(1, IN_MEMORY // len(others))
        for start in range(0, len(mine), size):
            rows = mine[start : start + size]
            best = _top(unit[rows] @ unit[others].T, neighbours)
            found[rows, : best.shape[1]] = others[best]
    return found


def share_of_same(nearest: Ints, concept: Ints) -> Doubles:
    """Share of the neighbours [n, k] (-1: none) that have the row's own concept, float64 [n]."""
    real = nearest >= 0
    same = (concept[nearest] == concept[:, None]) & real
    return np.asarray(same.sum(axis=1) / real.sum(axis=1), dtype=np.float64)


def _top(cosines: Doubles, count: int) -> Ints:
    count = min(count, cosines.shape[1])
    rows = np.arange(len(cosines))[:, None]
    part = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    return np.asarray(part[rows, np.argsort(-cosines[rows, part], axis=1, kind="stable")])


def _stack(models: Sequence[LabelledNeurons], used: Sequence[Bools]) -> tuple[_Stacked, Ints]:
    names = sorted({m.model for m in models})
    owner = np.repeat(np.arange(len(models)), [int(rows.sum()) for rows in used])
    layer, concept, vectors = (
        np.concatenate([getattr(m, name)[rows] for m, rows in zip(models, used, strict=True)])
        for name in ("layer", "concept", "vectors")
    )
    _, stratum = np.unique(np.stack([owner, layer.astype(np.int64)]), axis=1, return_inverse=True)
    model = np.array([names.index(m.model) for m in models], dtype=np.int64)[owner]
    stacked = _Stacked(unit_rows(vectors), concept.astype(np.int64), model, stratum.reshape(-1))
    return stacked, owner


def _row(model: str, epoch: int, hits: Doubles, draws: Doubles, neighbours: int, seed: int) -> Measure:
    found = bootstrap_interval(hits, derive(seed, "purity", model, epoch), RESAMPLES)
    return measure(f"concept_purity@{neighbours}", model, epoch, found, summary(draws.mean(axis=1)))


@dataclass(frozen=True)
class _Pairs:
    """Sampled neuron pairs int64 [pairs], and the average ranks of their Jaccard overlap."""

    first: Ints
    second: Ints
    overlap: Doubles


def stimulus_agreement(
    vectors: Floats, images: SmallInts, *, model: str, epoch: int, seed: int, pairs: int = 20_000
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
    EvoscopeError : fewer than three placed neurons, or no two of them share a stimulus.
    """
    placed = placed_rows(vectors) & (images >= 0).any(axis=1)
    unit, images = unit_rows(vectors[placed]), images[placed]
    sample = _sample(images, pairs, generator(seed, "agreement pairs"))

    def shuffled(stream: np.random.Generator) -> float:
        return _correlation(_cosine_ranks(stream.permutation(unit), sample), sample.overlap)

    found = _interval(unit, sample, derive(seed, "agreement"))
    null = permutation_null(shuffled, derive(seed, "agreement null"), SHUFFLES)
    return measure("stimulus_agreement", model, epoch, found, null)


def agreement(vectors: Array, images: SmallInts, seed: int, pairs: int = 20_000) -> float:
    """The value of `stimulus_agreement` alone, for neurons that are all placed."""
    sample = _sample(images, pairs, generator(seed, "agreement pairs"))
    return _correlation(_cosine_ranks(unit_rows(vectors), sample), sample.overlap)


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
    from scipy.stats import rankdata

    if len(images) < 3:
        raise EvoscopeError(
            f"only {len(images)} neurons are placed, too few to correlate", "check the health of the model"
        )
    sharing = _sharing(images, pairs // 2, stream)
    first = stream.integers(len(images), size=pairs // 2)
    second = (first + 1 + stream.integers(len(images) - 1, size=pairs // 2)) % len(images)
    drawn = np.concatenate([sharing, np.stack([first, second], axis=1)])
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


def _cosine_ranks(unit: Doubles, sample: _Pairs) -> Doubles:
    from scipy.stats import rankdata

    cosines = np.einsum("pd,pd->p", unit[sample.first], unit[sample.second])
    return np.asarray(rankdata(np.round(cosines, 9)), dtype=np.float64)


def _correlation(x: Doubles, y: Doubles) -> float:
    """Pearson correlation; 0 where one side does not vary (a collapsed model tells nothing apart)."""
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / spread if spread > 0 else 0.0


def _interval(unit: Doubles, sample: _Pairs, seed: int) -> Interval:
    ranks, neurons = _cosine_ranks(unit, sample), len(unit)
    moments = _moments(ranks, sample.overlap)
    stream, size = generator(seed, "neurons"), max(1, IN_MEMORY // len(ranks))
    parts = []
    for start in range(0, RESAMPLES, size):
        samples = min(size, RESAMPLES - start)
        times = stream.multinomial(neurons, np.full(neurons, 1 / neurons), size=samples).astype(np.float64)
        parts.append(_weighted(moments, times[:, sample.first] * times[:, sample.second]))
    value = _correlation(ranks, sample.overlap)
    return percentile_interval(value, np.concatenate(parts), 0.95, neurons)


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
