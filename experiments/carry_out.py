"""From a plan to pictures: compute what is missing, read the exhibits back, and let `results` draw them."""

from collections.abc import Mapping
from pathlib import Path

from evoscope.artefacts import load
from evoscope.figure_data import (
    Alignment,
    ConceptBoards,
    ConceptEvolution,
    Evolution,
    ImportantEvolutions,
    NeuronMap,
    OutlierBoards,
    SceneSheet,
    StudySheet,
    Table,
    TabularConcepts,
    TrainingCurves,
)
from experiments.context import Context, commit
from experiments.plan import Plan, show
from experiments.reporting import say
from experiments.runs import AsBuilt
from experiments.status import Status
from results import registry
from results.registry import About, Drawn, stamp

KINDS: Mapping[str, type] = {
    "map": NeuronMap,
    "alignment": Alignment,
    "evolution": Evolution,
    "training": TrainingCurves,
    "scenes": SceneSheet,
    "important": ImportantEvolutions,
    "tabular": TabularConcepts,
    "concepts": ConceptBoards,
    "concept_evolution": ConceptEvolution,
    "study_sheet": StudySheet,
    "outlier_boards": OutlierBoards,
}


def carry_out(context: Context, plan: Plan, status: Status, origin: About | None = None) -> None:
    """Show the plan (``dry_run``), or compute the exhibits and draw the figures and tables made of them.

    What the folder holds already as it would be drawn now is left alone (`results.registry`).

    ``origin``: where they come from, if not from the job's image sets.

    Raises
    ------
    NotAsked : the job is made of several experiments and wants nothing of this one.
    """
    if context.asked is not None:
        plan = context.asked.narrowed(plan)
    if context.config.dry_run:
        show(context, plan)
        return
    rows = context.store.plan(list(plan.exhibits.values()))
    status.cached += sum(row.cached for row in rows)
    if context.asked is not None:
        missing = [row.node.label for row in rows if row.needed]
        say(
            "\n".join(
                [f"{len(rows)} stages, {len(missing)} to compute", *(f"  {label}" for label in missing)]
            )
        )
    for node in plan.exhibits.values():
        context.get(node)
    status.computed = len(context.computed)
    paths = _draw(context, plan, origin or about(context))
    status.outputs += [str(path) for path in paths]
    say("\n".join(["drawn:", *[f"  {path}" for path in paths]]))


def _draw(context: Context, plan: Plan, origin: About) -> list[Path]:
    """Draw what is not there as it would be drawn now; the files of all results."""
    drawn, keys = Drawn(context.folder), {name: node.key for name, node in plan.exhibits.items()}
    entries = [registry.entry(name) for name in plan.drawn]
    stamps = {entry.id: stamp(entry, keys, origin) for entry in entries}
    stale = [entry for entry in entries if not drawn.fresh(entry, stamps[entry.id])]
    reads = dict.fromkeys(name for entry in stale for name in entry.reads)
    exhibits = {name: read(context, plan, name) for name in reads}
    for entry in stale:
        drawn.note(entry, stamps[entry.id], registry.draw([entry.id], exhibits, origin, context.folder))
    return [context.folder / name for entry in entries for name in entry.outputs]


def read(context: Context, plan: Plan, name: str) -> object:
    """The exhibit ``name``, computed if it is missing."""
    folder = context.get(plan.exhibits[name])
    if name in KINDS:
        exhibit: object = load(KINDS[name], folder)
        return exhibit
    return load(Table, folder).rows


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
    )


def recipe_text(context: Context, name: str) -> str:
    """A run's network and recipe in one line."""
    run = context.runs[name]
    network = f"{run.spec.name} at width {run.spec.width:.3g}, {run.spec.pixels} px"
    if run.recipe is None:
        origin = (
            "weights as they come" if isinstance(run.checkpoints, AsBuilt) else "checkpoints of the user's"
        )
        return f"{network}, {origin}"
    recipe = run.recipe
    steps = f"{recipe.optimizer} {recipe.lr:g}, batch {recipe.batch_size}, {recipe.epochs} epochs"
    return f"{network}, {recipe.name}: {steps}"
