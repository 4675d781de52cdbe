"""The protocol of every method that finds directions, and what they share."""

from typing import Protocol

import numpy as np

from evoscope.arrays import Array, Doubles
from evoscope.directions import unit_rows
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.gram import blocks, check_finite
from evoscope.errors import EvoscopeError

_ROUNDING = 1e-12


class Decomposition(Protocol):
    """Finds directions in features."""

    @property
    def name(self) -> str:
        """What tables call the method."""
        ...

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Find unit directions.

        Parameters
        ----------
        features : [images, d], phi.
        seed : of whatever is random; the same seed gives the same directions.
        layer : for the record.

        Raises
        ------
        EvoscopeError : features are NaN, infinite, or leave nothing to find.
        """
        ...


def as_basis(
    method: str,
    layer: str,
    directions: Array,
    features: Array,
    *,
    centred: bool,
    names: tuple[str, ...] = (),
) -> ConceptBasis:
    """Put directions [r, d] into a basis, at unit length, with their strengths on the features."""
    centre = mean_of(features) if centred else np.zeros(features.shape[1])
    rows = unit_rows(directions)
    return ConceptBasis(layer, method, rows, strengths(features, rows, centre), centred, centre, names=names)


def strengths(features: Array, directions: Doubles, centre: Doubles) -> Doubles:
    """Length of the projections of all images on each direction, float64 [r]."""
    squares = np.zeros(len(directions))
    for rows in blocks(len(features)):
        squares += (((features[rows] - centre) @ directions.T) ** 2).sum(axis=0)
    return np.sqrt(squares)


def mean_of(features: Array) -> Doubles:
    """Mean over the images in float64, [d]."""
    return np.asarray(features.mean(axis=0, dtype=np.float64))


def components_within(features: Array, components: int | None, layer: str, method: str) -> int:
    """How many components the centred features allow, at most as many as asked for.

    Raises
    ------
    EvoscopeError : the features are NaN, infinite, or the same for all images.
    """
    check_finite(features, layer)
    rank = _dimensions(features)
    if rank == 0:
        raise EvoscopeError(
            f"the features of layer {layer!r} are the same for all images, so {method} finds nothing",
            "choose another layer or epoch",
        )
    return min(rank, components or rank)


def _dimensions(features: Array) -> int:
    """Number of dimensions in which features [images, d] vary by more than rounding."""
    mean, scatter = mean_of(features), np.zeros((features.shape[1],) * 2)
    for rows in blocks(len(features)):
        centred = features[rows] - mean
        scatter += centred.T @ centred
    values = np.linalg.eigvalsh(scatter)
    rounding = _ROUNDING**2 * len(features) * float(mean @ mean)
    return int((values > max(_ROUNDING * values.max(), rounding)).sum())
