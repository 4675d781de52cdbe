"""The semantic space: from the base model's stimuli to vectors, projections, a map (ConceptEvo, steps 1.2 to 2.1)."""

import warnings
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from evoscope.activations.stimuli import Stimuli
from evoscope.arrays import Array, Bools, Doubles, Floats, SmallInts, canonical
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent
from evoscope.space.protocol import Projection, SemanticSpace, SpaceProtocol
from evoscope.space.skipgram import Groups, NeuronVectors, coactivation, counted_stimuli, embed_neurons


def build_space(
    base: Stimuli, protocol: SpaceProtocol, seed: int, progress: Progress = silent
) -> SemanticSpace:
    """Learn vectors for the base model's neurons and for the images of the pool.

    With ``unplaced="exclude"`` a base neuron without stimuli, or one that shares no stimulus with any other
    neuron and so was never trained, gets no vector (NaN) and takes no part as a negative; otherwise it keeps
    its random start, as published.

    Parameters
    ----------
    base : stimuli of the base model over the pool.
    protocol : every choice.
    seed : same seed, same bytes.
    progress : counts epochs and sweeps.

    Raises
    ------
    EvoscopeError
        The stimuli do not fit the protocol, nothing is co-activated, or a step diverges.
    """
    from evoscope.space.image_embedding import embed_images, embed_indirectly

    images = counted_stimuli(base, protocol)
    groups = coactivation(images)
    trained = _taking_part(groups, len(images), protocol)
    neurons = _embed(groups, trained, protocol, seed, progress)
    vectors = np.full((len(images), protocol.dim), np.nan)
    vectors[trained] = neurons.vectors
    placed = embed_images(images, vectors, len(base.image_ids), protocol, seed, progress)
    indirect = embed_indirectly(
        placed.vectors, placed.covered, base.responsive, base.neurons, protocol, seed, progress
    )
    return SemanticSpace(
        image_ids=base.image_ids,
        base_vectors=vectors.astype(np.float32),
        image_vectors=indirect.vectors.astype(np.float32),
        covered=placed.covered,
        indirect=indirect.indirect,
        likelihood=neurons.likelihood,
        residual=placed.residual,
    )


def _taking_part(groups: Groups, neurons: int, protocol: SpaceProtocol) -> Bools:
    chosen = np.full(neurons, protocol.unplaced == "ordinary")
    chosen[groups.members] = True
    return chosen


def _embed(
    groups: Groups, trained: Bools, protocol: SpaceProtocol, seed: int, progress: Progress
) -> NeuronVectors:
    """Skip-gram over the neurons that take part, renumbered without gaps."""
    compact = (np.cumsum(trained) - 1).astype(np.int32)
    renumbered = Groups(groups.keys, groups.offsets, compact[groups.members])
    return embed_neurons(renumbered, int(trained.sum()), protocol, seed, progress)


def project(space: SemanticSpace, stimuli: Stimuli, protocol: SpaceProtocol) -> Projection:
    """Place neurons at the mean vector of their stimuli.

    With ``projection="all"`` the mean is over all stimuli that have a vector, whatever it is worth. With
    ``"covered_first"`` it is over the covered stimuli; where they are less than ``min_coverage`` of a
    neuron's stimuli, over the covered and the indirect ones. A neuron without any such stimulus is unplaced.

    Parameters
    ----------
    space : the semantic space.
    stimuli : of the neurons, over images that are all in the space's pool.
    protocol : uses k, ``projection``, ``min_coverage`` and ``unplaced``.

    Raises
    ------
    EvoscopeError
        A stimulus is not in the space's pool, or the stimuli hold fewer images than k.
    """
    images = _in_pool(counted_stimuli(stimuli, protocol), stimuli.image_ids, space.image_ids)
    covered = _flags(space.covered, images)
    counts = (images >= 0).sum(axis=1)
    coverage = covered.sum(axis=1) / np.maximum(counts, 1)
    used = _used(space, images, covered, coverage, protocol)
    vectors = mean_vectors(space.image_vectors, images, used)
    return Projection(vectors.astype(np.float32), coverage.astype(np.float32), np.asarray(used.any(axis=1)))


def mean_vectors(image_vectors: Array, images: SmallInts, used: Bools) -> Doubles:
    """Mean over the stimuli in use, float64 [neurons, dim], NaN where there are none.

    Parameters
    ----------
    image_vectors : [images, dim]; images : int32 [neurons, k]; used : bool [neurons, k].
    """
    sums = np.zeros((len(images), image_vectors.shape[1]))
    for column, use in zip(images.T, used.T, strict=True):
        sums[use] += image_vectors[column[use]]
    counts = used.sum(axis=1, keepdims=True)
    means: Doubles = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means


