"""ConceptEvo's first contribution: the neurons of several models and epochs side by side in one space."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from evoscope.figure_data import Alignment, NeuronMap
from evoscope.space.protocol import SemanticSpace
from evoscope.space.regions import read_regions
from evoscope.store import Artefact
from experiments.base import base_look, base_space, look_at, patches, training
from experiments.context import Context
from experiments.runner import Exhibits, Plan
from experiments.runs import Run, at, subjects
from experiments.stages.networks import curves
from experiments.stages.space import alignment, chosen_alignment, evolution, neuron_map, space
from experiments.stages.space_baselines import Separate, space_baselines
from experiments.stages.space_metrics import metrics
from experiments.stages.stimuli import Look

# The rows of the alignment figure, besides the base, and the neurons followed in the evolution figure.
COMPARED = ("inception_v3", "convnext")
FOLLOWED = {"vgg16": 4, "vgg16_large_lr": 1, "vgg16_no_dropout": 1}


def plan(context: Context) -> Plan:
    """All exhibits of the experiment."""
    config, runs, pool = context.config, context.runs, context.data.pool
    semantic = base_space(context)
    looks = looks_of(context, semantic)
    compared = compared_looks(looks, runs)
    places = neuron_map(semantic, looks, context.map_method, config.seed)
    exhibits: Exhibits = {
        "map": places,
        "alignment": _aligned(context, places, looks, compared),
        "evolution": evolution(places, looks, followed(runs), pool, patches(context, 4)),
        "metrics": metrics(semantic, looks, compared, context.space_protocol, config.seed, context.runtime),
        "space_baselines": space_baselines(
            semantic,
            looks,
            compared,
            separate_spaces(context, looks, compared),
            context.space_protocol,
            config.seed,
            context.runtime,
        ),
    }
    drawn = ["fig_alignment", "fig_evolution", "fig_metrics", "table_metrics", "table_space_baselines"]
    trainings = {name: training(context, run) for name, run in runs.items() if run.recipe is not None}
    if trainings:
        exhibits["training"] = curves(trainings, len(context.data.train.class_names))
        # Concepts appear between epochs whose accuracies the trainings tell.
        drawn += ["fig_discovery", "animation", "fig_training", "table_training"]
    return Plan(exhibits, drawn)


def _aligned(
    context: Context, places: Artefact[NeuronMap], looks: Sequence[Look], compared: Sequence[Look]
) -> Artefact[Alignment]:
    """The regions where the compared models meet, or those of the job's file, at the epochs where they were chosen."""
    pool, cutting = context.data.pool, patches(context, 3)
    if context.config.regions is None:
        return alignment(places, compared, pool, cutting, context.config.seed)
    regions = read_regions(Path(context.config.regions))
    there = {(run, epoch) for region in regions for run, epoch, _, _ in region.neurons}
    return chosen_alignment(places, [look for look in looks if (look.run, look.epoch) in there], regions, pool, cutting)


def looks_of(context: Context, semantic: Artefact[SemanticSpace]) -> list[Look]:
    """Every run at its epochs; the base at its last only, and first."""
    others = [(run, epoch) for run in list(context.runs.values())[1:] for epoch in run.epochs]
    return [base_look(context, semantic), *(look_at(context, semantic, run, epoch) for run, epoch in others)]


def compared_looks(looks: list[Look], runs: Mapping[str, Run]) -> list[Look]:
    """The base and, at their last epochs, the models it is compared with: the user's, the paper's, or all others."""
    last = {look.run: look for look in looks[1:]}
    return [looks[0], *(last[run.name] for run in subjects(runs, COMPARED) if run.name in last)]


def separate_spaces(context: Context, looks: list[Look], compared: list[Look]) -> list[Separate]:
    """Spaces of their own of what is compared, and of the epoch before (what does not depend on the base)."""
    runs = {look.run for look in compared}
    last_two = [[look for look in looks if look.run == run][-2:] for run in runs]
    alone = replace(context.space_protocol, indirect="none")
    found = []
    for look in chain(*sorted(last_two, key=lambda own: looks.index(own[0]))):
        node = space(look.stimuli, alone, context.config.seed, context.runtime)
        found.append(Separate(look, node.called(f"space of {look.run} alone, {at(look.epoch)}")))
    return found


def followed(runs: dict[str, Run]) -> dict[str, int]:
    """How many neurons of which run are followed: the paper's VGG16s, or else all but the base."""
    return {run.name: FOLLOWED.get(run.name, 4) for run in subjects(runs, FOLLOWED)}
