"""Directions whose coordinates are as independent as can be (FastICA, Hyvarinen 1999)."""

import warnings
from dataclasses import dataclass

from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from evoscope.arrays import Array
from evoscope.directions import canonical
from evoscope.discovery.baselines.decomposition import as_basis, components_within
from evoscope.discovery.basis import ConceptBasis
from evoscope.seeds import derive

ITERATIONS = 400


@dataclass(frozen=True)
class Independent:
    """Rows of the unmixing matrix: coordinates along them are the sources.

    ``components``: how many, as many as the features allow unless given.
    """

    components: int | None = None
    name: str = "ica"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Whiten, then rotate."""
        count = components_within(features, self.components, layer, self.name)
        state = derive(seed, "ica") % 2**32
        model = FastICA(count, whiten="unit-variance", random_state=state, max_iter=ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            # Dimensions that the features do not have are divided by zero, and then left out.
            warnings.simplefilter("ignore", RuntimeWarning)
            model.fit(features.astype("float64"))
        return as_basis(self.name, layer, canonical(model.components_), features, centred=True)
