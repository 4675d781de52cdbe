"""What a decomposition needs of a layer: its Gram matrix and class sums, merged over any cut of the images.

phi(x) is the spatial mean of a layer's map (CDISCO, method, steps 1 and 2); Phi, [images, d], is never needed
whole: its right singular vectors are the eigenvectors of Phi^T Phi.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Array, Doubles, Ints
from evoscope.errors import EvoscopeError

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
        return cls(np.bincount(classes, minlength=number).astype(np.int64), sums_by(rows, classes, number))

    def merge(self, other: "ClassSums") -> "ClassSums":
        """Sums over both parts."""
        return ClassSums(self.counts + other.counts, self.sums + other.sums)

    @property
    def means(self) -> Doubles:
        """Mean row per class, float64 [classes, d]; NaN for a class without rows."""
        counts = np.where(self.counts > 0, self.counts, np.nan)
        return np.asarray(self.sums / counts[:, None], dtype=np.float64)


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
    def second_moment(self) -> Doubles:
        """Mean of phi phi^T, float64 [d, d]."""
        return self.gram / self.count

    @property
    def covariance(self) -> Doubles:
        """Population covariance of phi, float64 [d, d]."""
        return self.second_moment - np.outer(self.mean, self.mean)


def blocks(rows: int, size: int = BLOCK) -> Iterator[slice]:
    """Slices that cover ``rows`` in order."""
    return (slice(start, start + size) for start in range(0, rows, size))


def sums_by(rows: Array, groups: Ints, number: int) -> Doubles:
    """Sums of rows [n, d] by group, integers [n] below ``number``: float64 [number, d]."""
    order = np.argsort(groups, kind="stable")
    present, starts = np.unique(groups[order], return_index=True)
    sums = np.zeros((number, rows.shape[1]))
    if len(rows):
        sums[present] = np.add.reduceat(rows[order], starts, axis=0, dtype=np.float64)
    return sums


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
