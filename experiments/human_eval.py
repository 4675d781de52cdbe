"""The human studies of both papers, designed from networks and ready to be answered."""

from collections.abc import Sequence

from evoscope.errors import EvoscopeError
from evoscope.models.network import closest
from evoscope.store import Node
from experiments.base import base_run, base_space
from experiments.concept_discovery import study_concepts
from experiments.context import Context
from experiments.reporting import complain
from experiments.runner import Plan
from experiments.runs import Run
from experiments.stages.looks import Look
from experiments.stages.neuron_pool import remembered
from experiments.stages.space import projection
from experiments.stages.stimuli import stimuli
from experiments.stages.studies import study_of_concepts, study_of_neurons, study_patches, widest
from experiments.stages.study_exhibits import study_sheet, study_table
from experiments.status import Status
from experiments.study_folders import hand_out
from human_eval.design.build import NEURON_KINDS
from human_eval.design.trial import KINDS, Kind
from human_eval.export import PLATFORMS

# The runs of the authors' generator, at three epochs each; the first is the base of its sets, and the first two are
# those whose neurons are compared.
LABELLED = ("vgg16", "inception_v3", "vgg16_large_lr", "inception_v3_large_lr")
COMPARED = 2
SOUGHT = "inception_v3"
STAGES = 3


def run(context: Context, status: Status) -> None:
    """Design all studies, draw what they are, and write their folders."""
    check_asked(context)
    studies = designed(context)
    carry_out(context, plan_of(context, studies), status)
    if not context.config.dry_run:
        status.outputs += [str(path) for path in hand_out(context, studies)]


def plan(context: Context) -> Plan:
    """A study per kind, with its size, power and an example."""
    check_asked(context)
    return plan_of(context, designed(context))


def plan_of(context: Context, studies: dict[str, Node]) -> Plan:
    """The exhibits of some studies."""
    exhibits = {"studies": study_table(context, studies), "study_sheet": study_sheet(context, studies)}
    return Plan(exhibits, ("fig_studies", "table_studies"))


def check_asked(context: Context) -> None:
    """Refuse kinds of studies and platforms that do not exist.

    Raises
    ------
    EvoscopeError : names the first that is wrong, and the closest there are.
    """
    asked = context.config.study
    if asked.kinds == []:
        raise EvoscopeError("study.kinds names no kind", "give at least one, or null for all")
    for key, names, known in (
        ("study.kinds", asked.kinds or [], KINDS),
        ("study.export", asked.export, tuple(PLATFORMS)),
    ):
        for name in names:
            if name not in known:
                close = closest(name, list(known))
                raise EvoscopeError(f"{key} cannot hold {name!r}", f"the closest are {close}")
    if asked.participants < 2:
        raise EvoscopeError(
            f"study.participants={asked.participants} are too few to differ", "give at least 2"
        )


def designed(context: Context) -> dict[str, Node]:
    """The studies asked for, by kind."""
    images = remembered(context.data.pool, widest(study_patches(context)), context.config.memory_mb)
    nodes = dict[str, Node]()
    for kind in kinds(context):
        if kind in NEURON_KINDS:
            nodes[kind] = study_of_neurons(context, kind, looks_for(context, kind), images)
        else:
            nodes[kind] = study_of_concepts(context, kind, concepts(context))
    return nodes


def kinds(context: Context) -> list[Kind]:
    """Kinds asked for, in their own order; without labels no agreement with them can be asked."""
    asked = context.config.study.kinds
    chosen: list[Kind] = [kind for kind in KINDS if asked is None or kind in asked]
    if asked is None and context.data.pool.concepts is None:
        complain("evoscope: label_agreement is left out: nothing names the concepts of these images")
        chosen.remove("label_agreement")
    return chosen


def looks_for(context: Context, kind: Kind) -> list[Look]:
    """Runs at three epochs: those labelled, or those whose neurons are compared (with the base beside one alone)."""
    runs = followed(context)
    semantic = base_space(context)
    if kind == "evolution_label":
        return [_look(context, semantic, run, epoch) for run in runs for epoch in stages(run)]
    looks = [_look(context, semantic, run, epoch) for run in runs[:COMPARED] for epoch in stages(run)]
    alone = len(runs) == 1 and runs[0].name != base_run(context).name
    return [*looks, _look(context, semantic, base_run(context), base_run(context).last)] if alone else looks


def followed(context: Context) -> list[Run]:
    """The runs of the published studies, or all but the base, or the base if it is alone."""
    runs = context.runs
    published = [runs[name] for name in LABELLED if name in runs]
    return published or list(runs.values())[1:] or list(runs.values())


def stages(run: Run) -> Sequence[int]:
    """Epochs early, in the middle and late: those of the run, or the first, middle and last looked at once trained."""
    if len(run.stages) == STAGES:
        return run.stages
    trained = [epoch for epoch in run.epochs if epoch >= 0]
    epochs = trained if len(trained) >= STAGES else list(run.epochs)
    return epochs if len(epochs) <= STAGES else (epochs[0], epochs[len(epochs) // 2], epochs[-1])


def _stimuli(context: Context, run: Run, epoch: int) -> Node:
    """Stimuli of a run; the base's last ones are those that the space is made of."""
    base = base_run(context)
    return stimuli(context, run, epoch, base=run.name == base.name and epoch == base.last)


def _look(context: Context, semantic: Node, run: Run, epoch: int) -> Look:
    found = _stimuli(context, run, epoch)
    return Look(run, epoch, False, found, projection(context, semantic, found))


def concepts(context: Context) -> Node:
    """The concepts that studies ask about: those of the network of the paper, or of the first that is labelled."""
    runs = followed(context)
    named = [run for run in runs if run.name == SOUGHT]
    return study_concepts(context, (named or runs)[0])
