"""From a specification to a network that is ready to be looked into."""

from pathlib import Path

import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import load_file
from evoscope.models.families.anything import build_any, check_name, minimum_pixels
from evoscope.models.families.convnext import VARIANTS, build_convnext, check_depths
from evoscope.models.families.custom import build_custom, find_function
from evoscope.models.families.inception import build_inception, check_width
from evoscope.models.families.pretrained import build_pretrained, find_weights
from evoscope.models.families.vgg import build_vgg, is_full, is_vgg
from evoscope.models.layers import default_layers, layer_shapes
from evoscope.models.network import Network, Preprocessing
from evoscope.models.spec import ModelSpec
from evoscope.seeds import derive

__all__ = ["ModelSpec", "build", "build_module", "validate"]


def build(spec: ModelSpec, n_classes: int, seed: int) -> Network:
    """Build the network of ``spec``, its start drawn from ``seed``, in eval mode on the CPU.

    Its layers are checked by one forward pass of a blank image, and listed in the order in which they run.

    Raises
    ------
    EvoscopeError : unknown names, impossible combinations, layers that are no maps.
    """
    module = build_module(spec, n_classes, seed).eval()
    layers = spec.layers or default_layers(module, spec.listing)
    shapes = layer_shapes(module, layers, spec.pixels)
    preprocessing = Preprocessing(spec.pixels, spec.mean, spec.std, spec.fit)
    return Network(spec.name, module, tuple(shapes), preprocessing)


def build_module(spec: ModelSpec, n_classes: int, seed: int) -> nn.Module:
    """Build the module alone; the global random state is left as it was."""
    validate(spec)
    with torch.random.fork_rng(devices=[]):
        # The CPU's generator only: torch.manual_seed would also reseed every GPU.
        torch.default_generator.manual_seed(derive(seed, "start"))
        module = _construct(spec, n_classes)
    if _is_file(spec):
        load_file(module, Path(str(spec.weights)))
    return module


def validate(spec: ModelSpec) -> None:
    """Refuse, before any work, what cannot be built.

    Raises
    ------
    EvoscopeError : the first thing that is wrong, and how to mend it.
    """
    if not 0 < spec.width <= 8:
        raise EvoscopeError(f"a network cannot have width {spec.width}", "choose model.width between 0 and 8")
    if spec.pixels < 1:
        raise EvoscopeError(
            f"an image cannot have {spec.pixels} pixels a side", "choose a positive model.pixels"
        )
    if spec.factory is not None:
        find_function(spec.factory)
    else:
        _validate_torchvision(spec)


def _validate_torchvision(spec: ModelSpec) -> None:
    check_name(spec.name)
    _check_pixels(spec)
    if spec.name == "inception_v3":
        check_width(spec.width)
    if spec.depths is not None and spec.name not in VARIANTS:
        raise EvoscopeError(
            f"{spec.name!r} takes no depths", "leave model.depths out: only ConvNeXt has them"
        )
    check_depths(spec.depths)
    if spec.weights is not None and not _is_file(spec):
        find_weights(spec)


def _check_pixels(spec: ModelSpec) -> None:
    smallest = minimum_pixels(spec.name)
    if spec.pixels < smallest:
        raise EvoscopeError(
            f"{spec.name!r} cannot see images of {spec.pixels} pixels",
            f"set model.pixels to {smallest} or more",
        )


def _construct(spec: ModelSpec, n_classes: int) -> nn.Module:
    if spec.factory is not None:
        return build_custom(spec, n_classes)
    if spec.weights is not None and not _is_file(spec):
        return build_pretrained(spec)
    if is_vgg(spec.name) and not is_full(spec):
        return build_vgg(spec, n_classes)
    if spec.name == "inception_v3" and spec.width != 1:
        return build_inception(spec, n_classes)
    if spec.name in VARIANTS and (spec.width != 1 or spec.depths is not None):
        return build_convnext(spec, n_classes)
    return build_any(spec, n_classes)


def _is_file(spec: ModelSpec) -> bool:
    return spec.weights is not None and Path(spec.weights).is_file()
