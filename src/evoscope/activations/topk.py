"""The k images that excite each neuron most, kept while images stream by (ConceptEvo, step 1.1).

An entry is one int64 key: the activation in the high half, in an order-preserving integer form, and the
image's position in the low half, reversed. Keys are unique and compare as the definition asks (larger
activation first, the earlier image first among equals), so any way of batching, sharding or ordering the
images keeps the same entries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class Entries(NamedTuple):
    """Candidates for the top k, each with its neuron, its image, its value and where in the map that is.

    ``neuron``, ``image`` (position in the pool): int64; ``value``: float32, spatial maximum; ``cell``: int32,
    its arg-max counted row by row; all [entries].
    """

    neuron: Tensor
    image: Tensor
    value: Tensor
    cell: Tensor


@dataclass(frozen=True)
class TopK:
    """The best entries of each neuron so far, most exciting first.

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

    @property
    def k(self) -> int:
        """Places per neuron."""
        return len(self.keys)

    def update(self, entries: Sequence[Entries]) -> "TopK":
        """Let candidates in where they are better than what is here."""
        if not sum(len(each.neuron) for each in entries):
            return self
        neuron, image, value, cell = (torch.cat(column) for column in zip(*entries, strict=True))
        slot, slots = places_within(neuron, self.keys.shape[1])
        table = TopK.empty(slots, self.keys.shape[1], self.keys.device)
        table.keys[slot, neuron] = encode(value, image)
        table.cells[slot, neuron] = cell
        return self.merge(table)

    def merge(self, other: "TopK") -> "TopK":
        """Keep the best k entries of both; associative and commutative."""
        best = torch.cat([self.keys, other.keys]).topk(self.k, dim=0)
        return TopK(best.values, torch.cat([self.cells, other.cells]).gather(0, best.indices))

    def bar(self) -> Tensor:
        """Tell what a later image must exceed to enter once all places are taken, float32 [neurons]."""
        return decode_values(self.keys[-1])


def places_within(groups: Tensor, count: int) -> tuple[Tensor, int]:
    """Number the members of each group from 0, and tell the size of the largest group.

    ``groups``: int64 [members], below ``count``.
    """
    sizes = torch.bincount(groups, minlength=count)
    order = groups.argsort(stable=True)
    starts = sizes.cumsum(0) - sizes
    place = torch.empty_like(groups)
    place[order] = torch.arange(len(groups), device=groups.device) - starts[groups[order]]
    return place, int(sizes.max())
