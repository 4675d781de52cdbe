"""Any torchvision classifier by name, by torchvision's own constructor."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.names import closest
from evoscope.models.spec import ModelSpec
from evoscope.torchvision_compat import torchvision

# The protocol ignores the auxiliary head; and the default start warns about its own slowness.
WITH_AUXILIARY_HEAD = ("inception_v3", "googlenet")
TRANSFORMERS = ("vit_", "swin_")
WIDTH_PER_GROUP = ("resnet50", "resnet101", "resnet152")
WIDTH_MULTIPLIER = ("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small")


def known_models() -> list[str]:
    """Names of torchvision's classifiers."""
    return list(torchvision.models.list_models(module=torchvision.models))


def check_name(name: str) -> None:
    """Refuse a name that torchvision does not know."""
    if name not in known_models():
        raise EvoscopeError(
            f"there is no model {name!r}",
            f"the closest are {closest(name, known_models())}; your own: model.factory=module:function",
        )


def minimum_pixels(name: str) -> int:
    """Find the smallest input side of a torchvision classifier, as its published weights state it.

    Transformers state the size they were trained at, though they take others.
    """
    if name.startswith(TRANSFORMERS):
        return 1
    weights = torchvision.models.get_model_weights(name)
    return max(next(iter(weights)).meta["min_size"]) if len(weights) else 1


def build_any(spec: ModelSpec, n_classes: int) -> nn.Module:
    """Torchvision's classifier ``spec.name`` for ``n_classes`` classes.

    Raises
    ------
    EvoscopeError : when the architecture has no such width, dropout or other argument.
    """
    return construct(spec.name, {"num_classes": n_classes, **_start(spec), **options(spec)})


def construct(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Call torchvision's constructor, turning arguments it does not know into a clear error."""
    try:
        module: nn.Module = torchvision.models.get_model(name, **arguments)
    except TypeError as error:
        raise EvoscopeError(
            f"torchvision's {name!r} refuses its arguments ({error})",
            "leave that option out, or choose a model that has it",
        ) from error
    return module


def options(spec: ModelSpec) -> dict[str, Any]:
    """Arguments of torchvision's constructor that ``spec`` asks for, besides the classes."""
    chosen = {"dropout": spec.dropout, "layer_scale": spec.layer_scale}
    given = {key: value for key, value in chosen.items() if value is not None}
    head = {"aux_logits": False} if spec.name in WITH_AUXILIARY_HEAD else {}
    return {**head, **_width(spec), **given, **spec.kwargs}


def _start(spec: ModelSpec) -> dict[str, Any]:
    """Choose what only a network without published weights is asked for."""
    if spec.name in WITH_AUXILIARY_HEAD:
        return {"init_weights": True}
    return {"image_size": spec.pixels} if spec.name.startswith("vit_") else {}


def _width(spec: ModelSpec) -> dict[str, Any]:
    if spec.width == 1:
        return {}
    if spec.name in WIDTH_PER_GROUP:
        return {"width_per_group": max(1, round(64 * spec.width))}
    if spec.name in WIDTH_MULTIPLIER:
        return {"width_mult": spec.width}
    raise EvoscopeError(
        f"torchvision's {spec.name!r} has only one width",
        "set model.width=1, or choose a VGG, InceptionV3 or ConvNeXt",
    )
