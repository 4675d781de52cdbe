"""A network ready to be looked into: its module, its neuron layers and its own preprocessing."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from evoscope.data.images import SQUASH, Fit


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its images: a square of ``pixels``, then (x / 255 - mean) / std per RGB channel."""

    pixels: int
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    fit: Fit = SQUASH


@dataclass(frozen=True)
class Network:
    """A module in eval mode, the dotted names of its neuron layers in forward order, and its preprocessing.

    A neuron is a channel of one of ``layers``. ``inputs``: shape of one input where it is no image, such as
    (columns,) of a table's row.
    """

    name: str
    module: nn.Module
    layers: tuple[str, ...]
    preprocessing: Preprocessing
    inputs: tuple[int, ...] | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input: ``inputs``, or that of a square image."""
        return self.inputs or (3, self.preprocessing.pixels, self.preprocessing.pixels)


Listing = Literal["once", "released", "v1"]


@dataclass(frozen=True)
class ModelSpec:
    """Everything that decides a network before training.

    ``name``: a torchvision classifier (``vgg16``), or any label beside ``factory``;
    ``width``: multiplies the channels of VGG, InceptionV3 and ConvNeXt (1: torchvision's own constructor);
    ``pixels``: side of the input square; ``dropout``: None keeps the architecture's;
    ``depths``: ConvNeXt, blocks per stage; ``layer_scale``: ConvNeXt, initial scale of a block's branch;
    ``weights``: torchvision's weights by name (``IMAGENET1K_V1``: the model unchanged, with its 1,000
    classes), or the file of a state dict;
    ``factory``: ``package.module:function`` that returns a module, instead of torchvision;
    ``layers``: dotted names of the neuron layers (none: the family's own, by ``listing``);
    ``listing``: each convolution or block ``once``, or as ConceptEvo's ``released`` code or ``v1`` did;
    ``mean``, ``std``, ``fit``: preprocessing; ``kwargs``: further arguments of the constructor or factory.
    """

    name: str
    width: float = 1.0
    pixels: int = 224
    dropout: float | None = None
    depths: tuple[int, ...] | None = None
    layer_scale: float | None = None
    weights: str | None = None
    factory: str | None = None
    layers: tuple[str, ...] = ()
    listing: Listing = "once"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    fit: Fit = SQUASH
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def closest(name: str, known: Iterable[str]) -> str:
    """List the four known names most like ``name``, as text: ``'vgg16', 'vgg16_bn'``."""
    choices = list(known)
    alike = difflib.get_close_matches(name, choices, n=4, cutoff=0.4) or choices[:4]
    return ", ".join(repr(choice) for choice in alike)
