"""Everything that decides a network before training, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from evoscope.data.images import SQUASH, Fit

Listing = Literal["once", "released", "v1", "convolutions"]


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
    ``listing``: each convolution or block ``once``, or as ConceptEvo's ``released`` code (its reversal) or ``v1``
    did, or, as the released code's stimuli, VGG's ``convolutions`` before the ReLU that overwrites them;
    ``mean``, ``std``, ``fit``: preprocessing; ``kwargs``: further arguments of the constructor or factory;
    ``code``: digest of the factory's source, so that edited code is another network;
    ``outputs``: of the logits only these are given, one per class of the data set (none: all, as they are);
    ``built_for``: outputs that the network is built with, where they are not one per class.
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
    code: str = ""
    outputs: tuple[int, ...] = ()
    built_for: int | None = None
