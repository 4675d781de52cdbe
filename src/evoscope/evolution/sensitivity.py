"""How much an evolution changes a class's logit, to first order, image by image (ConceptEvo, importance).

S_c(n, x) = sum_ij [d logit_c(x; M_t) / d Z_n^t]_ij (Z_n^t'(x) - Z_n^t(x))_ij

In eval mode images do not influence each other, so one backward pass of the summed logits gives the gradient
of every image's own logit, for all layers at once. Each layer's maps are reduced to one number per channel
as soon as its gradient arrives.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import Pair, refuse_non_finite
from evoscope.models.taps import as_map, capture, tap_point

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
    found = _sensitivities(pair, pixels, label, _contracted)
    if not all(bool(torch.isfinite(values).all()) for values in found.values()):
        refuse_non_finite(pair, pixels)
        raise EvoscopeError(
            f"{pair.names[0]} gives NaN or infinite logits or gradients", "choose an epoch before it diverged"
        )
    return found


def sensitivity_maps(pair: Pair, pixels: Tensor, label: int, layer: str) -> Tensor:
    """Give the terms of the sum per place: [images, channels, height, width] of one layer, in logits."""
    return _sensitivities(pair, pixels, label, _terms, (layer,))[layer]


def _sensitivities(
    pair: Pair, pixels: Tensor, label: int, reduce: Reduction, layers: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    wanted = layers or pair.layers
    with torch.no_grad(), capture(pair.after.module, wanted, partial(_kept, pair)) as later:
        pair.after.module(pixels)
    taps = _Taps(later, reduce, pair.overwritten)
    with torch.enable_grad(), taps.attached(pair.before.module, wanted):
        logits = pair.before.module(pixels)
        if logits.requires_grad:
            torch.autograd.backward(logits[:, label].sum(), inputs=taps.leaves)
    # Their hooks know the taps: a circle that would keep this batch's maps until the garbage is collected.
    taps.leaves.clear()
    return {name: taps.result(name) for name in wanted}


def _kept(pair: Pair, name: str, activation: Tensor) -> Tensor:
    return activation.clone() if name in pair.overwritten else activation


def _contracted(gradient: Tensor, change: Tensor) -> Tensor:
    """Sum over places of gradient times change: [images, channels]. ``change`` is used up."""
    return change.mul_(gradient).sum((2, 3))


def _terms(gradient: Tensor, change: Tensor) -> Tensor:
    return gradient * change


@dataclass
class _Taps:
    """Hooks on the earlier network: each reduces a layer's gradient when the backward pass reaches it.

    ``later``: maps of the later network; each gives way to its change as soon as the earlier map is known.
    """

    later: dict[str, Tensor]
    reduce: Reduction
    overwritten: frozenset[str]
    leaves: list[Tensor] = field(default_factory=list)
    changes: dict[str, Tensor] = field(default_factory=dict)
    found: dict[str, Tensor] = field(default_factory=dict)

    @contextmanager
    def attached(self, module: nn.Module, layers: tuple[str, ...]) -> Iterator[None]:
        with ExitStack() as stack:
            for name in layers:
                place = tap_point(module, name)
                stack.callback(place.register_forward_hook(partial(self._tap, name)).remove)
            yield

    def result(self, name: str) -> Tensor:
        """What was found for a layer; what the logits do not depend on has no gradient and no importance."""
        if name in self.found:
            return self.found[name]
        change = self.changes[name]
        return self.reduce(torch.zeros_like(change), change)

    def _tap(self, name: str, layer: nn.Module, inputs: object, output: Tensor) -> Tensor:
        # Not in place: the maps of two layers may be one tensor.
        self.changes[name] = self.later.pop(name) - as_map(layer, output, name).detach()
        begins = not output.requires_grad
        if begins:
            # The parameters need no gradient, so the backward pass ends at the first layers.
            output = output.detach().requires_grad_()
            self.leaves.append(output)
        output.register_hook(partial(self._arrive, name, layer))  # type: ignore[no-untyped-call]
        # A leaf cannot be changed in place.
        return output.clone() if begins and name in self.overwritten else output

    def _arrive(self, name: str, layer: nn.Module, gradient: Tensor) -> None:
        self.found[name] = self.reduce(as_map(layer, gradient, name), self.changes.pop(name))
