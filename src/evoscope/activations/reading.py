"""What a hook takes from a layer's map before the map is gone: maxima, their cells, means."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from evoscope.activations.topk import rankable


@dataclass(frozen=True)
class Reading:
    """One layer on one batch.

    ``maxima``: float32 [b, channels]; ``image``, ``channel``, ``cell``: int64 [entries], the maxima that may enter
    the top k (rows and columns of ``maxima``) and their arg-max cells, counted row by row;
    ``means``: float32 [b, channels] or None; ``grid``: height and width of the map.
    """

    maxima: Tensor
    image: Tensor
    channel: Tensor
    cell: Tensor
    means: Tensor | None
    grid: tuple[int, int]


class Peaks:
    """The largest value of each map of [b, c, h, w] and, for the few that are asked for, its first cell.

    Finding a cell is many times slower than finding a value, except for channels-last maps on the CPU: there
    ``amax`` is slow, and max-pooling finds both at once.
    """

    def __init__(self, maps: Tensor) -> None:
        self._maps = maps
        self._pooled: Tensor | None = None
        if maps.device.type == "cpu" and not maps.is_contiguous():
            values, self._pooled = max_pool2d(maps, maps.shape[2:], return_indices=True)
            self.values = values.flatten(1).float()
        else:
            self.values = maps.amax((2, 3)).float()

    def cells(self, image: Tensor, channel: Tensor) -> Tensor:
        """Find where the chosen maps are largest, int64 [chosen]; anywhere for a map with NaN."""
        if self._pooled is None:
            return self._maps[image, channel].flatten(1).argmax(1)
        return self._pooled[image, channel, 0, 0]


def first_bar(ranked: Tensor, k: int) -> Tensor:
    """Find what a maximum needs to be among the k best of its batch, float32 [channels]."""
    return ranked.topk(min(k, len(ranked)), dim=0).values[-1]


class MapReader:
    """Reduces maps inside hooks, so that no map outlives its layer's forward.

    Parameters
    ----------
    k : stimuli per neuron.
    means : whether spatial means are wanted.
    """

    def __init__(self, k: int, means: bool) -> None:
        self._k = k
        self._means = means
        self._bars: Mapping[str, Tensor] = {}

    def raise_bars(self, bars: Mapping[str, Tensor]) -> None:
        """From now on pass only maxima above each neuron's bar (layer -> float32 [channels])."""
        self._bars = bars

    def __call__(self, layer: str, maps: Tensor) -> Reading:
        """Read ``maps`` of ``layer``, [b, channels, h, w]."""
        peaks = Peaks(maps)
        image, channel = self._may_enter(layer, peaks.values).nonzero(as_tuple=True)
        cell = peaks.cells(image, channel)
        means = maps.mean((2, 3), dtype=torch.float32) if self._means else None
        return Reading(peaks.values, image, channel, cell, means, (maps.shape[2], maps.shape[3]))

    def _may_enter(self, layer: str, maxima: Tensor) -> Tensor:
        if layer in self._bars:
            return maxima > self._bars[layer]
        ranked = rankable(maxima)
        return ranked >= first_bar(ranked, self._k)
