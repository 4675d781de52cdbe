"""Activations and gradients of several layers in one forward pass and as many backward passes as wanted.

In eval mode images do not influence each other, so the gradient of a sum over a batch holds every image's own
gradient. Each layer's gradient is reduced as soon as it arrives.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from evoscope.activations.scan import checked_logits
from evoscope.arrays import Array, Doubles, Ints
from evoscope.data.loader import Batch
from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import overwritten_layers
from evoscope.models.layers import GradientHooks, capture, check_names, ensure_layouts
from evoscope.models.network import Network, evaluating


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Run in eval mode without gradients of the parameters, and leave both as they were."""
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    module.requires_grad_(requires_grad=False)
    try:
        with evaluating(module):
            yield
    finally:
        for parameter in learning:
            parameter.requires_grad_()


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


class Reader(ExitStack):
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
        super().__init__()
        check_names(network.module, layers)
        for name in quantities:
            if name not in QUANTITIES:
                raise EvoscopeError(f"no quantity {name!r}", f"choose among {', '.join(QUANTITIES)}")
        self.network = replace(network, layers=tuple(layers))
        self.quantities = tuple(quantities)
        self._overwritten: frozenset[str] = frozenset()

    def __enter__(self) -> "Reader":
        self.enter_context(frozen(self.network.module))
        ensure_layouts(self.network.module, self.network.layers, self.network.input_shape)
        self._overwritten = overwritten_layers(self.network)
        return self

    def read(self, batch: Batch) -> Reading:
        """Read one batch: one forward pass, and a backward pass per kind of gradient."""
        pooled, logits, extra = self._with_gradients(batch) if self.quantities else self._without(batch)
        missing = [name for name in self.network.layers if name not in pooled]
        if missing:
            raise EvoscopeError(f"layer {missing[0]!r} does not run in a forward pass", "leave it out of model.layers")
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
            pooled = {name: _pooled(name, kept) for name, kept in hooks.kept.items()}
            extra: dict[tuple[str, str], Array] = {}
            others = [name for name in self.quantities if name != "loss"]
            if "loss" in self.quantities:
                value = cross_entropy(logits, batch.labels, reduction="sum")
                for layer, reduced in hooks.backward(value, _reduced, again=bool(others)).items():
                    extra[layer, "loss"] = reduced["evidence"].cpu().numpy()
            if others:
                value = logits.gather(1, logits.argmax(1, keepdim=True)).sum()
                for layer, reduced in hooks.backward(value, _reduced).items():
                    for name in others:
                        key = "slope" if name == "slope" else "evidence"
                        extra[layer, name] = reduced[key].cpu().numpy()
        return pooled, logits.detach(), extra


def _pooled(name: str, maps: Tensor) -> Tensor:
    return maps.mean((2, 3))


def _reduced(gradient: Tensor, maps: Tensor) -> dict[str, Tensor]:
    return {"evidence": (gradient.relu() * maps).mean((2, 3)), "slope": gradient.sum((2, 3))}


def _checked(logits: object, labels: Tensor) -> Tensor:
    found = checked_logits(logits)
    if int(labels.max()) >= found.shape[1]:
        raise EvoscopeError(
            f"an image is of class {int(labels.max())} but the network tells {found.shape[1]} classes apart",
            "use images of the classes that the network was trained on",
        )
    return found
