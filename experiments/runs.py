"""From the ``runs``, ``model`` and ``training`` groups to the training runs of a job."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from torch import nn

from evoscope.data.images import Fit, digest
from evoscope.errors import OURS, EvoscopeError
from evoscope.models.checkpoints import INIT, CheckpointPattern, Checkpoints, file_digest
from evoscope.models.spec import Listing, ModelSpec
from evoscope.store.source import module_digest
from evoscope.training.recipe import TrainingRecipe
from experiments.schema import Config, ModelConfig, RunConfig, TrainingConfig


@dataclass(frozen=True)
class AsBuilt:
    """Checkpoints of a network that is looked at as its constructor leaves it: with pretrained weights.

    ``weights``: their file or name, as ``model.weights`` or a factory's own argument of that name has it.
    """

    weights: str

    @property
    def epochs(self) -> tuple[int, ...]:
        """The only state there is."""
        return (INIT,)

    def load(self, module: nn.Module, epoch: int) -> None:
        """Leave the module alone: its constructor loaded the weights."""

    def fingerprint(self, epoch: int) -> str:
        """Digest of the weights' file, or their name in torchvision."""
        path = Path(self.weights)
        return file_digest(path) if path.is_file() else digest(self.weights)


CONVNEXT_DEPTHS = (3, 3, 9, 3)
PAPER = "paper"
# What a recipe must say; the rest has defaults.
REQUIRED = ("name", "optimizer", "lr", "batch_size", "epochs")


@dataclass(frozen=True)
class Run:
    """A network with the training that leaves its checkpoints, or with checkpoints that exist already.

    ``epochs`` are those that are looked at, in order; -1 is before training. ``stages``: early, middle and late epoch,
    where they are given; ``told_outputs``: ``model.outputs``; ``problem``: why it is unknown which output is which
    class, else empty.
    """

    name: str
    spec: ModelSpec
    recipe: TrainingRecipe | None
    checkpoints: Checkpoints | None
    epochs: tuple[int, ...]
    stages: tuple[int, ...] = ()
    told_outputs: Any = None
    problem: str = ""

    @property
    def last(self) -> int:
        """The last epoch looked at."""
        return self.epochs[-1]


def selected_runs(config: Config) -> dict[str, Run]:
    """The runs a job compares: all of the paper, or the base and the one named by ``model``.

    The base comes first.

    Raises
    ------
    EvoscopeError : the base is not among the runs, or a run cannot be made.
    """
    chosen = config.runs if config.model.name == PAPER and not own(config) else _base_only(config)
    runs = {name: paper_run(config, name) for name in chosen}
    if own(config) or config.model.name != PAPER:
        run = single_run(config)
        runs[run.name] = run
    if config.base not in runs:
        raise EvoscopeError(f"base={config.base} is not one of the runs", f"choose one of {', '.join(runs)}")
    return {config.base: runs[config.base], **runs}


def own(config: Config) -> bool:
    """Whether ``model`` describes a user's own network or checkpoints."""
    return config.model.factory is not None or config.model.checkpoints is not None


def _base_only(config: Config) -> dict[str, RunConfig]:
    return {name: run for name, run in config.runs.items() if name == config.base}


def paper_run(config: Config, name: str) -> Run:
    """A run of the table ``runs``, with the values of ``training`` put on top of its recipe."""
    if name not in config.runs:
        raise EvoscopeError(f"there is no run {name!r}", f"choose one of {', '.join(config.runs)}")
    run = config.runs[name]
    found = _trained_run(config, name, run.model, run.training, run.epochs)
    return replace(found, stages=tuple(run.stages or ()))


def single_run(config: Config) -> Run:
    """The run that ``model`` describes, trained by the recipe of the run of the same name where there is one."""
    model = config.model
    if own(config) and model.checkpoints is not None:
        return _own_run(config)
    name = _single_name(config)
    if name not in config.runs:
        return _trained_run(config, name, model, config.runs[config.base].training, None)
    table = config.runs[name]
    found = _trained_run(config, name, model, table.training, table.epochs)
    return replace(found, stages=tuple(table.stages or ()))


def _trained_run(
    config: Config, name: str, model: ModelConfig, recipe: TrainingConfig, wanted: list[int] | None
) -> Run:
    """A run that we train; pretrained weights that are not trained further are looked at as they are."""
    spec, values = model_spec(model, config.protocol.listing), _on_top(recipe, config.training)
    pretrained = _pretrained(config, model, values["epochs"])
    if pretrained is not None:
        return Run(name, spec, None, AsBuilt(pretrained), (INIT,), told_outputs=model.outputs)
    epochs = _epochs(wanted, int(str(values["epochs"])), config, name)
    keep = epochs if values.pop("keep") == "looked" else ()
    return Run(name, spec, _recipe(values, keep, name), None, epochs, told_outputs=model.outputs)


