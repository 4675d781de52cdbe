"""The directions that matter for a class: those along which its evidence differs from the rest (CDISCO, step 3).

z_k[j] = (mean_{S_k} p[j] - mean_{rest} p[j]) / std_{rest} p[j], where p(x)[j] = <g(x), v_j>, g(x) is the spatial
mean of ReLU(G) * A, and S_k are the images *predicted* k. Sums and squares per class suffice, so scores of any
number of images merge.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Bools, Doubles, Ints
from evoscope.discovery.basis import ConceptBasis, blocks, svd_basis
from evoscope.discovery.latent import LayerLatents, Outcomes
from evoscope.discovery.protocol import Candidates, DiscoveryProtocol, Reading
from evoscope.discovery.refine import UniqueConcepts, refine

FLAT = 1e-12
"""Variance, as a share of the mean square, below which scores count as constant."""


@dataclass(frozen=True)
class ScoreSums:
    """Scores summed up by predicted class.

    ``counts``: int64 [classes]; ``sums``, ``squares``: float64 [classes, r]; ``positive``: int64 [classes, r],
    images with a score above 0.
    """

    counts: Ints
    sums: Doubles
    squares: Doubles
    positive: Ints

    @classmethod
    def of(cls, scores: Array, groups: Ints, classes: int) -> "ScoreSums":
        """Sum up scores [n, r] of images in groups, integers [n] below ``classes``."""
        counts = np.bincount(groups, minlength=classes).astype(np.int64)
        sums, squares = (np.zeros((classes, scores.shape[1])) for _ in range(2))
        positive = np.zeros((classes, scores.shape[1]), dtype=np.int64)
        # Class by class, so that what becomes float64 stays within the processor's cache.
        for group in np.flatnonzero(counts):
            exact = scores[groups == group].astype(np.float64)
            sums[group] = exact.sum(axis=0)
            squares[group] = (exact**2).sum(axis=0)
            positive[group] = np.count_nonzero(exact > 0, axis=0)
        return cls(counts, sums, squares, positive)

    def merge(self, other: "ScoreSums") -> "ScoreSums":
        """Sums over both parts."""
        return ScoreSums(
            self.counts + other.counts,
            self.sums + other.sums,
            self.squares + other.squares,
            self.positive + other.positive,
        )

    def z(self) -> Doubles:
        """Compare each class with the rest, float64 [classes, r].

        NaN for a class that is never predicted or leaves no rest, and for a direction on which the rest does not
        vary.
        """
        counts = self.counts[:, None].astype(np.float64)
        rest = counts.sum() - counts
        with np.errstate(divide="ignore", invalid="ignore"):
            mean, squares = (
                (sums.sum(axis=0) - sums) / np.where(rest > 0, rest, np.nan) for sums in (self.sums, self.squares)
            )
            variance = squares - mean**2
            deviation = np.sqrt(np.where(variance > FLAT * squares, variance, np.nan))
            return np.asarray((self.sums / counts - mean) / deviation, dtype=np.float64)

    def means(self) -> Doubles:
        """Mean score per class, float64 [classes, r]; NaN for a class without images."""
        return np.asarray(self.sums / _or_nan(self.counts), dtype=np.float64)

    def positive_share(self) -> Doubles:
        """Share of a class's images with a score above 0, float64 [classes, r]; NaN for a class without images.

        Of slopes this is the TCAV score.
        """
        return np.asarray(self.positive / _or_nan(self.counts), dtype=np.float64)


@dataclass(frozen=True)
class ClassRanking:
    """How much each direction matters for each class.

    ``layer``, ``method``: of the basis; ``counts``: int64 [classes], images predicted as each; ``z``: float64
    [classes, r]; ``candidates``: see `evoscope.discovery.protocol.DiscoveryProtocol`.
    """

    layer: str
    method: str
    counts: Ints
    z: Doubles
    candidates: Candidates

    def best(self, count: int) -> tuple[Ints, Ints]:
        """Give the first ``count`` candidates of each class.

        Returns
        -------
        Directions, int64 [classes, count], -1 where there is none; and their sides, +1 or -1 (0: none). Of equal
        scores the first direction wins.
        """
        score = np.abs(self.z) if self.candidates == "both" else self.z
        order = np.argsort(-np.where(np.isnan(score), -np.inf, score), axis=1, kind="stable")[:, :count]
        z = np.take_along_axis(self.z, order, axis=1)
        side = np.where(z < 0, -1, 1) if self.candidates == "both" else np.ones_like(order)
        defined = ~np.isnan(z)
        return np.where(defined, order, -1).astype(np.int64), np.where(defined, side, 0).astype(np.int64)


def rank_classes(sums: ScoreSums, basis: ConceptBasis, candidates: Candidates = "both") -> ClassRanking:
    """Turn summed scores along a basis into a ranking."""
    return ClassRanking(basis.layer, basis.method, sums.counts, sums.z(), candidates)


def sums_of_rows(rows: Array, outcomes: Outcomes, basis: ConceptBasis) -> ScoreSums:
    """Score kept rows [images, d] along the basis, block by block in their own precision.

    Parameters
    ----------
    rows : evidence or slopes of `LayerLatents`.
    outcomes : of the same images; groups are the predictions.
    basis : images are scored along its ``scored`` directions.
    """
    turned = np.ascontiguousarray(basis.scored.T, dtype=rows.dtype)
    total: ScoreSums | None = None
    for part in blocks(len(rows)):
        found = ScoreSums.of(rows[part] @ turned, outcomes.predictions[part], outcomes.classes)
        total = total.merge(found) if total else found
    assert total is not None
    return total


def rank_layer(
    layer: LayerLatents,
    outcomes: Outcomes,
    basis: ConceptBasis,
    protocol: DiscoveryProtocol,
    reading: Reading | None = None,
) -> ClassRanking:
    """Rank directions by the kept rows of a layer.

    Parameters
    ----------
    reading : what differs between the classes; the protocol's ``ranking`` unless given.

    Raises
    ------
    EvoscopeError : the pass over the layer did not take the evidence.
    """
    rows = read_rows(layer, protocol, reading or protocol.ranking)
    ranking = rank_classes(sums_of_rows(rows, outcomes, basis), basis, protocol.candidates)
    if protocol.energy < 1:
        return replace(ranking, z=np.where(holding(basis.strengths, protocol.energy), ranking.z, np.nan))
    return ranking


def holding(strengths: Doubles, energy: float) -> Bools:
    """The strongest directions that together hold a share of the squared strengths [r], bool [r]."""
    order = np.argsort(-strengths, kind="stable")
    squares = strengths[order] ** 2
    before = np.cumsum(squares) - squares
    there = np.empty(len(strengths), dtype=bool)
    there[order] = before < energy * squares.sum()
    return there


def read_rows(layer: LayerLatents, protocol: DiscoveryProtocol, reading: Reading) -> Array:
    """Rows [images, d] whose projections differ between classes: the features, or the evidence as it is weighed.

    The released gradient is of the mean loss over a batch: a constant factor that z-scores do not see, but for the last
    batch where it is smaller.
    """
    if reading == "projection":
        return layer.rows("features")
    rows = layer.rows(protocol.evidence)
    rest = len(rows) % protocol.batch if protocol.batch else 0
    if rest:
        rows = rows.astype(np.float64)
        rows[-rest:] *= min(protocol.batch, len(rows)) / rest
    return rows


def _or_nan(counts: Ints) -> Array:
    return np.where(counts > 0, counts, np.nan)[:, None]


@dataclass(frozen=True)
class Discovery:
    """The directions of a layer, and how they rank for each class."""

    basis: ConceptBasis
    ranking: ClassRanking


def discover(layer: LayerLatents, outcomes: Outcomes, protocol: DiscoveryProtocol) -> Discovery:
    """Decompose a layer and rank its directions; the pass must have kept the protocol's evidence.

    Raises
    ------
    EvoscopeError : the pass over the layer did not take the evidence.
    """
    basis = layer_basis(layer, protocol)
    return Discovery(basis, rank_layer(layer, outcomes, basis, protocol))


def layer_basis(layer: LayerLatents, protocol: DiscoveryProtocol) -> ConceptBasis:
    """Decompose a layer as the protocol says."""
    return svd_basis(
        layer.moments, centred=protocol.centred, signs=protocol.signs, side=protocol.side, features=layer.features
    )


def class_concepts(
    layer: LayerLatents, found: Discovery, protocol: DiscoveryProtocol, places: int = 1, seed: int = 0
) -> UniqueConcepts:
    """Refine the first candidates of every class; each candidate once, whatever the number of its classes.

    Which classes a candidate is of is told by `ClassRanking.best`. The features must have been kept.
    """
    which, sides = candidates(found.ranking, places)
    return refine(
        layer.rows("features"),
        found.basis.directions,
        protocol.refine,
        which=which,
        sides=sides,
        layer=found.basis.layer,
        method=found.basis.method,
        seed=seed,
    )


def candidates(ranking: ClassRanking, places: int = 1) -> tuple[Ints, Ints]:
    """Directions and sides that are among the first ``places`` of any class, in order, int64 each."""
    best, side = ranking.best(places)
    pairs = np.stack([best[best >= 0], side[best >= 0]], axis=1)
    different = np.unique(pairs, axis=0)
    return different[:, 0], different[:, 1]


PLACES = 3


def popularity(ranking: ClassRanking, places: int = PLACES) -> pd.DataFrame:
    """Count the classes of which each direction is the first, second, ... candidate.

    Returns
    -------
    One row per place and candidate that is any class's, most classes first: ``place`` (from 1), ``direction``,
    ``side`` (+1, -1), ``classes`` (how many), ``labels`` (their numbers, joined by spaces).
    """
    best, side = ranking.best(places)
    rows = []
    for place in range(best.shape[1]):
        candidates = np.stack([best[:, place], side[:, place]], axis=1)
        for candidate in np.unique(candidates[best[:, place] >= 0], axis=0):
            labels = np.flatnonzero((candidates == candidate).all(axis=1))
            rows.append((place + 1, *map(int, candidate), len(labels), " ".join(map(str, labels))))
    frame = pd.DataFrame(rows, columns=["place", "direction", "side", "classes", "labels"])
    order = ["place", "classes", "direction", "side"]
    return frame.sort_values(order, ascending=[True, False, True, False], ignore_index=True)
