"""From a plan to pictures: compute what is missing, read the exhibits back, and let `results` draw them."""

from collections.abc import Mapping

from evoscope.artefacts import load
from evoscope.exhibits import (
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
from experiments.status import Status
from results import manifest
from results.about import About

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

    ``origin``: where they come from, if not from the job's image sets.
    """
    if context.config.dry_run:
        show(context, plan)
        return
    rows = context.store.plan(list(plan.exhibits.values()))
    status.cached = sum(row.cached for row in rows)
    exhibits = {name: read(context, plan, name) for name in plan.exhibits}
    status.computed = len(context.computed)
    paths = manifest.draw(plan.drawn, exhibits, origin or about(context), context.folder)
    status.outputs = [str(path) for path in paths]
    say("\n".join(["drawn:", *[f"  {path}" for path in paths]]))


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
        return f"{network}, checkpoints of the user's"
    recipe = run.recipe
    steps = f"{recipe.optimizer} {recipe.lr:g}, batch {recipe.batch_size}, {recipe.epochs} epochs"
    return f"{network}, {recipe.name}: {steps}"
