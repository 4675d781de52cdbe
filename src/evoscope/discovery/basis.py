"""Concept directions of a layer, and those that the singular value decomposition gives (CDISCO, step 2)."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Array, Doubles
from evoscope.directions import canonical
from evoscope.discovery.gram import Moments, blocks, check_finite
from evoscope.discovery.protocol import Side, Signs
from evoscope.errors import EvoscopeError


@dataclass(frozen=True)
class ConceptBasis:
    """Directions in the space of a layer's channels.

    ``layer``: its name; ``method``: what found them; ``directions``: float64 [r, d], unit rows; ``strengths``:
    float64 [r], length of the projections of all images on each (the singular values, for the SVD);
    ``centred``: whether features count from their mean; ``centre``: float64 [d], that mean, or zeros;
    ``side``: whether images are scored along the directions themselves (``rows``) or along the ``columns`` of
    the matrix that they make up (the released defect); ``names``: of the directions where they have names.
    """

    layer: str
    method: str
    directions: Doubles
    strengths: Doubles
    centred: bool
    centre: Doubles
    side: Side = "rows"
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.directions)

    @property
    def scored(self) -> Doubles:
        """Directions along which images are scored for each concept, float64 [r, d]."""
        return self.directions if self.side == "rows" else np.ascontiguousarray(self.directions.T)

    def project(self, features: Array) -> Doubles:
        """Coordinates <phi - centre, v_j> of features [n, d] along the directions, float64 [n, r]."""
        found = np.empty((len(features), len(self)))
        for rows in blocks(len(features)):
            found[rows] = (features[rows] - self.centre) @ self.directions.T
        return found


def svd_basis(
    moments: Moments,
    *,
    centred: bool = False,
    signs: Signs = "canonical",
    side: Side = "rows",
    rank: int | None = None,
) -> ConceptBasis:
    """Right singular vectors of Phi by the eigen-decomposition of Phi^T Phi, largest singular value first.

    Parameters
    ----------
    moments : of the layer.
    centred : subtract the mean first (principal components).
    signs, side : see `evoscope.discovery.protocol.DiscoveryProtocol`.
    rank : how many directions; all d unless given, those beyond the number of images spanning the null space.

    Raises
    ------
    EvoscopeError : ``rank`` is out of range, or less than d with ``side="columns"``.
    """
    width = len(moments.gram)
    rank = width if rank is None else rank
    _check(rank, width, side)
    matrix = moments.covariance * moments.count if centred else moments.gram
    check_finite(matrix, moments.layer)
    values, vectors = np.linalg.eigh(matrix)
    rows = np.ascontiguousarray(vectors[:, ::-1][:, :rank].T)
    return ConceptBasis(
        layer=moments.layer,
        method="pca" if centred else "svd",
        directions=canonical(rows) if signs == "canonical" else rows,
        strengths=np.sqrt(np.maximum(values[::-1][:rank], 0)),
        centred=centred,
        centre=moments.mean if centred else np.zeros(width),
        side=side,
    )


def _check(rank: int, width: int, side: Side) -> None:
    if not 1 <= rank <= width:
        raise EvoscopeError(f"a layer of {width} channels has no {rank} directions", f"ask for 1 to {width}")
    if side == "columns" and rank < width:
        raise EvoscopeError(
            f"the released projection needs all {width} directions, not {rank}", "give rank=null or side=rows"
        )
