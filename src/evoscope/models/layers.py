"""Layers that hold the neurons of a module, by dotted name, and the hooks that read them.

A neuron is a channel of one of these layers. Where an in-place ReLU follows a convolution both are one
tensor, so ``once`` lists the ReLU alone (ConceptEvo's released code listed both).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeVar, overload

import torch
from torch import Tensor, nn

from evoscope.errors import EvoscopeError
from evoscope.models.network import closest
from evoscope.models.spec import Listing
from evoscope.torchvision_compat import torchvision

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
            place = hook_point(module, name)
            hook = partial(_read, kept, keep, name)
            stack.callback(place.register_forward_hook(hook).remove)
        yield kept


def hook_point(module: nn.Module, name: str) -> nn.Module:
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


# Classes, by name, whose output is one step of their architecture.
BLOCKS = frozenset(
    {
        *("BasicBlock", "Bottleneck", "ResBottleneckBlock", "Fire", "Inception", "_DenseLayer"),
        *("InvertedResidual", "_InvertedResidual", "MBConv", "FusedMBConv", "CNBlock"),
        *("EncoderBlock", "SwinTransformerBlock", "SwinTransformerBlockV2", "MaxVitLayer"),
    }
)
NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
Shape = tuple[int, int, int]


def default_layers(module: nn.Module, listing: Listing = "once") -> tuple[str, ...]:
    """Choose the neuron layers of a module's family.

    VGG and other plain stacks: each convolution, after its ReLU; InceptionV3: 5 convolutions, 11 mixed
    blocks; ConvNeXt: stem, blocks and the downsamplers' convolutions; other known architectures: their
    blocks; else every convolution. ``released`` and ``v1`` differ from ``once`` only where ConceptEvo's
    code did.

    Raises
    ------
    EvoscopeError : when the module has neither known blocks nor convolutions.
    """
    models = torchvision.models
    if isinstance(module, models.VGG):
        return _vgg(module, listing)
    if isinstance(module, models.Inception3):
        return _inception(module, listing)
    if isinstance(module, models.ConvNeXt):
        return _convnext(module, listing)
    names = outermost(module, BLOCKS) or rectified_convolutions(module)
    if not names:
        raise EvoscopeError(
            "this module has no convolution to take neurons from", "name its layers in model.layers"
        )
    return names


def outermost(module: nn.Module, classes: Iterable[str]) -> tuple[str, ...]:
    """Names of the modules of the given classes (by name), without those inside another one of them."""
    wanted = frozenset(classes)
    found: list[str] = []
    for name, child in module.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if name and type(child).__name__ in wanted and not inside:
            found.append(name)
    return tuple(found)


def rectified_convolutions(module: nn.Module) -> tuple[str, ...]:
    """Every convolution once: the ReLU that follows it in its Sequential, or the convolution itself."""
    uses = Counter(id(child) for _, child in module.named_modules(remove_duplicate=False))
    names: list[str] = []
    for name, child in module.named_modules():
        if isinstance(child, nn.Conv2d):
            relu = _relu_after(module, name)
            shared = relu is not None and uses[id(module.get_submodule(relu))] > 1
            names.append(name if relu is None or shared else relu)
    return tuple(names)


def layer_shapes(module: nn.Module, layers: Sequence[str], pixels: int) -> dict[str, Shape]:
    """Find the channels, height and width of each layer's map for a square image, in running order.

    Raises
    ------
    EvoscopeError : unknown or repeated names, layers that do not run exactly once, outputs that are no maps.
    """
    check_names(module, layers)
    runs: list[tuple[str, Shape]] = []

    def note(name: str, activation: Tensor) -> None:
        _, channels, height, width = activation.shape
        runs.append((name, (channels, height, width)))

    with capture(module, layers, note):
        _look_at_blank(module, pixels)
    _check_runs(layers, Counter(name for name, _ in runs))
    return dict(runs)


def check_names(module: nn.Module, layers: Sequence[str]) -> None:
    """Refuse names that the module does not have, or that are given twice."""
    known = [name for name, _ in module.named_modules(remove_duplicate=False) if name]
    for name, count in Counter(layers).items():
        if name not in known:
            raise EvoscopeError(f"there is no layer {name!r}", f"the closest are {closest(name, known)}")
        if count > 1:
            raise EvoscopeError(
                f"layer {name!r} is given {count} times", "name each layer once in model.layers"
            )


def _look_at_blank(module: nn.Module, pixels: int) -> None:
    parameter = next(module.parameters(), torch.empty(0))
    training = module.training
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(1, 3, pixels, pixels, device=parameter.device, dtype=parameter.dtype))
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise EvoscopeError(
            f"the network cannot see an image of {pixels} x {pixels} pixels ({reason})",
            "set model.pixels to the size it was made for",
        ) from error
    finally:
        module.train(training)


def _check_runs(layers: Sequence[str], runs: Counter[str]) -> None:
    for name in layers:
        if runs[name] != 1:
            raise EvoscopeError(
                f"layer {name!r} runs {runs[name]} times in a forward pass, so its neurons are not defined",
                "leave it out of model.layers",
            )


def _relu_after(module: nn.Module, name: str) -> str | None:
    """Name of the ReLU that follows ``name`` in its Sequential, at most a normalisation between."""
    place, _, key = name.rpartition(".")
    parent = module.get_submodule(place)
    if not isinstance(parent, nn.Sequential):
        return None
    following = list(parent.named_children())
    keys = [child for child, _ in following]
    for child, step in following[keys.index(key) + 1 :] if key in keys else []:
        if isinstance(step, nn.ReLU):
            return f"{place}.{child}" if place else child
        if not isinstance(step, NORMS):
            return None
    return None


def _vgg(module: nn.Module, listing: Listing) -> tuple[str, ...]:
    """Released: every step of the feature stack, so convolution and ReLU twice, and the pools."""
    if listing == "released":
        return tuple(f"features.{name}" for name, _ in module.get_submodule("features").named_children())
    return rectified_convolutions(module)


def _inception(module: nn.Module, listing: Listing) -> tuple[str, ...]:
    """Released: the two max-pools too."""
    pools = ("maxpool1", "maxpool2") if listing == "released" else ()
    names = (name for name, _ in module.named_children())
    return tuple(name for name in names if name.startswith(("Conv2d_", "Mixed_")) or name in pools)


def _convnext(module: nn.Module, listing: Listing) -> tuple[str, ...]:
    """v1: the downsamplers' LayerNorms too, but no stem; released: both."""
    stages = list(module.get_submodule("features").named_children())
    names = [] if listing == "v1" else ["features.0"]
    for index, stage in stages[1:]:
        for key, step in stage.named_children():
            if listing != "once" or not isinstance(step, nn.LayerNorm):
                names.append(f"features.{index}.{key}")
    return tuple(names)
