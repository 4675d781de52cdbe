"""Jobs that are made of other experiments: each runs under its own configuration and draws into the job's folder.

A part's configuration is composed from the job's own command line with the part's name in place of the job's, so a key
set for the job counts in every part. Artefacts are named by their content, so an exhibit whose inputs, configuration or
stage version changed has another key: it is computed before it is drawn, and what lies under the old key is never read.
"""

import importlib
from collections.abc import Sequence

from hydra import compose
from omegaconf import OmegaConf

from evoscope.errors import EvoscopeError
from experiments import registry
from experiments.asked import Asked, NotAsked
from experiments.checks import check, check_files
from experiments.context import Context
from experiments.reporting import say
from experiments.runs import PAPER, own
from experiments.schema import Config
from experiments.status import Status
from results.report import PAGE, write_report

# Composed of others, or without anything that the others do not draw.
LEFT_OUT = ("results", "paper", "quickstart", "train", "store")
# The first trains what the others look at; the last needs accuracies of trained networks to be planned.
FIRST, LAST = ("unified_space",), ("evolution_importance",)
NEEDS_TRUTH = ("coverage", "scenes")
NEEDS_PAPER = ("training_behaviour", "coverage")


def names(config: Config) -> tuple[str, ...]:
    """All experiments that draw and that the job's data and networks allow, in the order they are run."""
    known = [name for name in registry.names() if name not in LEFT_OUT and possible(name, config)]
    middle = [name for name in known if name not in (*FIRST, *LAST)]
    return tuple(name for name in (*FIRST, *middle, *LAST) if name in known)


def possible(name: str, config: Config) -> bool:
    """Whether an experiment has a meaning on the job's data and networks."""
    drawn, paper = config.data.name == "concept_scenes", config.model.name == PAPER and not own(config)
    return (drawn or name not in NEEDS_TRUTH) and (paper or name not in NEEDS_PAPER)


def carry_out_parts(context: Context, status: Status, wanted: Sequence[str]) -> None:
    """Run part by part; then, unless only some results were asked for, write what they say about the claims.

    Parameters
    ----------
    context, status : of the job.
    wanted : experiments, each with overrides of its own behind its name where it has any.

    Raises
    ------
    EvoscopeError : nothing is called as ``only`` asks, or no part draws it under this configuration.
    """
    config, asked = context.config, Asked(context.config.only)
    for name in wanted:
        if asked.missing != set():
            _run(context, status, name, asked)
    if asked.missing:
        raise EvoscopeError(
            f"no part of this job draws {', '.join(sorted(asked.missing))}",
            "leave it out of only=[...], or choose an experiment, data and networks that have it",
        )
    if config.only is None and not config.dry_run:
        status.outputs += [str(path) for path in write_report([context.folder], context.folder)]
        say(f"report: {context.folder / PAGE}")


def _run(context: Context, status: Status, name: str, asked: Asked) -> None:
    experiment, *more = name.split()
    variant = context.varied(composed(experiment, [*status.overrides, *more]))
    variant.asked = asked
    check(variant.config)
    check_files(variant)
    say(f"\n{experiment}:")
    try:
        importlib.import_module(f"experiments.{experiment}").run(variant, status)
    except NotAsked:
        say("nothing that is asked for")


def composed(experiment: str, overrides: Sequence[str]) -> Config:
    """The configuration of ``experiment`` under the job's overrides."""
    kept = [each for each in overrides if each.partition("=")[0].lstrip("+") not in ("experiment", "only")]
    typed = OmegaConf.to_object(compose("config", overrides=[f"experiment={experiment}", *kept]))
    assert isinstance(typed, Config)
    return typed
