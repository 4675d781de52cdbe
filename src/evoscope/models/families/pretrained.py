"""Torchvision's published weights, by name."""

from typing import Any
from urllib.error import URLError

import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.families.anything import construct, options
from evoscope.models.names import closest
from evoscope.models.spec import ModelSpec
from evoscope.torchvision_compat import torchvision


def build_pretrained(spec: ModelSpec) -> nn.Module:
    """Torchvision's model with its published weights, unchanged: its width, its classes.

    Raises
    ------
    EvoscopeError : when there are no such weights, they are asked for at another width, or cannot be fetched.
    """
    weights = find_weights(spec)
    try:
        return construct(spec.name, {"weights": weights, "progress": False, **options(spec)})
    except (URLError, OSError) as error:
        folder = f"{torch.hub.get_dir()}/checkpoints"
        raise EvoscopeError(
            f"the weights {weights} could not be fetched ({error})",
            f"download {weights.url} and put it into {folder}",
        ) from error


def find_weights(spec: ModelSpec) -> Any:
    """Look up the member of torchvision's weights enumeration that ``spec.weights`` names."""
    if spec.width != 1 or spec.depths is not None:
        raise EvoscopeError(
            f"published weights fit only the published {spec.name!r}", "set model.width=1 and no model.depths"
        )
    known = torchvision.models.get_model_weights(spec.name)
    if spec.weights not in known.__members__:
        raise EvoscopeError(
            f"{spec.name!r} has no weights {spec.weights!r}, and no such file exists",
            f"the closest are {closest(spec.weights or '', known.__members__)}",
        )
    return known[spec.weights]
