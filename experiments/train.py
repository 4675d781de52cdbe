"""Train one network, or all of the paper, and draw the curves."""

from evoscope.errors import EvoscopeError
from experiments.carry_out import carry_out
from experiments.context import Context
from experiments.plan import Plan
from experiments.runs import PAPER, own, single_run
from experiments.stages.curves import curves
from experiments.stages.training import training
from experiments.status import Status


def run(context: Context, status: Status) -> None:
    """Train what is missing and draw."""
    carry_out(context, plan(context), status)


def plan(context: Context) -> Plan:
    """The training curves of the runs of the job."""
    config = context.config
    if config.model.checkpoints is not None:
        raise EvoscopeError(
            "model.checkpoints names a run that is trained already", "leave it out to train anew"
        )
    only = config.model.name != PAPER or own(config)
    runs = [single_run(config)] if only else list(context.runs.values())
    trainings = {run.name: training(context, run) for run in runs}
    exhibits = {"training": curves(trainings, len(context.data.train.class_names))}
    return Plan(exhibits, ("fig_training", "table_training"))
