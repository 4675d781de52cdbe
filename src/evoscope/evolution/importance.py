"""Importance of every neuron's evolution for one class (ConceptEvo, importance of an evolution)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evoscope.activations.stimuli import NeuronIndex
from evoscope.arrays import Doubles, Ints
from evoscope.data.images import ImageSet
from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import Pair, fixed_batch, importance_bytes, loader_of, refuse_non_finite
from evoscope.models.layers import GradientHooks, capture
from evoscope.models.network import doubled
from evoscope.progress import Progress, silent
from evoscope.seeds import generator

Reduction = Callable[[Tensor, Tensor], Tensor]


def sensitivities(pair: Pair, pixels: Tensor, label: int) -> dict[str, Tensor]:
    """Sensitivity of one class's logit to every neuron's evolution.

    Parameters
    ----------
    pair : the two states.
    pixels : [images, 3, s, s], normalised, on the modules' device.
    label : the class.

    Returns
    -------
    Layer -> [images, channels], in logits.

    Raises
    ------
    EvoscopeError : an activation or a gradient is NaN or infinite; names the state and, of activations, the
        layer.
    """
    # The sum over places of gradient times change, [images, channels]; the change is used up.
    found = _sensitivities(pair, pixels, label, lambda gradient, change: change.mul_(gradient).sum((2, 3)))
    if not all(bool(torch.isfinite(values).all()) for values in found.values()):
        refuse_non_finite(pair, pixels)
        raise EvoscopeError(
            f"{pair.names[0]} gives NaN or infinite logits or gradients", "choose an epoch before it diverged"
        )
    return found


def sensitivity_maps(pair: Pair, pixels: Tensor, label: int, layer: str) -> Tensor:
    """Give the terms of the sum per place: [images, channels, height, width] of one layer, in logits.

    Tokens are one column, with those that stand for no patch.
    """
    return _sensitivities(pair, pixels, label, torch.mul, (layer,))[layer]


def _sensitivities(
    pair: Pair, pixels: Tensor, label: int, reduce: Reduction, layers: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    wanted = layers or pair.layers

    def kept(name: str, later: Tensor) -> Tensor:
        return later.clone() if name in pair.overwritten else later

    with torch.no_grad(), capture(pair.after.module, wanted, kept, everywhere=True) as maps:
        pair.after.module(pixels)
    # Each later map gives way to its change, but not in place: the maps of two layers may be one tensor.
    hooks = GradientHooks(pair.overwritten, lambda name, earlier: maps.pop(name) - earlier)
    with torch.enable_grad(), hooks.attached(pair.before.module, wanted):
        found = hooks.backward(pair.before.module(pixels)[:, label].sum(), reduce)
    return {name: found[name] for name in wanted}


@dataclass(frozen=True)
class EvolutionImportance:
    """How the evolutions from one state to another matter for a class, over some of its images.

    ``neurons``: what each row is; ``label``: the class; ``image_ids``: the images; ``positive``, ``negative``:
    int64 [neurons], images on which the evolution raises or lowers the logit (S > 0, S < 0);
    ``mean``: float64 [neurons], mean sensitivity in logits.
    """

    neurons: NeuronIndex
    label: int
    image_ids: tuple[str, ...]
    positive: Ints
    negative: Ints
    mean: Doubles

    @property
    def score(self) -> Doubles:
        """Share of the images with S > 0, float64 [neurons] (the paper's score)."""
        return self.positive / len(self.image_ids)


def importance(
    pair: Pair,
    images: ImageSet,
    label: int,
    *,
    memory_mb: int = 2048,
    workers: int = 0,
    batch_size: int | None = None,
    progress: Progress = silent,
) -> EvolutionImportance:
    """Measure the importance of all evolutions for class ``label`` on ``images``.

    Two forward passes and one backward pass per image serve all layers; nothing but counts and sums is kept.

    Parameters
    ----------
    pair : the two states, on the device where they are to run.
    images : of the class.
    memory_mb : MiB that a batch's maps may take.
    workers : processes that decode images beyond the budget.
    batch_size : images at a time; ``None``: see `evoscope.evolution.pair.fixed_batch`.
    progress : counts images.

    Raises
    ------
    EvoscopeError : no images, a budget below one batch's need, a NaN or infinite activation.
    """
    batch = fixed_batch(memory_mb, importance_bytes(pair), batch_size)
    loader = loader_of(pair.after, images, batch, memory_mb, workers)
    counts = counted(pair, (piece.pixels for piece in loader.ordered(progress)), label)
    positive, negative, total = (each.cpu().numpy() for each in counts)
    return EvolutionImportance(neuron_index(pair), label, images.ids, positive, negative, total / len(images))


def counted(pair: Pair, batches: Iterable[Tensor], label: int) -> tuple[Tensor, Tensor, Tensor]:
    """Count the positive and the negative sensitivities over batches of pixels, and add them up.

    int64, int64 and float64 [neurons] (see `doubled`), on the device.
    """
    device = next(pair.after.module.parameters()).device
    neurons = sum(channels for channels, _, _ in pair.shapes.values())
    positive, negative = (torch.zeros(neurons, dtype=torch.int64, device=device) for _ in range(2))
    total = doubled(torch.zeros(neurons, device=device))
    for pixels in batches:
        found = sensitivities(pair, pixels, label)
        values = torch.cat([found[layer] for layer in pair.layers], dim=1)
        positive += (values > 0).sum(0)
        negative += (values < 0).sum(0)
        total += doubled(values).sum(0)
    return positive, negative, total


def sample_of_class(images: ImageSet, label: int, count: int, seed: int, sample: int) -> ImageSet:
    """``count`` images of a class, drawn without replacement; all of them when there are fewer.

    Parameters
    ----------
    seed, sample : the same pair gives the same images; samples are independent of each other.

    Raises
    ------
    EvoscopeError : the class has no images.
    """
    own = of_class(images, label)
    if count >= len(own):
        return own
    chosen = generator(seed, "importance", label, sample).permutation(len(own))[:count]
    return own.subset(np.sort(chosen))


def of_class(images: ImageSet, label: int) -> ImageSet:
    """All images of a class.

    Raises
    ------
    EvoscopeError : there are none.
    """
    own = np.flatnonzero(images.labels == label)
    if len(own) == 0:
        raise EvoscopeError(
            f"class {images.class_names[label]!r} has no images in {images.name} {images.split}",
            "choose another class (evolution.classes=[...]) or add images",
        )
    return images.subset(own)


def significance(found: EvolutionImportance) -> tuple[Doubles, Doubles]:
    """Sign test per neuron, and its false discovery rate over all neurons.

    One-sided: were the evolution as likely to lower as to raise the logit, how often would it raise it on at
    least this many images? Images on which it does nothing do not count.

    Returns
    -------
    p and q (Benjamini-Hochberg), float64 [neurons] each.
    """
    from scipy import stats as distributions

    moved = found.positive + found.negative
    p = np.asarray(distributions.binom.sf(found.positive - 1, moved, 0.5), dtype=np.float64)
    return p, np.asarray(distributions.false_discovery_control(p), dtype=np.float64)


def neuron_index(pair: Pair) -> NeuronIndex:
    """Which neuron each row of a result is."""
    return NeuronIndex.of(pair.shapes)
