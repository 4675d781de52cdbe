"""Networks that the user brings: several from a file, each with its own defaults, looked at as it is unless trained.

A network is trained only where that is asked for (a value of ``training``, ``experiment=train``); otherwise its
checkpoints are looked at, or the one state that its weights or its constructor leave.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor, nn

from evoscope.data.images import Fit, digest
from evoscope.errors import OURS, EvoscopeError
from evoscope.figure_data import AS_IT_IS
from evoscope.models.checkpoints import file_digest
from evoscope.models.network import Preprocessing
from evoscope.models.published import USUAL_PIXELS, known_preprocessing
from evoscope.models.spec import Listing, ModelSpec
from evoscope.models.torchvision_models import any_width, known_models, minimum_pixels, published_weights
from evoscope.models.weights import load_file
from evoscope.store.hashing import digest_bytes
from evoscope.store.source import module_digest
from experiments.schema import PAPER, Config, ModelConfig, NetworkConfig, brought

# What a user's network is called that has no name, or one of ours.
OWN = "own"
AS_BUILT = "as_built"
CONVNEXT_DEPTHS = (3, 3, 9, 3)


@dataclass(frozen=True)
class AsBuilt:
    """Checkpoints of a network that is looked at as it comes: one state, by its constructor or a file of weights.

    ``weights``: a file, a folder of Hugging Face, torchvision's name, or None: what the constructor leaves; ``prefix``,
    ``key``: how names in the file are read; ``built``: digest of the state, where only building it tells.
    """

    weights: str | None
    prefix: str = ""
    key: str | None = None
    built: str = ""

    @property
    def file(self) -> Path | None:
        """The file or folder of the weights, where they are one."""
        path = None if self.weights is None else Path(self.weights).expanduser()
        return path if path is not None and path.exists() else None

    @property
    def epochs(self) -> tuple[int, ...]:
        """The only state there is."""
        return (AS_IT_IS,)

    def load(self, module: nn.Module, epoch: int) -> tuple[str, ...]:
        """Load the file; what a constructor loaded is there already."""
        return load_file(module, self.file, self.prefix, self.key) if self.file else ()

    def fingerprint(self, epoch: int) -> str:
        """Digest of the weights' file and how it is read, of their name in torchvision, or of the state as built."""
        if self.file is None:
            return digest(self.weights or "", self.built) if self.built else digest(self.weights or "")
        found = file_digest(self.file)
        return digest(found, self.prefix, str(self.key)) if self.prefix or self.key else found


def state_digest(module: nn.Module) -> str:
    """Hex SHA-256 of all weights of a module."""
    parts = [
        f"{name}/{value.dtype}/{list(value.shape)}/{digest_bytes(_bytes(value))}"
        for name, value in module.state_dict().items()
    ]
    return digest_bytes("\n".join(parts).encode())


def _bytes(value: Tensor) -> bytes:
    return bytes(value.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy())


# Keys that name a file or folder.
PATHS = (
    "store",
    "outputs",
    "data.root",
    "model.weights",
    "model.checkpoints",
    "networks",
    "tabular.path",
    "regions",
    "discovery.judged",
)
FROM_SCALE = ("width", "pixels", "depth", "layer_scale")


def typed_config(config: DictConfig) -> Config:
    """The typed configuration of a job, with the networks of its file.

    ``~`` stands for the home folder in every path. What a group of ours takes from the scale (``model=vgg16``: width,
    pixels, batch norm) says nothing about a user's weights, so it is left out where there are some.

    Raises
    ------
    EvoscopeError : the file cannot be read, or it comes beside a network by ``model``.
    """
    typed = OmegaConf.to_object(config)
    if not isinstance(typed, Config):
        raise EvoscopeError("the configuration lost its schema", "keep `schema` first in conf/config.yaml")
    for key in PATHS:
        _expand(typed, key)
    if brought(typed.model):
        usual = ModelConfig(name=PAPER)
        for key in FROM_SCALE:
            if OmegaConf.is_interpolation(config.model, key):
                setattr(typed.model, key, getattr(usual, key))
        if OmegaConf.is_interpolation(config.model, "name"):
            plain = typed.model.name.removesuffix(typed.scale.vgg_norm)
            typed.model.name = PAPER if typed.model.factory is not None else plain
    else:
        _fit_size(config, typed.model)
    if typed.networks is not None:
        if brought(typed.model) or _named(typed):
            raise EvoscopeError(
                f"runs={typed.networks} names the networks, and model another one", "give one of the two"
            )
        typed.brought = read_networks(Path(typed.networks))
    elif typed.brought:
        _join(typed)
    return typed


