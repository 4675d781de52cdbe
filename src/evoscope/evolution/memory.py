"""How much memory a batch takes, found on one image, and how many images a budget allows."""

from typing import Any

import torch
from torch import Tensor, nn

from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import Pair, blank

MIB = 2**20


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


def importance_bytes(pair: Pair) -> int:
    """Bytes per image of measuring importance: what both forwards and the backward pass keep at their peak.

    That is everything the earlier network saves for its backward pass and the later network's maps, counted,
    and three times the largest output for the gradients under way.
    """
    saved = _saved_bytes(pair)
    maps = sum(channels * height * width for channels, height, width in pair.shapes.values())
    return saved + _item(pair) * maps + 3 * largest_output(pair.after.module, blank(pair.after))


def reversal_bytes(pair: Pair, conditions: int, cached: int) -> int:
    """Bytes per image of reversing: the maps and cached prefixes of all layers, and the suffix of every condition.

    Parameters
    ----------
    conditions : sets of channels that run together.
    cached : bytes per image of the cached prefix outputs.
    """
    maps = sum(channels * height * width for channels, height, width in pair.shapes.values())
    widest = largest_output(pair.after.module, blank(pair.after))
    return 2 * _item(pair) * maps + cached + 4 * conditions * widest


def largest_output(module: nn.Module, pixels: Tensor) -> int:
    """Bytes of the largest tensor that any part of ``module`` returns, or of its input."""
    sizes = [pixels.nbytes]

    def note(part: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.nbytes)

    hooks = [part.register_forward_hook(note) for part in module.modules()]
    try:
        with torch.no_grad():
            module(pixels)
    finally:
        for hook in hooks:
            hook.remove()
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


def _item(pair: Pair) -> int:
    return next(pair.after.module.parameters()).element_size()
