"""From the ``runs``, ``model`` and ``training`` groups to the training runs of a job."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from evoscope.errors import EvoscopeError
from evoscope.figure_data import AS_IT_IS
from evoscope.models.checkpoints import INIT, CheckpointPattern, Checkpoints
from evoscope.models.network import Preprocessing
from evoscope.models.spec import ModelSpec
from evoscope.models.torchvision_models import any_width, known_models, minimum_pixels
from evoscope.training.recipe import TrainingRecipe
from experiments.own_networks import AS_BUILT, OWN, AsBuilt, filled, name_of, own_spec, title_of
from experiments.schema import BASE, PAPER, Config, ModelConfig, NetworkConfig, TrainingConfig, brought, of_paper

# Experiments that train the network that they are about.
TRAINS = ("train", "outlier_discovery")
# What a recipe must say; the rest has defaults.
REQUIRED = ("name", "optimizer", "lr", "batch_size", "epochs")


@dataclass(frozen=True)
class Run:
    """A network with the training that leaves its checkpoints, or with checkpoints that exist already.

    ``epochs`` are those that are looked at, in order; -1 is before training. ``stages``: early, middle and late epoch,
    where they are given. ``chosen``: the job is about it, whatever the base is. ``title``: what a user's network is, ""
    for one of ours; ``remarks``: what is said of it before any work; ``told_outputs``:
    ``model.outputs``; ``problem``: why it is unknown which output is which class, else empty.
    """

    name: str
    spec: ModelSpec
    recipe: TrainingRecipe | None
    checkpoints: Checkpoints | None
    epochs: tuple[int, ...]
    stages: tuple[int, ...] = ()
    told_outputs: Any = None
    problem: str = ""
    chosen: bool = False
    title: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        """The last epoch looked at."""
        return self.epochs[-1]

    @property
    def origin(self) -> str:
        """Where its states come from."""
        if self.recipe is not None:
            return "trained here"
        return "as it comes" if isinstance(self.checkpoints, AsBuilt) else "checkpoints of the user's"


def at(epoch: int) -> str:
    """A state of a network, for messages: ``epoch 3``, or ``as it is``."""
    return "as it is" if epoch == AS_IT_IS else f"epoch {epoch}"


def selected_runs(config: Config) -> dict[str, Run]:
    """The runs a job compares: all of the paper; or the base and the one named by ``model``; or those of a file.

    The base comes first.

    Raises
    ------
    EvoscopeError : the base is not among the runs, or a run cannot be made.
    """
    if config.brought:
        runs = {
            name: replace(_own_run(config, name, entry, entry.epochs), told_outputs=entry.outputs)
            for name, entry in config.brought.items()
        }
        base = next(iter(runs)) if config.base == BASE and BASE not in runs else config.base
        return _base_first(config, {name: replace(run, chosen=True) for name, run in runs.items()}, base)
    if of_paper(config):
        return _base_first(config, {name: paper_run(config, name) for name in config.runs}, config.base)
    run = replace(single_run(config), chosen=True, told_outputs=config.model.outputs)
    if config.base in (OWN, run.name):
        return {run.name: run}
    if config.base not in config.runs:
        raise _no_base(config, [*config.runs, run.name])
    # The epochs that are asked for are those of the network that the job is about.
    training = replace(config.training, epochs=config.training.epochs or None)
    return {config.base: paper_run(replace(config, epochs=None, training=training), config.base), run.name: run}


def _base_first(config: Config, runs: dict[str, Run], base: str) -> dict[str, Run]:
    if base not in runs:
        raise _no_base(config, list(runs))
    return {base: runs[base], **runs}


def _no_base(config: Config, names: list[str]) -> EvoscopeError:
    return EvoscopeError(f"base={config.base} is not one of the runs", f"choose one of {', '.join(names)}")


def subjects(runs: Mapping[str, Run], published: Iterable[str]) -> list[Run]:
    """The runs that a job is about: those that the user names; or those published; or all but the base, or it alone."""
    chosen = [run for run in runs.values() if run.chosen]
    return (
        chosen or [runs[name] for name in published if name in runs] or list(runs.values())[1:] or list(runs.values())
    )


def paper_run(config: Config, name: str) -> Run:
    """A run of the table ``runs``, with the values of ``training`` put on top of its recipe."""
    if name not in config.runs:
        raise EvoscopeError(f"there is no run {name!r}", f"choose one of {', '.join(config.runs)}")
    run = config.runs[name]
    spec = our_spec(config, run.model)
    if run.model.weights is not None and _on_top(run.training, config.training)["epochs"] == 0:
        return Run(name, spec, None, AsBuilt(run.model.weights), (AS_IT_IS,))
    found = _trained_run(config, name, spec, run.training, run.epochs)
    return replace(found, stages=tuple(run.stages or ()))


def single_run(config: Config) -> Run:
    """The run that ``model`` describes: a user's network, or one trained by the recipe of the run of the same name."""
    model = config.model
    if brought(model):
        return _own_run(config, name_of(config, model), model, config.epochs)
    same = [name for name, run in config.runs.items() if run.model == model]
    alike = [name for name, run in config.runs.items() if run.model.name == model.name]
    name = next(iter(same + alike), model.name)
    spec = our_spec(config, model)
    if name not in config.runs:
        return _trained_run(config, name, spec, _usual_recipe(config), None)
    table = config.runs[name]
    found = _trained_run(config, name, spec, table.training, table.epochs)
    return replace(found, stages=tuple(table.stages or ()))


def _usual_recipe(config: Config) -> TrainingConfig:
    """The recipe of the base, which networks have that no recipe is known for."""
    return config.runs.get(config.base, next(iter(config.runs.values()))).training


