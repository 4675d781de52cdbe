"""Directions of a layer as virtual neurons: their stimuli, and their places in the semantic space."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from evoscope.activations.stimuli import NeuronIndex, Status, Stimuli
from evoscope.arrays import Array, Doubles, Ints, SmallInts, unit_rows
from evoscope.discovery.refine import most_activating
from evoscope.seeds import generator
from evoscope.space.build import project
from evoscope.space.metrics import placed_rows
from evoscope.space.protocol import SemanticSpace, SpaceProtocol
from evoscope.stats import assignment

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
    unknown = np.full(rows, np.nan, np.float32)
    none = (images < 0).all(axis=1)
    return Stimuli(
        image_ids=image_ids,
        neurons=NeuronIndex.of({"": (rows, 1, 1)}),
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
            best = most_activating(scores[row], k)
            found[row, : len(best)] = best
    return found


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
    from sklearn.neighbors import NearestNeighbors

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


def match(rows: Doubles, others: Doubles) -> tuple[Ints, Doubles]:
    """Pair rows [r, dim] with others [o, dim] so that the sum of cosines is largest (Hungarian method).

    Returns the partner of each row, int64 [rows], and their cosine, float64 [rows]; -1 and NaN for none. Unplaced
    vectors (NaN) have no partner, and where one side has more vectors some of it have none.
    """
    partner = np.full(len(rows), -1, dtype=np.int64)
    similarity = np.full(len(rows), np.nan)
    left, right = np.flatnonzero(placed_rows(rows)), np.flatnonzero(placed_rows(others))
    if len(left) and len(right):
        found, cosines = assignment(unit_rows(rows[left]) @ unit_rows(others[right]).T)
        partner[left] = np.where(found >= 0, right[found], -1)
        similarity[left] = np.clip(cosines, -1, 1)
    return partner, similarity


def shared(images: SmallInts, others: SmallInts) -> Doubles:
    """Share of the images [rows, k] that are also in the same row of ``others``, float64 [rows]; NaN for none."""
    counts = (images >= 0).sum(axis=1)
    same = (images[:, :, None] == others[:, None, :]) & (images >= 0)[:, :, None]
    hits = same.any(axis=2).sum(axis=1)
    share: Doubles = np.divide(hits, counts, out=np.full(len(images), np.nan), where=counts > 0)
    return share


TOGETHER = 20
"""Draws that are placed in one call."""


def random_directions(targets: Doubles, features: Array, like: Virtual, place: Place, seed: int, draws: int) -> Doubles:
    """Similarities to random directions: orthonormal ones, as many as there are candidates, treated the same way.

    Parameters
    ----------
    targets : float64 [rows, dim], places that partners are sought for.
    features : [images, d], of the epoch in question.
    like : the epoch's candidates; directions drawn have their sides.
    place : of stimuli.
    seed, draws : of the stream, and how often.

    Returns
    -------
    float64 [draws, rows], NaN for rows without a partner.
    """
    stream = generator(seed, "random directions")
    _, own = np.unique(like.direction, return_inverse=True)
    frames = (random_frame(stream, int(own.max()) + 1, features.shape[1]) for _ in range(draws))
    turned = (like.side[:, None] * frame[own] for frame in frames)
    return _matched(targets, [top_images(features, each, like.images.shape[1]) for each in turned], place)


def permuted_stimuli(targets: Doubles, like: Virtual, images: int, place: Place, seed: int, draws: int) -> Doubles:
    """Similarities to the candidates themselves with the images permuted: float64 [draws, rows], as above.

    The images' vectors are handed round, so that candidates keep how many stimuli they share but none of what these
    show. ``images``: how many there are.
    """
    stream = generator(seed, "permuted stimuli")
    orders = (np.append(stream.permutation(images), -1) for _ in range(draws))
    return _matched(targets, [order[like.images].astype(np.int32) for order in orders], place)


def random_frame(stream: np.random.Generator, count: int, width: int) -> Doubles:
    """``count`` orthonormal rows [count, width], uniform among all such."""
    q, r = np.linalg.qr(stream.standard_normal((width, count)))
    return np.asarray((q * np.sign(np.diag(r))).T, dtype=np.float64)


def level(draws: Doubles, share: float) -> Doubles:
    """Quantile of each row's draws [draws, rows] that are known, float64 [rows]; NaN where none is."""
    known = np.isfinite(draws).any(axis=0)
    found = np.full(draws.shape[1], np.nan)
    if known.any():
        found[known] = np.nanquantile(draws[:, known], share, axis=0)
    return found


def _matched(targets: Doubles, stimuli: list[Array], place: Place) -> Doubles:
    rows = []
    for start in range(0, len(stimuli), TOGETHER):
        some = stimuli[start : start + TOGETHER]
        places = place(np.concatenate(some)).reshape(len(some), len(some[0]), -1)
        rows += [match(targets, each)[1] for each in places]
    return np.stack(rows)


SPARE = 30
"""Images ranked beyond three times k: a resample of so many holds k of them but for one in millions of cases."""


def reach(features: Array, found: Virtual, place: Place, seed: int, draws: int, share: float = 0.95) -> Doubles:
    """Radius around each place that holds ``share`` of the places that resampled images give.

    The images are drawn anew with replacement, an image drawn twice counting twice, and each direction is placed at its
    k best among them (bootstrap). The direction itself stays: only the choice of images varies.

    Parameters
    ----------
    features : [images, d], of the epoch of ``found``.
    found : the directions and their places.
    place : of stimuli.
    seed, draws, share : of the bootstrap.

    Returns
    -------
    float64 [c], NaN for unplaced directions.
    """
    stream = generator(seed, "resampled images")
    k, images = found.images.shape[1], len(features)
    order = top_images(features, found.vectors, min(images, 3 * k + SPARE))
    distances = []
    for _ in range(draws):
        counts = np.bincount(stream.integers(images, size=images), minlength=images)
        distances.append(np.linalg.norm(place(resampled(order, counts, k)) - found.places, axis=1))
    radius = np.full(len(found), np.nan)
    known = np.isfinite(distances).all(axis=0)
    radius[known] = np.quantile(np.stack(distances)[:, known], share, axis=0)
    return radius


def resampled(order: SmallInts, counts: Array, k: int) -> SmallInts:
    """The first k of ranked images when each is there so often.

    Parameters
    ----------
    order : int32 [rows, m], images, the best first (-1: none).
    counts : integers [images].
    k : how many.

    Returns
    -------
    int32 [rows, k], -1 where the images do not suffice.
    """
    often = np.where(order >= 0, counts[order], 0)
    before = np.cumsum(often, axis=1) - often
    taken = np.clip(k - before, 0, often)
    found = np.full((len(order), k), -1, dtype=np.int32)
    for row, (images, times) in enumerate(zip(order, taken, strict=True)):
        chosen = np.repeat(images, times)
        found[row, : len(chosen)] = chosen
    return found
