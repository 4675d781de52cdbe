"""Jobs that are made of other experiments: each is planned under its own configuration and draws into one folder.

A part's configuration is composed from the job's own command line with the part's name in place of the job's, so a key
set for the job counts in every part.
"""

import copy
from collections.abc import Sequence

from hydra import compose

from evoscope.errors import EvoscopeError
from experiments import experiment_names, planner
from experiments.base import base_space, patches, training
from experiments.checks import check, check_files
from experiments.concept_discovery import concept_images, latent_space, space_concepts
from experiments.context import Context
from experiments.explorer import hand_out, site_data
from experiments.own_networks import typed_config
from experiments.reporting import Status, say
from experiments.runner import Exhibits, Plan, carry_out
from experiments.runs import of_paper, selected_runs
from experiments.schema import Config
from experiments.selection import chosen_classes, judged_runs
from experiments.stages.concept_relevance import concept_boards
from experiments.stages.networks import curves
from experiments.stages.space import alignment, neuron_map
from experiments.unified_space import compared_looks, looks_of
from results import registry
from results.report import PAGE, write_report

# Composed of others, or without anything that the others do not draw.
LEFT_OUT = ("results", "paper", "quickstart", "train", "store", "explorer", "init")
# The first trains what the others look at; the last needs accuracies of trained networks to be planned.
FIRST, LAST = ("unified_space",), ("evolution_importance",)
NEEDS_TRUTH = ("coverage", "scenes")
NEEDS_PAPER = ("training_behaviour", "coverage")
NEEDS_TRAINING = ("outlier_discovery",)
NEEDS_STATES = ("evolution_importance",)
# The main job takes half an hour or so on two cores. Reverting under the released protocol too would take as long
# again; following concept vectors needs every epoch.
MAIN = (
    "unified_space",
    "evolution_importance ~protocols.as_released",
    "concept_discovery discovery.evolution=false",
    "tabular_concepts",
    "human_eval",
)
# The base of the quickstart, whose concepts are shown, and the network beside it.
QUICK = ("vgg16", "convnext")


def parts(config: Config) -> list[str]:
    """The experiments that a composed job runs, in order, each with overrides of its own behind its name.

    ``paper`` runs the main ones, ``results`` all that draw; those without a meaning on the job's data and networks are
    left out.
    """
    if config.task == "paper":
        return [name for name in MAIN if possible(name.split()[0], config)]
    known = [name for name in experiment_names() if name not in LEFT_OUT and possible(name, config)]
    middle = [name for name in known if name not in (*FIRST, *LAST)]
    return [name for name in (*FIRST, *middle, *LAST) if name in known]


def possible(name: str, config: Config) -> bool:
    """Whether an experiment has a meaning on the job's data and networks."""
    drawn, paper = config.data.name == "concept_scenes", of_paper(config)
    if name in NEEDS_STATES and not any(len(run.epochs) > 1 for run in judged_runs(selected_runs(config))):
        return False
    trained = not config.brought and config.model.checkpoints is None
    return (
        (drawn or name not in NEEDS_TRUTH)
        and (paper or name not in NEEDS_PAPER)
        and (trained or name not in NEEDS_TRAINING)
    )


def run_parts(context: Context, status: Status) -> None:
    """Run part by part; then, unless only some results were asked for, write what they say about the claims.

    Of two parts that draw the same result, the first draws it.

    Raises
    ------
    EvoscopeError : nothing is called as ``only`` asks, or no part draws it under this configuration.
    """
    config = context.config
    missing = None if config.only is None else {registry.entry(name).id for name in config.only}
    had: set[str] = set()
    for name in parts(config):
        if missing is None or missing - had:
            had |= _run_part(context, status, name, had, missing)
    if missing and missing - had:
        raise EvoscopeError(
            f"no part of this job draws {', '.join(sorted(missing - had))}",
            "leave it out of only=[...], or choose an experiment, data and networks that have it",
        )
    if config.only is None and not config.dry_run:
        status.outputs += [str(path) for path in write_report([context.folder], context.folder)]
        say(f"report: {context.folder / PAGE}")


def _run_part(
    context: Context, status: Status, name: str, had: set[str], missing: set[str] | None
) -> set[str]:
    """Run what is still wanted of a part; the results that it drew."""
    experiment, *more = name.split()
    variant = context.varied(composed(experiment, [*status.overrides, *more]))
    check(variant.config)
    check_files(variant)
    say(f"\n{experiment}:")
    plan = planner(experiment)(variant)
    ids = [each for each in plan.drawn if each not in had and (missing is None or each in missing)]
    if ids:
        carry_out(variant, plan.narrowed(ids), status)
    else:
        say("nothing that is asked for")
    return set(ids)


def composed(experiment: str, overrides: Sequence[str]) -> Config:
    """The configuration of ``experiment`` under the job's overrides."""
    kept = [each for each in overrides if each.partition("=")[0].lstrip("+") not in ("experiment", "only")]
    return typed_config(compose("config", overrides=[f"experiment={experiment}", *kept]))


def quickstart(context: Context) -> Plan:
    """The idea in two minutes: curves, both networks at their last epoch in one space, and a board of concepts."""
    small = context.varied(_two_runs(context.config))
    runs, pool = small.runs, small.data.pool
    semantic = base_space(small)
    every = looks_of(small, semantic)
    looks = compared_looks(every)
    places = neuron_map(semantic, every, small.map_method, small.config.seed)
    found = space_concepts(small, latent_space(small, runs[QUICK[0]]))
    labels = chosen_classes(small, small.config.discovery.classes, "discovery.classes")
    trainings = {name: training(small, each) for name, each in runs.items()}
    exhibits: Exhibits = {
        "training": curves(trainings, len(small.data.train.class_names)),
        "map": places,
        "alignment": alignment(places, looks, pool, patches(small, 3)),
        "concepts": concept_boards([found], labels, concept_images(small), small.data.test, small.runtime),
    }
    page = site_data(small, places, every)
    drawn = ("fig_training", "table_training", "fig_alignment", "fig_concepts")
    return Plan({**exhibits, "explorer": page}, drawn, after=lambda: hand_out(small, page))


def _two_runs(config: Config) -> Config:
    """The configuration with the quickstart's two runs, the first of them the base."""
    config = copy.deepcopy(config)
    config.runs = {name: config.runs[name] for name in QUICK}
    config.base = QUICK[0]
    return config
