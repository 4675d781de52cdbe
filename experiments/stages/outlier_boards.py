"""Stage ``outlier_boards``: the training images of a class that the concept score ranks first, with the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Bytes
from evoscope.artefacts import save
from evoscope.figure_data import OutlierBoards
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.stages.outlier_data import CaseImages
from experiments.stages.outlier_findings import findings
from experiments.stages.outlier_tables import SETTING, Found

STAGE = Stage("outlier_boards", version=1, modules=("experiments.stages.outlier_boards",))
SCORE = "svd_deviation"
CLASSES, IMAGES, SIDE = 2, 10, 96
COLUMNS = (*SETTING, "seed", "class_name", "of", "outliers", "place", "score", "outlier", "id")
MOST = 3  # probabilities that are shown


@dataclass(frozen=True)
class Shown:
    """A case whose first images are shown."""

    found: Found
    images: CaseImages


def outlier_boards(cases: Sequence[Shown]) -> Node:
    """Node of the exhibit: of each case the first images of its first classes."""

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        parts = [_of_case(each, inputs[each.found.case.name]) for each in cases]
        nothing = (pd.DataFrame(columns=COLUMNS), np.empty((0, SIDE, SIDE, 3), np.uint8))
        filled = [part for part in parts if len(part[0])] or [nothing]
        rows = pd.concat([part[0] for part in filled], ignore_index=True)
        save(OutlierBoards(rows, np.concatenate([part[1] for part in filled])), folder)

    return Node(
        STAGE,
        config={
            "score": SCORE,
            "counts": [CLASSES, IMAGES, SIDE],
            "cases": [each.found.case.name for each in cases],
        },
        inputs={each.found.case.name: each.found.node for each in cases},
        build=compute,
        seed=0,
        data={each.found.case.name: each.images.fit.fingerprint for each in cases},
        label="boards of outliers",
    )


def shown(cases: Sequence[Shown]) -> list[Shown]:
    """Of the first seed, the cases with outliers; at most `MOST` probabilities, spread evenly."""
    first = [
        each
        for each in cases
        if each.found.case.seed == cases[0].found.case.seed and each.images.outlier.any()
    ]
    stamps = [each for each in first if each.found.case.setting == "stamp"]
    places = sorted({round(place) for place in np.linspace(0, len(stamps) - 1, min(MOST, len(stamps)))})
    return [stamps[place] for place in places] + [
        each for each in first if each.found.case.setting != "stamp"
    ]


def first_classes(samples: pd.DataFrame) -> list[int]:
    """The first labels with a score and with outliers among them."""
    own = samples[samples[SCORE].notna() & samples["outlier"]]
    return sorted(int(label) for label in own["label"].unique())[:CLASSES]


def _of_case(shown: Shown, folder: Path) -> tuple[pd.DataFrame, Bytes]:
    """Rows [images of all classes] and pictures uint8 [rows, side, side, 3]."""
    samples, fit = findings(folder).samples, shown.images.fit
    parts = []
    for label in first_classes(samples):
        own = samples[(samples["label"] == label) & samples[SCORE].notna()]
        best = own.sort_values(SCORE, ascending=False, kind="stable").head(IMAGES)
        counts = {"of": len(own), "outliers": int(own["outlier"].sum())}
        head = {**shown.found.head, "class_name": fit.class_names[label], **counts}
        rows = pd.DataFrame([head] * len(best), index=best.index)
        rows["place"], rows["score"] = np.arange(len(best)), best[SCORE]
        parts.append(rows.join(best[["outlier", "id"]]))
    boards = pd.concat(parts) if parts else pd.DataFrame(columns=COLUMNS)
    pictures = [fit.read(int(place), SIDE) for place in boards.index]
    return boards, np.array(pictures, dtype=np.uint8).reshape(-1, SIDE, SIDE, 3)
