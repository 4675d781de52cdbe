"""What excites each neuron: the artefact that the activation pass leaves and the semantic space reads."""

from dataclasses import dataclass
from enum import IntEnum

from evoscope.arrays import Bytes, Floats, SmallInts


class Status(IntEnum):
    """Health of a neuron over the image pool.

    ``OK``; ``DEAD``: its maximum is zero on every image (rectified neurons); ``CONSTANT``: the same other value
    on every image; ``NON_FINITE``: NaN or infinite on at least one image.
    """

    OK = 0
    DEAD = 1
    CONSTANT = 2
    NON_FINITE = 3


@dataclass(frozen=True)
class NeuronIndex:
    """Which neuron each row of an artefact is.

    ``layers``: dotted names in forward order; ``layer``: int32 [neurons], index into ``layers``;
    ``channel``: int32 [neurons]; ``grid``: int32 [layers, 2], height and width of each layer's map.
    """

    layers: tuple[str, ...]
    layer: SmallInts
    channel: SmallInts
    grid: SmallInts

    def __len__(self) -> int:
        return len(self.layer)

    def name(self, neuron: int) -> str:
        """Readable name of a neuron, ``layer#channel``."""
        return f"{self.layers[self.layer[neuron]]}#{self.channel[neuron]}"


@dataclass(frozen=True)
class Stimuli:
    """The k images that excite each neuron most (ConceptEvo, step 1.1), most exciting first.

    ``image_ids``: the pool, one id per image; ``neurons``: what each row is;
    ``images``: int32 [neurons, k], positions in ``image_ids`` (-1: none, when the pool is smaller than k);
    ``values``: float32 [neurons, k], spatial maximum of the neuron's map on that image;
    ``cells``: int32 [neurons, k, 2], row and column of the arg-max in the layer's map;
    ``status``: uint8 [neurons], see `Status`. Ties go to the image that comes first in the pool, so a dead
    neuron lists the first k images, as the released code does; whether those count is the space's decision;
    ``mean``, ``deviation``: float32 [neurons], of the maxima over the pool (population standard deviation);
    ``responsive``: int32 [images, r], the r neurons that respond most to each image (ConceptEvo, step 2.1.1),
    or [images, 0].
    """

    image_ids: tuple[str, ...]
    neurons: NeuronIndex
    images: SmallInts
    values: Floats
    cells: SmallInts
    status: Bytes
    mean: Floats
    deviation: Floats
    responsive: SmallInts

    @property
    def k(self) -> int:
        """Stimuli per neuron."""
        return int(self.images.shape[1])
