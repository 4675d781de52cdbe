"""The idea in two minutes: two small networks, trained on drawn images, in one space, and the concepts of one."""

import copy

from experiments.base import base_space
from experiments.carry_out import carry_out
from experiments.chosen import chosen_classes
from experiments.context import Context
from experiments.discovery_protocol import compared_protocols
from experiments.plan import Plan
from experiments.schema import Config
from experiments.stages.alignment import alignment
from experiments.stages.concept_boards import concept_boards
from experiments.stages.concept_spaces import latent_space
from experiments.stages.concepts import seek
from experiments.stages.curves import curves
from experiments.stages.space import neuron_map
from experiments.stages.training import training
from experiments.status import Status
from experiments.unified_space import compared_looks, looks_of

# The base, whose concepts are shown, and the network beside it.
RUNS = ("vgg16", "convnext")


def run(context: Context, status: Status) -> None:
    """Train, build the space, seek concepts, and draw."""
    carry_out(context, plan(context), status)


def plan(context: Context) -> Plan:
    """Curves, the alignment of both networks at their last epoch, and a board of concepts."""
    small = context.varied(two_runs(context))
    runs = small.runs
    base = runs[RUNS[0]]
    semantic = base_space(small)
    looks = compared_looks(looks_of(small, semantic))
    places = neuron_map(small, semantic, looks)
    sought = seek(small, latent_space(small, base), compared_protocols(small))
    labels = chosen_classes(small, small.config.discovery.classes, "discovery.classes")
    trainings = {name: training(small, each) for name, each in runs.items()}
    exhibits = {
        "training": curves(trainings, len(small.data.train.class_names)),
        "map": places,
        "alignment": alignment(small, places, looks),
        "concepts": concept_boards(small, [sought], labels),
    }
    return Plan(exhibits, ("fig_training", "table_training", "fig_alignment", "fig_concepts"))


def two_runs(context: Context) -> Config:
    """The job's configuration with two runs, the first of them the base."""
    config = copy.deepcopy(context.config)
    config.runs = {name: config.runs[name] for name in RUNS}
    config.base = RUNS[0]
    return config
