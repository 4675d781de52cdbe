"""Experiments about trainings and images themselves: train, training_behaviour, scenes."""

from evoscope.errors import EvoscopeError
from experiments.base import training
from experiments.context import Context
from experiments.runner import Exhibits, Plan
from experiments.schema import of_paper
from experiments.stages.networks import behaviour, curves
from experiments.stages.scenes import scenes
from results.scenes import finding

# The three recipes of the paper whose behaviour is judged.
RECIPES = ("vgg16", "vgg16_large_lr", "vgg16_no_dropout")


def train_plan(context: Context) -> Plan:
    """Train one network, or all of the paper, and draw the curves."""
    config = context.config
    if config.model.checkpoints is not None:
        raise EvoscopeError("model.checkpoints names a run that is trained already", "leave it out to train anew")
    runs = [run for run in context.runs.values() if run.chosen or of_paper(config)]
    looked = [run.name for run in runs if run.recipe is None]
    if config.brought and looked:
        raise EvoscopeError(f"{looked[0]} is not to be trained", "give it training: {epochs: ...} in the file")
    trainings = {run.name: training(context, run) for run in runs}
    exhibits: Exhibits = {"training": curves(trainings, len(context.data.train.class_names))}
    return Plan(exhibits, ("fig_training", "table_training"))


def behaviour_plan(context: Context) -> Plan:
    """Do the recipes behave as published (gradual, collapse, overfit)? Curves and criteria over several seeds."""
    missing = [name for name in RECIPES if name not in context.runs]
    if missing:
        raise EvoscopeError(
            f"training_behaviour compares {', '.join(RECIPES)}, of which {', '.join(missing)} are not there",
            "leave model and runs out",
        )
    first = context.config.seed
    trainings = {
        f"{name}/{seed}": training(context, context.runs[name], seed)
        for seed in range(first, first + context.config.scale.seeds)
        for name in RECIPES
    }
    found = curves(trainings, len(context.data.train.class_names))
    exhibits: Exhibits = {"training": found, "behaviour": behaviour(found)}
    return Plan(exhibits, ("fig_training", "table_behaviour", "table_training"))


def scenes_plan(context: Context) -> Plan:
    """What the drawn scenes look like, what is known about them, and how hard they are without concepts."""
    if context.config.data.name != "concept_scenes":
        raise EvoscopeError(f"data={context.config.data.name} has no scenes", "use data=concept_scenes")
    data, config = context.data, context.config
    sheet = scenes(data.train, data.test, config.scale.pixels, config.seed)
    return Plan({"scenes": sheet}, ("fig_scenes",), found=lambda: finding(sheet.at(context.get(sheet)).difficulty))
