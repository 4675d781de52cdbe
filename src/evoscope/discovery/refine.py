"""From a direction to unique concepts: clusters of its most activating images (CDISCO, step 4)."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Doubles, Ints, unit_rows
from evoscope.discovery.basis import blocks, check_finite
from evoscope.discovery.protocol import RefineRule
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent
from evoscope.seeds import generator
from evoscope.stats import Interval, bootstrap_interval

SAMPLE = 1000
"""Images between which the median distance of a layer is taken."""
TOGETHER = 64
"""Directions along which all images are scored at a time."""
RELEASED_SEED = 0
"""Of k-means, in the released code."""
_LEAST = 1e-12


@dataclass(frozen=True)
class UniqueConcepts:
    """Concept vectors of a layer.

    ``layer``, ``method``: of the basis; ``directions``, ``sides``: int64 [asked], which directions were refined
    and on which side (+1 or -1); ``formed``, ``surviving``: int64 [asked], clusters before and after pruning;
    ``scale``: the distance that thresholds are shares of; ``vectors``: float64 [concepts, d], unit;
    ``source``: int64 [concepts], position in ``directions``; ``sizes``: int64 [concepts], images;
    ``images``: int64 [concepts, most], positions of its images, the most activating first, -1 beyond.
    """

    layer: str
    method: str
    directions: Ints
    sides: Ints
    formed: Ints
    surviving: Ints
    scale: float
    vectors: Doubles
    source: Ints
    sizes: Ints
    images: Ints


def refine(
    features: Array,
    basis_directions: Doubles,
    rule: RefineRule,
    *,
    which: Sequence[int] | Ints | None = None,
    sides: Sequence[int] | Ints | None = None,
    layer: str = "",
    method: str = "",
    seed: int = RELEASED_SEED,
    progress: Progress = silent,
) -> UniqueConcepts:
    """Split directions into unique concepts.

    Parameters
    ----------
    features : [images, d], phi.
    basis_directions : float64 [r, d].
    rule : thresholds.
    which : directions to refine, all unless given; ``sides``: +1 or -1 for each, +1 unless given.
    layer, method : for the record.
    seed : of k-means, and of the images behind the median distance.
    progress : counts directions.

    Raises
    ------
    EvoscopeError : features are NaN or infinite, or there are none.
    """
    from threadpoolctl import threadpool_limits

    check_finite(features, layer)
    asked = np.arange(len(basis_directions)) if which is None else np.asarray(which, dtype=np.int64)
    turned = np.ones(len(asked), np.int64) if sides is None else np.asarray(sides, dtype=np.int64)
    scale = 1.0 if rule.scale == "absolute" else typical_distance(features, seed)
    formed, found = [], []
    tops = top_images(features, turned[:, None] * basis_directions[asked], rule.images)
    # A hundred points are too few to share out: a second thread only waits for the first.
    with threadpool_limits(limits=1):
        for top in progress(tops, total=len(asked), what="unique concepts", unit="direction"):
            number, clusters = cluster(features[top], rule, scale, seed)
            formed.append(number)
            found.append([top[members] for members in clusters])
    surviving = np.array([len(each) for each in found], dtype=np.int64)
    vectors, sizes, images = _table([members for each in found for members in each], features)
    return UniqueConcepts(
        layer=layer,
        method=method,
        directions=asked,
        sides=turned,
        formed=np.array(formed, dtype=np.int64),
        surviving=surviving,
        scale=scale,
        vectors=vectors,
        source=np.repeat(np.arange(len(asked)), surviving),
        sizes=sizes,
        images=images,
    )


def most_activating(scores: Array, count: int) -> Ints:
    """Positions of the ``count`` largest scores [n], largest first, of equals the first; sorts only those."""
    count = min(count, len(scores))
    bar = np.partition(scores, len(scores) - count)[len(scores) - count]
    above = np.flatnonzero(scores >= bar)
    return above[np.argsort(-scores[above], kind="stable")[:count]]


def top_images(features: Array, directions: Doubles, count: int) -> Iterator[Ints]:
    """Most activating images of each row of directions [r, d], a few rows at a time in the features' precision."""
    for rows in blocks(len(directions), TOGETHER):
        scores = features @ directions[rows].T.astype(features.dtype)
        yield from (most_activating(column, count) for column in np.ascontiguousarray(scores.T))


