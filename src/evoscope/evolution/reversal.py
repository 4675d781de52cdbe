"""Accuracy that a class loses when evolutions are reverted (ConceptEvo, reversal experiment).

For one layer and one set of its channels, the later network runs with those channels' maps as the earlier
network had them. Both networks run once per batch; each layer's conditions then run together through what
follows it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from evoscope.arrays import Array, Bools, Doubles, SmallInts
from evoscope.data.images import ImageSet
from evoscope.data.loader import Batch
from evoscope.errors import EvoscopeError, check_choices
from evoscope.evolution.pair import Pair, blank, images_within, loader_of, refuse_non_finite, reversal_bytes
from evoscope.evolution.suffix import INPUT, Recorder, Suffix, find_suffixes, repeated, run_suffix, tensors_in
from evoscope.figure_data import BIN_NAMES
from evoscope.models.layers import channel_axis
from evoscope.models.network import hooked, layout_of
from evoscope.progress import Progress, silent
from evoscope.seeds import generator

BINS = len(BIN_NAMES)
Ties = Literal["sensitivity", "channel"]
Cut = Literal["all", "quarter"]
Draws = Literal["fixed", "per_batch"]


@dataclass(frozen=True)
class BinRule:
    """How neurons are ordered and cut.

    ``ties``: equal scores are ordered by mean ``sensitivity`` and then channel, or by ``channel`` alone (as
    released); ``cut``: ``all`` channels fall in a bin, sizes differing by one at most, or each bin holds
    int(n / 4) and the last channels fall in none (``quarter``, as released).
    """

    ties: Ties = "sensitivity"
    cut: Cut = "all"

    def __post_init__(self) -> None:
        check_choices(self, "the bins of the reversal protocol")

    def size(self, channels: int) -> int:
        """Channels of the first bin; what a random set has too."""
        return channels // BINS if self.cut == "quarter" else _bounds(channels)[1]


@dataclass(frozen=True)
class ReversalProtocol:
    """How evolutions are reverted.

    ``bins``: of neurons; ``random``: whether random sets are ``fixed`` or drawn ``per_batch`` (as released).
    """

    bins: BinRule = field(default_factory=BinRule)
    random: Draws = "fixed"

    def __post_init__(self) -> None:
        check_choices(self, "the reversal protocol")


def ranking(score: Array, mean: Doubles, ties: Ties = "sensitivity") -> Array:
    """Channels of one layer, most important first: int64 [channels].

    Parameters
    ----------
    score : [channels], share of images that the evolution helps.
    mean : float64 [channels], mean sensitivity.
    ties : see `BinRule`.
    """
    if ties == "channel":
        return np.argsort(-score, kind="stable")
    return np.lexsort((np.arange(len(score)), -mean, -score))


def bins_of_layer(score: Array, mean: Doubles, rule: BinRule) -> SmallInts:
    """Bin of each channel of one layer, int32 [channels]: 0 the most important, 3 the least, -1 none.

    Parameters
    ----------
    score, mean : as for `ranking`.
    rule : how ties are broken and where the cuts lie.
    """
    order = ranking(score, mean, rule.ties)
    cuts = _bounds(len(order)) if rule.cut == "all" else [rule.size(len(order)) * b for b in range(BINS + 1)]
    bins = np.full(len(order), -1, dtype=np.int32)
    for number, (start, stop) in enumerate(pairwise(cuts)):
        bins[order[start:stop]] = number
    return bins


def bins_of_all(layer: Array, score: Array, mean: Doubles, rule: BinRule) -> SmallInts:
    """Bin of every neuron within its own layer, int32 [neurons].

    Parameters
    ----------
    layer : [neurons], number of each neuron's layer.
    score, mean : [neurons].
    rule : as for `bins_of_layer`.
    """
    bins = np.full(len(score), -1, dtype=np.int32)
    for number in np.unique(layer):
        own = np.flatnonzero(layer == number)
        bins[own] = bins_of_layer(score[own], mean[own], rule)
    return bins


def _bounds(channels: int) -> list[int]:
    """Where the bins of all channels begin and end: at the quarters, rounded up."""
    return [-(-channels * number // BINS) for number in range(BINS + 1)]


RELEASED_BATCH = 50
"""Images for which the released code keeps one random draw."""
MOST = 512
"""Images at a time beyond which no device gains speed."""


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
        bins = [Condition(name, s) for s in range(len(self.bins)) for name in BIN_NAMES]
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


NONE = Condition("none", 0)
EVERY_LAYER = "*"
"""Stands for all layers at once in the column ``layer``."""


class Reverser:
    """Takes evolutions back, batch by batch.

    Parameters
    ----------
    pair : the two states, on the device where they are to run.
    conditions : sets of channels.
    together : also take every condition back in all layers at once (which the paper did not do).
    """

    def __init__(self, pair: Pair, conditions: Conditions, *, together: bool = True) -> None:
        self.pair = pair
        self.conditions = conditions
        self.together = together
        self.suffixes = find_suffixes(pair.after.module, pair.layers, blank(pair.after))
        by_tensor: dict[int, Suffix] = {}
        for suffix in self.suffixes.values():
            by_tensor.setdefault(suffix.number, suffix)
        self._once = list(by_tensor.values())
        wanted = {suffix.number for suffix in self._once}
        live = {number for suffix in self._once for number in suffix.live if number != INPUT}
        self._before = Recorder(pair.before.module, wanted.__contains__)
        self._after = Recorder(pair.after.module, (wanted | live).__contains__)

    @property
    def bytes_per_image(self) -> int:
        """Memory that one image of a batch takes at the peak."""
        with torch.no_grad(), self._after.watching() as seen:
            self.pair.after.module(blank(self.pair.after))
        kept = sum(tensor.nbytes for tensor in tensors_in(list(seen.outputs.values())))
        return reversal_bytes(self.pair, len(self.conditions.listed), kept)

    def logits(self, pixels: Tensor, split: str, first: int) -> dict[tuple[str, Condition], Tensor]:
        """Logits [images, classes] of the later network under every condition.

        Parameters
        ----------
        pixels : [images, 3, s, s], normalised.
        split, first : where the images are from; see `Conditions.masks`.

        Returns
        -------
        (layer, condition) -> logits; the layer is ``*`` where nothing or everything is concerned.
        """
        pair, listed = self.pair, self.conditions.listed
        with torch.no_grad():
            with self._before.watching() as earlier:
                pair.before.module(pixels)
            with self._after.watching() as later:
                found = {(EVERY_LAYER, NONE): pair.after.module(pixels)}
            for suffix in self._once:
                logits = self._one_layer(suffix, earlier.outputs, later.outputs, pixels, split, first)
                # A convolution and its in-place ReLU share one tensor.
                for layer in (name for name, other in self.suffixes.items() if other.number == suffix.number):
                    found.update({(layer, each): part for each, part in zip(listed, logits, strict=True)})
            if self.together:
                logits = self._all_layers(earlier.outputs, pixels, split, first)
                found.update({(EVERY_LAYER, each): part for each, part in zip(listed, logits, strict=True)})
        return found

    def _one_layer(
        self,
        suffix: Suffix,
        earlier: Mapping[int, Any],
        later: Mapping[int, Any],
        pixels: Tensor,
        split: str,
        first: int,
    ) -> Sequence[Tensor]:
        masks, own = self._masks(suffix, split, first, pixels), later[suffix.number]
        chosen = _shaped(self.pair.after.module.get_submodule(suffix.place), masks, own)
        # Maps of every condition, one condition's images after another's: [conditions * images, ...].
        mixed = torch.where(chosen[:, None], earlier[suffix.number], own).flatten(0, 1)
        mixed = mixed.contiguous(memory_format=layout_of(own))
        logits: Tensor = run_suffix(self.pair.after.module, suffix, mixed, later, pixels, len(masks))
        return torch.split(logits, len(pixels))

    def _all_layers(self, earlier: Mapping[int, Any], pixels: Tensor, split: str, first: int) -> Sequence[Tensor]:
        module, hooks = self.pair.after.module, []
        for suffix in self._once:
            masks = self._masks(suffix, split, first, pixels)
            hook = partial(_revert, masks, earlier[suffix.number])
            hooks.append((module.get_submodule(suffix.place), hook))
        with hooked(hooks):
            logits: Tensor = module(repeated(pixels, len(self.conditions.listed)))
        return torch.split(logits, len(pixels))

    def _masks(self, suffix: Suffix, split: str, first: int, pixels: Tensor) -> Tensor:
        masks = self.conditions.masks(suffix.layer, split, first)
        return torch.from_numpy(masks).to(pixels.device)


def reversal(
    pair: Pair,
    conditions: Conditions,
    images: ImageSet,
    label: int,
    *,
    together: bool = True,
    memory_mb: int = 2048,
    workers: int = 0,
    batch_size: int = MOST,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Count the correct predictions of a class under every condition.

    Parameters
    ----------
    pair, conditions, together : as for `Reverser`.
    images : of the class; label : the class.
    memory_mb : MiB that a batch may take, which is as large as fits (`batch_within`).
    batch_size : most images at a time.
    progress : counts images.

    Returns
    -------
    One row per layer and condition: ``split``, ``layer`` (``*``: all at once, or none), ``condition``,
    ``number``, ``images``, ``top1``, ``top5`` (images whose class is the first, or among the first five).

    Raises
    ------
    EvoscopeError : no images, a budget below one image's need, NaN or infinite activations.
    """
    reverser = Reverser(pair, conditions, together=together)
    batch = batch_within(memory_mb, reverser.bytes_per_image, conditions.random, batch_size)
    loader = loader_of(pair.after, images, batch, memory_mb, workers, fixed=conditions.random == "per_batch")
    counts: dict[tuple[str, Condition], Tensor] = {}
    for piece in loader.ordered(progress):
        for key, correct in _correct(reverser, piece, images.split, label).items():
            counts[key] = counts[key] + correct if key in counts else correct
    rows = [
        (images.split, layer, each.kind, each.number, len(images), *map(int, correct))
        for (layer, each), correct in counts.items()
    ]
    return pd.DataFrame(rows, columns=["split", "layer", "condition", "number", "images", "top1", "top5"])


