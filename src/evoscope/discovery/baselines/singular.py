"""The published decomposition and its centred sister, fitted to kept features."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Array
from evoscope.discovery.basis import ConceptBasis, svd_basis
from evoscope.discovery.gram import Moments
from evoscope.discovery.protocol import Side, Signs


@dataclass(frozen=True)
class Singular:
    """Right singular vectors of the features as they are (CDISCO, step 2).

    ``components``: how many, all d unless given; ``signs``, ``side``: see `DiscoveryProtocol`.
    """

    components: int | None = None
    signs: Signs = "canonical"
    side: Side = "rows"
    name: str = "svd"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Decompose the Gram matrix of the features."""
        return svd_basis(
            _moments(features, layer), signs=self.signs, side=self.side, rank=_rank(self.components, features)
        )


@dataclass(frozen=True)
class CentredPCA:
    """Principal components: the same from the mean. ``components``: how many, all d unless given."""

    components: int | None = None
    name: str = "pca"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Decompose the covariance of the features."""
        return svd_basis(_moments(features, layer), centred=True, rank=_rank(self.components, features))


def _rank(components: int | None, features: Array) -> int | None:
    return components and min(components, features.shape[1])


def _moments(features: Array, layer: str) -> Moments:
    one_class = np.zeros(len(features), dtype=np.int64)
    return Moments.of(layer, features, one_class, one_class, 1)
