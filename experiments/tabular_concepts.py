"""Concepts of a network for a table (CDISCO): COMPAS, a user's CSV, or a small table that scikit-learn brings."""

from pathlib import Path

from evoscope.data.tables import Table, open_table
from experiments.context import Context, commit
from experiments.runner import Plan
from experiments.schema import TabularConfig
from experiments.stages.tabular import tabular
from experiments.stages.tabular_training import train
from experiments.status import Status
from results.registry import About

RUN = "mlp"


def run(context: Context, status: Status) -> None:
    """Train, look for concepts, read them against the inputs, and draw."""
    table = open_chosen(context)
    carry_out(context, plan(context, table), status, about(context, table))


def open_chosen(context: Context) -> Table:
    """The table asked for."""
    chosen = context.config.tabular
    return open_table(
        chosen.name,
        Path(context.config.data.root).expanduser(),
        context.config.seed,
        path=None if chosen.path is None else Path(chosen.path).expanduser(),
        target=chosen.target,
        protected=chosen.protected,
        # The columns that are protected by default are those of COMPAS.
        required=chosen.protected != TabularConfig().protected,
    )


def plan(context: Context, table: Table) -> Plan:
    """A network per seed, and their concepts."""
    seeds = range(context.config.seed, context.config.seed + context.config.scale.seeds)
    networks = [train(context, table, seed) for seed in seeds]
    return Plan({"tabular": tabular(context, table, networks)}, ("fig_tabular", "table_tabular"))


def about(context: Context, table: Table) -> About:
    """What captions say: the table stands in the place of the image set."""
    config, chosen = context.config, context.config.tabular
    units = " and ".join(map(str, chosen.hidden))
    recipe = f"hidden layers of {units} units, Adam {chosen.lr:g}, batch {chosen.batch_size}, {chosen.epochs} epochs"
    return About(
        data=table.name,
        scale=config.scale.name,
        protocol=config.protocol.name,
        seed=config.seed,
        classes=len(table.class_names),
        images=len(table.train) + len(table.test),
        recipes={RUN: recipe},
        commit=commit(),
        key=context.folder.name,
        unit="rows",
    )
