"""Outlier scores of samples, from concepts and without them (uncertainty, distances to other samples)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Doubles, Ints
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.latent import LayerLatents, Outcomes
from evoscope.discovery.methods import Neurons, RandomRotation
from evoscope.discovery.protocol import Absence, DiscoveryProtocol
from evoscope.discovery.ranking import ClassRanking, layer_basis, rank_layer, read_rows
from evoscope.seeds import generator

NEIGHBOURS = 10
_FLAT = 1e-12  # eigenvalues below this share of the largest are rounding


def mahalanobis(features: Array, labels: Ints) -> Doubles:
    """Distance from the mean of the sample's class, float64 [samples] (Lee et al. 2018).

    All classes share one covariance, shrunk as Ledoit and Wolf (2004) do, so that more dimensions than samples
    are allowed.
    """
    from sklearn.covariance import LedoitWolf

    exact = np.asarray(features, dtype=np.float64)
    residuals = np.empty_like(exact)
    for label in np.unique(labels):
        residuals[labels == label] = exact[labels == label] - exact[labels == label].mean(axis=0)
    covariance = LedoitWolf(assume_centered=True).fit(residuals).covariance_
    values, vectors = np.linalg.eigh(covariance)
    # The pseudo-inverse: directions without variance count for nothing.
    varied = values > _FLAT * values[-1]
    whitened = (residuals @ vectors[:, varied]) / np.sqrt(values[varied])
    return np.asarray(np.linalg.norm(whitened, axis=1), dtype=np.float64)


def knn_distance(features: Array, labels: Ints, neighbours: int = NEIGHBOURS) -> Doubles:
    """Mean distance to the nearest other samples of the same class, float64 [samples].

    All others where there are fewer than ``neighbours``; NaN for the only sample of a class.
    """
    from sklearn.neighbors import NearestNeighbors

    exact = np.asarray(features, dtype=np.float64)
    found = np.full(len(labels), np.nan)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        if len(own) > 1:
            search = NearestNeighbors(n_neighbors=min(neighbours, len(own) - 1)).fit(exact[own])
            found[own] = search.kneighbors()[0].mean(axis=1)  # without arguments a point is not its own neighbour
    return found


CONCEPTS = 3
_TO_DEVIATION = 1.4826


def concept_deviation(scores: Array, labels: Ints, ranking: ClassRanking, count: int = CONCEPTS) -> Doubles:
    """How far a sample lies from its class along the class's concepts, on either side, float64 [samples].

    The root of the mean squared robust z. NaN for samples of a class without concepts (never predicted).

    Parameters
    ----------
    scores : [samples, r], projections on the ranked directions.
    labels : int64 [samples].
    ranking : of the classes.
    count : concepts per class.
    """
    return _by_class(scores, labels, ranking, count, lambda z: np.sqrt((z**2).mean(axis=1)))


def concept_absence(scores: Array, labels: Ints, ranking: ClassRanking, count: int = CONCEPTS) -> Doubles:
    """How little of its class's concepts a sample shows, float64 [samples]: minus the mean robust z.

    Parameters and NaN as for `concept_deviation`.
    """
    return _by_class(scores, labels, ranking, count, lambda z: -z.mean(axis=1))


def robust_z(values: Array) -> Doubles:
    """Distance from the median in robust deviations, per column of [samples, concepts].

    Where more than half the samples agree, the standard deviation takes over; 0 where all do.
    """
    exact = np.asarray(values, dtype=np.float64)
    gap = exact - np.median(exact, axis=0)
    robust = _TO_DEVIATION * np.median(np.abs(gap), axis=0)
    deviation = np.where(robust > 0, robust, exact.std(axis=0))
    scaled: Doubles = np.divide(gap, deviation, out=np.zeros_like(gap), where=deviation > 0)
    return scaled


def _by_class(
    scores: Array, labels: Ints, ranking: ClassRanking, count: int, reduce: Callable[[Doubles], Array]
) -> Doubles:
    best, sides = ranking.best(count)
    found = np.full(len(labels), np.nan)
    for label in np.unique(labels):
        own, concepts = labels == label, best[label] >= 0
        if concepts.any():
            projections = scores[own][:, best[label][concepts]] * sides[label][concepts]
            found[own] = reduce(robust_z(projections))
    return found


CONCEPT_SCORES = ("svd_deviation", "svd_absence", "neurons_deviation", "neurons_absence")
RIVALS = ("loss", "uncertainty")
SCORES = (*CONCEPT_SCORES, "rotation_absence", *RIVALS, "mahalanobis", "knn", "random")
READINGS: tuple[Absence, ...] = ("projection", "evidence", "mixed")
METHODS = ("svd", "neurons", "rotation")
BESIDE = ("loss", "knn")
"""Ways of taking the absence of a class's concepts, the directions it is taken along, and the scores beside them."""


