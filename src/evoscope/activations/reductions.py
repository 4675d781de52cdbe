"""Reductions of maps while images stream by: each neuron's k best images, moments and responsive neurons.

An entry of the top k (ConceptEvo, step 1.1) is one int64 key: the activation in the high half, in an order-preserving
integer form, and the image's position in the low half, reversed. Keys are unique and compare as the definition asks
(larger activation first, the earlier image first among equals), so any way of batching or ordering the images keeps
the same entries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from evoscope.activations.stimuli import Status
from evoscope.arrays import Bytes, Floats, SmallInts
from evoscope.models.network import doubled

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


@dataclass(frozen=True)
class Reading:
    """One layer on one batch.

    ``maxima``: float32 [b, channels]; ``cells``: int64 [b, channels], where each map has its maximum, counted row by
    row; right only for maxima that `may_enter` the top k, and never for a map with NaN; ``grid``: height and width of
    the map.
    """

    maxima: Tensor
    cells: Tensor
    grid: tuple[int, int]


def may_enter(maxima: Tensor, bar: Tensor | None, k: int) -> Tensor:
    """Tell which maxima, [b, neurons], may be among the k best of all: those above the bar, [neurons].

    As long as there is no bar, those that are among the k best of their own batch.
    """
    if bar is not None:
        return maxima > bar
    ranked = rankable(maxima)
    return ranked >= ranked.topk(min(k, len(ranked)), dim=0).values[-1]


class MapReader:
    """Reduces maps inside hooks, so that no map outlives its layer's forward.

    Parameters
    ----------
    k : stimuli per neuron.
    """

    def __init__(self, k: int) -> None:
        self._k = k
        self._bars: Mapping[str, Tensor] = {}

    def raise_bars(self, bars: Mapping[str, Tensor]) -> None:
        """From now on find the cells of maxima above each neuron's bar only (layer -> float32 [channels])."""
        self._bars = bars

    def __call__(self, layer: str, maps: Tensor) -> Reading:
        """Read ``maps`` of ``layer``, [b, channels, h, w]."""
        if maps.device.type != "cpu":
            # Looking for some cells only would let the host wait for every layer.
            maxima, cells = maps.flatten(2).max(2)
        elif maps.is_contiguous():
            maxima, cells = self._reduced(layer, maps)
        else:
            # ``amax`` of channels-last maps is slow, while pooling them is quick and finds the cells as well.
            maxima, cells = (each.flatten(1) for each in max_pool2d(maps, maps.shape[2:], return_indices=True))
        return Reading(maxima.float(), cells, (maps.shape[2], maps.shape[3]))

    def _reduced(self, layer: str, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Reduce to maxima, and look for cells, which takes many times longer, only where they may be needed."""
        maxima = maps.amax((2, 3)).float()
        image, channel = may_enter(maxima, self._bars.get(layer), self._k).nonzero(as_tuple=True)
        cells = torch.zeros(maxima.shape, dtype=torch.int64, device=maps.device)
        cells[image, channel] = maps[image, channel].flatten(1).argmax(1)
        return maxima, cells


@dataclass(frozen=True)
class Statistics:
    """Moments of the maxima of ``count`` images.

    ``mean``, ``squares``: float64 [neurons], mean and sum of squared differences from it; ``low``, ``high``:
    float32 [neurons], smallest and largest maximum (NaN if any is NaN).
    """

    count: int
    mean: Tensor
    squares: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, maxima: Tensor) -> "Statistics":
        """Measure one batch of maxima, float32 [b, neurons] with b >= 1."""
        values = doubled(maxima)
        mean = values.mean(0)
        squares = (values - mean).square_().sum(0)
        # Two plain reductions are ten times faster here than ``aminmax`` or ``var_mean``.
        return cls(len(maxima), mean, squares, maxima.amin(0), maxima.amax(0))

    def merge(self, other: "Statistics") -> "Statistics":
        """Return the statistics of the union (Chan, Golub and LeVeque 1979, pairwise update)."""
        count = self.count + other.count
        gap = other.mean - self.mean
        return Statistics(
            count,
            self.mean + gap * (other.count / count),
            self.squares + other.squares + gap**2 * (self.count * other.count / count),
            torch.minimum(self.low, other.low),
            torch.maximum(self.high, other.high),
        )

    def status(self) -> Bytes:
        """Judge the `Status` of each neuron, uint8 [neurons]."""
        low, high = self.low.cpu().numpy(), self.high.cpu().numpy()
        status = np.full(len(low), Status.OK, dtype=np.uint8)
        status[low == high] = Status.CONSTANT
        status[(low == 0) & (high == 0)] = Status.DEAD
        status[~(np.isfinite(low) & np.isfinite(high))] = Status.NON_FINITE
        return status

    def moments(self) -> tuple[Floats, Floats]:
        """Return mean and population standard deviation, float32 [neurons]; NaN for non-finite neurons."""
        broken = self.status() == Status.NON_FINITE
        mean = np.where(broken, np.nan, self.mean.cpu().numpy())
        deviation = np.where(broken, np.nan, (self.squares / self.count).sqrt().cpu().numpy())
        return mean.astype(np.float32), deviation.astype(np.float32)


ResponsiveRule = Literal["raw", "standardised"]
ROWS = 4096
"""Images standardised at a time: bounds the float64 copy of the maxima."""


def strongest(responses: Tensor, r: int) -> Tensor:
    """List the r neurons with the largest response to each image, strongest first.

    Parameters
    ----------
    responses : float32 [b, neurons]; NaN and minus infinity mean that a neuron cannot respond.
    r : neurons per image.

    Returns
    -------
    int32 [b, r]; the earlier neuron wins a tie; -1 where fewer than r neurons can respond.
    """
    able = min(r, responses.shape[1])
    ranked = rankable(responses)
    # A float top-k is quick but leaves ties to chance, the one with the first that is left out as well.
    best = ranked.topk(min(able + 1, responses.shape[1]), dim=1)
    listed = best.indices[:, :able].masked_fill(best.values[:, :able] == -torch.inf, -1)
    tied = ((best.values[:, 1:] == best.values[:, :-1]) & (best.values[:, 1:] > -torch.inf)).any(1)
    rows = tied.nonzero()[:, 0]
    if len(rows):
        listed[rows] = _strongest_of_equals(ranked[rows], able)
    return torch.nn.functional.pad(listed, (0, r - able), value=-1).to(torch.int32)


def _strongest_of_equals(ranked: Tensor, able: int) -> Tensor:
    """As `strongest`, from keys that say which of equals comes first; int64 [b, able]."""
    keys = encode(ranked, torch.arange(ranked.shape[1], device=ranked.device))
    best = keys.topk(able, dim=1).values
    return decode_positions(best).masked_fill(decode_values(best) == -torch.inf, -1)


def strongest_standardised(maxima: Floats, mean: Floats, deviation: Floats, status: Bytes, r: int) -> SmallInts:
    """Rank as `strongest` does, by how many deviations a neuron's maximum lies above its mean over the pool.

    Raw maxima compare layers of different scale, so that one layer may fill every list (protocol, defect 7).

    Parameters
    ----------
    maxima : float32 [images, neurons].
    mean, deviation : float32 [neurons], of the columns of ``maxima``.
    status : uint8 [neurons]; only `Status.OK` neurons can respond.
    r : neurons per image.
    """
    able = status == Status.OK
    shift = np.where(able, mean, 0).astype(np.float64)
    scale = np.where(able & (deviation > 0), deviation, 1).astype(np.float64)
    listed = np.empty((len(maxima), r), dtype=np.int32)
    for start in range(0, len(maxima), ROWS):
        scores = np.where(able, (maxima[start : start + ROWS] - shift) / scale, -np.inf)
        listed[start : start + ROWS] = strongest(torch.from_numpy(scores.astype(np.float32)), r).numpy()
    return listed
