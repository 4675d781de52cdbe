"""The k images that excite each neuron most, kept while images stream by (ConceptEvo, step 1.1).

An entry is one int64 key: the activation in the high half, in an order-preserving integer form, and the
image's position in the low half, reversed. Keys are unique and compare as the definition asks (larger
activation first, the earlier image first among equals), so any way of batching, sharding or ordering the
images keeps the same entries.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

EMPTY = -(2**63)
"""Key of a place that no image has taken; below the key of every image, even of one at minus infinity."""
MAX_IMAGES = 2**31 - 1
_LOW_HALF = 2**32 - 1
_MAGNITUDE = 2**31 - 1


def rankable(values: Tensor) -> Tensor:
    """Return activations as they are ranked: NaN counts as minus infinity, minus zero as zero."""
    return torch.nan_to_num(values, nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf) + 0.0


def encode(values: Tensor, positions: Tensor) -> Tensor:
    """Make keys of float32 activations at the images ``positions`` (int64, broadcast against ``values``)."""
    bits = rankable(values).view(torch.int32)
    ordered = bits ^ ((bits >> 31) & _MAGNITUDE)
    return (ordered.to(torch.int64) << 32) | (MAX_IMAGES - positions)


def decode_values(keys: Tensor) -> Tensor:
    """Read the activations of ``keys``, float32; minus infinity for `EMPTY`."""
    ordered = (keys >> 32).to(torch.int32)
    values = (ordered ^ ((ordered >> 31) & _MAGNITUDE)).view(torch.float32)
    return values.masked_fill(keys == EMPTY, -torch.inf)


def decode_positions(keys: Tensor) -> Tensor:
    """Read the image positions of ``keys``, int64; -1 for `EMPTY`."""
    return (MAX_IMAGES - (keys & _LOW_HALF)).masked_fill(keys == EMPTY, -1)


@dataclass(frozen=True)
class TopK:
    """The best entries of each neuron so far, in no particular order.

    ``keys``: int64 [k, neurons], see `encode`; ``cells``: int32 [k, neurons], the arg-max of the neuron's map
    on that image, counted row by row, -1 where there is no entry.
    """

    keys: Tensor
    cells: Tensor

    @classmethod
    def empty(cls, k: int, neurons: int, device: torch.device) -> "TopK":
        """Start with no entries."""
        keys = torch.full((k, neurons), EMPTY, dtype=torch.int64, device=device)
        return cls(keys, torch.full((k, neurons), -1, dtype=torch.int32, device=device))

    def update(self, maxima: Tensor, cells: Tensor, first: int) -> "TopK":
        """Join these entries and those of a batch, and keep the best k.

        Parameters
        ----------
        maxima : float32 [b, neurons], spatial maxima of the images ``first``, ``first + 1``, ...
        cells : int32 [b, neurons], their arg-max cells; read only where ``maxima`` exceeds `bar`.
        first : position of the batch's first image in the pool.
        """
        positions = torch.arange(first, first + len(maxima), device=maxima.device)
        return self.merge(TopK(encode(maxima, positions[:, None]), cells))

    def merge(self, other: "TopK") -> "TopK":
        """Keep the best k entries of both; associative and commutative up to the order of entries."""
        keys = torch.cat([self.keys, other.keys])
        best = keys.topk(len(self.keys), dim=0, sorted=False)
        return TopK(best.values, torch.cat([self.cells, other.cells]).gather(0, best.indices))

    def bar(self) -> Tensor:
        """Tell the activation that a later image must exceed to enter, float32 [neurons]."""
        return decode_values(self.keys.amin(0))

    def ranked(self) -> "TopK":
        """Sort the entries, most exciting first."""
        best = self.keys.sort(dim=0, descending=True)
        return TopK(best.values, self.cells.gather(0, best.indices))
