"""Directions of a layer as virtual neurons: their stimuli, and their places in the semantic space."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from sklearn.neighbors import NearestNeighbors

from evoscope.activations.stimuli import NeuronIndex, Status, Stimuli
from evoscope.arrays import Array, Doubles, Ints, SmallInts
from evoscope.space.projection import project
from evoscope.space.protocol import SpaceProtocol
from evoscope.space.semantic import SemanticSpace

FLAT = 1e-6
"""Deviation of projections, as a share of the features' root mean square length, that float32 features do not carry."""
NEIGHBOURS = 10

Place = Callable[[SmallInts], Doubles]
"""From stimuli, int32 [rows, k], positions in the images (-1: none), to vectors, float64 [rows, dim], NaN unplaced."""


@dataclass(frozen=True)
class Virtual:
    """Directions with a side each, as virtual neurons of a layer at an epoch.

    ``direction``: int64 [c], index in the basis; ``side``: int64 [c], +1 or -1; ``vectors``: float64 [c, d], the
    direction turned to its side; ``images``: int32 [c, k], the images that project most on it, most first (-1: none,
    as for a direction along which images do not differ); ``places``: float64 [c, dim] in the semantic space, NaN
    where unplaced.
    """

    direction: Ints
    side: Ints
    vectors: Doubles
    images: SmallInts
    places: Doubles

    def __len__(self) -> int:
        return len(self.direction)

    def take(self, rows: Array) -> "Virtual":
        """Some of the rows: positions, or bool [c]."""
        return Virtual(*(getattr(self, field.name)[rows] for field in fields(self)))


def placer(space: SemanticSpace, image_ids: tuple[str, ...], protocol: SpaceProtocol) -> Place:
    """How stimuli among ``image_ids`` are placed in a space: exactly as those of neurons are."""

    def place(images: SmallInts) -> Doubles:
        vectors = project(space, as_stimuli(images, image_ids), protocol).vectors
        return vectors.astype(np.float64)

    return place


def as_stimuli(images: SmallInts, image_ids: tuple[str, ...]) -> Stimuli:
    """Stimuli of virtual neurons from their images [rows, k]; what no projection reads is NaN or -1."""
    rows, k = images.shape
    index = NeuronIndex(
        ("",), np.zeros(rows, np.int32), np.arange(rows, dtype=np.int32), np.ones((1, 2), np.int32)
    )
    unknown = np.full(rows, np.nan, np.float32)
    none = (images < 0).all(axis=1)
    return Stimuli(
        image_ids=image_ids,
        neurons=index,
        images=images,
        values=np.full((rows, k), np.nan, np.float32),
        cells=np.full((rows, k, 2), -1, np.int32),
        status=np.where(none, Status.CONSTANT, Status.OK).astype(np.uint8),
        mean=unknown,
        deviation=unknown,
        responsive=np.empty((len(image_ids), 0), np.int32),
    )


def top_images(features: Array, vectors: Doubles, k: int) -> SmallInts:
    """The k images that project most on each vector, most first, of equals the first.

    Parameters
    ----------
    features : [images, d].
    vectors : float64 [c, d], unit rows.
    k : images wanted.

    Returns
    -------
    int32 [c, k], -1 beyond the images there are, and in every place of a vector along which images do not differ
    (see `FLAT`).
    """
    scores = np.ascontiguousarray((features @ vectors.T).T)
    centred = features - features.mean(axis=0)
    scale = float(np.sqrt((centred**2).sum(axis=1).mean()))
    found = np.full((len(vectors), k), -1, dtype=np.int32)
    for row, deviation in enumerate(scores.std(axis=1)):
        if deviation > FLAT * scale:
            best = largest(scores[row], k)
            found[row, : len(best)] = best
    return found


def largest(scores: Array, count: int) -> Ints:
    """Positions of the ``count`` largest scores [n], largest first, of equals the first; sorts only those.

    The same as `evoscope.discovery.refine.most_activating`, ten times as fast for a few of thousands.
    """
    count = min(count, len(scores))
    bar = np.partition(scores, len(scores) - count)[len(scores) - count]
    above = np.flatnonzero(scores >= bar)
    return above[np.argsort(-scores[above], kind="stable")[:count]]


def on_the_map(vectors: Doubles, anchors: Array, places: Array, neighbours: int = NEIGHBOURS) -> Doubles:
    """Where vectors lie on a map of other vectors: the mean of their nearest ones' places, weighted by 1 / distance.

    Parameters
    ----------
    vectors : [rows, dim], NaN rows: unplaced.
    anchors : [n, dim] in the same space, and ``places``, [n, 2], theirs on the map; NaN rows of either do not count.
    neighbours : how many are averaged.

    Returns
    -------
    float64 [rows, 2], NaN for unplaced rows, and everywhere without anchors. A vector that is an anchor gets its place.
    """
    found = np.full((len(vectors), 2), np.nan)
    known = np.isfinite(anchors).all(axis=1) & np.isfinite(places).all(axis=1)
    rows = np.isfinite(vectors).all(axis=1)
    if not known.any() or not rows.any():
        return found
    search = NearestNeighbors(n_neighbors=min(neighbours, int(known.sum()))).fit(anchors[known])
    distance, near = search.kneighbors(vectors[rows])
    same = distance <= 1e-9 * np.maximum(distance.max(axis=1, keepdims=True), 1e-300)
    weight = np.where(same.any(axis=1, keepdims=True), same, 1 / np.where(same, 1, distance))
    weight /= weight.sum(axis=1, keepdims=True)
    found[rows] = np.einsum("rn,rnp->rp", weight, places[known].astype(np.float64)[near])
    return found
