"""Directions that owe nothing to the images: single neurons, and a random rotation of them."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Array
from evoscope.discovery.baselines.decomposition import as_basis
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.gram import check_finite
from evoscope.seeds import generator


@dataclass(frozen=True)
class Neurons:
    """The axes: one direction per channel, in their order."""

    name: str = "neurons"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Give the identity."""
        check_finite(features, layer)
        width = features.shape[1]
        names = tuple(f"{layer}#{channel}" for channel in range(width))
        return as_basis(self.name, layer, np.eye(width), features, centred=False, names=names)


@dataclass(frozen=True)
class RandomRotation:
    """Orthonormal directions, uniform among all rotations: what any complete basis gives by chance."""

    name: str = "random"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Draw Q of a Gaussian matrix, with the signs that make it uniform (Mezzadri 2007)."""
        check_finite(features, layer)
        drawn = generator(seed, "random rotation").standard_normal((features.shape[1],) * 2)
        q, r = np.linalg.qr(drawn)
        return as_basis(self.name, layer, (q * np.sign(np.diag(r))).T, features, centred=False)
