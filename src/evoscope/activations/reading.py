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

    ``maxima``: float32 [b, channels]; ``cells``: int64 [b, channels], where each map has its maximum, counted row by
    row; right only for maxima that `may_enter` the top k, and never for a map with NaN;
    ``means``: float32 [b, channels] or None; ``grid``: height and width of the map.
    """

    maxima: Tensor
    cells: Tensor
    means: Tensor | None
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
    means : whether spatial means are wanted.
    """

    def __init__(self, k: int, means: bool) -> None:
        self._k = k
        self._means = means
        self._bars: Mapping[str, Tensor] = {}

    def raise_bars(self, bars: Mapping[str, Tensor]) -> None:
        """From now on find the cells of maxima above each neuron's bar only (layer -> float32 [channels])."""
        self._bars = bars

    def __call__(self, layer: str, maps: Tensor) -> Reading:
        """Read ``maps`` of ``layer``, [b, channels, h, w]."""
        # On a CPU ``amax`` of channels-last maps is slow, while pooling them is quick and finds the cells as well.
        pooled = maps.device.type == "cpu" and not maps.is_contiguous()
        maxima, cells = _pooled(maps) if pooled else self._reduced(layer, maps)
        means = maps.mean((2, 3), dtype=torch.float32) if self._means else None
        return Reading(maxima, cells, means, (maps.shape[2], maps.shape[3]))

    def _reduced(self, layer: str, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Reduce to maxima, and look for cells, which takes many times longer, only where they may be needed."""
        maxima = maps.amax((2, 3)).float()
        image, channel = may_enter(maxima, self._bars.get(layer), self._k).nonzero(as_tuple=True)
        cells = torch.zeros(maxima.shape, dtype=torch.int64, device=maps.device)
        cells[image, channel] = maps[image, channel].flatten(1).argmax(1)
        return maxima, cells


def _pooled(maps: Tensor) -> tuple[Tensor, Tensor]:
    maxima, cells = max_pool2d(maps, maps.shape[2:], return_indices=True)
    return maxima.flatten(1).float(), cells.flatten(1)
