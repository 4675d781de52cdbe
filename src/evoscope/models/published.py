"""What is known of networks of others: the images that they were made for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evoscope.data.images import SQUASH, Fit
from evoscope.models.network import Preprocessing
from evoscope.models.spec import ModelSpec
from evoscope.models.torchvision_models import known_models, published_weights
from evoscope.models.zoo import build_module
from evoscope.torchvision_compat import torchvision

USUAL_PIXELS = 224


def known_preprocessing(spec: ModelSpec) -> tuple[Preprocessing, str] | None:
    """The images that a network was made for, and who says so; None where nothing does.

    Torchvision's published weights tell their transforms, its classifiers the side of those they are trained on; timm's
    networks have a ``default_cfg``, those of Hugging Face a configuration with ``image_size``.
    """
    name, weights = spec.name, spec.weights
    if spec.factory is not None:
        given = spec.kwargs.get("weights")
        name = spec.factory.rpartition(":")[2] if spec.factory.startswith("torchvision.") else ""
        weights = None if given is None else str(given).rpartition(".")[2]
    published = published_weights(name, weights)
    if published is not None:
        return _transforms(published, True), f"as torchvision's {published} want them"
    if spec.factory is not None:
        return _of_module(spec)
    if name in known_models() and len(torchvision.models.get_model_weights(name)):
        member = next(iter(torchvision.models.get_model_weights(name)))
        return _transforms(member, False), f"as torchvision trains {name}"
    return None


def _transforms(weights: Any, cropped: bool) -> Preprocessing:
    """Torchvision's preset; ``cropped``: with the border that it leaves out."""
    preset = weights.transforms()
    pixels = int(preset.crop_size[0])
    fit = Fit("crop", pixels / preset.resize_size[0]) if cropped else SQUASH
    return Preprocessing(pixels, _triple(preset.mean), _triple(preset.std), fit)


def _of_module(spec: ModelSpec) -> tuple[Preprocessing, str] | None:
    """What the module itself says, as its factory builds it."""
    try:
        module = build_module(replace(spec, weights=None, pixels=USUAL_PIXELS), 2, 0)
    except Exception:  # whatever a user's function raises is said where it is built for the data's classes
        return None
    told = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
    if isinstance(told, Mapping) and told.get("input_size"):
        side = getattr(getattr(module, "patch_embed", None), "img_size", None)
        patched = int(side[0]) if isinstance(side, tuple | list) else None
        pixels = patched or spec.kwargs.get("img_size") or told["input_size"][-1]
        known = bool(spec.kwargs.get("pretrained")) and pixels == told["input_size"][-1]
        fit = Fit("crop", float(told.get("crop_pct") or 1)) if known else SQUASH
        usual = Preprocessing(1)
        mean, std = told.get("mean") or usual.mean, told.get("std") or usual.std
        return Preprocessing(int(pixels), _triple(mean), _triple(std), fit), "as timm's default_cfg says"
    for part in (module, *module.children()):
        side = getattr(getattr(part, "config", None), "image_size", None)
        if isinstance(side, int):
            return Preprocessing(side), "as the network's configuration says"
    return None


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
