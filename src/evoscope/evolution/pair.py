"""Two states of one network, and whether they can be compared."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from evoscope.data.images import ImageSet
from evoscope.data.loader import Loader
from evoscope.errors import EvoscopeError
from evoscope.models.layers import Shape, layer_shapes
from evoscope.models.network import Network
from evoscope.models.taps import capture


@dataclass(frozen=True)
class Pair:
    """A network before (epoch t) and after (epoch t') a stretch of training.

    ``before``, ``after``: the same architecture with the same neuron layers and preprocessing, in eval mode;
    ``names``: what messages call them; ``shapes``: channels, height and width of each layer's map;
    ``overwritten``: layers whose map a later step of the network changes in place.
    """

    before: Network
    after: Network
    names: tuple[str, str]
    shapes: dict[str, Shape]
    overwritten: frozenset[str]

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the neuron layers, in running order."""
        return tuple(self.shapes)

    @property
    def modules(self) -> tuple[nn.Module, nn.Module]:
        """The two modules, before and after."""
        return self.before.module, self.after.module


def make_pair(before: Network, after: Network, names: tuple[str, str] = ("before", "after")) -> Pair:
    """Put two states of one network side by side; both modules are put into eval mode.

    Raises
    ------
    EvoscopeError : their parameters, layers or preprocessing differ.
    """
    _check_alike(before, after, names)
    for network in (before, after):
        network.module.eval().requires_grad_(requires_grad=False)
    shapes = layer_shapes(after.module, after.layers, after.preprocessing.pixels)
    return Pair(before, after, names, shapes, overwritten_layers(after))


def overwritten_layers(network: Network) -> frozenset[str]:
    """Layers whose returned tensor is changed in place before the forward pass ends."""
    returned: dict[str, tuple[Tensor, int]] = {}
    with torch.no_grad(), capture(network.module, network.layers, partial(_versioned, returned)):
        network.module(blank(network))
    return frozenset(name for name, (tensor, version) in returned.items() if tensor._version != version)


def blank(network: Network, images: int = 1) -> Tensor:
    """Zeros, [images, 3, s, s] or of the network's own kind of input, on its device."""
    parameter = next(network.module.parameters())
    return torch.zeros(images, *network.input_shape, device=parameter.device, dtype=parameter.dtype)


def loader_of(pair: Pair, images: ImageSet, batch_size: int, memory_mb: int, workers: int = 0) -> Loader:
    """Batches of images as both networks want them, on their device; see `evoscope.data.loader.Loader`."""
    device = next(pair.after.module.parameters()).device
    return Loader(
        images,
        pair.after.preprocessing,
        batch_size=batch_size,
        memory_mb=memory_mb,
        workers=workers,
        device=device,
        channels_last=device.type == "cpu",
    )


def refuse_non_finite(pair: Pair, pixels: Tensor) -> None:
    """Name the first layer and state with a NaN or infinite activation on these images.

    Raises
    ------
    EvoscopeError : there is one.
    """
    for name, module in zip(pair.names, pair.modules, strict=True):
        with torch.no_grad(), capture(module, pair.layers, _count_non_finite) as counts:
            module(pixels)
        for layer in pair.layers:
            if counts[layer]:
                raise EvoscopeError(
                    f"{name} has {counts[layer]} NaN or infinite activations in layer {layer!r}",
                    "choose an epoch before the training diverged",
                )


def _count_non_finite(name: str, activation: Tensor) -> int:
    return int((~torch.isfinite(activation)).sum())


def _versioned(returned: dict[str, tuple[Tensor, int]], name: str, activation: Tensor) -> None:
    returned[name] = (activation, activation._version)


def _check_alike(before: Network, after: Network, names: tuple[str, str]) -> None:
    facts: list[tuple[str, Callable[[Network], Any]]] = [
        ("parameters", _parameter_shapes),
        ("neuron layers", lambda network: network.layers),
        ("preprocessing", lambda network: network.preprocessing),
    ]
    for what, fact in facts:
        if fact(before) != fact(after):
            raise EvoscopeError(
                f"{names[0]} and {names[1]} differ in their {what}, so no evolution leads from one to the other",
                "compare two checkpoints of one architecture",
            )


def _parameter_shapes(network: Network) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.module.state_dict().items()}
