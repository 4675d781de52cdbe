"""Jobs that are made of other experiments: each is planned under its own configuration, computed, and drawn.

A part's configuration is composed from the job's own command line with the part's name in place of the job's, so a key
set for the job counts in every part. Artefacts are named by their content, so an exhibit whose inputs, configuration or
stage version changed has another key: it is computed before it is drawn, and what lies under the old key is never read.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

from hydra import compose
from omegaconf import OmegaConf

from evoscope.errors import EvoscopeError
from experiments import registry
from experiments.carry_out import about, read
from experiments.checks import check, check_files
from experiments.context import Context
from experiments.plan import Plan, show
from experiments.reporting import say
from experiments.runs import PAPER, own
from experiments.schema import Config
from experiments.status import Status
from results import manifest
from results.fresh import Drawn, stamp
from results.report import write_report

# Composed of others, or without anything that the others do not draw.
LEFT_OUT = ("results", "paper", "quickstart", "train", "store")
# The first trains what the others look at; the last needs accuracies of trained networks to be planned.
FIRST, LAST = ("unified_space",), ("evolution_importance",)
NEEDS_TRUTH = ("coverage", "scenes")
NEEDS_PAPER = ("training_behaviour", "coverage")


@dataclass(frozen=True)
class Part:
    """An experiment within a job: ``plan`` under ``context``, and the names of the results it draws here."""

    name: str
    context: Context
    plan: Plan
    ids: tuple[str, ...]

    @property
    def exhibits(self) -> tuple[str, ...]:
        """Names of the exhibits that its results read."""
        reads = [name for each in self.ids for name in manifest.entry(each).reads]
        return tuple(dict.fromkeys(reads))

    @property
    def wanted(self) -> Plan:
        """The plan of these exhibits alone."""
        return Plan({name: self.plan.exhibits[name] for name in self.exhibits}, self.ids)


def names(config: Config) -> tuple[str, ...]:
    """All experiments that draw and that the job's data and networks allow, in the order they are run."""
    known = [name for name in registry.names() if name not in LEFT_OUT and possible(name, config)]
    middle = [name for name in known if name not in (*FIRST, *LAST)]
    return tuple(name for name in (*FIRST, *middle, *LAST) if name in known)


def possible(name: str, config: Config) -> bool:
    """Whether an experiment has a meaning on the job's data and networks."""
    drawn, paper = config.data.name == "concept_scenes", config.model.name == PAPER and not own(config)
    return (drawn or name not in NEEDS_TRUTH) and (paper or name not in NEEDS_PAPER)


def parts(
    context: Context, status: Status, wanted: Sequence[str], only: Sequence[str] | None = None
) -> Iterator[Part]:
    """The parts of a job, planned one after the other; a result that two of them draw belongs to the first.

    Parameters
    ----------
    context, status : of the job.
    wanted : experiments, each with overrides of its own behind its name where it has any.
    only : results that are asked for; planning ends when all are found.

    Raises
    ------
    EvoscopeError : nothing is called so, or no experiment draws it under this configuration.
    """
    missing = {manifest.entry(name).id for name in only} if only is not None else None
    seen: set[str] = set()
    for name in wanted:
        if missing is not None and not missing:
            return
        part = _planned(context, name, status.overrides)
        ids = [each for each in part.ids if each not in seen and (missing is None or each in missing)]
        seen.update(ids)
        missing = None if missing is None else missing - seen
        if ids:
            yield replace(part, ids=tuple(ids))
    if missing:
        raise EvoscopeError(
            f"no experiment draws {', '.join(sorted(missing))} with this configuration",
            "leave it out of only=[...], or choose data and networks that have it",
        )


def carry_out_parts(context: Context, status: Status, wanted: Sequence[str]) -> None:
    """Plan, compute and draw part by part; then, unless only some were asked for, what they say about the claims."""
    config = context.config
    for part in parts(context, status, wanted, config.only):
        carry_out_part(part, status)
    if config.only is None and not config.dry_run:
        status.outputs += [str(path) for path in write_report([context.folder], context.folder)]
        say(f"report: {context.folder / 'report.html'}")


def carry_out_part(part: Part, status: Status) -> None:
    """Show the part's plan, compute what it lacks, and draw what is not in the folder as it would be drawn now."""
    context, plan = part.context, part.wanted
    if context.config.dry_run:
        say(f"\n{part.name}: {', '.join(part.ids)}")
        show(context, plan)
        return
    _announce(part, plan, status)
    before = len(context.computed)
    for node in plan.exhibits.values():
        context.get(node)
    status.computed += len(context.computed) - before
    status.outputs += _draw(part, plan)


def _announce(part: Part, plan: Plan, status: Status) -> None:
    rows = part.context.store.plan(list(plan.exhibits.values()))
    missing = [row.node.label for row in rows if row.needed]
    status.cached += sum(row.cached for row in rows)
    found = sum(row.cached for row in rows)
    lines = [f"{part.name}: {len(plan.drawn)} results, {found} stages cached, {len(missing)} to compute"]
    say("\n".join([*lines, *(f"  to compute: {label}" for label in missing)]))


def _draw(part: Part, plan: Plan) -> list[str]:
    """Draw what is not there as it would be drawn now; the files of all the part's results."""
    folder, origin, drawn = part.context.folder, about(part.context), Drawn(part.context.folder)
    keys = {name: node.key for name, node in plan.exhibits.items()}
    entries = [manifest.entry(name) for name in plan.drawn]
    stale = {each.id: mark for each in entries if not drawn.fresh(each, mark := stamp(each, keys, origin))}
    reads = {name for each in stale for name in manifest.entry(each).reads}
    exhibits = {name: read(part.context, plan, name) for name in plan.exhibits if name in reads}
    for each in stale:
        paths = manifest.draw([each], exhibits, origin, folder)
        drawn.note(manifest.entry(each), stale[each], paths)
        say(f"  drawn: {paths[0].with_suffix('')}")
    return [str(folder / name) for each in entries for name in each.outputs]


def _planned(context: Context, name: str, overrides: Sequence[str]) -> Part:
    experiment, *own_overrides = name.split()
    variant = context.varied(composed(experiment, [*overrides, *own_overrides]))
    check(variant.config)
    check_files(variant)
    plan: Callable[[Context], Plan] = module_of(experiment).plan
    made = plan(variant)
    return Part(experiment, variant, made, tuple(made.drawn))


def module_of(experiment: str) -> ModuleType:
    """The module of an experiment."""
    return importlib.import_module(f"experiments.{experiment}")


def composed(experiment: str, overrides: Sequence[str]) -> Config:
    """The configuration of ``experiment`` under the job's overrides."""
    kept = [each for each in overrides if each.partition("=")[0].lstrip("+") not in ("experiment", "only")]
    typed = OmegaConf.to_object(compose("config", overrides=[f"experiment={experiment}", *kept]))
    assert isinstance(typed, Config)
    return typed
