"""A job's plan, and its execution: show what it costs, compute what is missing, and let `results` draw."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

from evoscope.errors import EvoscopeError
from evoscope.figure_data import Table
from evoscope.store import Artefact, PlanRow
from evoscope.store.hashing import size_under
from evoscope.store.manifest import content_digest, read_run
from experiments.context import Context, commit
from experiments.parallel import LEAST, compute
from experiments.reporting import Status, duration, say, size, table
from results import registry
from results.registry import About, Drawn, stamp

Exhibits: TypeAlias = dict[str, Artefact[Any]]


@dataclass(frozen=True)
class Plan:
    """Exhibits by name (as `results` reads them) and the figures and tables drawn from them.

    ``origin``: where the exhibits come from, if not from the job's image sets; ``after``: writes further files once
    all is drawn, and returns their paths; ``found``: what these or the exhibits say, beside the tables' own sentences.
    """

    exhibits: Mapping[str, Artefact[Any]]
    drawn: Sequence[str]
    origin: About | None = None
    after: Callable[[], list[Path]] | None = None
    found: Callable[[], str] | None = None

    def checked(self) -> "Plan":
        """The plan itself, whose results have all that they are drawn from.

        Raises
        ------
        EvoscopeError : one has not.
        """
        for each in map(registry.entry, self.drawn):
            lacking = [name for name in each.reads if name not in self.exhibits]
            if lacking:
                raise EvoscopeError(
                    f"{each.id} cannot be drawn: this job has no {' and no '.join(lacking)}",
                    "name other results (only=[...]), or choose data and networks that have it",
                )
        return self

    def narrowed(self, ids: Sequence[str]) -> "Plan":
        """The part of the plan that draws ``ids``: these results and the exhibits that they read."""
        self.checked()
        reads = dict.fromkeys(name for each in ids for name in registry.entry(each).reads)
        return replace(self, exhibits={name: self.exhibits[name] for name in reads}, drawn=ids)

    def asked(self, only: Sequence[str] | None) -> "Plan":
        """The part that draws the results ``only`` and nothing else, or the whole plan.

        Raises
        ------
        EvoscopeError : there is no result of a name, or the plan does not draw it.
        """
        if only is None:
            return self
        ids = list(dict.fromkeys(registry.entry(name).id for name in only))
        strange = [name for name in ids if name not in self.drawn]
        if strange:
            raise EvoscopeError(
                f"only={list(only)} asks for what this experiment does not draw ({', '.join(strange)})",
                f"choose among {', '.join(self.drawn)}" if self.drawn else "leave only out",
            )
        return replace(self.narrowed(ids), after=None, found=None)


def carry_out(context: Context, plan: Plan, status: Status) -> None:
    """Show the plan (``dry_run``), or compute its exhibits and draw the figures and tables made of them.

    What the folder holds already as it would be drawn now is left alone (`results.registry`).
    """
    plan.checked()
    if context.config.dry_run:
        show(context, plan)
        return
    rows = context.store.plan(list(plan.exhibits.values()))
    status.cached += sum(row.cached for row in rows)
    missing = [row for row in rows if row.needed]
    labels = [f"  {row.node.label}" for row in missing]
    say("\n".join([f"{len(rows)} stages, {len(missing)} to compute", *labels]))
    compute(context, list(plan.exhibits.values()))
    if context.crew.helping:
        return
    _tell_accuracies(context, rows)
    status.computed = len(context.computed)
    paths = _draw(context, plan, plan.origin or about(context))
    say("\n".join(["drawn:", *[f"  {path}" for path in paths]]))
    paths += plan.after() if plan.after else []
    status.outputs += [str(path) for path in paths]
    status.found += registry.findings(plan.drawn, context.folder)
    status.found += [plan.found()] if plan.found else []
    status.outdated = sorted({*status.outdated, *context.outdated.values()})


def _tell_accuracies(context: Context, rows: Sequence[PlanRow]) -> None:
    """Say how accurate the user's networks are, once they were looked at."""
    names = tuple(f"stimuli of {run.name}, " for run in context.runs.values() if run.title)
    told: dict[str, None] = {}
    for node in (row.node for row in rows if names and row.node.label.startswith(names)):
        assert isinstance(node, Artefact)
        found = node.at(context.store.path(node))
        label = node.label.removeprefix("stimuli of ")
        shares = f"{found.pool_top1:.1%} of the pool, {found.held_out_top1:.1%} held out"
        told[f"  {label}: {shares if math.isfinite(found.pool_top1) else 'unknown'}"] = None
    if told:
        chance = 1 / len(context.data.train.class_names)
        say("\n".join([f"accuracy (chance {chance:.1%}):", *told]))


