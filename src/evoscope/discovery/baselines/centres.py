"""Directions from the mean to the centres of clusters (ACE, Ghorbani 2019, clusters features too)."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from evoscope.arrays import Array
from evoscope.discovery.baselines.decomposition import as_basis, components_within, mean_of
from evoscope.discovery.basis import ConceptBasis
from evoscope.seeds import derive

STARTS = 5


@dataclass(frozen=True)
class KMeansCentres:
    """Centres of k-means, seen from the mean of all images.

    ``components``: how many, as many as the features have dimensions unless given, and at least two: the only
    centre of one cluster is the mean.
    """

    components: int | None = None
    name: str = "kmeans"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Cluster the images."""
        count = max(2, components_within(features, self.components, layer, self.name))
        model = KMeans(count, n_init=STARTS, random_state=derive(seed, "kmeans") % 2**32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            centres = model.fit(np.asarray(features, dtype=np.float64)).cluster_centers_
        return as_basis(self.name, layer, centres - mean_of(features), features, centred=True)