def _join(config: Config) -> None:
    """Put the user's network, which must have weights of its own, beside those of a group (``runs=pretrained``)."""
    model = config.model
    if brought(model):
        name = name_of(config, model)
        config.brought[name] = NetworkConfig(**vars(model), epochs=config.epochs)
    elif _named(config):
        raise EvoscopeError(
            f"the networks of runs come trained, and model.name={model.name} has no weights",
            f"give model.weights, or model.factory and model.checkpoints={AS_BUILT}",
        )


def _named(config: Config) -> bool:
    """Whether the user names a network of ours; ``outlier_discovery`` names one by itself."""
    own = [PAPER, config.scale.stamped.model] if config.task == "outlier_discovery" else [PAPER]
    return config.model.name not in own


def _expand(config: Config, key: str) -> None:
    """Put the home folder in place of ``~``, which a shell leaves alone behind ``key=``."""
    *groups, name = key.split(".")
    holder: object = config
    for group in groups:
        holder = getattr(holder, group)
    value = getattr(holder, name)
    if isinstance(value, str) and value.startswith("~"):
        setattr(holder, name, os.path.expanduser(value))


def _fit_size(config: DictConfig, model: ModelConfig) -> None:
    """Keep to what a network can be that is named in place of a group's, whose size was for another."""
    if model.name not in known_models() or OmegaConf.is_interpolation(config.model, "name"):
        return
    if OmegaConf.is_interpolation(config.model, "width") and not any_width(model.name):
        model.width = None
    if OmegaConf.is_interpolation(config.model, "pixels"):
        model.pixels = max(model.pixels or 0, minimum_pixels(model.name))


def name_of(config: Config, model: ModelConfig) -> str:
    """What a user's network is called: by its own name, unless it has none or that of one of the paper's runs."""
    return OWN if model.name == PAPER or model.name in config.runs else model.name


def title_of(model: ModelConfig) -> str:
    """What a user's network is, for captions: its function, or torchvision's name."""
    if model.factory is None:
        return model.name
    named = model.kwargs.get("model_name")
    return f"{named} by {model.factory}" if named else model.factory


def own_spec(config: Config, model: ModelConfig, name: str) -> tuple[ModelSpec, tuple[str, ...]]:
    """The library's description of a user's network, and what was left out and so taken as it is known."""
    label = name if model.factory is not None else model.name
    spec = ModelSpec(label, weights=model.weights, factory=model.factory, kwargs=dict(model.kwargs))
    usual, told = Preprocessing(USUAL_PIXELS), tuple[str, ...]()
    if model.factory is not None or model.name in known_models():  # else refused by its name
        usual, source = known_preprocessing(spec) or (usual, "ImageNet's usual size")
        words = f"{name}: images of {usual.pixels} px, {source}; another size: model.pixels=..."
        told = (words,) if model.pixels is None else ()
    file = spec.weights is not None and published_weights(spec.name, spec.weights) is None
    spec = replace(
        spec,
        weights=None if file and Path(str(spec.weights)).expanduser().exists() else spec.weights,
        code="" if spec.factory is None else factory_code(spec.factory),
    )
    return filled(config, model, spec, usual), told


def filled(config: Config, model: ModelConfig, spec: ModelSpec, usual: Preprocessing) -> ModelSpec:
    """The description with all that the configuration gives, and what is ``usual`` for the rest."""
    depths = None
    if model.name.startswith("convnext") and model.depth != 1:
        depths = tuple(max(1, round(depth * model.depth)) for depth in CONVNEXT_DEPTHS)
    mode = usual.fit.mode if model.fit is None else cast(Literal["squash", "crop"], model.fit)
    fraction = usual.fit.crop_fraction if mode == usual.fit.mode else 1.0
    return replace(
        spec,
        width=1.0 if model.width is None else model.width,
        pixels=model.pixels or usual.pixels,
        dropout=model.dropout,
        depths=depths,
        layer_scale=model.layer_scale,
        layers=tuple(model.layers),
        listing=cast(Listing, config.protocol.listing),
        mean=_triple(model.mean, "model.mean") or usual.mean,
        std=_triple(model.std, "model.std") or usual.std,
        fit=Fit(mode, fraction if model.crop_fraction is None else model.crop_fraction),
    )


def _triple(values: list[float] | None, key: str) -> tuple[float, float, float] | None:
    """Values of red, green and blue, of which there must be three; None where none are given."""
    if values is None:
        return None
    if len(values) != 3:
        raise EvoscopeError(f"{key} has {len(values)} values", "give one for each of red, green and blue")
    return values[0], values[1], values[2]


