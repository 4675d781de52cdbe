"""VGG, Inception and ConvNeXt at any width and image size, built from torchvision's own classes."""

from functools import partial
from typing import Any

import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.spec import ModelSpec
from evoscope.torchvision_compat import torchvision


def scaled(channels: int, width: float) -> int:
    """Channels of a layer of ``channels`` at ``width``, at least one."""
    return max(1, round(channels * width))


CONFIGURATIONS = {"vgg11": "A", "vgg13": "B", "vgg16": "D", "vgg19": "E"}
HIDDEN = 4096
FULL_GRID = 7
FULL_FAN_IN = (512 * FULL_GRID**2, HIDDEN, HIDDEN)
FULL_STD = 0.01


def is_vgg(name: str) -> bool:
    """Whether ``name`` is one of torchvision's VGGs."""
    return name.removesuffix("_bn") in CONFIGURATIONS


def final_grid(pixels: int) -> int:
    """Side of the map that the classifier sees: the last feature map itself, at most 7 as at 224 pixels."""
    return min(max(pixels // 32, 1), FULL_GRID)


def is_full(spec: ModelSpec) -> bool:
    """Whether torchvision's constructor already gives this network."""
    return spec.width == 1 and final_grid(spec.pixels) == FULL_GRID


def build_vgg(spec: ModelSpec, n_classes: int) -> nn.Module:
    """Torchvision's VGG with ``spec.width`` times its channels, and a classifier for ``spec.pixels``.

    The average pool before the classifier is the identity at the chosen size, as it is at 224 pixels.
    """
    dropout = 0.5 if spec.dropout is None else spec.dropout
    full = torchvision.models.vgg.cfgs[CONFIGURATIONS[spec.name.removesuffix("_bn")]]
    widths = [step if step == "M" else scaled(int(step), spec.width) for step in full]
    features = torchvision.models.vgg.make_layers(widths, batch_norm=spec.name.endswith("_bn"))
    with torch.device("meta"):  # its own classifier, which is replaced, costs neither memory nor time
        module: nn.Module = torchvision.models.VGG(features, num_classes=1, dropout=dropout, **spec.kwargs)
    grid = final_grid(spec.pixels)
    module.avgpool = nn.AdaptiveAvgPool2d((grid, grid))
    module.classifier = _classifier(spec.width, grid, n_classes, dropout)
    return module


def _classifier(width: float, grid: int, n_classes: int, dropout: float) -> nn.Sequential:
    hidden = scaled(HIDDEN, width)
    linears = [nn.Linear(scaled(512, width) * grid**2, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, n_classes)]
    # Torchvision's start, with the spread that keeps the signal as strong as in the full-width network.
    for linear, full_fan_in in zip(linears, FULL_FAN_IN, strict=True):
        nn.init.normal_(linear.weight, 0, FULL_STD * (full_fan_in / linear.in_features) ** 0.5)
        nn.init.zeros_(linear.bias)
    first, second, last = linears
    return nn.Sequential(first, nn.ReLU(True), nn.Dropout(dropout), second, nn.ReLU(True), nn.Dropout(dropout), last)


FULL_FEATURES = 2048
COMMON_DIVISOR = 16


def build_inception(spec: ModelSpec, n_classes: int) -> nn.Module:
    """Torchvision's Inception3 with ``spec.width`` times its channels and no auxiliary head.

    Raises
    ------
    EvoscopeError : when the width is no multiple of 1/16, so that concatenated branches would not add up.
    """
    check_width(spec.width)
    options = {} if spec.dropout is None else {"dropout": spec.dropout}
    convolution = partial(_convolution, spec.width)
    kinds = (f"Inception{kind}" for kind in ("A", "B", "C", "D", "E", "Aux"))
    mixed = [getattr(torchvision.models.inception, kind) for kind in kinds]
    module: nn.Module = torchvision.models.Inception3(
        num_classes=1,
        aux_logits=False,
        init_weights=True,
        inception_blocks=[convolution, *(partial(block, conv_block=convolution) for block in mixed)],
        **options,
        **spec.kwargs,
    )
    module.fc = nn.Linear(scaled(FULL_FEATURES, spec.width), n_classes)
    nn.init.trunc_normal_(module.fc.weight, std=0.1, a=-2, b=2)
    return module


def check_width(width: float) -> None:
    """Refuse widths at which the branches of a block do not add up."""
    if width <= 0 or not (width * COMMON_DIVISOR).is_integer():
        raise EvoscopeError(
            f"InceptionV3 cannot have width {width}", "choose a multiple of 1/16, for instance model.width=0.25"
        )


def _convolution(width: float, in_channels: int, out_channels: int, **options: Any) -> nn.Module:
    """Torchvision's BasicConv2d with scaled channels; the three colours of an image are not scaled."""
    inputs = 3 if in_channels == 3 else scaled(in_channels, width)
    block: nn.Module = torchvision.models.inception.BasicConv2d(inputs, scaled(out_channels, width), **options)
    return block


# Channels of the first stage (each next stage has twice as many), blocks per stage, stochastic depth.
VARIANTS = {
    "convnext_tiny": (96, (3, 3, 9, 3), 0.1),
    "convnext_small": (96, (3, 3, 27, 3), 0.4),
    "convnext_base": (128, (3, 3, 27, 3), 0.5),
    "convnext_large": (192, (3, 3, 27, 3), 0.5),
}


def build_convnext(spec: ModelSpec, n_classes: int) -> nn.Module:
    """Torchvision's ConvNeXt with ``spec.width`` times its channels and ``spec.depths`` blocks per stage."""
    channels, usual, stochastic_depth = VARIANTS[spec.name]
    depths = spec.depths or usual
    widths = [scaled(channels, spec.width) * 2**stage for stage in range(len(depths))]
    stages = zip(widths, [*widths[1:], None], depths, strict=True)
    blocks = [torchvision.models.convnext.CNBlockConfig(*stage) for stage in stages]
    options = {"stochastic_depth_prob": stochastic_depth, **spec.kwargs}
    if spec.layer_scale is not None:
        options["layer_scale"] = spec.layer_scale
    module: nn.Module = torchvision.models.ConvNeXt(blocks, num_classes=n_classes, **options)
    return module


def check_depths(depths: tuple[int, ...] | None) -> None:
    """Refuse depths that are no positive counts of blocks."""
    if depths is not None and (not depths or min(depths) < 1):
        raise EvoscopeError(
            f"ConvNeXt cannot have depths {list(depths)}", "give a positive number of blocks for each stage"
        )
