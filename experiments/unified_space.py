"""ConceptEvo's first contribution: the neurons of several models and epochs side by side in one space."""

from evoscope.store import Node
from experiments.base import base_look, base_space
from experiments.carry_out import carry_out
from experiments.context import Context
from experiments.plan import Plan
from experiments.runs import Run
from experiments.stages.alignment import alignment
from experiments.stages.curves import curves
from experiments.stages.evolution import evolution
from experiments.stages.looks import Look
from experiments.stages.metrics import metrics
from experiments.stages.space import neuron_map, projection
from experiments.stages.stimuli import stimuli
from experiments.stages.training import training
from experiments.status import Status

# The rows of the alignment figure, besides the base, and the neurons followed in the evolution figure.
COMPARED = ("inception_v3", "convnext")
FOLLOWED = {"vgg16": 4, "vgg16_large_lr": 1, "vgg16_no_dropout": 1}


def run(context: Context, status: Status) -> None:
    """Train what is missing, build the space, measure it, and draw."""
    carry_out(context, plan(context), status)


def plan(context: Context) -> Plan:
    """All exhibits of the experiment, as nodes."""
    runs = context.runs
    semantic = base_space(context)
    looks = looks_of(context, semantic)
    compared = compared_looks(looks)
    places = neuron_map(context, semantic, looks)
    exhibits = {
        "map": places,
        "alignment": alignment(context, places, compared),
        "evolution": evolution(context, places, followed(runs), looks),
        "metrics": metrics(context, semantic, looks, compared),
    }
    trainings = {name: training(context, run) for name, run in runs.items() if run.recipe is not None}
    if trainings:
        exhibits["training"] = curves(trainings, len(context.data.train.class_names))
    return Plan(exhibits, drawn(exhibits))


def drawn(exhibits: dict[str, Node]) -> tuple[str, ...]:
    """Figures and tables of this experiment."""
    always = ("fig_alignment", "fig_discovery", "fig_evolution", "fig_metrics", "table_metrics")
    return (*always, "fig_training", "table_training") if "training" in exhibits else always


def looks_of(context: Context, semantic: Node) -> list[Look]:
    """Every run at its epochs; the base at its last only, and first."""
    looks = [base_look(context, semantic)]
    for run in list(context.runs.values())[1:]:
        looks += [_look(context, semantic, run, epoch) for epoch in run.epochs]
    return looks


def _look(context: Context, semantic: Node, run: Run, epoch: int) -> Look:
    found = stimuli(context, run, epoch)
    return Look(run, epoch, False, found, projection(context, semantic, found))


def compared_looks(looks: list[Look]) -> list[Look]:
    """The base and, at their last epochs, the models it is compared with: the paper's, or else all others."""
    last = {look.run.name: look for look in looks[1:]}
    paper = [last[name] for name in COMPARED if name in last]
    return [looks[0], *(paper or last.values())]


def followed(runs: dict[str, Run]) -> dict[str, int]:
    """How many neurons of which run are followed: the paper's VGG16s, or else all but the base."""
    paper = {name: count for name, count in FOLLOWED.items() if name in runs}
    return paper or dict.fromkeys(list(runs)[1:] or list(runs), 4)
