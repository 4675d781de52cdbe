"""What is refused before any work: values without a meaning and combinations that cannot be."""

import typing
from collections.abc import Iterable, Mapping

from evoscope.errors import EvoscopeError, check_choices
from evoscope.models.spec import Listing
from evoscope.models.torchvision_models import weights_path
from evoscope.models.zoo import build, validate
from experiments.context import Context
from experiments.first_look import at_chance, class_line, described, first_look, is_own
from experiments.limits import check_device, check_limits
from experiments.protocols import discovery_protocol, reversal_protocol, space_protocol
from experiments.reporting import complain, say
from experiments.runs import TRAINS, Run, at, selected_runs
from experiments.schema import Config, of_paper
from experiments.selection import judged_runs

# Experiments that train or look at networks.
WITH_NETWORKS = (
    "train",
    "unified_space",
    "explorer",
    "coverage",
    "training_behaviour",
    "evolution_importance",
    "human_eval",
    "concept_discovery",
    "outlier_discovery",
    "quickstart",
)

# Arguments of single experiments, by their group or name, and who reads them; jobs made of others read them all.
READ_BY = {
    "discovery": ("concept_discovery", "human_eval", "explorer", "outlier_discovery", "quickstart"),
    "evolution": ("evolution_importance", "explorer", "quickstart"),
    "explorer": ("explorer",),
    "outlier": ("outlier_discovery",),
    "study": ("human_eval",),
    "tabular": ("tabular_concepts",),
    "regions": ("unified_space", "human_eval"),
    "action": ("store",),
    "older_than_days": ("store",),
}


def tell_unread(task: str, overrides: Iterable[str]) -> None:
    """Say which arguments of a command its experiment does not read, and which experiments do."""
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        readers = READ_BY.get(key.partition(".")[0], (task,))
        if task not in (*readers, "results", "paper"):
            complain(f"evoscope: {task} does not read {key}, which is for {', '.join(readers)}")


def check(config: Config) -> None:
    """Refuse an impossible configuration.

    Raises
    ------
    EvoscopeError : the first thing that is wrong, with the key to change.
    """
    check_device(config.device)
    check_limits(config)
    one_of("scale.vgg_norm", config.scale.vgg_norm, ("", "_bn"))
    one_of("scale.map", config.scale.map, ("umap", "pca"))
    for protocol in (config.protocol, *config.protocols.values()):
        one_of("protocol.patch_centre", protocol.patch_centre, ("centre", "corner"))
        one_of("protocol.listing", protocol.listing, typing.get_args(Listing))
        one_of("protocol.space_listing", protocol.space_listing, typing.get_args(Listing))
        for make in (space_protocol, discovery_protocol, reversal_protocol):
            make(protocol)
    if config.task in WITH_NETWORKS:
        for run in _runs(config).values():
            _check_run(run)


def _runs(config: Config) -> dict[str, Run]:
    return {} if config.task == "train" and of_paper(config) else selected_runs(config)


def _check_run(run: Run) -> None:
    check_choices(run.spec, f"the model of run {run.name}")
    check_choices(run.spec.fit, f"the fit of run {run.name}")
    if run.recipe is not None:
        check_choices(run.recipe, f"the recipe of run {run.name}")
    validate(run.spec)
    if run.spec.layers and not run.title:
        # Building checks the names by a forward pass of a blank image; the families' own layers need no check.
        build(run.spec, n_classes=2, seed=0)


def check_files(context: Context) -> None:
    """Give every own network real images before the base is trained, and print what is seen of it, once.

    The data are opened for it, but only where there is such a network.

    Raises
    ------
    EvoscopeError : a file is damaged, its names or shapes are not the network's, or real images give no finite logits.
    """
    if context.config.task not in WITH_NETWORKS:
        return
    runs = _runs(context.config)
    own_runs = [run for run in runs.values() if is_own(run) and not _awaited(context, run)]
    if not own_runs:
        return
    data, classes = context.data, len(context.data.train.class_names)
    looks = [first_look(run, data.test, context.config.seed) for run in own_runs]
    lines = [class_line(data.train), _roles(context, runs)]
    lines += [line for look in looks for line in described(look, classes)]
    text = "\n".join(lines)
    if text not in context.told:
        context.told.add(text)
        say(text)
        remarks = [remark for look in looks for remark in (*look.run.remarks, *look.remarks)]
        for warning in filter(None, [*remarks, *(at_chance(look, classes) for look in looks)]):
            complain(f"evoscope: {warning}")


def _roles(context: Context, runs: Mapping[str, Run]) -> str:
    """Which networks are compared, and which is analysed."""
    task, space = context.config.task, f"the space is that of {next(iter(runs))}"
    if task in ("unified_space", "explorer", "coverage"):
        base = next(iter(runs.values()))
        if base.chosen and len(base.epochs) > 1:
            space += f" at {at(base.last)} (no other of its epochs is placed)"
        return f"{space}; compared with it: {', '.join(list(runs)[1:]) or 'nothing else'}"
    judged = ", ".join(run.name for run in judged_runs(runs))
    return f"networks: {judged}" if task in TRAINS else f"analysed: {judged}; {space}"


def _awaited(context: Context, run: Run) -> bool:
    """Whether the weights of a run that is only planned are not there; says where their file belongs."""
    awaited = context.awaits(run)
    if awaited:
        path = weights_path(run.spec)
        complain(f"evoscope: the weights of {run.name} are not here yet: put {path.name} into {path.parent}")
    return awaited


def one_of(key: str, value: object, allowed: Iterable[object]) -> None:
    """Refuse a value outside ``allowed``."""
    allowed = list(allowed)
    if value not in allowed:
        raise EvoscopeError(f"{key} cannot be {value!r}", f"choose one of {', '.join(map(str, allowed))}")