def top_ranks(logits: Tensor, label: int) -> Tensor:
    """How many classes come before ``label``, int64 [images]; of equal logits the first class wins.

    A prediction that is not finite comes after all classes.
    """
    own = logits[:, label, None]
    rank = (logits > own).sum(1) + (logits[:, :label] == own).sum(1)
    return torch.where(torch.isfinite(logits).all(1), rank, logits.shape[1])


def _correct(reverser: Reverser, batch: Batch, split: str, label: int) -> dict[tuple[str, Condition], Tensor]:
    """Images among the first and the first five, int64 [2], under every condition."""
    found = reverser.logits(batch.pixels, split, int(batch.rows[0]))
    if not bool(torch.isfinite(found[EVERY_LAYER, NONE]).all()):
        refuse_non_finite(reverser.pair, batch.pixels)
        raise EvoscopeError(
            f"{reverser.pair.names[1]} gives NaN or infinite logits", "choose an epoch before it diverged"
        )
    ranks = {key: top_ranks(logits, label) for key, logits in found.items()}
    return {key: torch.stack([(rank < 1).sum(), (rank < 5).sum()]).cpu() for key, rank in ranks.items()}


def _revert(masks: Tensor, earlier: Tensor, place: nn.Module, inputs: object, output: Tensor) -> Tensor:
    """Hook: put the conditions' channels of all copies back."""
    copies = output.reshape(len(masks), -1, *output.shape[1:])
    chosen = _shaped(place, masks, earlier)
    mixed = torch.where(chosen[:, None], earlier, copies).flatten(0, 1)
    return mixed.contiguous(memory_format=layout_of(output))


def _shaped(place: nn.Module, masks: Tensor, output: Tensor) -> Tensor:
    """Masks [conditions, channels] as [conditions, ...] against the axes of one image's output."""
    shape = [1] * (output.ndim - 1)
    shape[channel_axis(place, output) - 1] = masks.shape[1]
    return masks.reshape(len(masks), *shape)


def batch_within(memory_mb: int, bytes_per_image: int, random: Draws, most: int = MOST) -> int:
    """Images at a time: as many as the memory holds; where sets are drawn per batch, a divisor of the released batch.

    Raises
    ------
    EvoscopeError : the memory does not hold a single image.
    """
    if random == "fixed":
        return images_within(memory_mb, bytes_per_image, most)
    most = images_within(memory_mb, bytes_per_image, min(most, RELEASED_BATCH))
    # So that the draws do not depend on the memory.
    return max(size for size in range(1, most + 1) if RELEASED_BATCH % size == 0)
