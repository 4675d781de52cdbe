"""ConvNeXt at any width and depth, through torchvision's own class and block settings."""

from dataclasses import dataclass

from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.families.channels import scaled
from evoscope.models.spec import ModelSpec
from evoscope.torchvision_compat import torchvision


@dataclass(frozen=True)
class Variant:
    """Channels of the first stage (each next stage has twice as many), blocks per stage, stochastic depth."""

    channels: int
    depths: tuple[int, ...]
    stochastic_depth: float


VARIANTS = {
    "convnext_tiny": Variant(96, (3, 3, 9, 3), 0.1),
    "convnext_small": Variant(96, (3, 3, 27, 3), 0.4),
    "convnext_base": Variant(128, (3, 3, 27, 3), 0.5),
    "convnext_large": Variant(192, (3, 3, 27, 3), 0.5),
}


def build_convnext(spec: ModelSpec, n_classes: int) -> nn.Module:
    """Torchvision's ConvNeXt with ``spec.width`` times its channels and ``spec.depths`` blocks per stage."""
    variant = VARIANTS[spec.name]
    channels = _channels(scaled(variant.channels, spec.width), spec.depths or variant.depths)
    options = {"stochastic_depth_prob": variant.stochastic_depth, **spec.kwargs}
    if spec.layer_scale is not None:
        options["layer_scale"] = spec.layer_scale
    module: nn.Module = torchvision.models.ConvNeXt(channels, num_classes=n_classes, **options)
    return module


def check_depths(depths: tuple[int, ...] | None) -> None:
    """Refuse depths that are no positive counts of blocks."""
    if depths is not None and (not depths or min(depths) < 1):
        raise EvoscopeError(
            f"ConvNeXt cannot have depths {list(depths)}", "give a positive number of blocks for each stage"
        )


def _channels(first: int, depths: tuple[int, ...]) -> list[object]:
    setting = torchvision.models.convnext.CNBlockConfig
    widths = [first * 2**stage for stage in range(len(depths))]
    outputs = [*widths[1:], None]
    return [setting(*stage) for stage in zip(widths, outputs, depths, strict=True)]
