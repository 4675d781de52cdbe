"""What is refused before any work: values without a meaning and combinations that cannot be."""

import typing
from collections.abc import Iterable

import torch

from evoscope.activations.scan import checked_logits
from evoscope.errors import EvoscopeError, check_choices
from evoscope.models.spec import Listing
from evoscope.models.zoo import build, validate
from experiments.context import Context
from experiments.own_networks import AsBuilt
from experiments.protocols import discovery_protocol, reversal_protocol, space_protocol
from experiments.reporting import complain, say
from experiments.runs import TRAINS, Run, of_paper, selected_runs
from experiments.schema import Config

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


def check(config: Config) -> None:
    """Refuse an impossible configuration.

    Raises
    ------
    EvoscopeError : the first thing that is wrong, with the key to change.
    """
    one_of("scale.map", config.scale.map, ("umap", "pca"))
    for protocol in (config.protocol, *config.protocols.values()):
        one_of("protocol.patch_centre", protocol.patch_centre, ("centre", "corner"))
        one_of("protocol.listing", protocol.listing, typing.get_args(Listing))
        for make in (space_protocol, discovery_protocol, reversal_protocol):
            make(protocol)
    for name, count in _counts(config):
        if count is not None and count < 1:
            raise EvoscopeError(
                f"{name}={count} is not a number of images", f"give {name} at least 1, or null for all"
            )
    if config.task in WITH_NETWORKS:
        for run in _runs(config).values():
            _check_run(run)


def _counts(config: Config) -> Iterable[tuple[str, int | None]]:
    data = config.data
    yield from (
        ("data.train_images", data.train_images),
        ("data.test_images", data.test_images),
        ("data.per_class", data.per_class),
        ("data.pool_images", data.pool_images),
    )


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
    """Refuse networks and weights of the user's that do not work, before the base is trained, and say what they are.

    The data are opened for it, because they say how many classes there are, but only where there are such networks.

    Raises
    ------
    EvoscopeError : a file is damaged, its names or shapes are not the network's, or the network returns no logits.
    """
    if context.config.task not in WITH_NETWORKS:
        return
    runs = _runs(context.config)
    brought = [run for run in runs.values() if run.title]
    if not brought:
        return
    for remark in dict.fromkeys(
        remark for run in brought for remark in (*run.remarks, *_looked_at(context, run))
    ):
        complain(f"evoscope: {remark}")
    trains = context.config.task in TRAINS
    told = [run for run in runs.values() if run.chosen or not trains]
    lines = [f"  {run.name}: {run.title or run.spec.name}, {run.origin}" for run in told]
    about = ", ".join(run.name for run in told if run.chosen)
    spans = [] if trains else [f"  the space is that of {told[0].name}; what is judged is {about}"]
    say("\n".join(["networks:", *lines, *spans]))


def _looked_at(context: Context, run: Run) -> list[str]:
    """Load every state of a user's network that is looked at, and run it once; remarks about its files."""
    network = build(run.spec, len(context.data.train.class_names), context.config.seed)
    remarks = [
        f"{run.name}: {len(network.left_out)} layers are left out; {name!r} {reason}"
        for name, reason in list(network.left_out.items())[:1]
    ]
    if run.checkpoints is not None:
        for epoch in run.epochs:
            remarks += run.checkpoints.load(network.module, epoch)
    with torch.no_grad():
        checked_logits(network.module(torch.zeros(2, *network.input_shape)))
    if (
        isinstance(run.checkpoints, AsBuilt)
        and run.checkpoints.weights is None
        and run.spec.factory is not None
    ):
        remarks.append(f"{run.name} is looked at as {run.title} leaves it; training.epochs=... trains it")
    return remarks


def one_of(key: str, value: object, allowed: Iterable[object]) -> None:
    """Refuse a value outside ``allowed``."""
    allowed = list(allowed)
    if value not in allowed:
        raise EvoscopeError(f"{key} cannot be {value!r}", f"choose one of {', '.join(map(str, allowed))}")
