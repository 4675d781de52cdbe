"""Two states of one network, whether they can be compared, and the memory that comparing them takes."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from evoscope.data.images import ImageSet
from evoscope.data.loader import Loader
from evoscope.errors import EvoscopeError
from evoscope.models.layers import Shape, capture, layer_shapes
from evoscope.models.network import Network, hooked, layout


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
    versions = capture(network.module, network.layers, lambda _, map_: (map_, map_._version), everywhere=True)
    with torch.no_grad(), versions as returned:
        network.module(blank(network))
    return frozenset(name for name, (tensor, version) in returned.items() if tensor._version != version)


def blank(network: Network, images: int = 1) -> Tensor:
    """Zeros, [images, 3, s, s] or of the network's own kind of input, on its device."""
    parameter = next(network.module.parameters())
    return torch.zeros(images, *network.input_shape, device=parameter.device, dtype=parameter.dtype)


def loader_of(
    network: Network, images: ImageSet, batch_size: int, memory_mb: int, workers: int, *, fixed: bool = False
) -> Loader:
    """Batches of images as a network wants them, on its device; see `evoscope.data.loader.Loader`."""
    device = next(network.module.parameters()).device
    return Loader(
        images,
        network.preprocessing,
        batch_size=batch_size,
        memory_mb=memory_mb,
        workers=workers,
        device=device,
        channels_last=layout(network.module, device) is torch.channels_last,
        fixed=fixed,
    )


def refuse_non_finite(pair: Pair, pixels: Tensor) -> None:
    """Name the first layer and state with a NaN or infinite activation on these images.

    Raises
    ------
    EvoscopeError : there is one.
    """
    for name, module in zip(pair.names, pair.modules, strict=True):
        wrong = capture(module, pair.layers, lambda _, map_: int((~map_.isfinite()).sum()), everywhere=True)
        with torch.no_grad(), wrong as counts:
            module(pixels)
        for layer in pair.layers:
            if counts[layer]:
                raise EvoscopeError(
                    f"{name} has {counts[layer]} NaN or infinite activations in layer {layer!r}",
                    "choose an epoch before the training diverged",
                )


def _check_alike(before: Network, after: Network, names: tuple[str, str]) -> None:
    def shapes(network: Network) -> dict[str, tuple[int, ...]]:
        return {name: tuple(value.shape) for name, value in network.module.state_dict().items()}

    facts = {
        "parameters": (shapes(before), shapes(after)),
        "neuron layers": (before.layers, after.layers),
        "preprocessing": (before.preprocessing, after.preprocessing),
    }
    for what, (first, second) in facts.items():
        if first != second:
            raise EvoscopeError(
                f"{names[0]} and {names[1]} differ in their {what}, so no evolution leads from one to the other",
                "compare two checkpoints of one architecture",
            )


MIB = 2**20
MOST_AT_ONCE, USUAL_MB = 64, 2048


def images_within(memory_mb: int, bytes_per_image: int, most: int) -> int:
    """How many images fit a budget, at most ``most``.

    Raises
    ------
    EvoscopeError : not even one.
    """
    fitting = memory_mb * MIB // max(1, bytes_per_image)
    if fitting < 1:
        raise EvoscopeError(
            f"memory_mb={memory_mb} is too little: one image takes {-(-bytes_per_image // MIB)} MiB here",
            f"give memory_mb at least {-(-bytes_per_image // MIB)}",
        )
    return min(most, fitting)


def fixed_batch(memory_mb: int, bytes_per_image: int, batch: int | None = None) -> int:
    """Images at a time where their number changes last bits (a backward pass), and so must not follow the memory.

    ``batch``, or, as the network alone decides, the largest power of two up to `MOST_AT_ONCE` that takes `USUAL_MB`.

    Raises
    ------
    EvoscopeError : the budget does not hold them.
    """
    if batch is None:
        fitting = max(1, min(MOST_AT_ONCE, USUAL_MB * MIB // max(1, bytes_per_image)))
        batch = 1 << fitting.bit_length() - 1
    needed = -(-batch * bytes_per_image // MIB)
    if needed > memory_mb:
        raise EvoscopeError(
            f"memory_mb={memory_mb} is too little: importance takes {needed} MiB at {batch} images at a time",
            f"give memory_mb={needed} or more, or fewer images at a time (evolution.batch=1), which changes last bits",
        )
    return batch


def importance_bytes(pair: Pair) -> int:
    """Bytes per image of measuring importance: what both forwards and the backward pass keep at their peak.

    That is everything the earlier network saves for its backward pass and the later network's maps, counted,
    and three times the largest output for the gradients under way.
    """
    return _saved_bytes(pair) + _map_bytes(pair) + 3 * largest_output(pair.after.module, blank(pair.after))


def reversal_bytes(pair: Pair, conditions: int, cached: int) -> int:
    """Bytes per image of reversing: the maps and cached prefixes of all layers, and the suffix of every condition.

    Parameters
    ----------
    conditions : sets of channels that run together.
    cached : bytes per image of the cached prefix outputs.
    """
    widest = largest_output(pair.after.module, blank(pair.after))
    return 2 * _map_bytes(pair) + cached + 4 * conditions * widest


def largest_output(module: nn.Module, pixels: Tensor) -> int:
    """Bytes of the largest tensor that any part of ``module`` returns, or of its input."""
    sizes = [pixels.nbytes]

    def note(part: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.nbytes)

    with hooked((part, note) for part in module.modules()), torch.no_grad():
        module(pixels)
    return max(sizes)


def _saved_bytes(pair: Pair) -> int:
    """What autograd saves of one image, without the parameters, each storage once."""
    own = {parameter.untyped_storage().data_ptr() for parameter in pair.before.module.parameters()}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    def unpack(tensor: Any) -> Any:
        return tensor

    pixels = blank(pair.before).requires_grad_()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        logits = pair.before.module(pixels)
    del logits
    return sum(saved.values())


def _map_bytes(pair: Pair) -> int:
    cells = sum(channels * height * width for channels, height, width in pair.shapes.values())
    return next(pair.after.module.parameters()).element_size() * cells
