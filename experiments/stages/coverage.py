"""Stage ``coverage``: concept purity of one protocol at one pool size and k, beside how much the base covers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.artefacts import load, save
from evoscope.exhibits import Table
from evoscope.progress import Progress
from evoscope.space.semantic import SemanticSpace
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.looks import Look, read_looks, roles
from experiments.stages.metrics import purity

STAGE = Stage(
    "coverage",
    version=1,
    modules=("evoscope.space.purity", "evoscope.stats", "experiments.stages.coverage", "experiments.stages.metrics"),
)
TOGETHER = Stage("coverage_table", version=1, modules=("experiments.stages.coverage",))


def coverage(context: Context, space: Node, looks: Sequence[Look]) -> Node:
    """Node of one cell of the sweep: the purity of every look and of all."""
    config, pool = context.config, len(context.data.pool)
    cell = {"protocol": config.protocol.name, "pool_images": pool, "k": config.protocol.k}

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        semantic, found = load(SemanticSpace, inputs["space"]), read_looks(looks, inputs)
        rows = purity(looks, found, config.seed).rename(columns={"model": "run"})
        pure = rows[rows["metric"].str.startswith("concept_purity")].drop(columns="metric")
        placed = {look.run.name: float(item.projection.placed.mean()) for look, item in zip(looks, found, strict=True)}
        unlabelled = rows[rows["metric"] == "unlabelled"].set_index("run")["value"]
        pure = pure.assign(
            **cell,
            coverage=float(np.mean(semantic.covered)),
            placed=pure["run"].map(placed),
            unlabelled=pure["run"].map(unlabelled),
        )
        save(Table(pure.reset_index(drop=True)), folder)

    return Node(
        STAGE,
        config={**cell, "looks": [look.name for look in looks]},
        inputs={"space": space, **roles(looks)},
        build=compute,
        seed=config.seed,
        label=f"purity, {cell['protocol']}, pool {pool}, k {cell['k']}",
    )


def together(cells: Sequence[Node]) -> Node:
    """Node of all cells in one table."""

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        rows = [load(Table, path).rows for path in inputs.values()]
        save(Table(pd.concat(rows, ignore_index=True)), folder)

    return Node(
        TOGETHER,
        config={},
        inputs={f"{number:03d}": cell for number, cell in enumerate(cells)},
        build=compute,
        seed=0,
        label=f"purity of {len(cells)} protocols, pools and k",
    )