def _used(
    space: SemanticSpace, images: SmallInts, covered: Bools, coverage: Doubles, protocol: SpaceProtocol
) -> Bools:
    if protocol.projection == "all":
        return _flags(np.asarray(np.isfinite(space.image_vectors).all(axis=1)), images)
    poorly: Bools = coverage < protocol.min_coverage
    return np.asarray(covered | (_flags(space.indirect, images) & poorly[:, None]))


def _flags(flags: Bools, images: SmallInts) -> Bools:
    return np.asarray(flags[images] & (images >= 0))


def _in_pool(images: SmallInts, ids: tuple[str, ...], pool: tuple[str, ...]) -> SmallInts:
    """Positions in the space's pool of positions in the stimuli's own pool (-1 stays)."""
    if ids == pool:
        return images
    position = {name: i for i, name in enumerate(pool)}
    table = np.array([*(position.get(name, -2) for name in ids), -1], dtype=np.int32)
    placed = table[images]
    if (placed == -2).any():
        missing = sorted({ids[i] for i in images[placed == -2]})
        raise EvoscopeError(
            f"{len(missing)} stimuli are not in the image pool of the space, the first is {missing[0]!r}",
            "run the activation passes of the base model and of the projected models over the same pool",
        )
    return placed


# UMAP needs a neighbourhood (15 by default) to be a small part of the points.
_FEWEST_FOR_UMAP = 45


class _Map(Protocol):
    """Fitted on points [n, dim], gives them [n, 2]."""

    def transform(self, points: Floats) -> Floats: ...


def embed_2d(
    base_vectors: Floats,
    others: Sequence[Floats] = (),
    method: Literal["umap", "pca"] = "umap",
    seed: int = 0,
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
    EvoscopeError
        Fewer than three base neurons are placed.
    """
    placed = _placed(base_vectors)
    if placed.sum() < 3:
        raise EvoscopeError(
            f"only {placed.sum()} base neurons are placed, too few for a map",
            "check the health of the base model",
        )
    points = np.ascontiguousarray(base_vectors[placed], dtype=np.float32)
    use_umap = method == "umap" and len(points) >= _FEWEST_FOR_UMAP
    fitted, drawn = _fit_umap(points, seed) if use_umap else _fit_pca(points)
    base = _spread(drawn, placed)
    return [base, *_transformed(fitted, others)]


def _transformed(fitted: _Map, others: Sequence[Floats]) -> list[Floats]:
    if not others:
        return []
    everything = np.concatenate([np.asarray(array, dtype=np.float32) for array in others])
    placed = _placed(everything)
    drawn = fitted.transform(everything[placed]) if placed.any() else np.empty((0, 2), dtype=np.float32)
    return np.split(_spread(drawn, placed), np.cumsum([len(array) for array in others])[:-1])


def _placed(vectors: Floats) -> Bools:
    return np.asarray(np.isfinite(vectors).all(axis=1))


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.drawn: Floats = self._model.fit_transform(points)
        # Fitted on fewer than 4,096 points, `transform` would call a function for each of its distances to them,
        # 60 million for 40,000 points; precomputed distances to the nearest are all that it uses.
        self._model.set_params(metric="precomputed")

    def transform(self, points: Floats) -> Floats:
        """Coordinates [n, 2] of points [n, dim]."""
        near = self._nearest.kneighbors_graph(points, self._model.n_neighbors, mode="distance")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the distances are precomputed
            plane: Floats = self._model.transform(near)
        return plane


def _fit_umap(points: Floats, seed: int) -> tuple[_Map, Floats]:
    model = _Umap(points, seed)
    return model, model.drawn


class _Principal:
    """Principal components, each turned so that its largest loading is positive."""

    def __init__(self, points: Floats) -> None:
        exact = points.astype(np.float64)
        self._centre = exact.mean(axis=0)
        _, _, directions = np.linalg.svd(exact - self._centre, full_matrices=False)
        self._axes = canonical(directions[:2])

    def transform(self, points: Floats) -> Floats:
        """Coordinates [n, 2] of points [n, dim]."""
        plane = (points - self._centre) @ self._axes.T
        return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1]))).astype(np.float32)


def _fit_pca(points: Floats) -> tuple[_Map, Floats]:
    model = _Principal(points)
    return model, model.transform(points)
