"""Outlier scores without concepts: uncertainty, Mahalanobis distance and nearest neighbours."""

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from evoscope.arrays import Array, Doubles, Ints
from evoscope.discovery.latent import Outcomes

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
