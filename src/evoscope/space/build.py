"""The semantic space: from the base model's stimuli to vectors, projections, a map (ConceptEvo, steps 1.2 to 2.1)."""

import numpy as np

from evoscope.activations.stimuli import Stimuli
from evoscope.arrays import Bools, SmallInts
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent
from evoscope.space.protocol import Projection, SemanticSpace, SpaceProtocol
from evoscope.space.skipgram import Groups, coactivation, counted_stimuli, embed_neurons


def build_space(base: Stimuli, protocol: SpaceProtocol, seed: int, progress: Progress = silent) -> SemanticSpace:
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
    EvoscopeError : the stimuli do not fit the protocol, nothing is co-activated, or a step diverges.
    """
    from evoscope.space.image_embedding import embed_images, embed_indirectly

    images = counted_stimuli(base, protocol)
    groups = coactivation(images)
    trained = np.full(len(images), protocol.unplaced == "ordinary")
    trained[groups.members] = True
    # Those that take part, renumbered without gaps.
    compact = (np.cumsum(trained) - 1).astype(np.int32)
    renumbered = Groups(groups.keys, groups.offsets, compact[groups.members])
    neurons = embed_neurons(renumbered, int(trained.sum()), protocol, seed, progress)
    vectors = np.full((len(images), protocol.dim), np.nan)
    vectors[trained] = neurons.vectors
    placed = embed_images(images, vectors, len(base.image_ids), protocol, seed, progress)
    every, indirect = embed_indirectly(
        placed.vectors, placed.covered, base.responsive, base.neurons, protocol, seed, progress
    )
    return SemanticSpace(
        image_ids=base.image_ids,
        base_vectors=vectors.astype(np.float32),
        image_vectors=every.astype(np.float32),
        covered=placed.covered,
        indirect=indirect,
        likelihood=neurons.likelihood,
        residual=placed.residual,
    )


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
    EvoscopeError : a stimulus is not in the space's pool, or the stimuli hold fewer images than k.
    """
    images = _in_pool(counted_stimuli(stimuli, protocol), stimuli.image_ids, space.image_ids)
    covered = _flags(space.covered, images)
    counts = (images >= 0).sum(axis=1)
    coverage = covered.sum(axis=1) / np.maximum(counts, 1)
    if protocol.projection == "all":
        used = _flags(np.asarray(np.isfinite(space.image_vectors).all(axis=1)), images)
    else:
        poorly = coverage < protocol.min_coverage
        used = np.asarray(covered | (_flags(space.indirect, images) & poorly[:, None]))
    sums = np.zeros((len(images), space.image_vectors.shape[1]))
    for column, use in zip(images.T, used.T, strict=True):
        sums[use] += space.image_vectors[column[use]]
    number = used.sum(axis=1, keepdims=True)
    vectors = np.divide(sums, number, out=np.full_like(sums, np.nan), where=number > 0)
    return Projection(vectors.astype(np.float32), coverage.astype(np.float32), np.asarray(used.any(axis=1)))


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
