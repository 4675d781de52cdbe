"""Activations and gradients of several layers in one forward pass and as many backward passes as wanted.

In eval mode images do not influence each other, so the gradient of a sum over a batch holds every image's own
gradient. Each layer's gradient is reduced as soon as it arrives.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from evoscope.arrays import Array, Doubles, Ints
from evoscope.data.loader import Batch
from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import overwritten_layers
from evoscope.models.layers import as_map, capture, check_names, ensure_layouts, hook_point
from evoscope.models.network import Network

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
class GradientHooks:
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
                place = hook_point(module, name)
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
        kept = as_map(layer, output, name, everywhere=True).detach()
        self.maps[name] = kept
        begins = not output.requires_grad
        if begins:
            # The parameters need no gradient, so the backward pass ends at the first layers.
            output = output.detach().requires_grad_()
            self._leaves.append(output)
        output.register_hook(partial(self._arrive, name, layer))  # type: ignore[no-untyped-call]
        # The pass goes on with a copy, so that what is kept here stays as it is.
        return output.clone() if name in self.overwritten else output

    def _arrive(self, name: str, layer: nn.Module, gradient: Tensor) -> None:
        assert self._reduce is not None
        self._found[name] = self._reduce(as_map(layer, gradient, name, everywhere=True), self.maps[name])


Quantity = Literal["loss", "logit", "slope"]
"""Rows beside the features, [b, d] each. ``loss``, ``logit``: spatial mean of ReLU(G) * A, with G the gradient of
each image's own cross-entropy with its true label, or of the logit of its predicted class; ``slope``: spatial
sum of the latter G, which is the derivative of that logit when a vector is added to the whole map.
"""
QUANTITIES: tuple[Quantity, ...] = ("loss", "logit", "slope")


@dataclass(frozen=True)
class Reading:
    """One batch.

    ``labels``, ``predictions``: int64 [b]; ``loss``: float64 [b], cross-entropy in nats; ``confidence``: float64
    [b], largest softmax; ``classes``: logits per image; ``features``: layer -> [b, d]; ``extra``: (layer,
    quantity) -> [b, d].
    """

    labels: Ints
    predictions: Ints
    loss: Doubles
    confidence: Doubles
    classes: int
    features: dict[str, Array]
    extra: dict[tuple[str, str], Array]


class Reader:
    """Reads batches; within its context the network is in eval mode and its parameters need no gradient.

    Parameters
    ----------
    network : on the device of the batches.
    layers : dotted names.
    quantities : what is wanted beside the features.

    Raises
    ------
    EvoscopeError : no such layer or quantity; while reading: the network knows fewer classes than there are.
    """

    def __init__(self, network: Network, layers: Sequence[str], quantities: Sequence[Quantity] = ()) -> None:
        check_names(network.module, layers)
        for name in quantities:
            if name not in QUANTITIES:
                raise EvoscopeError(f"no quantity {name!r}", f"choose among {', '.join(QUANTITIES)}")
        self.network = replace(network, layers=tuple(layers))
        self.quantities = tuple(quantities)
        self._stack = ExitStack()
        self._overwritten: frozenset[str] = frozenset()

    def __enter__(self) -> "Reader":
        self._stack.enter_context(frozen(self.network.module))
        ensure_layouts(self.network.module, self.network.layers, self.network.input_shape)
        self._overwritten = overwritten_layers(self.network)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read(self, batch: Batch) -> Reading:
        """Read one batch: one forward pass, and a backward pass per kind of gradient."""
        pooled, logits, extra = self._with_gradients(batch) if self.quantities else self._without(batch)
        missing = [name for name in self.network.layers if name not in pooled]
        if missing:
            raise EvoscopeError(
                f"layer {missing[0]!r} does not run in a forward pass", "leave it out of model.layers"
            )
        labels = batch.labels.cpu()
        exact = logits.detach().cpu().double()  # a row per image: no work for a device
        return Reading(
            labels=labels.numpy(),
            predictions=exact.argmax(1).numpy(),
            loss=cross_entropy(exact, labels, reduction="none").numpy(),
            confidence=exact.softmax(1).amax(1).numpy(),
            classes=exact.shape[1],
            features={name: pooled[name].cpu().numpy() for name in self.network.layers},
            extra=extra,
        )

    def _without(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor, dict[tuple[str, str], Array]]:
        read = capture(self.network.module, self.network.layers, _pooled, everywhere=True)
        with torch.inference_mode(), read as pooled:
            logits = _checked(self.network.module(batch.pixels), batch.labels)
            return dict(pooled), logits, {}

    def _with_gradients(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor, dict[tuple[str, str], Array]]:
        hooks = GradientHooks(self._overwritten)
        with torch.enable_grad(), hooks.attached(self.network.module, self.network.layers):
            logits = _checked(self.network.module(batch.pixels), batch.labels)
            pooled = {name: _pooled(name, kept) for name, kept in hooks.maps.items()}
            extra: dict[tuple[str, str], Array] = {}
            for value, names, again in self._values(logits, batch.labels):
                for layer, reduced in hooks.backward(value, _reduced, again=again).items():
                    extra.update({(layer, name): reduced[_KEY[name]].cpu().numpy() for name in names})
        return pooled, logits.detach(), extra

    def _values(self, logits: Tensor, labels: Tensor) -> list[tuple[Tensor, list[Quantity], bool]]:
        """Give what to go back from, what that yields, and whether more follows."""
        of_loss: list[Quantity] = [name for name in self.quantities if name == "loss"]
        of_logit: list[Quantity] = [name for name in self.quantities if name != "loss"]
        values: list[tuple[Tensor, list[Quantity], bool]] = []
        if of_loss:
            values.append((cross_entropy(logits, labels, reduction="sum"), of_loss, bool(of_logit)))
        if of_logit:
            predicted = logits.argmax(1, keepdim=True)
            values.append((logits.gather(1, predicted).sum(), of_logit, False))
        return values


_KEY: dict[str, str] = {"loss": "evidence", "logit": "evidence", "slope": "slope"}


def _pooled(name: str, maps: Tensor) -> Tensor:
    return maps.mean((2, 3))


def _reduced(gradient: Tensor, maps: Tensor) -> Reduced:
    return {"evidence": (gradient.relu() * maps).mean((2, 3)), "slope": gradient.sum((2, 3))}


def _checked(logits: object, labels: Tensor) -> Tensor:
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise EvoscopeError(
            f"the network returns {type(logits).__name__}, not logits [images, classes]",
            "wrap the module so that its forward returns one tensor of logits in eval mode",
        )
    if int(labels.max()) >= logits.shape[1]:
        raise EvoscopeError(
            f"an image is of class {int(labels.max())} but the network tells {logits.shape[1]} classes apart",
            "use images of the classes that the network was trained on",
        )
    return logits
