"""Stage ``tabular_training``: a network for a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file

from evoscope.data.tables import Table
from evoscope.models.network import Network
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from evoscope.training.loop import save_module
from evoscope.training.tabular import mlp, train_rows
from experiments.context import Context

STAGE = Stage(
    "tabular_training",
    version=1,
    modules=(
        "evoscope.training.tabular",
        "evoscope.training.tabular",
        "evoscope.data.tables",
        "experiments.stages.tabular_training",
    ),
)
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Trained:
    """A network for the table, as a node; ``seed``: of its start and of the order of the rows."""

    seed: int
    node: Node


def train(context: Context, table: Table, seed: int) -> Trained:
    """The network trained with the job's numbers from one seed."""
    config = context.config.tabular

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        network = start(context, table, seed)
        train_rows(
            network.module,
            table.scaled()[0],
            table.train.labels,
            epochs=config.epochs,
            lr=config.lr,
            batch_size=config.batch_size,
            seed=seed,
            progress=progress,
        )
        save_module(network.module, folder / WEIGHTS)

    numbers = {"epochs": config.epochs, "lr": config.lr, "batch_size": config.batch_size}
    node = Node(
        STAGE,
        config={**numbers, "hidden": list(config.hidden)},
        inputs={},
        build=compute,
        seed=seed,
        data={"table": table.fingerprint},
        label=f"training on {table.name}, seed {seed}",
    )
    return Trained(seed, node)


def trained(context: Context, table: Table, network: Trained, folder: Path) -> Network:
    """The network with the weights in the folder of its node."""
    built = start(context, table, network.seed)
    built.module.load_state_dict(load_file(folder / WEIGHTS))
    return built


def start(context: Context, table: Table, seed: int) -> Network:
    """The network before training."""
    return mlp(len(table.columns), context.config.tabular.hidden, len(table.class_names), seed)
