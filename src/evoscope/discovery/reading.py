"""What is taken from a batch of images: pooled features, and evidence weighed by gradients (CDISCO, steps 1-3)."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from evoscope.arrays import Array, Doubles, Ints
from evoscope.data.loader import Batch
from evoscope.discovery.gradients import GradientTaps, Reduced, frozen
from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import overwritten_layers
from evoscope.models.layers import check_names
from evoscope.models.network import Network
from evoscope.models.taps import capture

Quantity = Literal["loss", "logit", "slope"]
"""Rows beside the features, [b, d] each. ``loss``, ``logit``: spatial mean of ReLU(G) * A, with G the gradient of
each image's own cross-entropy with its true label, or of the logit of its predicted class; ``slope``: spatial
sum of the latter G, which is the derivative of that logit when a vector is added to the whole map.

The released code takes the gradient of the mean loss over a batch, which differs by a constant factor that
z-scores do not see."""
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
        exact = logits.detach().double()
        return Reading(
            labels=batch.labels.cpu().numpy(),
            predictions=exact.argmax(1).cpu().numpy(),
            loss=cross_entropy(exact, batch.labels, reduction="none").cpu().numpy(),
            confidence=exact.softmax(1).amax(1).cpu().numpy(),
            classes=exact.shape[1],
            features={name: pooled[name].cpu().numpy() for name in self.network.layers},
            extra=extra,
        )

    def _without(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor, dict[tuple[str, str], Array]]:
        with torch.inference_mode(), capture(self.network.module, self.network.layers, _pooled) as pooled:
            logits = _checked(self.network.module(batch.pixels), batch.labels)
            return dict(pooled), logits, {}

    def _with_gradients(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor, dict[tuple[str, str], Array]]:
        taps = GradientTaps(self._overwritten)
        with torch.enable_grad(), taps.attached(self.network.module, self.network.layers):
            logits = _checked(self.network.module(batch.pixels), batch.labels)
            pooled = {name: _pooled(name, kept) for name, kept in taps.maps.items()}
            extra: dict[tuple[str, str], Array] = {}
            for value, names, again in self._values(logits, batch.labels):
                for layer, reduced in taps.backward(value, _reduced, again=again).items():
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
