"""A trained classifier cut down to some of its classes, so that it can be judged on a data set of these."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import load_file
from evoscope.models.families.anything import WITH_AUXILIARY_HEAD, check_name, construct

IMAGENET_CLASSES = 1000


def imagenet_classes(name: str, weights: str, classes: Sequence[int]) -> nn.Module:
    """Torchvision's classifier with ImageNet's weights, whose last layer keeps the rows of some classes.

    Its logits are those of the whole network; its layers have the same names.

    Parameters
    ----------
    name : of torchvision's classifier (``squeezenet1_0``).
    weights : file of its state dict with 1,000 classes.
    classes : ImageNet's numbers, in the order of the data set's classes.

    Raises
    ------
    EvoscopeError : an unknown name, a file that is missing or does not fit, numbers that are no classes.
    """
    check_name(name)
    _check_classes(classes)
    if not Path(weights).is_file():
        raise EvoscopeError(f"there are no weights at {weights}", "give their file in model.kwargs.weights")
    head = {"aux_logits": False} if name in WITH_AUXILIARY_HEAD else {}
    module = construct(name, {"weights": None, **head})
    load_file(module, Path(weights))
    place, last = _last_layer(module, name)
    parent, _, key = place.rpartition(".")
    setattr(module.get_submodule(parent), key, _rows_of(last, list(classes)))
    return module


def _check_classes(classes: Sequence[int]) -> None:
    wrong = [number for number in classes if not 0 <= number < IMAGENET_CLASSES]
    if wrong or not classes or len(set(classes)) < len(classes):
        raise EvoscopeError(
            f"model.kwargs.classes={list(classes)} are not classes of ImageNet",
            f"give different numbers from 0 to {IMAGENET_CLASSES - 1}, one per class of the data set",
        )


def _last_layer(module: nn.Module, name: str) -> tuple[str, nn.Linear | nn.Conv2d]:
    heads = [
        (place, part)
        for place, part in module.named_modules()
        if isinstance(part, nn.Linear | nn.Conv2d) and len(part.weight) == IMAGENET_CLASSES
    ]
    if not heads:
        raise EvoscopeError(f"{name!r} has no layer of {IMAGENET_CLASSES} classes", "choose another network")
    return heads[-1]


def _rows_of(layer: nn.Linear | nn.Conv2d, classes: list[int]) -> nn.Linear | nn.Conv2d:
    """The layer with only the outputs of ``classes``."""
    smaller: nn.Linear | nn.Conv2d
    if isinstance(layer, nn.Linear):
        smaller = nn.Linear(layer.in_features, len(classes), bias=layer.bias is not None)
    else:
        smaller = nn.Conv2d(
            layer.in_channels,
            len(classes),
            (layer.kernel_size[0], layer.kernel_size[1]),
            stride=(layer.stride[0], layer.stride[1]),
            bias=layer.bias is not None,
        )
    with torch.no_grad():
        smaller.weight.copy_(layer.weight[classes])
        if layer.bias is not None and smaller.bias is not None:
            smaller.bias.copy_(layer.bias[classes])
    return smaller
