"""Vectors of images that stimulate no base neuron, by what they respond to (ConceptEvo, step 2.1.3)."""

from dataclasses import dataclass

import numpy as np

from evoscope.activations.stimuli import NeuronIndex
from evoscope.arrays import Bools, Doubles, SmallInts
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent
from evoscope.seeds import derive, generator
from evoscope.space.coactivation import Groups, group
from evoscope.space.kernels import draw_pairs, random_state, train_pairs_in_turn
from evoscope.space.protocol import SpaceProtocol


@dataclass(frozen=True)
class IndirectVectors:
    """Image vectors after the indirect embedding.

    ``vectors``: float64 [images, dim], those of covered images unchanged; ``indirect``: bool [images], moved
    at least once.
    """

    vectors: Doubles
    indirect: Bools


def embed_indirectly(
    vectors: Doubles,
    covered: Bools,
    responsive: SmallInts,
    neurons: NeuronIndex,
    protocol: SpaceProtocol,
    seed: int,
    progress: Progress = silent,
) -> IndirectVectors:
    """Place uncovered images near the images that excite the same neurons, by the skip-gram over images.

    Each epoch, every group of images is shuffled and its consecutive members paired, at most
    ``pairs_per_neuron`` pairs a group. Covered images never move. Negatives are uniform over the images that
    are covered or in a group of at least two.

    Parameters
    ----------
    vectors : float64 [images, dim]; where an uncovered image has none (NaN) it starts in U(-.5, .5), and goes
        back to NaN if it is in no pair.
    covered : bool [images].
    responsive : int32 [images, r], base neurons each image responds to (-1: none).
    neurons : names of the base neurons, used by ``indirect="characters"``.
    protocol : uses ``indirect*``, ``responsive`` and ``pairs_per_neuron``.
    seed, progress : the latter counts epochs.

    Raises
    ------
    EvoscopeError
        The stimuli come without responsive neurons, or the vectors diverge.
    """
    if protocol.indirect == "none" or covered.all():
        return IndirectVectors(vectors, np.zeros(len(vectors), dtype=bool))
    groups = _groups(responsive[:, : protocol.responsive], neurons, protocol)
    taking_part = covered.copy()
    taking_part[groups.members] = True
    started = _start(vectors, seed)
    compact = np.cumsum(taking_part).astype(np.int32) - 1
    work, fixed = started[taking_part], covered[taking_part]
    members = compact[groups.members]
    moved = np.zeros(len(vectors), dtype=bool)
    moved[taking_part] = _train(work, fixed, groups.offsets, members, protocol, seed, progress)
    started[taking_part] = work
    return IndirectVectors(np.where(moved[:, None], started, vectors), moved)


def images_by_neuron(responsive: SmallInts) -> Groups:
    """Images by the neuron they respond to, for neurons with at least two images."""
    image, column = np.nonzero(responsive >= 0)
    groups = group(responsive[image, column].astype(np.int64), image)
    return groups.take(groups.sizes >= 2)


def images_by_character(responsive: SmallInts, neurons: NeuronIndex) -> Groups:
    """Images by each character in the names of the neurons they respond to, as the released code groups them.

    The names have the released form, ``layer-channel``; an image is once in the group of a character.
    """
    spelled = [_characters(neurons, n) for n in range(len(neurons))]
    alphabet = sorted(set().union(*spelled))
    contains = np.array([[character in name for character in alphabet] for name in spelled], dtype=bool)
    present = np.zeros((len(responsive), len(alphabet)), dtype=bool)
    for column in responsive.T:
        present |= contains[column] & (column >= 0)[:, None]
    image, character = np.nonzero(present)
    groups = group(character, image)
    return groups.take(groups.sizes >= 2)


def _characters(neurons: NeuronIndex, neuron: int) -> set[str]:
    return set(f"{neurons.layers[neurons.layer[neuron]]}-{neurons.channel[neuron]}")


def _groups(responsive: SmallInts, neurons: NeuronIndex, protocol: SpaceProtocol) -> Groups:
    if responsive.shape[1] == 0:
        raise EvoscopeError(
            f"indirect={protocol.indirect!r} needs responsive neurons, and the stimuli hold none",
            f"run the base model's activation pass with responsive={protocol.responsive}",
        )
    if protocol.indirect == "characters":
        return images_by_character(responsive, neurons)
    return images_by_neuron(responsive)


def _start(vectors: Doubles, seed: int) -> Doubles:
    random = generator(seed, "indirect start").uniform(-0.5, 0.5, vectors.shape)
    return np.where(np.isfinite(vectors), vectors, random)


def _train(
    vectors: Doubles,
    fixed: Bools,
    offsets: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    members: SmallInts,
    protocol: SpaceProtocol,
    seed: int,
    progress: Progress,
) -> Bools:
    """Train in place; return which vectors moved."""
    state = random_state(derive(seed, "indirect pairs"))
    paired = np.zeros(len(vectors), dtype=bool)
    epochs = protocol.indirect_epochs
    for epoch in progress(range(epochs), total=epochs, what="indirect image embedding", unit="epoch"):
        pairs, negatives = draw_pairs(
            offsets, members, protocol.pairs_per_neuron, len(vectors), protocol.indirect_negatives, state
        )
        paired[pairs] = True
        gradient = train_pairs_in_turn(vectors, fixed, pairs, negatives, protocol.indirect_lr)
        if not np.isfinite(gradient):
            raise EvoscopeError(
                f"the indirect embedding diverged in epoch {epoch} with indirect_lr={protocol.indirect_lr}",
                "lower indirect_lr of the space protocol",
            )
        if gradient <= protocol.indirect_threshold:
            break
    return paired & ~fixed