def factory_code(factory: str) -> str:
    """Digest of the source of a user's factory, because the same weights mean something else in edited code.

    Empty for a factory of ours, whose source the store follows, and for one that cannot be read (refused later).
    """
    module = factory.partition(":")[0]
    if module.partition(".")[0] in OURS:
        return ""
    try:
        return module_digest(module)
    except EvoscopeError:
        return ""


def read_networks(path: Path) -> dict[str, NetworkConfig]:
    """The networks that a file describes, by name; see ``experiment=init`` for a template.

    Paths in it are relative to its folder.

    Raises
    ------
    EvoscopeError : there is no such file, it is no YAML, or an entry has an unknown key or a value of another type.
    """
    if not path.is_file():
        raise EvoscopeError(
            f"there is no file {str(path)!r} of networks (runs=FILE.yaml)", "write one by experiment=init"
        )
    try:
        content = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except Exception as error:  # YAML's own classes of errors, and those of decoding
        reason = " ".join(str(error).split())[:200]
        raise EvoscopeError(
            f"runs={path} cannot be read as YAML ({reason})", "compare it with experiment=init"
        ) from error
    if not isinstance(content, dict) or not content:
        raise EvoscopeError(f"runs={path} names no network", "write NAME: and its keys below; see experiment=init")
    return {str(name): _entry(path, str(name), entry) for name, entry in content.items()}


def _entry(path: Path, name: str, values: Any) -> NetworkConfig:
    if not isinstance(values, dict):
        raise EvoscopeError(
            f"runs={path}: {name} is no mapping", "write its keys below it, such as factory: and checkpoints:"
        )
    try:
        merged = OmegaConf.merge(OmegaConf.structured(NetworkConfig(name=PAPER)), values)
    except OmegaConfBaseException as error:
        key, what = (getattr(error, "full_key", None), " ".join(str(error.msg or error).splitlines()[0].split()))
        known = ", ".join(NetworkConfig.__dataclass_fields__)
        raise EvoscopeError(f"runs={path}: {name}.{key}: {what}", f"the keys are {known}") from error
    entry = cast(NetworkConfig, OmegaConf.to_object(merged))
    for key, value in vars(entry).items():  # OmegaConf lets lists and mappings into a list of numbers
        if isinstance(value, list) and any(isinstance(each, list | dict) for each in value):
            raise EvoscopeError(f"runs={path}: {name}.{key}: {value} is no plain list", "write [a, b]")
    if entry.factory is None and entry.name == PAPER:
        raise EvoscopeError(
            f"runs={path}: {name} names no network", "add factory: package.module:build, or name: of torchvision's"
        )
    if entry.checkpoints not in (None, AS_BUILT):
        entry.checkpoints = str(path.parent / Path(str(entry.checkpoints)).expanduser())
    if entry.weights is not None and (path.parent / Path(entry.weights).expanduser()).exists():
        entry.weights = str(path.parent / Path(entry.weights).expanduser())
    return entry


TEMPLATE = """\
# Networks that are looked at together: python run.py experiment=unified_space runs=runs.yaml data=folder data.root=PATH
# Each has a name of your own, which figures show. base=NAME says which one spans the space (the first unless given).
# Paths are relative to this file.

mine:
  factory: mypackage.nets:build     # a function that returns the module (called with n_classes if it takes it)
  # kwargs: {depth: 3}              # further arguments of the function
  checkpoints: run/ep{epoch}.pt     # one file per epoch; * and {step} stand for what differs: epoch={epoch}-step=*.ckpt
  # weights: run/best.pt            # or a single state: a file, or torchvision's name (IMAGENET1K_V1)
  # checkpoints: as_built           # or as the function builds it
  # strip_prefix: model.            # what stands before the network's own names in the file
  # state_dict_key: model_ema       # the entry that holds the weights
  pixels: 224                       # side of the images it was trained on
  # mean: [0.485, 0.456, 0.406]     # of red, green and blue
  # std: [0.229, 0.224, 0.225]
  # fit: crop                       # or squash (the default)
  # crop_fraction: 0.875
  # layers: [layer3, layer4]        # modules whose channels are the neurons; the network's own unless given
  # epochs: [0, 5, 20]              # which checkpoints are looked at; four are chosen otherwise

published:
  name: resnet18                    # a classifier of torchvision's
  weights: IMAGENET1K_V1
"""


def write_template(path: Path) -> None:
    """Write a file of networks to be filled in.

    Raises
    ------
    EvoscopeError : there is one already.
    """
    if path.exists():
        raise EvoscopeError(f"'{path}' is there already", "remove it, or edit it: it is not written over")
    path.write_text(TEMPLATE, encoding="utf-8")
