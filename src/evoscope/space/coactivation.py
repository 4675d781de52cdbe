"""Which neurons an image stimulates: the input of the skip-gram (ConceptEvo, step 1.2)."""

from dataclasses import dataclass

import numpy as np

from evoscope.activations.stimuli import Status, Stimuli
from evoscope.arrays import Bools, Ints, SmallInts
from evoscope.errors import EvoscopeError
from evoscope.space.protocol import SpaceProtocol


@dataclass(frozen=True)
class Groups:
    """Groups of items in compressed rows: ``members[offsets[g]:offsets[g + 1]]`` is group g.

    ``keys``: int64 [groups], what each group stands for (an image, a neuron);
    ``offsets``: int64 [groups + 1]; ``members``: int32 [memberships], ascending within a group.
    """

    keys: Ints
    offsets: Ints
    members: SmallInts

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def sizes(self) -> Ints:
        """Members per group, int64 [groups]."""
        return np.diff(self.offsets)

    def take(self, chosen: Bools) -> "Groups":
        """Keep the groups where ``chosen`` bool [groups] holds."""
        keep = np.repeat(chosen, self.sizes)
        return Groups(self.keys[chosen], _offsets(self.sizes[chosen]), self.members[keep])


def group(keys: Ints, members: Ints) -> Groups:
    """Gather distinct members by key, from two int arrays [memberships] in any order.

    Groups come in ascending order of their keys.
    """
    order = np.lexsort((members, keys))
    keys, members = keys[order], members[order]
    fresh = np.ones(len(keys), dtype=bool)
    fresh[1:] = (np.diff(keys) != 0) | (np.diff(members) != 0)
    unique, sizes = np.unique(keys[fresh], return_counts=True)
    return Groups(unique.astype(np.int64), _offsets(sizes), members[fresh].astype(np.int32))


def counted_stimuli(stimuli: Stimuli, protocol: SpaceProtocol) -> SmallInts:
    """Choose the stimuli that count under a protocol.

    Returns
    -------
    int32 [neurons, k], positions in the pool, -1 where there is none: beyond a small pool, and for every
    dead, constant or non-finite neuron when the protocol excludes those.

    Raises
    ------
    EvoscopeError
        The stimuli hold fewer images per neuron than the protocol asks for.
    """
    if stimuli.k < protocol.k:
        raise EvoscopeError(
            f"the stimuli hold {stimuli.k} images per neuron, the space protocol asks for k={protocol.k}",
            "lower the protocol's k or run the activation pass with a larger k",
        )
    images = stimuli.images[:, : protocol.k].astype(np.int32)
    if protocol.unplaced == "exclude":
        images[stimuli.status != Status.OK] = -1
    return images


def coactivation(images: SmallInts) -> Groups:
    """Neurons by the image that stimulates them, for the images that stimulate at least two.

    Parameters
    ----------
    images : int32 [neurons, k], as `counted_stimuli` returns them.

    Returns
    -------
    Groups
        Keys are images of the pool, members are neurons.
    """
    neuron, _ = np.nonzero(images >= 0)
    groups = group(images[images >= 0].astype(np.int64), neuron)
    return groups.take(groups.sizes >= 2)


def _offsets(sizes: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
