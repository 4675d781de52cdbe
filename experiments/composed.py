"""Jobs that are made of other experiments: each is planned under its own configuration and draws into one folder.

A part's configuration is composed from the job's own command line with the part's name in place of the job's, so a key
set for the job counts in every part.
"""

import copy
from collections.abc import Sequence
from typing import TypeAlias

from hydra import compose

from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import INIT
from evoscope.store import Node
from experiments import experiment_names, planner
from experiments.base import base_space, patches, training
from experiments.checks import check, check_files
from experiments.concept_discovery import concept_images, latent_space, placed_concepts, space_concepts
from experiments.context import Context
from experiments.evolution_importance import judged_classes
from experiments.explorer import hand_out, site_data, told
from experiments.own_networks import typed_config
from experiments.parallel import compute
from experiments.reporting import Status, say
from experiments.runner import Exhibits, Plan, carry_out
from experiments.runs import Run, selected_runs
from experiments.schema import Config, of_paper
from experiments.selection import chosen_classes, judged_runs
from experiments.stages.concept_relevance import concept_boards
from experiments.stages.importance import EpochPair
from experiments.stages.networks import curves
from experiments.stages.space import alignment, neuron_map
from experiments.unified_space import compared_looks, looks_of
from results import registry
from results.ledger.pages import finding
from results.report import claims_in, write_report

# Composed of others, or without anything drawn.
LEFT_OUT = ("results", "paper", "quickstart", "train", "store", "explorer", "init")
# The first trains what the others look at; the last show what the others found, as the plan of the very last does.
FIRST, LAST = ("unified_space",), ("evolution_importance", "explorer")
PLANNED_LAST = LAST[-1]
NEEDS_TRUTH, NEEDS_SCENES = ("coverage", "scenes"), ("scenes",)
NEEDS_PAPER = ("training_behaviour", "coverage")
NEEDS_TRAINING = ("outlier_discovery",)
NEEDS_EPOCHS = ("evolution_importance",)
# The main job takes 20 minutes on two cores. Reverting under the released protocol too, or judging
# reversals on all classes, would take as long again; following concept vectors needs every epoch.
MAIN = (
    "unified_space",
    "evolution_importance ~protocols.as_released evolution.trade=false",
    "concept_discovery discovery.evolution=false",
    "tabular_concepts",
    "human_eval",
    "explorer",
)
# The base of the quickstart, whose concepts are shown, and the network beside it.
QUICK = ("vgg16", "convnext")
Plans: TypeAlias = dict[str, tuple[Context, Plan] | None]  # by part; none where it cannot be planned


def parts(config: Config) -> list[str]:
    """The experiments that a composed job runs, in order, each with overrides of its own behind its name.

    ``paper`` runs the main ones, ``results`` all that draw; those without a meaning on the job's data and networks are
    left out.
    """
    return [name for name in _all_parts(config) if left_out(name.split()[0], config) is None]


def _all_parts(config: Config) -> Sequence[str]:
    if config.task == "paper":
        return MAIN
    known = [name for name in experiment_names() if name not in LEFT_OUT]
    last = [name for name in LAST if name not in LEFT_OUT]
    return (*FIRST, *(name for name in known if name not in (*FIRST, *LAST)), *last)


def left_out(name: str, config: Config) -> str | None:
    """Why an experiment has no meaning on the job's data and networks; nothing where it has."""
    drawn = config.data.name == "concept_scenes"
    labelled = config.data.concepts is not None or config.data.name == "cue_conflict"
    known = drawn or (labelled and name not in NEEDS_SCENES)
    if name in NEEDS_TRUTH and not known:
        return "it needs images whose concepts are known (data=concept_scenes, or data.concepts)"
    if of_paper(config):
        return None
    if name in NEEDS_PAPER:
        return "it is about the networks of the paper"
    judged = judged_runs(selected_runs(config))
    names = ", ".join(run.name for run in judged)
    if name in NEEDS_TRAINING and (config.brought or judged[0].recipe is None):
        return f"it trains its network, but {names} comes trained"
    if name in NEEDS_EPOCHS and all(len(run.epochs) < 2 for run in judged):
        return f"it compares two states of a network, and {names} has one"
    return None


def run_parts(context: Context, status: Status) -> None:
    """Plan part by part, then run them; unless only some results were asked for, write what they say about the claims.

    Of two parts that draw the same result, the first draws it. What the explorer can show is known when its turn comes.

    Raises
    ------
    EvoscopeError : nothing is called as ``only`` asks, or no part draws it under this configuration.
    """
    config = context.config
    missing = None if config.only is None else {registry.entry(name).id for name in config.only}
    _tell_left_out(config)
    names, had = parts(config), set[str]()
    early = _plan_early(context, status, names, missing)
    for name in names:
        if missing is not None and not missing - had:
            break
        planned = early[name] if name in early else _planned(context, status, name, missing, {})
        if planned is not None:
            had |= _run_part(*planned, status, name, had, missing)
    if config.only is None and not config.dry_run and not context.crew.helping:
        status.outputs += [str(path) for path in write_report([context.folder], context.folder)]
        status.found = finding(claims_in(context.folder / "claims.csv"))


