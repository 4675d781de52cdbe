"""Stage ``coverage``: concept purity of one protocol at one pool and k, beside how much the base covers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.artefacts import load, save
from evoscope.errors import EvoscopeError
from evoscope.figure_data import Table
from evoscope.progress import Progress
from evoscope.space.build import build_space, project
from evoscope.space.protocol import SemanticSpace, SpaceProtocol
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.runs import Run
from experiments.stages.metrics import labelled, purity
from experiments.stages.space import SPACE, space_protocol
from experiments.stages.stimuli import Looked, looked

VALUES = ("value", "low", "high", "null", "null_low", "null_high")
WHERE = ("protocol", "pool_images", "k", "coverage", "run", "epoch")
COLUMNS = [*WHERE, *VALUES, "n", "placed", "unlabelled", "note"]
STAGE = Stage(
    "coverage",
    version=2,
    modules=(
        *SPACE.modules,
        "evoscope.space.build",
        "evoscope.space.purity",
        "evoscope.arrays",
        "evoscope.stats",
        "experiments.stages.coverage",
        "experiments.stages.metrics",
    ),
)
TOGETHER = Stage("coverage_table", version=1, modules=("experiments.stages.coverage",))


@dataclass(frozen=True)
class Sight:
    """One run at its last epoch over the pool of a cell."""

    run: Run
    stimuli: Node


def coverage(context: Context, sights: Sequence[Sight]) -> Node:
    """Node of one cell of the sweep: the purity of every run and of all; the base is the first of ``sights``.

    A space that cannot be built (the published descent diverges where an image excites very many neurons) leaves a
    row without a value that says so.
    """
    config, pool = context.config, len(context.data.pool)
    protocol = space_protocol(config.protocol)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        found = [looked(inputs[sight.run.name]) for sight in sights]
        try:
            built = build_space(found[0].stimuli, protocol, config.seed, progress)
            rows = _cell(sights, found, built, protocol, config.seed)
        except EvoscopeError as problem:
            rows = pd.DataFrame([{"run": "all", "epoch": -1, "n": 0, "note": str(problem)}])
        cell = rows.assign(protocol=config.protocol.name, pool_images=pool, k=protocol.k)
        save(Table(cell.reindex(columns=COLUMNS)), folder)

    return Node(
        STAGE,
        config={"protocol": asdict(protocol), "name": config.protocol.name},
        inputs={sight.run.name: sight.stimuli for sight in sights},
        build=compute,
        seed=config.seed,
        label=f"purity, {config.protocol.name}, pool {pool}, k {protocol.k}",
    )


def _cell(
    sights: Sequence[Sight],
    found: Sequence[Looked],
    space: SemanticSpace,
    protocol: SpaceProtocol,
    seed: int,
) -> pd.DataFrame:
    projections = [project(space, item.stimuli, protocol) for item in found]
    models = [
        labelled(sight.run.name, sight.run.last, projection.vectors, item)
        for sight, projection, item in zip(sights, projections, found, strict=True)
    ]
    rows = purity(models, seed).rename(columns={"model": "run"})
    shares = {
        name: rows[rows["metric"] == name].set_index("run")["value"] for name in ("unplaced", "unlabelled")
    }
    pure = rows[rows["metric"].str.startswith("concept_purity")]
    return pure.assign(
        coverage=float(np.mean(space.covered)),
        placed=1 - pure["run"].map(shares["unplaced"]),
        unlabelled=pure["run"].map(shares["unlabelled"]),
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
