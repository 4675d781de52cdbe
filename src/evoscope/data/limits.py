"""Smaller sets of images, chosen by a seeded hash of the image id: balanced, nested, independent of order."""

import math

import numpy as np

from evoscope.arrays import Ints
from evoscope.data.images import ImageSet
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive


def limit(
    images: ImageSet, total: int | None = None, per_class: int | None = None, seed: int = 0
) -> ImageSet:
    """At most ``per_class`` images of each class and ``total`` in all, spread evenly over the classes.

    For one seed a smaller limit is a subset of a larger one. The order of the set is kept; None is no limit.

    Raises
    ------
    EvoscopeError
        A limit is below one, or ``total`` is below the number of classes that have images.
    """
    _check_limits(images, total, per_class)
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
    EvoscopeError
        The fraction is not in (0, 1], or a class has no images.
    """
    if not 0 < per_class_fraction <= 1:
        raise EvoscopeError(
            f"a pool of {per_class_fraction} of each class is impossible", "give a share in (0, 1]"
        )
    counts = np.bincount(images.labels, minlength=len(images.class_names))
    _refuse_empty(images, counts)
    # The small addition keeps .29 of 100 at 29: the product is 28.999999999999996.
    quotas = np.array([max(1, math.floor(n * per_class_fraction + 1e-9)) for n in counts], dtype=np.int64)
    _, ranks = _ranked(images, "pool", seed)
    return _chosen(images, np.flatnonzero(ranks < quotas[images.labels]))


def _ranked(images: ImageSet, purpose: str, seed: int) -> tuple[Ints, Ints]:
    """Hash of each image's id, and the image's rank by it within its class."""
    keys = np.array([derive(seed, purpose, name) for name in images.ids], dtype=np.int64)
    ranks = np.empty(len(images), dtype=np.int64)
    for label in np.unique(images.labels):
        members = np.flatnonzero(images.labels == label)
        ranks[members[np.argsort(keys[members])]] = np.arange(len(members))
    return keys, ranks


def _chosen(images: ImageSet, indices: Ints) -> ImageSet:
    """Subset in the set's order; the set itself, with its fingerprint, when nothing is left out."""
    return images if len(indices) == len(images) else images.subset(np.sort(indices))


def _check_limits(images: ImageSet, total: int | None, per_class: int | None) -> None:
    for name, value in (("total", total), ("per_class", per_class)):
        if value is not None and value < 1:
            raise EvoscopeError(f"a {name} limit of {value} leaves no image", "give 1 or more, or none")
    present = len(np.unique(images.labels))
    if total is not None and total < present:
        raise EvoscopeError(
            f"a limit of {total} images cannot cover the {present} classes of {images.name} {images.split}",
            f"allow at least {present} images",
        )


def _refuse_empty(images: ImageSet, counts: Ints) -> None:
    empty = [name for name, n in zip(images.class_names, counts, strict=True) if n == 0]
    if empty:
        raise EvoscopeError(
            f"{len(empty)} classes of {images.name} {images.split} have no images ({', '.join(empty[:5])}"
            + (", ...)" if len(empty) > 5 else ")"),
            "the pool takes images of every class: add images or drop these classes",
        )
