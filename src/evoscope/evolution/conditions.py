"""Which channels of a layer are put back into their earlier state."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from evoscope.arrays import Bools, SmallInts
from evoscope.evolution.bins import BINS, BinRule
from evoscope.seeds import generator

Draws = Literal["fixed", "per_batch"]
RELEASED_BATCH = 50
"""Images for which the released code keeps one random draw."""


@dataclass(frozen=True)
class Condition:
    """What is reverted: ``bin1`` (most important) to ``bin4`` (least), ``random`` or ``all``.

    ``number``: the sample of images the bins come from, or the draw of a random set.
    """

    kind: str
    number: int


@dataclass(frozen=True)
class Conditions:
    """All sets of channels of a network's layers.

    ``bins``: int32 [samples, neurons], the bin of every neuron by each sample's importance, -1 for none;
    ``layer``: int32 [neurons]; ``layers``: names; ``rule``: of the bins, whose first one a random set equals
    in size; ``draws``: random sets; ``random``: ``fixed`` sets for all images, or redrawn for each
    ``per_batch`` of 50 images, layer and split (as released); ``seed``: of the random sets;
    ``everything``: whether all channels together are a condition too.
    """

    bins: SmallInts
    layer: SmallInts
    layers: tuple[str, ...]
    rule: BinRule
    draws: int
    random: Draws
    seed: int
    everything: bool = True

    @property
    def listed(self) -> tuple[Condition, ...]:
        """Every condition, in the order of `masks`."""
        bins = [Condition(f"bin{b + 1}", s) for s in range(len(self.bins)) for b in range(BINS)]
        random = [Condition("random", draw) for draw in range(self.draws)]
        return (*bins, *random, *([Condition("all", 0)] if self.everything else []))

    def masks(self, layer: str, split: str, first: int) -> Bools:
        """Channels that each condition reverts, bool [conditions, channels].

        Parameters
        ----------
        layer : name of the layer.
        split : ``train`` or ``test``.
        first : position of the batch's first image, which decides sets redrawn per batch.
        """
        own = self.bins[:, self.layer == self.layers.index(layer)]
        by_bin = own[:, None, :] == np.arange(BINS)[None, :, None]
        channels = own.shape[1]
        random = [self._random(layer, split, first, draw, channels) for draw in range(self.draws)]
        rows = [*by_bin.reshape(-1, channels), *random]
        return np.stack([*rows, np.ones(channels, dtype=bool)] if self.everything else rows)

    def _random(self, layer: str, split: str, first: int, draw: int, channels: int) -> Bools:
        where = (split, first // RELEASED_BATCH) if self.random == "per_batch" else ()
        stream = generator(self.seed, "random channels", layer, draw, *where)
        mask = np.zeros(channels, dtype=bool)
        mask[stream.permutation(channels)[: self.rule.size(channels)]] = True
        return mask
