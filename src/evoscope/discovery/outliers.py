"""Outlier scores of samples, from concepts and without them (uncertainty, distances to other samples)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Doubles, Ints
from evoscope.discovery.basis import ConceptBasis, svd_basis
from evoscope.discovery.latent import LayerLatents, Outcomes
from evoscope.discovery.methods import Neurons
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import ClassRanking, rank_layer
from evoscope.seeds import generator

NEIGHBOURS = 10
_FLAT = 1e-12  # eigenvalues below this share of the largest are rounding


def uncertainty(outcomes: Outcomes) -> Doubles:
    """One minus the confidence, float64 [samples]; the loss is `Outcomes.loss` as it stands."""
    return 1 - outcomes.confidence


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
            found[own] = search.kneighbors()[0].mean(
                axis=1
            )  # without arguments a point is not its own neighbour
    return found


CONCEPTS = 5
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
    return _by_class(scores, labels, ranking, count, _root_mean_square)


def concept_absence(scores: Array, labels: Ints, ranking: ClassRanking, count: int = CONCEPTS) -> Doubles:
    """How little of its class's concepts a sample shows, float64 [samples]: minus the mean robust z.

    Parameters and NaN as for `concept_deviation`.
    """
    return _by_class(scores, labels, ranking, count, _minus_mean)


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


def _root_mean_square(z: Doubles) -> Doubles:
    return np.asarray(np.sqrt((z**2).mean(axis=1)), dtype=np.float64)


def _minus_mean(z: Doubles) -> Doubles:
    return np.asarray(-z.mean(axis=1), dtype=np.float64)


def _by_class(
    scores: Array, labels: Ints, ranking: ClassRanking, count: int, reduce: Callable[[Doubles], Doubles]
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
SCORES = (*CONCEPT_SCORES, *RIVALS, "mahalanobis", "knn", "random")


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
    name = layer.moments.layer
    bases = {
        "svd": svd_basis(layer.moments, centred=protocol.centred, signs=protocol.signs, side=protocol.side),
        "neurons": Neurons().fit(features, seed, name),
    }
    columns: dict[str, Doubles] = {}
    for method, basis in bases.items():
        found = _of_basis(layer, outcomes, basis, protocol, options.concepts)
        columns.update({f"{method}_{name}": values for name, values in found.items()})
    columns |= {
        "loss": outcomes.loss,
        "uncertainty": uncertainty(outcomes),
        "mahalanobis": mahalanobis(features, labels),
        "knn": knn_distance(features, labels, options.neighbours),
        "random": generator(seed, "random outlier score").random(len(labels)),
    }
    return pd.DataFrame({name: columns[name] for name in SCORES})


def _of_basis(
    layer: LayerLatents, outcomes: Outcomes, basis: ConceptBasis, protocol: DiscoveryProtocol, concepts: int
) -> dict[str, Doubles]:
    ranking = rank_layer(layer, outcomes, basis, protocol.evidence, protocol.candidates)
    along = np.asarray(layer.rows("features"), dtype=np.float64) @ basis.scored.T
    return {
        "deviation": concept_deviation(along, outcomes.labels, ranking, concepts),
        "absence": concept_absence(along, outcomes.labels, ranking, concepts),
    }
