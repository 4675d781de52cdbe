"""VGG at any width and image size, built from torchvision's own class."""

import torch
from torch import nn

from evoscope.models.families.channels import scaled
from evoscope.models.spec import ModelSpec
from evoscope.torchvision_compat import torchvision

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
    features = torchvision.models.vgg.make_layers(_widths(spec), batch_norm=spec.name.endswith("_bn"))
    with torch.device("meta"):  # its own classifier, which is replaced, costs neither memory nor time
        module: nn.Module = torchvision.models.VGG(features, num_classes=1, dropout=dropout, **spec.kwargs)
    grid = final_grid(spec.pixels)
    module.avgpool = nn.AdaptiveAvgPool2d((grid, grid))
    module.classifier = _classifier(spec.width, grid, n_classes, dropout)
    return module


def _widths(spec: ModelSpec) -> list[str | int]:
    full = torchvision.models.vgg.cfgs[CONFIGURATIONS[spec.name.removesuffix("_bn")]]
    return [step if step == "M" else scaled(int(step), spec.width) for step in full]


def _classifier(width: float, grid: int, n_classes: int, dropout: float) -> nn.Sequential:
    hidden = scaled(HIDDEN, width)
    linears = [
        nn.Linear(scaled(512, width) * grid**2, hidden),
        nn.Linear(hidden, hidden),
        nn.Linear(hidden, n_classes),
    ]
    for linear, full_fan_in in zip(linears, FULL_FAN_IN, strict=True):
        _start(linear, full_fan_in)
    first, second, last = linears
    return nn.Sequential(
        first, nn.ReLU(True), nn.Dropout(dropout), second, nn.ReLU(True), nn.Dropout(dropout), last
    )


def _start(linear: nn.Linear, full_fan_in: int) -> None:
    """Torchvision's start, with the spread that keeps the signal as strong as in the full-width network."""
    nn.init.normal_(linear.weight, 0, FULL_STD * (full_fan_in / linear.in_features) ** 0.5)
    nn.init.zeros_(linear.bias)