@dataclass(frozen=True)
class ScoreOptions:
    """``concepts``: of each class that are looked at; ``neighbours``: of `knn_distance`."""

    concepts: int = CONCEPTS
    neighbours: int = NEIGHBOURS


def outlier_scores(
    layer: LayerLatents, outcomes: Outcomes, protocol: DiscoveryProtocol, options: ScoreOptions, seed: int
) -> pd.DataFrame:
    """Score samples in every way of `SCORES`, a column each; larger means more of an outlier.

    Parameters
    ----------
    layer : its features and the protocol's evidence must have been kept.
    outcomes : of the same samples.
    seed : of the random score, which is what chance gives.

    Raises
    ------
    EvoscopeError : features or evidence were not kept, or are no numbers.
    """
    features, labels = layer.rows("features"), outcomes.labels
    columns: dict[str, Doubles] = {}
    for method, basis in _bases(layer, protocol, seed).items():
        ranking, along = _read(layer, outcomes, basis, protocol, protocol.outliers)
        for name, score in (("deviation", concept_deviation), ("absence", concept_absence)):
            columns[f"{method}_{name}"] = score(along, labels, ranking, options.concepts)
    columns |= {
        "loss": outcomes.loss,
        "uncertainty": 1 - outcomes.confidence,
        "mahalanobis": mahalanobis(features, labels),
        "knn": knn_distance(features, labels, options.neighbours),
        "random": generator(seed, "random outlier score").random(len(labels)),
    }
    return pd.DataFrame({name: columns[name] for name in SCORES})


def reading_scores(
    layer: LayerLatents, outcomes: Outcomes, protocol: DiscoveryProtocol, options: ScoreOptions, seed: int
) -> pd.DataFrame:
    """Absence of a class's concepts under every reading, beside what needs no concepts.

    Returns
    -------
    A column for each of `READINGS` and `METHODS`, (reading, method), and for each of `BESIDE`, ("", name); all methods
    take equally many directions. Parameters are those of `outlier_scores`.
    """
    columns: dict[tuple[str, str], Doubles] = {}
    for method, basis in _bases(layer, protocol, seed).items():
        for reading in READINGS:
            ranking, along = _read(layer, outcomes, basis, protocol, reading)
            columns[reading, method] = concept_absence(along, outcomes.labels, ranking, options.concepts)
    beside = (outcomes.loss, knn_distance(layer.rows("features"), outcomes.labels, options.neighbours))
    columns |= {("", name): values for name, values in zip(BESIDE, beside, strict=True)}
    order = [*((reading, method) for reading in READINGS for method in METHODS), *(("", name) for name in BESIDE)]
    return pd.DataFrame({key: columns[key] for key in order})


def _bases(layer: LayerLatents, protocol: DiscoveryProtocol, seed: int) -> dict[str, ConceptBasis]:
    features, name = layer.rows("features"), layer.moments.layer
    fixed = (Neurons().fit(features, seed, name), RandomRotation().fit(features, seed, name))
    return dict(zip(METHODS, (layer_basis(layer, protocol), *fixed), strict=True))


def _read(
    layer: LayerLatents, outcomes: Outcomes, basis: ConceptBasis, protocol: DiscoveryProtocol, reading: Absence
) -> tuple[ClassRanking, Doubles]:
    """The ranking of a reading, and the scores of samples along all directions, float64 [samples, r]."""
    ranked = rank_layer(layer, outcomes, basis, protocol, "projection" if reading == "projection" else "evidence")
    rows = read_rows(layer, protocol, "evidence" if reading == "evidence" else "projection")
    return ranked, np.asarray(rows, dtype=np.float64) @ basis.scored.T
