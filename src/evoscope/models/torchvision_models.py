"""Any torchvision classifier by name, with published weights or without, by torchvision's own constructor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.network import closest
from evoscope.models.spec import ModelSpec
from evoscope.torchvision_compat import torchvision

# The protocol ignores the auxiliary head; and the default start warns about its own slowness.
IMAGENET_CLASSES = 1000
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
            f"the closest for model.name are {closest(name, known_models())}; your own: model.factory=module:function",
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
    start: dict[str, Any] = {"image_size": spec.pixels} if spec.name.startswith("vit_") else {}
    if spec.name in WITH_AUXILIARY_HEAD:
        start = {"init_weights": True}
    return construct(spec.name, {"num_classes": n_classes, **start, **options(spec)})


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
    return {**head, **_width(spec), **input_options(spec.name, spec.weights), **given, **spec.kwargs}


def input_options(name: str, weights: str | None) -> dict[str, bool]:
    """What the first layer of InceptionV3 and GoogLeNet expects, as torchvision's published weights were trained."""
    published = name in WITH_AUXILIARY_HEAD and published_weights(name, weights) is not None
    return {"transform_input": True} if published else {}


def any_width(name: str) -> bool:
    """Whether a torchvision classifier can have another width than the published one."""
    return name.startswith(("vgg", "inception_v3", "convnext_", *WIDTH_PER_GROUP, *WIDTH_MULTIPLIER))


def _width(spec: ModelSpec) -> dict[str, Any]:
    if spec.width == 1:
        return {}
    if spec.name in WIDTH_PER_GROUP:
        return {"width_per_group": max(1, round(64 * spec.width))}
    if spec.name in WIDTH_MULTIPLIER:
        return {"width_mult": spec.width}
    raise EvoscopeError(
        f"torchvision's {spec.name!r} has only one width", "set model.width=1, or choose a VGG, InceptionV3 or ConvNeXt"
    )


def build_pretrained(spec: ModelSpec) -> nn.Module:
    """Torchvision's model with its published weights, unchanged: its width, its classes.

    Raises
    ------
    EvoscopeError : when there are no such weights, they are asked for at another width, or cannot be fetched.
    """
    weights = find_weights(spec)
    given = options(spec)
    # With weights torchvision insists on the auxiliary heads; they are taken out once these are loaded.
    given.pop("aux_logits", None)
    try:
        return without_heads(construct(spec.name, {"weights": weights, "progress": False, **given}))
    except (URLError, OSError) as error:
        path = weights_path(spec)
        raise EvoscopeError(
            f"the weights {weights} could not be fetched ({error})",
            f"download {weights.url} and put it into {path.parent}",
        ) from error


def weights_path(spec: ModelSpec) -> Path:
    """Where torchvision looks for the file of published weights before it fetches them."""
    return Path(torch.hub.get_dir()) / "checkpoints" / str(find_weights(spec).url).rpartition("/")[2]


def without_heads(module: nn.Module) -> nn.Module:
    """The module without auxiliary heads, which only training uses."""
    heads = {name: None for name in ("AuxLogits", "aux1", "aux2") if hasattr(module, name)}
    for name, value in {**heads, "aux_logits": False}.items() if hasattr(module, "aux_logits") else ():
        setattr(module, name, value)
    return module


def published_weights(name: str, weights: str | None) -> Any:
    """The member of torchvision's enumeration that ``weights`` is: its name, or its file by torchvision's own name.

    None for anything else, or a name that torchvision does not know.
    """
    if weights is None or name not in known_models():
        return None
    known = torchvision.models.get_model_weights(name).__members__
    file = Path(weights).name
    return known.get(weights) or next((m for m in known.values() if m.url.rpartition("/")[2] == file), None)


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
