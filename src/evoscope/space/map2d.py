"""The two-dimensional map: fitted on the neurons of the base, all other models transformed into it in one call."""

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np

from evoscope.arrays import Bools, Floats, canonical
from evoscope.errors import EvoscopeError
from evoscope.space.metrics import placed_rows

# UMAP needs a neighbourhood (15 by default) to be a small part of the points.
_FEWEST_FOR_UMAP = 45


def embed_2d(
    base_vectors: Floats, others: Sequence[Floats] = (), method: Literal["umap", "pca"] = "umap", seed: int = 0
) -> list[Floats]:
    """Map the base model's neurons and any other neurons to the plane.

    The map is fitted on the base's placed neurons only; everything else is transformed in one call, so that
    all models and epochs share one map. UMAP has its published defaults but a seed and a start by principal
    components: 15 neighbours, Euclidean, 500 epochs for the base (200 above 10,000), 100 for the
    others (30 above 10,000), 5 negatives. The others' neighbours in the base are exact. With fewer than 45
    placed base neurons principal components are used instead.

    Parameters
    ----------
    base_vectors : [neurons, dim], NaN rows for unplaced neurons.
    others : arrays [n_i, dim], NaN rows likewise.
    method : ``"umap"`` or ``"pca"``.
    seed : same seed, same map.

    Returns
    -------
    list of float32 [n, 2]
        The base first, then the others in order; NaN rows stay NaN.

    Raises
    ------
    EvoscopeError : fewer than three base neurons are placed.
    """
    placed = placed_rows(base_vectors)
    if placed.sum() < 3:
        raise EvoscopeError(
            f"only {placed.sum()} base neurons are placed, too few for a map", "check the health of the base model"
        )
    points = np.ascontiguousarray(base_vectors[placed], dtype=np.float32)
    use_umap = method == "umap" and len(points) >= _FEWEST_FOR_UMAP
    fitted: _Umap | _Principal = _Umap(points, seed) if use_umap else _Principal(points)
    base = _spread(fitted.drawn, placed)
    if not others:
        return [base]
    everything = np.concatenate([np.asarray(array, dtype=np.float32) for array in others])
    there = placed_rows(everything)
    drawn = fitted.transform(everything[there]) if there.any() else np.empty((0, 2), dtype=np.float32)
    return [base, *np.split(_spread(drawn, there), np.cumsum([len(array) for array in others])[:-1])]


def _spread(drawn: Floats, placed: Bools) -> Floats:
    plane = np.full((len(placed), 2), np.nan, dtype=np.float32)
    plane[placed] = drawn
    return plane


class _Umap:
    """A fitted UMAP whose transform is told the nearest fitted points instead of looking for them itself."""

    def __init__(self, points: Floats, seed: int) -> None:
        import umap  # takes seconds to import
        from sklearn.neighbors import NearestNeighbors

        self._nearest = NearestNeighbors().fit(points)
        self._model = umap.UMAP(n_components=2, random_state=seed % 2**32, init="pca", n_jobs=1)
        with warnings.catch_warnings(action="ignore"):
            self.drawn: Floats = self._model.fit_transform(points)
        # Fitted on fewer than 4,096 points, `transform` would call a function for each of its distances to them,
        # 60 million for 40,000 points; precomputed distances to the nearest are all that it uses.
        self._model.set_params(metric="precomputed")

    def transform(self, points: Floats) -> Floats:
        """Coordinates [n, 2] of points [n, dim]."""
        near = self._nearest.kneighbors_graph(points, self._model.n_neighbors, mode="distance")
        with warnings.catch_warnings(action="ignore"):  # that the distances are precomputed
            plane: Floats = self._model.transform(near)
        return plane


class _Principal:
    """Principal components, each turned so that its largest loading is positive."""

    def __init__(self, points: Floats) -> None:
        exact = points.astype(np.float64)
        self._centre = exact.mean(axis=0)
        _, _, directions = np.linalg.svd(exact - self._centre, full_matrices=False)
        self._axes = canonical(directions[:2])
        self.drawn = self.transform(points)

    def transform(self, points: Floats) -> Floats:
        """Coordinates [n, 2] of points [n, dim]."""
        plane = (points - self._centre) @ self._axes.T
        return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1]))).astype(np.float32)
