"""Parts that only add up: non-negative matrix factorisation (Lee and Seung 1999; CRAFT, ICE for networks)."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

from evoscope.arrays import Array
from evoscope.discovery.baselines.decomposition import as_basis, components_within
from evoscope.discovery.basis import ConceptBasis
from evoscope.seeds import derive

ITERATIONS = 400


@dataclass(frozen=True)
class NonNegative:
    """Rows of H in Phi = W H. ``components``: how many, as many as the features allow unless given.

    Where features are negative (layers that are not rectified), positive and negative parts are factorised side
    by side, and a direction is the difference of its two halves.
    """

    components: int | None = None
    name: str = "nmf"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Factorise by coordinate descent."""
        count = components_within(features, self.components, layer, self.name)
        exact = np.asarray(features, dtype=np.float64)
        signed = bool((exact < 0).any())
        parts = np.hstack([np.maximum(exact, 0), np.maximum(-exact, 0)]) if signed else exact
        state = derive(seed, "nmf") % 2**32
        model = NMF(count, init="nndsvdar", random_state=state, max_iter=ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = model.fit(parts).components_
        width = exact.shape[1]
        rows = found[:, :width] - found[:, width:] if signed else found
        return as_basis(self.name, layer, rows, exact, centred=False)
