"""What a hook takes from a layer's map before the map is gone: maxima, their cells, means."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from evoscope.activations.topk import rankable


@dataclass(frozen=True)
class Reading:
    """One layer on one batch.

    ``maxima``: float32 [b, channels]; ``cells``: int32 [b, channels], arg-max cell counted row by row, filled
    in only where the maximum may enter the top k; ``means``: float32 [b, channels] or None; ``grid``: height
    and width of the map.
    """

    maxima: Tensor
    cells: Tensor
    means: Tensor | None
    grid: tuple[int, int]


def spatial_maxima(maps: Tensor) -> Tensor:
    """Take the largest value of each map of [b, c, h, w], float32 [b, c]; NaN if the map holds one.

    A channels-last map on the CPU is max-pooled: reducing it with ``amax`` is up to 30 times slower when its
    channels are few.
    """
    if maps.device.type == "cpu" and not maps.is_contiguous():
        return torch.nn.functional.max_pool2d(maps, maps.shape[2:]).flatten(1).float()
    return maps.amax((2, 3)).float()


def peaks(maps: Tensor, image: Tensor, channel: Tensor) -> Tensor:
    """Find the first cell, row by row, of the largest value of the chosen maps, int32 [chosen].

    Looking for cells is many times slower than for values, so only maps that may enter the top k are asked.
    """
    return maps[image, channel].flatten(1).argmax(1).to(torch.int32)


def entry_bar(maxima: Tensor, k: int) -> Tensor:
    """Find what a maximum of the first batch needs to be among its k best, float32 [channels]."""
    return rankable(maxima).topk(min(k, len(maxima)), dim=0).values[-1]


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
        """From now on look for cells only above each neuron's bar (layer -> float32 [channels])."""
        self._bars = bars

    def __call__(self, layer: str, maps: Tensor) -> Reading:
        """Read ``maps`` of ``layer``, [b, channels, h, w]."""
        maxima = spatial_maxima(maps)
        image, channel = self._entering(layer, maxima).nonzero(as_tuple=True)
        cells = torch.zeros(maxima.shape, dtype=torch.int32, device=maps.device)
        cells[image, channel] = peaks(maps, image, channel)
        means = maps.mean((2, 3), dtype=torch.float32) if self._means else None
        return Reading(maxima, cells, means, (maps.shape[2], maps.shape[3]))

    def _entering(self, layer: str, maxima: Tensor) -> Tensor:
        if layer in self._bars:
            return maxima > self._bars[layer]
        return (maxima >= entry_bar(maxima, self._k)) & (maxima > -torch.inf)