def _pretrained(config: Config, model: ModelConfig, epochs: object) -> str | None:
    """Weights that a constructor loads and no training changes: for zero epochs, or unless epochs are given."""
    if model.factory is not None and "weights" in model.kwargs:
        return None if config.training.epochs else str(model.kwargs["weights"])
    return model.weights if epochs == 0 else None


def _single_name(config: Config) -> str:
    model = config.model
    if model.name != PAPER:
        same = [name for name, run in config.runs.items() if run.model == model]
        alike = [name for name, run in config.runs.items() if run.model.name == model.name]
        return next(iter(same + alike), model.name)
    return str(model.factory).replace(":", ".").rsplit(".", maxsplit=1)[-1]


def _own_run(config: Config) -> Run:
    model = config.model
    if model.factory is None and model.name == PAPER:
        raise EvoscopeError(
            "model.checkpoints was given without a network",
            "add model.factory=package.module:build or model.name=NAME",
        )
    pattern = CheckpointPattern(
        str(model.checkpoints), strip_prefix=model.strip_prefix, state_dict_key=model.state_dict_key
    )
    there = pattern.epochs
    if not there:
        raise EvoscopeError(
            f"no file fits model.checkpoints={model.checkpoints}",
            "check the path; {epoch} stands for a number",
        )
    epochs = tuple(config.epochs) if config.epochs else _spread(there)
    missing = sorted(set(epochs) - set(there))
    if missing:
        raise EvoscopeError(
            f"epochs {missing} have no checkpoint at {model.checkpoints}", f"choose among {list(there)}"
        )
    name = model.name if model.name != PAPER else "own"
    spec, chosen = model_spec(model, config.protocol.listing), tuple(sorted(epochs))
    return Run(name, spec, None, pattern, chosen, told_outputs=model.outputs)


def _spread(epochs: tuple[int, ...], count: int = 4) -> tuple[int, ...]:
    """At most ``count`` epochs, the first and the last among them."""
    if len(epochs) <= count:
        return epochs
    return tuple(epochs[round(i * (len(epochs) - 1) / (count - 1))] for i in range(count))


def _epochs(usual: list[int] | None, trained: int, config: Config, name: str) -> tuple[int, ...]:
    """The epochs asked for; or the usual ones of the run or scale, cut to what is trained, and the last."""
    if config.epochs is None:
        usual = usual or config.scale.look_at
        return tuple(sorted({epoch for epoch in usual if epoch < trained} | {trained - 1}))
    beyond = [epoch for epoch in config.epochs if not -1 <= epoch < trained]
    if beyond:
        raise EvoscopeError(
            f"run {name} is trained for {trained} epochs (0 to {trained - 1}), so epochs {beyond} do not exist",
            "look at others (epochs=[...]) or train longer (training.epochs=...)",
        )
    return tuple(sorted(set(config.epochs)))


def model_spec(model: ModelConfig, listing: str) -> ModelSpec:
    """The library's description of a network."""
    depths = None
    if model.name.startswith("convnext") and model.depth != 1:
        depths = tuple(max(1, round(depth * model.depth)) for depth in CONVNEXT_DEPTHS)
    return ModelSpec(
        name=model.name,
        width=model.width,
        pixels=model.pixels,
        dropout=model.dropout,
        depths=depths,
        layer_scale=model.layer_scale,
        weights=model.weights,
        factory=model.factory,
        layers=tuple(model.layers),
        listing=cast(Listing, listing),
        mean=_triple(model.mean, "model.mean"),
        std=_triple(model.std, "model.std"),
        fit=Fit(cast(Literal["squash", "crop"], model.fit), model.crop_fraction),
        kwargs=dict(model.kwargs),
        code="" if model.factory is None else factory_code(model.factory),
    )


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


def _triple(values: list[float], key: str) -> tuple[float, float, float]:
    if len(values) != 3:
        raise EvoscopeError(f"{key} has {len(values)} values", "give one for each of red, green and blue")
    return values[0], values[1], values[2]


def _on_top(recipe: TrainingConfig, values: TrainingConfig) -> dict[str, Any]:
    """Values of a recipe, replaced by those that are given for the job."""
    given = {key: value for key, value in asdict(values).items() if value is not None}
    return {**asdict(recipe), **given}


def _recipe(values: dict[str, Any], keep: tuple[int, ...], name: str) -> TrainingRecipe:
    given = {key: value for key, value in values.items() if value is not None}
    unset = [key for key in REQUIRED if key not in given]
    if unset:
        raise EvoscopeError(
            f"the recipe of run {name} lacks {', '.join(unset)}", f"give training.{unset[0]}=..."
        )
    return TrainingRecipe(**given, keep=keep)
