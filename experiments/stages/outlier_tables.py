"""Stage ``outlier_tables``: scores, their differences and accuracies of all cases, one by one and over the seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from evoscope.arrays import Bools
from evoscope.artefacts import save
from evoscope.discovery.outlier_judging import over_seeds
from evoscope.figure_data import Table
from evoscope.progress import Progress
from evoscope.stats import bootstrap_interval
from evoscope.store import Node, Stage
from experiments.stages.outlier_data import Case
from experiments.stages.outlier_findings import Findings, findings

STAGE = Stage(
    "outlier_tables",
    version=1,
    modules=("evoscope.discovery.outlier_judging", "evoscope.stats", "experiments.stages.outlier_tables"),
)
Kind = Literal["outliers", "outlier_differences", "stamp_accuracy"]
SETTING = ("setting", "data", "classes", "run", "layer", "p")
CONDITIONS = ("stamped", "plain")


@dataclass(frozen=True)
class Found:
    """A case with the node of its findings, and what its rows are headed by."""

    case: Case
    node: Node
    data: str
    classes: str
    run: str
    layer: str

    @property
    def head(self) -> dict[str, object]:
        """Columns that say which case a row is of."""
        own = {"setting": self.case.setting, "data": self.data, "classes": self.classes}
        return {**own, "run": self.run, "layer": self.layer, "p": self.case.p, "seed": str(self.case.seed)}


def outlier_table(kind: Kind, found: Sequence[Found]) -> Node:
    """Node of one exhibit: ``outliers``, ``outlier_differences`` or ``stamp_accuracy``."""

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        read = [(each, findings(inputs[each.case.name])) for each in found]
        save(Table(TABLES[kind](read)), folder)

    return Node(
        STAGE,
        config={"kind": kind, "cases": [{**each.head} for each in found]},  # type: ignore[dict-item]
        inputs={each.case.name: each.node for each in found},
        build=compute,
        seed=0,
        label=f"table {kind}",
    )


Read = Sequence[tuple[Found, Findings]]


def score_rows(read: Read) -> pd.DataFrame:
    """How well each score finds the outliers: case by case, then over the seeds."""
    rows = pd.concat([headed(each, own.judged) for each, own in read], ignore_index=True)
    means = over_seeds(rows, [*SETTING, "score", "metric"], bounds=(0.0, 1.0))
    return pd.concat([rows, means], ignore_index=True)


def difference_rows(read: Read) -> pd.DataFrame:
    """By how much concept scores beat loss and confidence; ``beats`` only where the interval lies above 0."""
    rows = pd.concat([headed(each, own.compared) for each, own in read], ignore_index=True)
    means = over_seeds(rows, [*SETTING, "score", "against", "metric"])
    both = pd.concat([rows, means], ignore_index=True)
    return both.assign(beats=both["low"] > 0)


def accuracy_rows(read: Read) -> pd.DataFrame:
    """Accuracy on test images with and without stamp; ``condition`` is of `CONDITIONS`."""
    rows = []
    for each, own in read:
        for condition in CONDITIONS if each.case.setting == "stamp" else CONDITIONS[1:]:
            right: Bools = getattr(own, condition)
            accuracy = bootstrap_interval(right.astype(np.float64), each.case.seed)
            bounds = {"value": accuracy.value, "low": accuracy.low, "high": accuracy.high}
            numbers = {"images": len(right), "epochs": float(own.epochs), "note": ""}
            rows.append({**each.head, "condition": condition, **bounds, **numbers})
    table = pd.DataFrame(rows)
    head = [*SETTING, "condition"]
    means = over_seeds(table, head, bounds=(0.0, 1.0))
    epochs = table.groupby(head, sort=False)["epochs"].mean()
    means["epochs"] = epochs.to_numpy()
    return pd.concat([table, means], ignore_index=True)


def headed(found: Found, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the columns that say which case they are of in front."""
    return pd.concat([pd.DataFrame([found.head] * len(rows)), rows.reset_index(drop=True)], axis=1)


TABLES = {"outliers": score_rows, "outlier_differences": difference_rows, "stamp_accuracy": accuracy_rows}
