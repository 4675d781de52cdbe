"""Reading the maps of named layers while a module runs.

Hooks are removed when the context ends, also after an error. Values are those at the moment the layer
returns: a layer that a later step overwrites in place must be read in the hook, so give ``reduce`` whenever
the maps need not be kept. A layer directly followed in its Sequential by an in-place activation shares its
tensor with it, and is read after it, with or without ``reduce``.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeVar, overload

from torch import Tensor, nn

from evoscope.errors import EvoscopeError

Result = TypeVar("Result")
Reduce = Callable[[str, Tensor], Result]
# Classes, by name, whose maps are [images, height, width, channels].
CHANNELS_LAST = frozenset(
    {"SwinTransformerBlock", "SwinTransformerBlockV2", "PatchMerging", "PatchMergingV2"}
)


@overload
@contextmanager
def capture(module: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]: ...


@overload
@contextmanager
def capture(
    module: nn.Module, layers: Sequence[str], reduce: Reduce[Result]
) -> Iterator[dict[str, Result]]: ...


@contextmanager
def capture(
    module: nn.Module, layers: Sequence[str], reduce: Reduce[Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Keep what the named layers return at each forward pass.

    Parameters
    ----------
    module : any module; layers : dotted names of modules in it.
    reduce : called as ``reduce(name, map)`` inside the hook; its result is kept instead of the map.

    Yields
    ------
    A dictionary from layer name to its map [images, channels, height, width], renewed by each forward pass. A
    vector per image counts as a map of one cell, tokens [images, tokens, channels] as a map of one column.

    Raises
    ------
    EvoscopeError : in the forward pass, when a layer returns something that is no map.
    """
    kept: dict[str, Any] = {}
    keep = reduce or _whole_map
    with ExitStack() as stack:
        for name in layers:
            place = tap_point(module, name)
            hook = partial(_read, kept, keep, name)
            stack.callback(place.register_forward_hook(hook).remove)
        yield kept


def tap_point(module: nn.Module, name: str) -> nn.Module:
    """Find the module after which the tensor that layer ``name`` returns has its final value."""
    layer = module.get_submodule(name)
    place, _, key = name.rpartition(".")
    parent = module.get_submodule(place)
    if not isinstance(parent, nn.Sequential) or getattr(layer, "inplace", False):
        return layer
    steps = list(parent.named_children())
    position = next((i for i, (child, _) in enumerate(steps) if child == key), len(steps))
    following = [step for _, step in steps[position + 1 : position + 2]]
    return next((step for step in following if getattr(step, "inplace", False)), layer)


def as_map(layer: nn.Module, output: object, name: str) -> Tensor:
    """View the output of a layer as a map [images, channels, height, width].

    Raises
    ------
    EvoscopeError : when the output is no tensor of two to four axes.
    """
    if not isinstance(output, Tensor) or not 2 <= output.ndim <= 4:
        what = (
            f"a tensor of shape {list(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        )
        raise EvoscopeError(
            f"layer {name!r} returns {what}, not a map per channel",
            "choose a layer that returns [images, channels, ...]",
        )
    axis = channel_axis(layer, output)
    if (output.ndim, axis) == (4, 1):
        return output  # the very tensor, so that gradients reach it
    first = output.movedim(axis, 1)
    return first[(..., *[None] * (4 - output.ndim))]


def channel_axis(layer: nn.Module, output: Tensor) -> int:
    """Find the axis of the channels in what a layer returns: the last of tokens, the second of maps."""
    last = output.ndim == 3 or (output.ndim == 4 and type(layer).__name__ in CHANNELS_LAST)
    return output.ndim - 1 if last else 1


def _read(
    kept: dict[str, Any], keep: Reduce[Any], name: str, layer: nn.Module, inputs: object, output: object
) -> None:
    kept[name] = keep(name, as_map(layer, output, name))


def _whole_map(name: str, activation: Tensor) -> Tensor:
    return activation
