"""InceptionV3 at any width, through the block arguments of torchvision's own class."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.families.channels import scaled
from evoscope.models.spec import ModelSpec
from evoscope.torchvision_compat import torchvision

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
    module: nn.Module = torchvision.models.Inception3(
        num_classes=1,
        aux_logits=False,
        init_weights=True,
        inception_blocks=_blocks(spec.width),
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
            f"InceptionV3 cannot have width {width}",
            "choose a multiple of 1/16, for instance model.width=0.25",
        )


def _blocks(width: float) -> list[Callable[..., nn.Module]]:
    library = torchvision.models.inception
    convolution = partial(_convolution, width)
    mixed = (
        library.InceptionA,
        library.InceptionB,
        library.InceptionC,
        library.InceptionD,
        library.InceptionE,
        library.InceptionAux,
    )
    return [convolution, *(partial(block, conv_block=convolution) for block in mixed)]


def _convolution(width: float, in_channels: int, out_channels: int, **options: Any) -> nn.Module:
    """Torchvision's BasicConv2d with scaled channels; the three colours of an image are not scaled."""
    inputs = 3 if in_channels == 3 else scaled(in_channels, width)
    block: nn.Module = torchvision.models.inception.BasicConv2d(
        inputs, scaled(out_channels, width), **options
    )
    return block