def typical_distance(features: Array, seed: int) -> float:
    """Median distance between two images of a layer, over at most `SAMPLE` images drawn from ``features``."""
    from scipy.spatial.distance import pdist

    if len(features) < 2:
        raise EvoscopeError("one image has no distances", "give at least two images")
    drawn = generator(seed, "typical distance").permutation(len(features))[:SAMPLE]
    return float(np.median(pdist(np.asarray(features[drawn], dtype=np.float64))))


def cluster(
    points: Array, rule: RefineRule, scale: float = 1.0, seed: int = RELEASED_SEED
) -> tuple[int, tuple[Ints, ...]]:
    """Ward's clustering up to a distance gives the number, k-means the clusters, and both are then pruned.

    Parameters
    ----------
    points : [n, d].
    rule : thresholds, in units of ``scale``.
    seed : of k-means.

    Returns
    -------
    How many there are before pruning, and the positions of the points of each that survives.
    """
    places = _compact(points)
    number = _number(_heights(places), rule.ward * scale)
    return number, _kept(*_k_means(places, number, rule, seed), rule, rule.prune * scale**2)


@dataclass(frozen=True)
class ClusterMap:
    """Clusters of directions over both thresholds: int64 [directions, wards, prunes] each.

    ``surviving``: clusters; ``images``: that are in one of them.
    """

    surviving: Ints
    images: Ints


def cluster_map(
    features: Array,
    directions: Doubles,
    rule: RefineRule,
    wards: Sequence[float],
    prunes: Sequence[float],
    *,
    layer: str = "",
    seed: int = RELEASED_SEED,
    progress: Progress = silent,
) -> ClusterMap:
    """Count the unique concepts of directions [r, d] for many thresholds, on their positive side, as `refine` does.

    Parameters
    ----------
    rule : all but its thresholds; ``wards``, ``prunes``: the thresholds, in its units.
    layer, seed, progress : as for `refine`.
    """
    from threadpoolctl import threadpool_limits

    check_finite(features, layer)
    scale = 1.0 if rule.scale == "absolute" else typical_distance(features, seed)
    shape = (len(directions), len(wards), len(prunes))
    surviving, images = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    tops = top_images(features, directions, rule.images)
    with threadpool_limits(limits=1):
        for row, top in enumerate(
            progress(tops, total=len(directions), what="clusters over thresholds", unit="direction")
        ):
            places = _compact(features[top])
            heights, labelled = _heights(places), dict[int, tuple[Ints, Doubles]]()
            for column, ward in enumerate(wards):
                number = _number(heights, ward * scale)
                if number not in labelled:
                    labelled[number] = _k_means(places, number, rule, seed)
                for place, prune in enumerate(prunes):
                    kept = _kept(*labelled[number], rule, prune * scale**2)
                    surviving[row, column, place] = len(kept)
                    images[row, column, place] = sum(map(len, kept))
    return ClusterMap(surviving, images)


def _k_means(places: Doubles, number: int, rule: RefineRule, seed: int) -> tuple[Ints, Doubles]:
    """Cluster of each point, int64 [n], and its squared distance to the centre, float64 [n]."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    means = KMeans(number, n_init=rule.starts, max_iter=rule.iterations, random_state=seed)
    # Fewer distinct points than clusters: the surplus clusters are empty, and pruned.
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        labels = means.fit_predict(places)
    squared: Doubles = ((places - means.cluster_centers_[labels]) ** 2).sum(axis=1)
    return labels.astype(np.int64), squared


def _kept(labels: Ints, squared: Doubles, rule: RefineRule, prune: float) -> tuple[Ints, ...]:
    """Positions of the points of each cluster near its centre, of the clusters that are large enough."""
    near = squared < max(prune, _LEAST)
    kept = [np.flatnonzero(near & (labels == label)) for label in range(int(labels.max()) + 1)]
    return tuple(members for members in kept if len(members) >= rule.least)


def _heights(places: Doubles) -> Doubles:
    """Distances at which Ward's clustering merges, float64 [n - 1]."""
    from sklearn.cluster import AgglomerativeClustering

    if len(places) < 2:
        return np.empty(0)
    ward = AgglomerativeClustering(n_clusters=None, distance_threshold=0.0, linkage="ward")
    return np.asarray(ward.fit(places).distances_, dtype=np.float64)