def _plan_early(context: Context, status: Status, names: Sequence[str], missing: set[str] | None) -> Plans:
    """Plans of all parts but the very last; all they rest on is computed, the networks' trainings first.

    Raises
    ------
    EvoscopeError : none of them draws what is asked for.
    """
    refused = dict[str, str]()
    early: Plans = {}
    guessed = set[str]()
    # First as if only shown, which refuses before any work; in earnest, what the trainings' accuracies decide.
    for trained in (False, True):
        known = {name: each for name, each in early.items() if each is not None and name not in guessed}
        early = {}
        for name in (each for each in names if each != PLANNED_LAST):
            if missing is None or missing - _drawn_by(early):
                before = len(context.guesses)
                early[name] = known.get(name) or _planned(context, status, name, missing, refused, trained)
                guessed |= {name} if len(context.guesses) > before else set()
        lacking = (missing or set()) - _drawn_by(early)
        if lacking:
            raise EvoscopeError(
                f"no part of this job draws {', '.join(sorted(lacking))}"
                + "".join(f"; {name}: {why}" for name, why in refused.items()),
                "leave it out of only=[...], or choose an experiment, data and networks that have it",
            )
        if context.config.dry_run:
            break
        first = early if trained else {name: early[name] for name in FIRST if name in early}
        compute(context, _early_exhibits(first, missing))
    return early


def _drawn_by(plans: Plans) -> set[str]:
    return {each for planned in plans.values() if planned is not None for each in planned[1].drawn}


def _tell_left_out(config: Config) -> None:
    for name in (each.split()[0] for each in _all_parts(config)):
        reason = left_out(name, config)
        if reason is not None:
            say(f"{name} is left out: {reason}")


def _planned(
    context: Context, status: Status, name: str, missing: set[str] | None, refused: dict[str, str], trained: bool = True
) -> tuple[Context, Plan] | None:
    """A part's surroundings and plan; where only some results are asked for, a part that cannot be planned is none.

    ``trained``: whether networks may be trained for it, whose accuracies decide which epochs are compared.
    """
    experiment, *more = name.split()
    try:
        variant = context.varied(composed(experiment, [*status.overrides, *more]))
        variant.config.dry_run |= not trained
        check(variant.config)
        check_files(variant)
        plan = planner(experiment)(variant)
        variant.config.dry_run = context.config.dry_run
        return variant, plan
    except EvoscopeError as problem:
        if missing is None:
            raise
        refused[experiment] = str(problem).rstrip(".")
        return None


def _run_part(
    variant: Context, plan: Plan, status: Status, name: str, had: set[str], missing: set[str] | None
) -> set[str]:
    """Run what is still wanted of a part; the results that it drew."""
    say(f"\n{name.split()[0]}:")
    part = _wanted(plan, had, missing)
    if part is None:
        say("nothing that is asked for")
        return set()
    carry_out(variant, part, status)
    return set(part.drawn)


def _wanted(plan: Plan, had: set[str], missing: set[str] | None) -> Plan | None:
    """What of a part's plan is still wanted, of results that nobody ``had`` and that are asked for."""
    ids = [each for each in plan.drawn if each not in had and (missing is None or each in missing)]
    if ids:
        return plan.narrowed(ids)
    return plan if missing is None and not plan.drawn else None


def _early_exhibits(early: Plans, missing: set[str] | None) -> list[Node]:
    """What the parts that are planned will draw from, so that processes may share all of it."""
    had, exhibits = set[str](), list[Node]()
    for planned in early.values():
        part = None if planned is None else _wanted(planned[1], had, missing)
        if part is not None:
            had |= set(part.drawn)
            exhibits += part.exhibits.values()
    return exhibits


def composed(experiment: str, overrides: Sequence[str]) -> Config:
    """The configuration of ``experiment`` under the job's overrides."""
    kept = [each for each in overrides if each.partition("=")[0].lstrip("+") not in ("experiment", "only")]
    return typed_config(compose("config", overrides=[f"experiment={experiment}", *kept]))


def quickstart(context: Context) -> Plan:
    """The idea in two minutes: curves, both networks at their last epoch in one space, and a board of concepts."""
    config = copy.deepcopy(context.config)
    config.runs, config.base = {name: config.runs[name] for name in QUICK}, QUICK[0]
    small = context.varied(config)
    runs, pool = small.runs, small.data.pool
    semantic = base_space(small)
    every = looks_of(small, semantic)
    looks = compared_looks(every, runs)
    places = neuron_map(semantic, every, small.map_method, small.config.seed)
    found = space_concepts(small, latent_space(small, runs[QUICK[0]]))
    labels = chosen_classes(small, small.config.discovery.classes, "discovery.classes")
    trainings = {name: training(small, each) for name, each in runs.items()}
    exhibits: Exhibits = {
        "training": curves(trainings, len(small.data.train.class_names)),
        "map": places,
        "alignment": alignment(places, looks, pool, patches(small, 3), small.config.seed),
        "concepts": concept_boards(
            [found], labels, concept_images(small), small.data.test, small.config.seed, small.runtime
        ),
    }
    vectors = placed_concepts(small, runs[QUICK[0]], True, semantic, places, every[0])
    judged = judged_classes(small, runs[QUICK[0]], True, [_whole_training(runs[QUICK[0]])])
    page = site_data(small, places, every, vectors, judged)
    drawn = ("fig_training", "table_training", "fig_alignment", "fig_concepts")
    made, after = {**exhibits, "explorer": page}, lambda: hand_out(small, page)
    return Plan(made, drawn, after=after, found=lambda: told(small, page))


def _whole_training(run: Run) -> EpochPair:
    """From the first epoch that has a checkpoint to the last: no accuracy need be known to plan it."""
    kept = run.recipe.keep if run.recipe is not None else ()
    return EpochPair("first to last", 0 if not kept or 0 in kept else INIT, run.last)
