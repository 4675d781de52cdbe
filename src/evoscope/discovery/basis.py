"""Sums over a layer, and its concept directions by the singular value decomposition (CDISCO, step 2)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Array, Doubles, Ints, canonical
from evoscope.discovery.protocol import Side, Signs
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator

BLOCK = 4096
"""Rows that become float64 at a time."""


@dataclass(frozen=True)
class ClassSums:
    """Sums of rows by class.

    ``counts``: int64 [classes]; ``sums``: float64 [classes, d].
    """

    counts: Ints
    sums: Doubles

    @classmethod
    def of(cls, rows: Array, classes: Ints, number: int) -> "ClassSums":
        """Add up rows [n, d] by their classes, integers [n] below ``number``."""
        order = np.argsort(classes, kind="stable")
        present, starts = np.unique(classes[order], return_index=True)
        sums = np.zeros((number, rows.shape[1]))
        if len(rows):
            sums[present] = np.add.reduceat(rows[order], starts, axis=0, dtype=np.float64)
        return cls(np.bincount(classes, minlength=number).astype(np.int64), sums)

    def merge(self, other: "ClassSums") -> "ClassSums":
        """Sums over both parts."""
        return ClassSums(self.counts + other.counts, self.sums + other.sums)


@dataclass(frozen=True)
class Moments:
    """Pooled features of one layer, summed up.

    ``layer``: its name; ``count``: images; ``gram``: float64 [d, d], Phi^T Phi, not centred; ``by_label``,
    ``by_prediction``: sums of phi by the true and by the predicted class.
    """

    layer: str
    count: int
    gram: Doubles
    by_label: ClassSums
    by_prediction: ClassSums

    @classmethod
    def of(cls, layer: str, features: Array, labels: Ints, predictions: Ints, classes: int) -> "Moments":
        """Sum up features [n, d].

        Raises
        ------
        EvoscopeError : a feature is NaN or infinite; names the layer.
        """
        width = features.shape[1]
        nothing = ClassSums(np.zeros(classes, np.int64), np.zeros((classes, width)))
        found = cls(layer, 0, np.zeros((width, width)), nothing, nothing)
        for rows in blocks(len(features)):
            exact = np.asarray(features[rows], dtype=np.float64)
            check_finite(exact, layer)
            sums = [ClassSums.of(exact, groups[rows], classes) for groups in (labels, predictions)]
            found = found.merge(cls(layer, len(exact), exact.T @ exact, *sums))
        return found

    def merge(self, other: "Moments") -> "Moments":
        """Moments of the union: associative and commutative up to the rounding of float64 sums."""
        return Moments(
            self.layer,
            self.count + other.count,
            self.gram + other.gram,
            self.by_label.merge(other.by_label),
            self.by_prediction.merge(other.by_prediction),
        )

    @property
    def mean(self) -> Doubles:
        """Mean of phi over the images, float64 [d]."""
        return np.asarray(self.by_label.sums.sum(axis=0) / self.count, dtype=np.float64)

    @property
    def covariance(self) -> Doubles:
        """Population covariance of phi, float64 [d, d]."""
        return self.gram / self.count - np.outer(self.mean, self.mean)


def blocks(rows: int, size: int = BLOCK) -> Iterator[slice]:
    """Slices that cover ``rows`` in order."""
    return (slice(start, start + size) for start in range(0, rows, size))


def check_finite(features: Array, layer: str) -> None:
    """Refuse NaN and infinity.

    Raises
    ------
    EvoscopeError : there are some; names the layer.
    """
    with np.errstate(all="ignore"):
        total = features.sum(dtype=np.float64)  # cheap, and not finite wherever one feature is not
    wrong = 0 if np.isfinite(total) else int((~np.isfinite(features)).any(axis=0).sum())
    if wrong:
        raise EvoscopeError(
            f"{wrong} channels of layer {layer!r} are NaN or infinite on some images",
            "choose an epoch before the training diverged",
        )


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
    features: Array | None = None,
) -> ConceptBasis:
    """Right singular vectors of Phi by the eigen-decomposition of Phi^T Phi, largest singular value first.

    With ``signs="solver"`` they are those of `numpy.linalg.svd` of Phi itself, as released: the signs of an
    eigen-decomposition are others, and along the ``columns`` every sign enters every score.

    Parameters
    ----------
    moments : of the layer.
    centred : subtract the mean first (principal components).
    signs, side : see `evoscope.discovery.protocol.DiscoveryProtocol`.
    rank : how many directions; all d unless given, those beyond the number of images spanning the null space.
    features : [n, d], that the moments are of; needed for the solver's signs only.

    Raises
    ------
    EvoscopeError : ``rank`` is out of range, or less than d with ``side="columns"``; the solver's signs are asked for
        without features.
    """
    width = len(moments.gram)
    rank = width if rank is None else rank
    if not 1 <= rank <= width:
        raise EvoscopeError(f"a layer of {width} channels has no {rank} directions", f"ask for 1 to {width}")
    if side == "columns" and rank < width:
        raise EvoscopeError(
            f"the released projection needs all {width} directions, not {rank}", "give rank=null or side=rows"
        )
    matrix = moments.covariance * moments.count if centred else moments.gram
    check_finite(matrix, moments.layer)
    centre = moments.mean if centred else np.zeros(width)
    if signs == "solver":
        strengths, rows = _by_solver(features, centre, moments.layer)
    else:
        values, vectors = np.linalg.eigh(matrix)
        strengths, rows = np.sqrt(np.maximum(values[::-1], 0)), canonical(vectors[:, ::-1].T)
    return ConceptBasis(
        layer=moments.layer,
        method="pca" if centred else "svd",
        directions=np.ascontiguousarray(rows[:rank]),
        strengths=strengths[:rank],
        centred=centred,
        centre=centre,
        side=side,
    )


def _by_solver(features: Array | None, centre: Doubles, layer: str) -> tuple[Doubles, Doubles]:
    """Singular values, float64 [d], and rows of V^T, float64 [d, d], as LAPACK returns them."""
    if features is None:
        raise EvoscopeError(
            f"the solver's signs of layer {layer!r} are those of its features, which were not kept",
            "give svd_basis the features, or signs='canonical'",
        )
    exact = np.asarray(features, dtype=np.float64) - centre
    # The thin decomposition; with fewer images than channels the null space has to be spanned as well.
    _, found, rows = np.linalg.svd(exact, full_matrices=len(exact) < exact.shape[1])
    return np.pad(found, (0, exact.shape[1] - len(found))), rows


ALIGNED = 0.6
"""The published line: a direction with a larger component is called aligned with that neuron."""


def neuron_alignment(directions: Doubles) -> Doubles:
    """Find the largest component by size (the first of equals) of unit rows [r, d], with its sign: float64 [r]."""
    largest = np.abs(directions).argmax(axis=1)
    return np.asarray(directions[np.arange(len(directions)), largest], dtype=np.float64)


def random_alignment(width: int, count: int, seed: int) -> Doubles:
    """Draw what chance gives: largest sizes of components of ``count`` random unit vectors, float64 [count]."""
    drawn = generator(seed, "alignment null").standard_normal((count, width))
    return np.asarray(np.abs(drawn).max(axis=1) / np.linalg.norm(drawn, axis=1), dtype=np.float64)