def training_asked(config: Config, training: TrainingConfig | None = None) -> bool:
    """Whether a user's network is to be trained: a value of ``training`` is given, or the experiment trains it."""
    values = _on_top(training or TrainingConfig(), config.training)
    if values["epochs"] == 0:
        return False
    return any(value is not None for value in values.values()) or config.task in TRAINS


def _trained_run(config: Config, name: str, spec: ModelSpec, recipe: TrainingConfig, wanted: list[int] | None) -> Run:
    """A run that we train."""
    values = _on_top(recipe, config.training)
    trained = int(str(values["epochs"]))
    epochs = _epochs(wanted, trained, config, name) if trained > 0 else (INIT,)
    keep = epochs if values.pop("keep") == "looked" else ()
    given = {key: value for key, value in values.items() if value is not None}
    unset = [key for key in REQUIRED if key not in given]
    if unset:
        raise EvoscopeError(f"the recipe of run {name} lacks {', '.join(unset)}", f"give training.{unset[0]}=...")
    return Run(name, spec, TrainingRecipe(**given, keep=keep), None, epochs)


def _own_run(config: Config, name: str, model: ModelConfig, wanted: list[int] | None) -> Run:
    """A network of the user's: its checkpoints, its one state, or its training where that is asked for."""
    if model.factory is None and model.name == PAPER:
        raise EvoscopeError(
            f"model.{'weights' if model.checkpoints is None else 'checkpoints'} was given without a network",
            "add model.factory=package.module:build or model.name=NAME",
        )
    if model.checkpoints not in (None, AS_BUILT):
        return _checkpointed(config, name, model, wanted)
    entry = model.training if isinstance(model, NetworkConfig) else None
    if model.checkpoints is None and training_asked(config, entry):
        return _own_training(config, name, model, entry, wanted)
    if wanted and wanted != [AS_IT_IS]:
        raise EvoscopeError(
            f"{name} has one state only, so epochs={wanted} do not exist",
            "leave epochs out, give model.checkpoints, or have it trained (training.epochs=...)",
        )
    if isinstance(model, NetworkConfig) and not any((model.factory, model.weights, model.checkpoints)):
        raise EvoscopeError(
            f"{name} has no weights, so it would be looked at untrained",
            "add weights:, checkpoints: or training: {epochs: ...}; or checkpoints: as_built",
        )
    state = AsBuilt(model.weights, model.strip_prefix, model.state_dict_key)
    if state.file is None and (model.strip_prefix or model.state_dict_key):
        raise EvoscopeError(
            f"model.strip_prefix and model.state_dict_key are about a file, but weights={model.weights} is none",
            "leave them out, or give the file in model.weights",
        )
    spec, remarks = own_spec(config, model, name)
    if model.factory is not None and model.weights is None:
        remarks += (f"{name} is looked at as {title_of(model)} leaves it; training.epochs=... trains it",)
    return Run(name, spec, None, state, (AS_IT_IS,), title=title_of(model), remarks=remarks)


def _checkpointed(config: Config, name: str, model: ModelConfig, wanted: list[int] | None) -> Run:
    pattern = CheckpointPattern(
        str(model.checkpoints), strip_prefix=model.strip_prefix, state_dict_key=model.state_dict_key
    )
    there = pattern.epochs
    if not there:
        raise EvoscopeError(
            f"no file fits model.checkpoints={model.checkpoints}",
            "check the path; {epoch} stands for a number, * for anything else",
        )
    epochs = tuple(wanted) if wanted else _spread(there)
    missing = sorted(set(epochs) - set(there))
    if missing:
        raise EvoscopeError(
            f"epochs {missing} have no checkpoint at {model.checkpoints}", f"choose among {list(there)}"
        )
    spec, remarks = own_spec(config, model, name)
    return Run(name, spec, None, pattern, tuple(sorted(set(epochs))), title=title_of(model), remarks=remarks)


def _own_training(
    config: Config, name: str, model: ModelConfig, entry: TrainingConfig | None, wanted: list[int] | None
) -> Run:
    """A user's network that is trained here, from its weights where it has some."""
    state = AsBuilt(model.weights)
    if model.strip_prefix or model.state_dict_key:
        raise EvoscopeError(
            "model.strip_prefix and model.state_dict_key do not go with training", "save the weights under plain names"
        )
    spec, remarks = own_spec(config, model, name)
    spec = replace(spec, weights=model.weights, code=spec.code + (state.fingerprint(AS_IT_IS) if state.file else ""))
    recipe = TrainingConfig(**_on_top(_usual_recipe(config), entry)) if entry else _usual_recipe(config)
    found = _trained_run(replace(config, epochs=wanted), name, spec, recipe, None)
    return replace(found, title=title_of(model), remarks=remarks)


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


def our_spec(config: Config, model: ModelConfig) -> ModelSpec:
    """The library's description of a network that we train: what it leaves out is as the scale has it."""
    scale = config.scale
    least = minimum_pixels(model.name) if model.name in known_models() else 0
    found = filled(
        config,
        model,
        ModelSpec(model.name, weights=model.weights, kwargs=dict(model.kwargs)),
        Preprocessing(max(scale.pixels, least)),
    )
    narrow = model.width is None and any_width(model.name)
    return replace(found, width=scale.width) if narrow else found


def _on_top(recipe: TrainingConfig, values: TrainingConfig) -> dict[str, Any]:
    """Values of a recipe, replaced by those that are given for the job."""
    given = {key: value for key, value in asdict(values).items() if value is not None}
    return {**asdict(recipe), **given}