def _number(heights: Doubles, threshold: float) -> int:
    """Clusters that are left where merges at the threshold and above are undone."""
    return int((heights >= max(threshold, _LEAST)).sum()) + 1


def _compact(points: Array) -> Doubles:
    """Points [n, d] as [n, min(n, d)] with the same distances, which makes clustering cheap for large d."""
    exact: Doubles = points - points.mean(axis=0, dtype=np.float64)
    if exact.shape[1] <= len(exact):
        return exact
    left, lengths, _ = np.linalg.svd(exact, full_matrices=False)
    return np.asarray(left * lengths, dtype=np.float64)


def _table(clusters: list[Ints], features: Array) -> tuple[Doubles, Ints, Ints]:
    """Vectors, sizes and padded images of the clusters; the vector is the normalised mean of the members."""
    sizes = np.array([len(members) for members in clusters], dtype=np.int64)
    images = np.full((len(clusters), int(sizes.max(initial=0))), -1, dtype=np.int64)
    means = np.zeros((len(clusters), features.shape[1]))
    for row, members in enumerate(clusters):
        images[row, : len(members)] = members
        means[row] = features[members].mean(axis=0, dtype=np.float64)
    return unit_rows(means), sizes, images


PUBLISHED_WIDTH = 2048
PUBLISHED_EDGES = (0, 50, 100, 200, 300, 400, 500, 750, 1000, 1250, 1500, 1750, 2048)
"""Bands of singular-value indices of the published table."""


def concept_counts(surviving: Ints) -> pd.DataFrame:
    """Count directions by the unique concepts they hold.

    Parameters
    ----------
    surviving : int64 [r], clusters of each direction.

    Returns
    -------
    One row per number from 0 to the largest: ``concepts``, ``directions``, ``share``.
    """
    counts = np.bincount(surviving)
    numbers = np.arange(len(counts))
    return pd.DataFrame({"concepts": numbers, "directions": counts, "share": counts / len(surviving)})


def counted(surviving: Ints, *, empty_is_one: bool) -> Ints:
    """Concepts per direction as a protocol counts them: the released code calls none one."""
    return np.maximum(surviving, 1) if empty_is_one else surviving


def mean_concepts(surviving: Ints, seed: int) -> dict[str, Interval]:
    """Give the mean number of concepts per direction, by what is done with those that hold none.

    Returns
    -------
    ``released`` (none counts as one), ``none`` (as none), ``holding`` (only directions that hold some: absent
    where there are none), and ``empty`` (share that holds none), with bootstrap intervals over directions.
    """
    holding = surviving[surviving > 0]
    found = {
        "released": bootstrap_interval(counted(surviving, empty_is_one=True), seed),
        "none": bootstrap_interval(surviving, seed),
        "empty": bootstrap_interval(surviving == 0, seed),
    }
    return {**found, "holding": bootstrap_interval(holding, seed)} if len(holding) else found


def bands(width: int) -> tuple[int, ...]:
    """Edges of the published bands, shrunk to a layer of ``width`` directions, those that fall together once."""
    edges = (round(edge * width / PUBLISHED_WIDTH) for edge in PUBLISHED_EDGES)
    return tuple(dict.fromkeys(edges))


def by_band(surviving: Ints) -> pd.DataFrame:
    """Concepts by band of singular values, see `bands`.

    Parameters
    ----------
    surviving : int64 [r], in the order of falling singular values.

    Returns
    -------
    One row per band: ``first_index``, ``last_index``, ``directions``, ``mean_clusters``,
    ``directions_with_zero``.
    """
    rows = []
    for start, stop in pairwise(bands(len(surviving))):
        part = surviving[start:stop]
        rows.append((start, stop - 1, len(part), float(part.mean()), int((part == 0).sum())))
    columns = ["first_index", "last_index", "directions", "mean_clusters", "directions_with_zero"]
    return pd.DataFrame(rows, columns=columns)
