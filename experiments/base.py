"""What most experiments rest on: trainings, states of networks, their stimuli, and the space that the base spans."""

from dataclasses import replace
from typing import Literal, cast

from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import RunFolder
from evoscope.models.spec import Listing, ModelSpec
from evoscope.models.zoo import build
from evoscope.space.protocol import SemanticSpace
from evoscope.store import Artefact
from experiments.context import Context
from experiments.costs import pass_cost, training_cost
from experiments.own_networks import AsBuilt, state_digest
from experiments.runs import Run, at
from experiments.stages import networks, space
from experiments.stages.stimuli import Look, Looked, Patches, Responsive, stimuli

PATCH = 144  # pixels: a figure shows a patch at most 0.7 inches wide, at 200 to the inch


def trained_spec(run: Run) -> ModelSpec:
    """The network that is trained; which layers are looked at later does not change it."""
    return replace(run.spec, listing="once", layers=())


def training(context: Context, run: Run, seed: int | None = None) -> Artefact[RunFolder]:
    """The run's training; ``seed`` replaces the job's own.

    Raises
    ------
    EvoscopeError : the run has checkpoints of its own.
    """
    if run.recipe is None:
        raise EvoscopeError(f"run {run.name} has checkpoints of its own", "there is nothing to train")
    data, own = context.data, context.config.seed
    seed = own if seed is None else seed
    spec = trained_spec(run)
    node = networks.training(spec, run.recipe, data.train, data.scored, seed, context.machine, context.runtime)
    label = f"training {run.name}" + (f", seed {seed}" if seed != own else "")
    return node.called(label).costing(training_cost(context, run))


def checkpoint(context: Context, run: Run, epoch: int) -> networks.Checkpoint:
    """A run's network at an epoch."""
    classes = len(context.data.train.class_names)
    checkpoints = run.checkpoints
    if isinstance(checkpoints, AsBuilt) and checkpoints.file is None and run.spec.factory is not None:
        key = f"{run.spec}/{classes}/{context.config.seed}"
        if key not in _BUILT:
            _BUILT[key] = state_digest(build(run.spec, classes, context.config.seed).module)
        checkpoints = replace(checkpoints, built=_BUILT[key])
    state = training(context, run) if checkpoints is None else networks.Files(checkpoints, epoch)
    return networks.Checkpoint(run.spec, classes, epoch, state, context.config.seed, context.machine)


_BUILT: dict[str, str] = {}


def base_run(context: Context) -> Run:
    """The first of the job's runs, whose neurons at its last epoch span the space."""
    return next(iter(context.runs.values()))


def stimuli_of(
    context: Context, run: Run, epoch: int, *, base: bool = False, listed: Listing | None = None
) -> Artefact[Looked]:
    """Stimuli of a run at an epoch; the base's also record the neurons that respond to each image.

    ``listed``: which layers, those of the space unless given.
    """
    protocol, data = context.space_protocol, context.data
    listing = listed or cast(Listing, context.config.protocol.space_listing)
    run = replace(run, spec=replace(run.spec, listing=listing))
    raw = protocol.responsive_rule == "raw"
    wanted = base and protocol.responsive > 0
    responsive = Responsive(protocol.responsive, "raw" if raw else "standardised") if wanted else None
    node = stimuli(checkpoint(context, run, epoch), data.pool, data.test, protocol.k, responsive, context.runtime)
    return node.called(f"stimuli of {run.name}, {at(epoch)}").costing(pass_cost(context, run))


def base_stimuli(context: Context) -> Artefact[Looked]:
    """The stimuli that the space is made of."""
    base = base_run(context)
    return stimuli_of(context, base, base.last, base=True)


def base_space(context: Context) -> Artefact[SemanticSpace]:
    """The semantic space that the base spans."""
    node = space.space(base_stimuli(context), context.space_protocol, context.config.seed, context.runtime)
    return node.called(f"semantic space ({context.config.protocol.name})")


def look_at(
    context: Context, semantic: Artefact[SemanticSpace], run: Run, epoch: int, found: Artefact[Looked] | None = None
) -> Look:
    """A run at an epoch, placed in the space; ``found``: its stimuli, where they are made already."""
    found = found or stimuli_of(context, run, epoch)
    placed = space.projection(semantic, found, context.space_protocol)
    return Look(run.name, run.spec, epoch, False, found, placed.called(f"projection of {run.name}, {at(epoch)}"))


def base_look(context: Context, semantic: Artefact[SemanticSpace]) -> Look:
    """The base at its last epoch, placed in the space."""
    base = base_run(context)
    return replace(look_at(context, semantic, base, base.last, base_stimuli(context)), base=True)


def patches(context: Context, count: int) -> Patches:
    """``count`` patches a neuron, cut as the job's protocol wants them."""
    centre: Literal["centre", "corner"] = "corner" if context.config.protocol.patch_centre == "corner" else "centre"
    return Patches(count, centre, pixels=PATCH)
