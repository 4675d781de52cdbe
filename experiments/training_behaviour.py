"""Do the recipes show the published behaviours (gradual, collapse, overfit)? Several seeds, measured criteria."""

from experiments.carry_out import carry_out
from experiments.context import Context
from experiments.plan import Plan
from experiments.stages.behaviour import behaviour
from experiments.stages.curves import curves
from experiments.stages.training import training
from experiments.status import Status

RUNS = ("vgg16", "vgg16_large_lr", "vgg16_no_dropout")


def run(context: Context, status: Status) -> None:
    """Train every recipe with every seed and judge."""
    carry_out(context, plan(context), status)


def plan(context: Context) -> Plan:
    """Curves and criteria over ``scale.seeds`` seeds."""
    first = context.config.seed
    trainings = {
        f"{name}/{seed}": training(context, context.runs[name], seed)
        for seed in range(first, first + context.config.scale.seeds)
        for name in RUNS
    }
    found = curves(trainings, len(context.data.train.class_names))
    exhibits = {"training": found, "behaviour": behaviour(found)}
    return Plan(exhibits, ("fig_training", "table_behaviour", "table_training"))
