"""Directions of the last epoch, followed back through the earlier epochs of a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Array, Bools, Doubles, Ints, unit_rows
from evoscope.discovery.ranking import Discovery, candidates
from evoscope.discovery.virtual_neurons import (
    Place,
    Virtual,
    level,
    match,
    permuted_stimuli,
    random_directions,
    reach,
    shared,
    top_images,
)
from evoscope.errors import EvoscopeError
from evoscope.figure_data import NEVER
from evoscope.progress import Progress, silent
from evoscope.seeds import derive
from evoscope.stats import Interval, bootstrap_interval


def first_lasting(holds: Bools, epochs: Sequence[int]) -> Ints:
    """First epoch from which something holds at every later one too, int64 [rows]; `NEVER` if not at the last.

    Parameters
    ----------
    holds : bool [epochs, rows]; epochs : ascending.
    """
    lasting = np.logical_and.accumulate(holds[::-1], axis=0)[::-1]
    first = lasting.argmax(axis=0)
    return np.where(lasting[-1], np.asarray(epochs, dtype=np.int64)[first], NEVER)


def share_since(since: Ints, epoch: int, groups: Array, seed: int) -> Interval:
    """Share of rows that have begun by an epoch, with a 95 % bootstrap interval over groups.

    Parameters
    ----------
    since : int64 [rows], epochs, or `NEVER`.
    epoch : by which.
    groups : [rows], what is resampled whole: both sides of a direction are not independent.
    seed : of the bootstrap.
    """
    begun = (since > NEVER) & (since <= epoch)
    _, own = np.unique(groups, return_inverse=True)
    pairs = np.stack([np.bincount(own, begun), np.bincount(own)], axis=1)
    return bootstrap_interval(pairs, seed, statistic=_ratio)


def _ratio(samples: Doubles) -> Doubles:
    totals = samples.sum(axis=-2)
    return np.asarray(totals[..., 0] / totals[..., 1], dtype=np.float64)


FIRST = 30
"""Directions that are followed for their energy alone."""
CONFIDENCE = 0.95

Measure = Callable[[Virtual, Virtual], Array]


@dataclass(frozen=True)
class Snapshot:
    """A layer at an epoch (-1: before training): its directions and ranking, and features [images, d] of the pool."""

    epoch: int
    found: Discovery
    features: Array


@dataclass(frozen=True)
class Following:
    """What became of each direction; e epochs in order, f directions of the last one.

    ``epochs``: of the snapshots; ``virtual``: candidates at each; ``partner``: int64 [e, f], the matched candidate of
    an epoch (-1: none); ``similarity``: float64 [e, f], cosine in the space with it (NaN: none);
    ``null_random``, ``null_permuted``: float64 [e, f], 95th percentile of the similarity that the same direction finds
    among random directions of that epoch, and among its candidates with permuted stimuli; ``channel_cosine``,
    ``shared_stimuli``: float64 [e, f], of the matched pair in channel space, and share of common stimuli, neither of
    which the match has seen; ``distance``: float64 [e, f], in the space; ``reach``: float64 [f], see
    `evoscope.discovery.virtual_neurons.reach`; ``appears``, ``settles``: int64 [f], epochs, or -2: never.

    A direction *appears* at the first epoch from which its similarity lies above both nulls to the end: what any set of
    directions finds in that epoch's features (a concept that dominates them) has not appeared. At the last
    epoch it is matched with itself, so that one that appears only there was not found before; -2 means that it is
    unplaced, or no more itself than chance. It *settles* at the first epoch from which it also lies within ``reach`` of
    its final place to the end: within 95 % of the places that another draw of the images would have given the final
    direction itself, so that what is left of the movement cannot be told from the choice of images. The distance to the
    final place counts, not the step from the epoch before, because the epochs looked at are unevenly spaced and many
    small steps make a long way.
    """

    epochs: tuple[int, ...]
    virtual: tuple[Virtual, ...]
    partner: Ints
    similarity: Doubles
    null_random: Doubles
    null_permuted: Doubles
    channel_cosine: Doubles
    shared_stimuli: Doubles
    distance: Doubles
    reach: Doubles
    appears: Ints
    settles: Ints

    @property
    def null(self) -> Doubles:
        """The stricter null, float64 [e, f]."""
        return np.fmax(self.null_random, self.null_permuted)


def follow(
    snapshots: Sequence[Snapshot],
    place: Place,
    k: int,
    *,
    seed: int,
    draws: int = 100,
    first: int = FIRST,
    progress: Progress = silent,
) -> Following:
    """Follow the directions of the last snapshot.

    Parameters
    ----------
    snapshots : of one layer of one run over the same images, in the order of their epochs.
    place : places stimuli in the semantic space, see `evoscope.discovery.virtual_neurons.placer`.
    k : stimuli per direction.
    seed, draws : of the nulls and of the bootstrap.
    first : directions followed for their energy, beside the first of every class.
    progress : counts epochs.

    Raises
    ------
    EvoscopeError : no snapshot, or epochs out of order.
    """
    epochs = tuple(each.epoch for each in snapshots)
    if not epochs or list(epochs) != sorted(set(epochs)):
        raise EvoscopeError(f"directions cannot be followed over epochs {list(epochs)}", "give different ones in order")
    *before, at_last = snapshots
    last = virtual_neurons(at_last, place, k, first)
    number = len(np.unique(last.direction))
    earlier = [virtual_neurons(each, place, k, first, number) for each in before]
    virtual = (*earlier, last)
    placed = np.isfinite(last.places).all(axis=1)
    itself = np.where(placed, np.arange(len(last)), -1), np.where(placed, 1.0, np.nan)
    pairs = [*(match(last.places, each.places) for each in earlier), itself]
    partner, similarity = (np.stack(parts) for parts in zip(*pairs, strict=True))
    looked = list(zip(snapshots, virtual, strict=True))
    nulls = [
        _nulls(*look, last.places, place, derive(seed, look[0].epoch), draws)
        for look in progress(looked, total=len(looked), what="nulls of concept vectors", unit="epoch")
    ]
    random, permuted = (np.stack(parts) for parts in zip(*nulls, strict=True))
    distance = _measured(virtual, partner, lambda a, b: np.linalg.norm(a.places - b.places, axis=1))
    radius = reach(snapshots[-1].features, last, place, derive(seed, "reach"), draws, CONFIDENCE)
    there = similarity > np.fmax(random, permuted)
    return Following(
        epochs=epochs,
        virtual=virtual,
        partner=partner,
        similarity=similarity,
        null_random=random,
        null_permuted=permuted,
        channel_cosine=_measured(
            virtual, partner, lambda a, b: (unit_rows(a.vectors) * unit_rows(b.vectors)).sum(axis=1)
        ),
        shared_stimuli=_measured(virtual, partner, lambda a, b: shared(a.images, b.images)),
        distance=distance,
        reach=radius,
        appears=first_lasting(there, epochs),
        settles=first_lasting(there & (distance <= radius), epochs),
    )


def virtual_neurons(snapshot: Snapshot, place: Place, k: int, first: int = FIRST, least: int = 0) -> Virtual:
    """The candidates of an epoch: the first directions of every class and the ``first`` by energy.

    On both sides where the ranking counts both, else on the positive side. Where they are less than ``least``
    directions, the next by energy join them, so that as many as that can have a partner.
    """
    found, features = snapshot.found, snapshot.features
    tops, _ = candidates(found.ranking)
    directions = np.union1d(tops, np.arange(min(first, len(found.basis)))).astype(np.int64)
    rest = np.setdiff1d(np.arange(len(found.basis)), directions)
    directions = np.union1d(directions, rest[: max(least - len(directions), 0)])
    sides = (1, -1) if found.ranking.candidates == "both" else (1,)
    direction, side = np.repeat(directions, len(sides)), np.tile(sides, len(directions)).astype(np.int64)
    vectors = side[:, None] * found.basis.directions[direction]
    images = top_images(features, vectors, k)
    return Virtual(direction, side, vectors, images, place(images))


def _nulls(
    snapshot: Snapshot, found: Virtual, targets: Doubles, place: Place, seed: int, draws: int
) -> tuple[Doubles, Doubles]:
    """95th percentiles of what chance gives each target at an epoch, float64 [f] each."""
    random = random_directions(targets, snapshot.features, found, place, seed, draws)
    permuted = permuted_stimuli(targets, found, len(snapshot.features), place, seed, draws)
    return level(random, CONFIDENCE), level(permuted, CONFIDENCE)


def _measured(virtual: Sequence[Virtual], partner: Ints, measure: Measure) -> Doubles:
    """A measure of each final direction and its partner at every epoch, float64 [e, f]; NaN without a partner."""
    last = virtual[-1]
    found = np.full((len(virtual), len(last)), np.nan)
    for row, (own, matched) in enumerate(zip(virtual, partner, strict=True)):
        pairs = matched >= 0
        found[row, pairs] = measure(last.take(pairs), own.take(matched[pairs]))
    return found
