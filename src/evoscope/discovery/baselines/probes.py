"""Directions that tell known concepts apart: the upper bound that needs labels (TCAV, Kim 2018)."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from evoscope.arrays import Array, Doubles
from evoscope.data.images import ConceptTable
from evoscope.discovery.baselines.decomposition import as_basis, components_within
from evoscope.discovery.basis import ConceptBasis
from evoscope.errors import EvoscopeError

ITERATIONS = 1000


@dataclass(frozen=True)
class LinearProbes:
    """Normals of logistic regressions, one per concept that some but not all images show.

    ``truth``: which concepts the images to be fitted show; ``strength``: inverse of the penalty, on
    standardised features.
    """

    truth: ConceptTable
    strength: float = 0.1
    name: str = "probes"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Fit one concept after another; nothing is random."""
        components_within(features, None, layer, self.name)
        shown = self.truth.present.mean(axis=0)
        usable = np.flatnonzero((shown > 0) & (shown < 1))
        if len(usable) == 0:
            raise EvoscopeError("no concept is shown by some but not all images", "give more images")
        scaler = StandardScaler().fit(np.asarray(features, dtype=np.float64))
        standard = scaler.transform(np.asarray(features, dtype=np.float64))
        normals = [self._normal(standard, self.truth.present[:, concept]) for concept in usable]
        names = tuple(self.truth.names[concept] for concept in usable)
        return as_basis(
            self.name, layer, np.array(normals) / scaler.scale_, features, centred=True, names=names
        )

    def _normal(self, standard: Doubles, present: Array) -> Doubles:
        model = LogisticRegression(C=self.strength, class_weight="balanced", max_iter=ITERATIONS)
        return np.asarray(model.fit(standard, present).coef_[0], dtype=np.float64)
