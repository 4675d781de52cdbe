"""Concepts of a network for a table (CDISCO): COMPAS, a user's CSV, or a small table that scikit-learn brings."""

from dataclasses import replace
from pathlib import Path

import torch

from evoscope.data.tables import Table, open_table
from evoscope.store import Machine
from experiments.context import Context, commit
from experiments.protocols import discovery_protocol
from experiments.runner import Plan
from experiments.schema import TabularConfig
from experiments.stages.tabular import TableNetwork, tabular, tabular_training
from results.registry import About

RUN = "mlp"


def plan(context: Context) -> Plan:
    """A network per seed, and their concepts."""
    config, chosen = context.config, context.config.tabular
    table = open_table(
        chosen.name,
        Path(config.data.root).expanduser(),
        config.seed,
        path=None if chosen.path is None else Path(chosen.path).expanduser(),
        target=chosen.target,
        protected=chosen.protected,
        # The columns that are protected by default are those of COMPAS.
        required=chosen.protected != TabularConfig().protected,
    )
    seeds = range(config.seed, config.seed + config.scale.seeds)
    networks = [_network(context, table, seed) for seed in seeds]
    found = tabular(
        table, networks, discovery_protocol(config.protocol), config.scale.bootstrap, context.runtime
    ).called(f"concepts of {len(networks)} networks for {table.name}")
    return Plan({"tabular": found}, ("fig_tabular", "table_tabular"), about(context, table))


def _network(context: Context, table: Table, seed: int) -> TableNetwork:
    """The network trained with the job's numbers from one seed, on the CPU whatever the job's device."""
    chosen, machine = context.config.tabular, Machine("cpu", torch.get_num_threads())
    hidden = tuple(chosen.hidden)
    # Which columns are shown apart later does not change the training.
    training = tabular_training(
        replace(table, protected=()),
        hidden,
        chosen.epochs,
        chosen.lr,
        chosen.batch_size,
        seed,
        machine,
        context.runtime,
    )
    return TableNetwork(hidden, training, seed, machine)


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
