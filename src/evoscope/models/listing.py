"""Which layers of a module hold its neurons, unless the user names them: those of its family, or its blocks."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import get_args

from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.spec import Listing
from evoscope.torchvision_compat import torchvision

# Classes, by name, whose output is one step of their architecture.
BLOCKS = frozenset(
    {
        *("BasicBlock", "Bottleneck", "ResBottleneckBlock", "Fire", "Inception", "_DenseLayer"),
        *("InvertedResidual", "_InvertedResidual", "MBConv", "FusedMBConv", "CNBlock"),
        *("EncoderBlock", "SwinTransformerBlock", "SwinTransformerBlockV2", "MaxVitLayer"),
    }
)
NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
SERIES = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def default_layers(module: nn.Module, listing: Listing = "once") -> tuple[str, ...]:
    """Choose the neuron layers of a module's family.

    VGG: each convolution, after its ReLU; InceptionV3: 5 convolutions, 11 mixed blocks; ConvNeXt: stem, blocks and the
    downsamplers' convolutions; other networks: their blocks; plain stacks: every convolution. ``released`` and ``v1``
    differ from ``once`` only where ConceptEvo's code did; ``convolutions`` differs from ``released`` for VGG only,
    whose stimuli that code took at each convolution itself, before the ReLU that overwrites it.

    Raises
    ------
    EvoscopeError : when the module has neither blocks nor convolutions.
    """
    names = _of_family(module, listing) or blocks(module) or rectified_convolutions(module)
    if not names:
        raise EvoscopeError("this module has no convolution to take neurons from", "name its layers in model.layers")
    return names


def known_layers(module: nn.Module) -> frozenset[str]:
    """Layers of the families of the papers, by all listings; their maps have the channels first."""
    return frozenset(name for listing in get_args(Listing) for name in _of_family(module, listing))


def _of_family(module: nn.Module, listing: Listing) -> tuple[str, ...]:
    models = torchvision.models
    if isinstance(module, models.VGG):
        return _vgg(module, listing)
    if isinstance(module, models.Inception3):
        return _inception(module, listing)
    if isinstance(module, models.ConvNeXt):
        return _convnext(module, listing)
    return ()


def blocks(module: nn.Module) -> tuple[str, ...]:
    """Names of the blocks that a network is a series of, whoever wrote it; none of a plain stack of layers.

    A block is a module made of others, or with weights of its own, that stands in a Sequential, ModuleList or
    ModuleDict, or beside another of its class. Where it is itself a series of blocks, such as a stage, those count.
    """
    if type(module).__module__.startswith("torchvision."):
        return outermost(module, BLOCKS)
    stages = frozenset(type(part) for part in module.modules() if _is_made(part) and _is_stage(part))
    return tuple(_blocks_in(module, "", stages))


def _blocks_in(module: nn.Module, prefix: str, stages: frozenset[type]) -> Iterator[str]:
    kinds = Counter(type(child) for child in module.children() if _is_made(child))
    for key, child in module.named_children():
        repeated = _is_series(module, 1 if type(module) in stages else 2) or kinds[type(child)] > 1
        if repeated and _is_made(child) and type(child) not in stages:
            yield prefix + key
        else:
            yield from _blocks_in(child, f"{prefix}{key}.", stages)


def _is_made(part: nn.Module) -> bool:
    """Whether it has weights and is no layer of torch's: made of such layers, or somebody's own."""
    layer = any(each.__module__.startswith("torch.nn.") and each is not nn.Module for each in type(part).__mro__)
    inner = any(next(child.parameters(), None) is not None for child in part.children())
    own = not layer and next(part.parameters(recurse=False), None) is not None
    return not isinstance(part, SERIES) and (inner or own)


def _is_series(part: nn.Module, least: int) -> bool:
    children = list(part.children())
    alike = len({type(child) for child in children}) == 1 and all(map(_is_made, children))
    return isinstance(part, SERIES) or (alike and len(children) >= least)


def _is_stage(part: nn.Module) -> bool:
    """Whether it holds a series of two modules of one class with two weights or more each: convolutions, say."""
    for series in part.modules():
        if _is_series(series, 2):
            kinds = Counter(type(child) for child in series.children() if _is_made(child))
            several = (child for child in series.children() if kinds[type(child)] > 1)
            if any(sum(weight.ndim > 1 for weight in child.parameters()) > 1 for child in several):
                return True
    return False


def outermost(module: nn.Module, classes: Iterable[str]) -> tuple[str, ...]:
    """Names of the modules of the given classes (by name), without those inside another one of them."""
    wanted = frozenset(classes)
    found: list[str] = []
    for name, child in module.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if name and type(child).__name__ in wanted and not inside:
            found.append(name)
    return tuple(found)


def rectified_convolutions(module: nn.Module) -> tuple[str, ...]:
    """Every convolution once: the ReLU that follows it in its Sequential, or the convolution itself."""
    uses = Counter(id(child) for _, child in module.named_modules(remove_duplicate=False))
    names: list[str] = []
    for name, child in module.named_modules():
        if isinstance(child, nn.Conv2d):
            relu = _relu_after(module, name)
            shared = relu is not None and uses[id(module.get_submodule(relu))] > 1
            names.append(name if relu is None or shared else relu)
    return tuple(names)


def _relu_after(module: nn.Module, name: str) -> str | None:
    """Name of the ReLU that follows ``name`` in its Sequential, at most a normalisation between."""
    place, _, key = name.rpartition(".")
    parent = module.get_submodule(place)
    if not isinstance(parent, nn.Sequential):
        return None
    following = list(parent.named_children())
    keys = [child for child, _ in following]
    for child, step in following[keys.index(key) + 1 :] if key in keys else []:
        if isinstance(step, nn.ReLU):
            return f"{place}.{child}" if place else child
        if not isinstance(step, NORMS):
            return None
    return None


def _vgg(module: nn.Module, listing: Listing) -> tuple[str, ...]:
    """Released: every step of the feature stack, so convolution and ReLU twice, and the pools."""
    if listing == "convolutions":
        return tuple(name for name, step in module.named_modules() if isinstance(step, nn.Conv2d))
    if listing == "released":
        return tuple(f"features.{name}" for name, _ in module.get_submodule("features").named_children())
    return rectified_convolutions(module)


def _inception(module: nn.Module, listing: Listing) -> tuple[str, ...]:
    """Released: the two max-pools too."""
    pools = ("maxpool1", "maxpool2") if listing in ("released", "convolutions") else ()
    names = (name for name, _ in module.named_children())
    return tuple(name for name in names if name.startswith(("Conv2d_", "Mixed_")) or name in pools)


def _convnext(module: nn.Module, listing: Listing) -> tuple[str, ...]:
    """v1: the downsamplers' LayerNorms too, but no stem; released: both."""
    stages = list(module.get_submodule("features").named_children())
    names = [] if listing == "v1" else ["features.0"]
    for index, stage in stages[1:]:
        for key, step in stage.named_children():
            if listing != "once" or not isinstance(step, nn.LayerNorm):
                names.append(f"features.{index}.{key}")
    return tuple(names)
