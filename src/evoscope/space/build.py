"""From the base model's stimuli to a semantic space (ConceptEvo, steps 1.2 to 2.1)."""

import numpy as np

from evoscope.activations.stimuli import Stimuli
from evoscope.arrays import Bools
from evoscope.progress import Progress, silent
from evoscope.space.coactivation import Groups, coactivation, counted_stimuli
from evoscope.space.image_embedding import embed_images
from evoscope.space.indirect import embed_indirectly
from evoscope.space.protocol import SpaceProtocol
from evoscope.space.semantic import SemanticSpace
from evoscope.space.skipgram import NeuronVectors, embed_neurons


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
