"""Activations and gradients of several layers in one forward pass and as many backward passes as wanted.

In eval mode images do not influence each other, so the gradient of a sum over a batch holds every image's own
gradient. Each layer's gradient is reduced as soon as it arrives.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from evoscope.models.taps import as_map, tap_point

Reduced = Mapping[str, Tensor]
Reduction = Callable[[Tensor, Tensor], Reduced]


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Run in eval mode without gradients of the parameters, and leave both as they were."""
    training = [part for part in module.modules() if part.training]
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    module.eval().requires_grad_(requires_grad=False)
    try:
        yield
    finally:
        for part in training:
            part.training = True
        for parameter in learning:
            parameter.requires_grad_()


@dataclass
class GradientTaps:
    """Hooks that keep the maps of layers and reduce their gradients.

    ``overwritten``: layers whose map a later step changes in place; ``maps``: of the last forward pass, without
    gradient.
    """

    overwritten: frozenset[str]
    maps: dict[str, Tensor] = field(default_factory=dict)
    _leaves: list[Tensor] = field(default_factory=list)
    _found: dict[str, Reduced] = field(default_factory=dict)
    _reduce: Reduction | None = None

    @contextmanager
    def attached(self, module: nn.Module, layers: Sequence[str]) -> Iterator[None]:
        """Watch the layers; afterwards nothing of the batch is kept."""
        with ExitStack() as stack:
            for name in layers:
                place = tap_point(module, name)
                stack.callback(place.register_forward_hook(partial(self._tap, name)).remove)
            yield
        # The leaves' hooks know this object: a circle that would keep the maps until the garbage is collected.
        self._leaves.clear()
        self.maps.clear()

    def backward(self, value: Tensor, reduce: Reduction, *, again: bool = False) -> dict[str, Reduced]:
        """Go back from a sum over the batch.

        Parameters
        ----------
        value : a scalar of the forward pass.
        reduce : called as ``reduce(gradient, map)`` with [b, channels, h, w] each.
        again : whether another backward pass follows.

        Returns
        -------
        Layer -> what ``reduce`` made; of zeros where the value does not depend on the layer.
        """
        self._reduce, self._found = reduce, {}
        if value.requires_grad:
            torch.autograd.backward(value, inputs=self._leaves, retain_graph=again)
        for leaf in self._leaves:
            leaf.grad = None
        return {
            name: self._found.get(name) or reduce(torch.zeros_like(kept), kept)
            for name, kept in self.maps.items()
        }

    def _tap(self, name: str, layer: nn.Module, inputs: object, output: Tensor) -> Tensor:
        kept = as_map(layer, output, name).detach()
        changes = name in self.overwritten
        self.maps[name] = kept.clone() if changes else kept
        begins = not output.requires_grad
        if begins:
            # The parameters need no gradient, so the backward pass ends at the first layers.
            output = output.detach().requires_grad_()
            self._leaves.append(output)
        output.register_hook(partial(self._arrive, name, layer))  # type: ignore[no-untyped-call]
        # A leaf cannot be changed in place.
        return output.clone() if begins and changes else output

    def _arrive(self, name: str, layer: nn.Module, gradient: Tensor) -> None:
        assert self._reduce is not None
        self._found[name] = self._reduce(as_map(layer, gradient, name), self.maps[name])