def show(context: Context, plan: Plan) -> None:
    """Print the stages with their state and the estimated time, disk and memory of the missing ones."""
    rows = context.store.plan(list(plan.exhibits.values()))
    say(table([_cells(row) for row in rows], ["stage", "what", "state", "time", "disk", "memory"]))
    say(_there(context, [row for row in rows if row.cached]))
    missing = [row for row in rows if row.needed]
    costs = [row.node.estimate for row in missing if row.node.estimate]
    seconds, disk = sum(cost.seconds for cost in costs), sum(cost.disk_bytes for cost in costs)
    memory = max((cost.memory_bytes for cost in costs), default=0)
    shared = context.processes > 1 and seconds >= LEAST
    together = f" of {context.processes} processes, {duration(seconds / context.processes)} at best," if shared else ","
    say(
        f"to compute: {len(missing)} of {len(rows)} stages, about {duration(seconds)} on {context.device}{together} "
        f"{size(disk)} of disk, {size(memory)} of memory at most"
    )
    if seconds >= 60:
        kinds: dict[str, float] = {}
        for row in missing:
            if row.node.estimate is not None:
                kinds[row.node.stage.name] = kinds.get(row.node.stage.name, 0.0) + row.node.estimate.seconds
        most = sorted(kinds.items(), key=lambda each: -each[1])[:3]
        parts = [f"{name} {duration(took)} ({took / seconds:.0%})" for name, took in most if took > 0]
        waiting = sum(row.node.estimate.reading for row in missing if row.node.estimate)
        with_workers = f"with workers={context.workers}"
        say(f"most of it: {', '.join(parts)}; {duration(waiting)} of all is waiting for images, {with_workers}")


def _there(context: Context, cached: Sequence[PlanRow]) -> str:
    """How long the stages that are there took, as their records say, and what they take of the disk."""
    paths = [context.store.path(row.node) for row in cached]
    seconds = [read_run(path).get("seconds") for path in paths]
    took = sum(each for each in seconds if isinstance(each, int | float))
    return f"there: {len(paths)} stages, computed in {duration(took)}, {size(sum(map(size_under, paths)))} of disk"


def _cells(row: PlanRow) -> list[str]:
    state = "cached" if row.cached else ("to compute" if row.needed else "not needed")
    if row.cached and row.outdated:
        state = "made by other code"
    estimate = row.node.estimate
    if estimate is None or not row.needed:
        return [row.node.stage.name, row.node.label, state, "", "", ""]
    costs = [duration(estimate.seconds), size(estimate.disk_bytes), size(estimate.memory_bytes)]
    return [row.node.stage.name, row.node.label, state, *costs]


def _draw(context: Context, plan: Plan, origin: About) -> list[Path]:
    """Draw what is not there as it would be drawn now; the files of all results."""
    drawn = Drawn(context.folder)
    contents = {name: content_digest(context.store.path(node)) for name, node in plan.exhibits.items()}
    entries = [registry.entry(name) for name in plan.drawn]
    # Stages behind a result whose artefacts other code than the present made.
    behind = {each.id: [context.store.outdated(plan.exhibits[name]) for name in each.reads] for each in entries}
    other_code = {name: sorted({*chain(*stages)}) for name, stages in behind.items()}
    stamps = {entry.id: stamp(entry, contents, origin, other_code[entry.id]) for entry in entries}
    stale = [entry for entry in entries if not drawn.fresh(entry, stamps[entry.id])]
    reads = dict.fromkeys(name for entry in stale for name in entry.reads)
    exhibits = {name: read(context, plan.exhibits[name]) for name in reads}
    for entry in stale:
        paths = registry.draw([entry.id], exhibits, origin, context.folder, other_code)
        drawn.note(entry, stamps[entry.id], paths, other_code[entry.id])
    return [context.folder / name for entry in entries for name in entry.outputs]


def read(context: Context, node: Artefact[Any]) -> object:
    """What an exhibit holds, computed if it is missing; of a table, its rows."""
    held: object = node.at(context.get(node))
    return held.rows if isinstance(held, Table) else held


def about(context: Context) -> About:
    """What captions and file metadata say about the job."""
    config, data = context.config, context.data
    recipes = {name: recipe_text(context, name) for name in context.runs}
    return About(
        data=data.train.name,
        scale=config.scale.name,
        protocol=config.protocol.name,
        seed=config.seed,
        classes=len(data.train.class_names),
        images=len(data.pool),
        recipes=recipes,
        commit=commit(),
        key=context.folder.name,
        remarks=data.remarks,
    )


def recipe_text(context: Context, name: str) -> str:
    """A run's network and recipe in one line."""
    run = context.runs[name]
    outputs = f", {len(run.spec.outputs)} of its outputs" if run.spec.outputs else ""
    narrow = f" at width {run.spec.width:.3g}" if not run.title or run.spec.width != 1 else ""
    network = f"{run.title or run.spec.name}{narrow}, {run.spec.pixels} px{outputs}"
    if run.recipe is None:
        weights = "" if run.spec.weights is None else f"weights {Path(run.spec.weights).name}, "
        return f"{network}, {weights}{run.origin}"
    recipe = run.recipe
    steps = f"{recipe.optimizer} {recipe.lr:g}, batch {recipe.batch_size}, {recipe.epochs} epochs"
    return f"{network}, {recipe.name}: {steps}"
