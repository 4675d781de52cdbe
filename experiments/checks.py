"""What is refused before any work: values without a meaning and combinations that cannot be."""

import typing
from collections.abc import Iterable
from pathlib import Path

from evoscope.errors import EvoscopeError, check_choices
from evoscope.models.checkpoints import CheckpointPattern
from evoscope.models.spec import Listing
from evoscope.models.torchvision_models import weights_path
from evoscope.models.zoo import build, validate
from experiments.context import Context
from experiments.limits import check_device, check_limits
from experiments.protocols import discovery_protocol, reversal_protocol, space_protocol
from experiments.reporting import complain, say
from experiments.runs import PAPER, Run, own, selected_runs
from experiments.schema import Config

# Experiments that train or look at networks.
WITH_NETWORKS = (
    "train",
    "unified_space",
    "coverage",
    "training_behaviour",
    "evolution_importance",
    "human_eval",
    "concept_discovery",
    "outlier_discovery",
    "quickstart",
)


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
        for make in (space_protocol, discovery_protocol, reversal_protocol):
            make(protocol)
    if config.task in WITH_NETWORKS:
        for run in _runs(config).values():
            _check_run(run)


def _runs(config: Config) -> dict[str, Run]:
    if config.task == "train" and config.model.name == PAPER and not own(config):
        return {}
    return selected_runs(config)


def _check_run(run: Run) -> None:
    check_choices(run.spec, f"the model of run {run.name}")
    check_choices(run.spec.fit, f"the fit of run {run.name}")
    if run.recipe is not None:
        check_choices(run.recipe, f"the recipe of run {run.name}")
    validate(run.spec)
    if run.spec.layers:
        # Building checks the names by a forward pass of a blank image; the families' own layers need no check.
        build(run.spec, n_classes=2, seed=0)


def check_files(context: Context) -> None:
    """Refuse weights of the user's that do not fit their network, before the base is trained.

    The data are opened for it, because they say how many classes there are, but only where there are such weights or
    a network of the user's own, of which is said which layers are left out.

    Raises
    ------
    EvoscopeError : a file is damaged, or its names or shapes are not the network's.
    """
    if context.config.task not in WITH_NETWORKS:
        return
    for run in _runs(context.config).values():
        if not (_brings_files(run) or run.spec.factory):
            continue
        if context.config.dry_run and _to_be_fetched(run):
            path = weights_path(run.spec)
            complain(
                f"evoscope: the weights of {run.name} are not here yet: put {path.name} into {path.parent}"
            )
            continue
        network = build(run.spec, len(context.data.train.class_names), context.config.seed)
        if network.left_out:
            name, reason = next(iter(network.left_out.items()))
            say(f"{run.name}: {len(network.left_out)} layers are left out; {name!r} {reason}")
        if run.checkpoints is not None:
            run.checkpoints.load(network.module, run.epochs[0])


def _brings_files(run: Run) -> bool:
    weights = run.spec.weights
    theirs = isinstance(run.checkpoints, CheckpointPattern) or (
        weights is not None and Path(weights).is_file()
    )
    return theirs or _to_be_fetched(run)


def _to_be_fetched(run: Run) -> bool:
    """Whether published weights are missing, so that it is known before any work if they cannot be fetched."""
    weights = run.spec.weights
    named = weights is not None and run.spec.factory is None and not Path(weights).is_file()
    return named and not weights_path(run.spec).is_file()


def one_of(key: str, value: object, allowed: Iterable[object]) -> None:
    """Refuse a value outside ``allowed``."""
    allowed = list(allowed)
    if value not in allowed:
        raise EvoscopeError(f"{key} cannot be {value!r}", f"choose one of {', '.join(map(str, allowed))}")
