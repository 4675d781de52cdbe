"""A set of labelled images with stable ids, whatever they are read from, and smaller sets of it."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from evoscope.arrays import Bools, Bytes, Ints
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive, derive_many, generator


@dataclass(frozen=True)
class Fit:
    """How an image of any shape becomes a square: squashed, or its central part cropped.

    ``crop_fraction`` is the part of the shorter side that is kept (torchvision's 224 of 256 is .875).
    """

    mode: Literal["squash", "crop"] = "squash"
    crop_fraction: float = 1.0


SQUASH = Fit()


class ImageSource(Protocol):
    """Where pixels come from: files, an array, or a drawing program."""

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """RGB image ``index`` of the source as uint8 [pixels, pixels, 3]."""
        ...


@runtime_checkable
class Located(Protocol):
    """A source that knows where its concepts are."""

    def masks(self, index: int, pixels: int) -> dict[str, Bools]:
        """Pixels of each concept in image ``index``, bool [pixels, pixels] by the concept's name."""
        ...


class ConceptTable:
    """Which known concepts each image shows.

    Parameters
    ----------
    names : one per concept, written ``family:value`` (``colour:red``).
    present : bool [images, concepts], or what finds it when it is first read.
    """

    def __init__(self, names: tuple[str, ...], present: Bools | Callable[[], Bools]) -> None:
        self.names = names
        self._given = present

    @cached_property
    def present(self) -> Bools:
        """Whether each image shows each concept, bool [images, concepts]."""
        return self._given() if callable(self._given) else self._given

    def subset(self, indices: Ints) -> "ConceptTable":
        """The table of the images at ``indices``."""
        return ConceptTable(self.names, partial(_rows_of, self, indices))


def _rows_of(table: ConceptTable, indices: Ints) -> Bools:
    return np.asarray(table.present[indices])


@dataclass(frozen=True)
class ImageSet:
    """Images of one split, in the order of their ids.

    ``name``: of the data set; ``split``: ``train`` or ``test``; ``class_names``: one per class;
    ``ids``: unique and stable under any directory order; ``labels``: int64 [images];
    ``rows``: int64 [images], position of each image in ``source``; ``fingerprint``: hex digest of what decides
    the pixels, the ids and the labels; ``concepts``: the ground truth, where it is known;
    ``notes``: one sentence each on what was left out or converted while the set was opened; sets made from this
    one carry them on.
    """

    name: str
    split: str
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    labels: Ints
    rows: Ints
    source: ImageSource
    fingerprint: str
    concepts: ConceptTable | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """Image ``index`` of this set as uint8 [pixels, pixels, 3]."""
        return self.source.read(int(self.rows[index]), pixels, fit)

    def subset(self, indices: Sequence[int] | Ints) -> "ImageSet":
        """The images at ``indices`` (positions in this set), with a fingerprint of their own."""
        chosen = np.asarray(indices, dtype=np.int64)
        ids = tuple(self.ids[i] for i in chosen)
        return replace(
            self,
            ids=ids,
            labels=self.labels[chosen],
            rows=self.rows[chosen],
            fingerprint=digest(self.fingerprint, *ids),
            concepts=self.concepts and self.concepts.subset(chosen),
        )


def digest(*texts: str) -> str:
    """Hex SHA-256 of texts, each ended so that ("ab", "c") and ("a", "bc") differ."""
    state = hashlib.sha256()
    for text in texts:
        state.update(text.encode() + b"\0")
    return state.hexdigest()


def limit(images: ImageSet, total: int | None = None, per_class: int | None = None, seed: int = 0) -> ImageSet:
    """At most ``per_class`` images of each class and ``total`` in all, spread evenly over the classes.

    For one seed a smaller limit is a subset of a larger one. The order of the set is kept; None is no limit.

    Raises
    ------
    EvoscopeError : a limit is below one, or ``total`` is below the number of classes that have images.
    """
    for name, value in (("total", total), ("per_class", per_class)):
        if value is not None and value < 1:
            raise EvoscopeError(f"a {name} limit of {value} leaves no image", "give 1 or more, or none")
    present = len(np.unique(images.labels))
    if total is not None and total < present:
        raise EvoscopeError(
            f"a limit of {total} images cannot cover the {present} classes of {images.name} {images.split}",
            f"allow at least {present} images",
        )
    keys, ranks = _ranked(images, "limit", seed)
    kept = np.flatnonzero(ranks < (len(images) if per_class is None else per_class))
    # Every class's first image comes before any class's second, so that every prefix is balanced.
    spread = kept[np.lexsort((keys[kept], ranks[kept]))]
    return _chosen(images, spread[:total])


def at_most(images: ImageSet, most: int | None, seed: int) -> ImageSet:
    """The set itself where it is no larger than ``most``, or ``most`` is None; else `limit`."""
    return images if most is None or most >= len(images) else limit(images, most, None, seed)


def pool(images: ImageSet, per_class_fraction: float = 0.1, seed: int = 0) -> ImageSet:
    """Share of each class, rounded down but at least one image (ConceptEvo's stimulus pool: 10 % of train).

    Raises
    ------
    EvoscopeError : the fraction is not in (0, 1], or a class has no images.
    """
    if not 0 < per_class_fraction <= 1:
        raise EvoscopeError(f"a pool of {per_class_fraction} of each class is impossible", "give a share in (0, 1]")
    counts = np.bincount(images.labels, minlength=len(images.class_names))
    empty = [name for name, n in zip(images.class_names, counts, strict=True) if n == 0]
    if empty:
        raise EvoscopeError(
            f"{len(empty)} classes of {images.name} {images.split} have no images ({', '.join(empty[:5])}"
            + (", ...)" if len(empty) > 5 else ")"),
            "the pool takes images of every class: add images or drop these classes",
        )
    # The small addition keeps .29 of 100 at 29: the product is 28.999999999999996.
    quotas = np.array([max(1, math.floor(n * per_class_fraction + 1e-9)) for n in counts], dtype=np.int64)
    _, ranks = _ranked(images, "pool", seed)
    return _chosen(images, np.flatnonzero(ranks < quotas[images.labels]))


def _ranked(images: ImageSet, purpose: str, seed: int) -> tuple[Ints, Ints]:
    """Hash of each image's id, and the image's rank by it within its class."""
    keys = derive_many(seed, purpose, images.ids)
    order = np.lexsort((keys, images.labels))
    first = np.searchsorted(images.labels[order], images.labels[order])
    ranks = np.empty(len(images), dtype=np.int64)
    ranks[order] = np.arange(len(images)) - first
    return keys, ranks


def _chosen(images: ImageSet, indices: Ints) -> ImageSet:
    """Subset in the set's order; the set itself, with its fingerprint, when nothing is left out."""
    return images if len(indices) == len(images) else images.subset(np.sort(indices))


def mislabelled(images: ImageSet, share: float, seed: int) -> tuple[ImageSet, Bools]:
    """Give a share of the images another label, drawn evenly among the other classes.

    Which images follows from the seed and their ids, and a smaller share flips a subset of a larger one's.

    Parameters
    ----------
    share : of all images, rounded to whole ones.

    Returns
    -------
    The set with wrong labels, its pixels and ids as before, and which they are, bool [images].

    Raises
    ------
    EvoscopeError : the share is not within (0, 1), it rounds to no image, or there is one class only.
    """
    classes, count = len(images.class_names), round(share * len(images))
    if not 0 < share < 1 or count < 1 or classes < 2:
        raise EvoscopeError(
            f"a share of {share} wrong labels among {len(images)} images of {classes} classes is impossible",
            "give a share between 0 and 1 (outlier.mislabelled) that is at least one image, and two classes",
        )
    order = np.argsort([derive(seed, "mislabelled", name) for name in images.ids], kind="stable")
    flipped = np.zeros(len(images), dtype=bool)
    flipped[order[:count]] = True
    steps = [int(generator(seed, "wrong label", name).integers(1, classes)) for name in images.ids]
    labels = np.where(flipped, (images.labels + steps) % classes, images.labels).astype(np.int64)
    marks = digest(images.fingerprint, "mislabelled", *map(str, labels))
    return replace(images, labels=labels, fingerprint=marks, name=f"{images.name}, mislabelled"), flipped
