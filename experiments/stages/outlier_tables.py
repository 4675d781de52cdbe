"""Tables and boards of outliers: scores, their differences, accuracies, and the images that the score ranks first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evoscope.arrays import Bools, Bytes
from evoscope.discovery.outlier_judging import LIFT, over_seeds
from evoscope.figure_data import OutlierBoards, Table
from evoscope.stats import bootstrap_interval
from evoscope.store import Artefact, stage
from experiments.stages.outliers import Case, CaseImages, Findings

SETTING = ("setting", "data", "classes", "run", "layer", "p")
CONDITIONS = ("stamped", "plain")

SCORE = "svd_absence"
CLASSES, IMAGES, SIDE = 2, 10, 96
"""Classes of a case that a board shows, images of each, and pixels of an image's side."""
COLUMNS = (*SETTING, "seed", "class_name", "of", "outliers", "place", "score", "outlier", "id")
MOST = 3  # probabilities that are shown


@dataclass(frozen=True)
class ScoredCase:
    """A case with its images and findings; ``data``, ``classes``, ``run``, ``layer``: as tables say them."""

    case: Case
    images: CaseImages
    data: str
    classes: str
    run: str
    layer: str
    findings: Artefact[Findings]

    @property
    def head(self) -> dict[str, object]:
        """Columns that say which case a row is of."""
        own = {"setting": self.case.setting, "data": self.data, "classes": self.classes}
        return {**own, "run": self.run, "layer": self.layer, "p": self.case.p, "seed": str(self.case.seed)}

    def headed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows with the columns that say which case they are of in front."""
        return pd.concat([pd.DataFrame([self.head] * len(rows)), rows.reset_index(drop=True)], axis=1)


@stage(version=1, label="table outliers")
def outliers(cases: Sequence[ScoredCase]) -> Table:
    """How well each score finds the outliers: case by case, then over the seeds."""
    rows = pd.concat([each.headed(each.findings.load().judged) for each in cases], ignore_index=True)
    return Table(pd.concat([rows, _means(rows, [*SETTING, "score", "metric"])], ignore_index=True))


@stage(version=1, label="table outlier_readings")
def outlier_readings(cases: Sequence[ScoredCase]) -> Table:
    """How well the absence of concepts finds outliers by every reading, at every layer: by case, then over seeds."""
    parts = [each.headed(each.findings.load().readings.drop(columns="layer")) for each in cases]
    layers = [each.findings.load().readings["layer"].to_numpy() for each in cases]
    rows = pd.concat(parts, ignore_index=True).assign(layer=np.concatenate(layers))
    return Table(pd.concat([rows, _means(rows, [*SETTING, "reading", "score", "metric"])], ignore_index=True))


def _means(rows: pd.DataFrame, head: Sequence[str]) -> pd.DataFrame:
    """Means over the seeds, their intervals cut to what a share, or a lift, can be."""
    means = over_seeds(rows, head, bounds=(0.0, np.inf))
    shares = means["metric"] != LIFT
    means.loc[shares, "high"] = means.loc[shares, "high"].clip(upper=1.0)
    return means


@stage(version=1, label="table outlier_differences")
def outlier_differences(cases: Sequence[ScoredCase]) -> Table:
    """By how much concept scores beat loss and confidence; ``beats`` only where the interval lies above 0."""
    rows = pd.concat([each.headed(each.findings.load().compared) for each in cases], ignore_index=True)
    means = over_seeds(rows, [*SETTING, "score", "against", "metric"])
    both = pd.concat([rows, means], ignore_index=True)
    return Table(both.assign(beats=both["low"] > 0))


@stage(version=1, label="table stamp_accuracy")
def stamp_accuracy(cases: Sequence[ScoredCase]) -> Table:
    """Accuracy on test images with and without stamp; ``condition`` is of `CONDITIONS`."""
    table = pd.DataFrame([row for each in cases for row in _accuracies(each)])
    head = [*SETTING, "condition"]
    means = over_seeds(table, head, bounds=(0.0, 1.0))
    epochs = table.groupby(head, sort=False)["epochs"].mean()
    means["epochs"] = epochs.to_numpy()
    return Table(pd.concat([table, means], ignore_index=True))


def _accuracies(scored: ScoredCase) -> list[dict[str, object]]:
    """A row for each condition; only stamped cases have test images with stamps."""
    found, rows = scored.findings.load(), []
    for condition in CONDITIONS if scored.case.setting == "stamp" else CONDITIONS[1:]:
        right: Bools = getattr(found, condition)
        accuracy = bootstrap_interval(right.astype(np.float64), scored.case.seed)
        bounds = {"value": accuracy.value, "low": accuracy.low, "high": accuracy.high}
        numbers = {"images": len(right), "epochs": float(found.epochs), "note": ""}
        rows.append({**scored.head, "condition": condition, **bounds, **numbers})
    return rows


@stage(version=1, label="boards of outliers")
def outlier_boards(cases: Sequence[ScoredCase]) -> OutlierBoards:
    """Of each case the training images of its first classes that the concept score ranks first, with the truth."""
    parts = [_board(each) for each in cases]
    nothing = (pd.DataFrame(columns=COLUMNS), np.empty((0, SIDE, SIDE, 3), np.uint8))
    filled = [part for part in parts if len(part[0])] or [nothing]
    rows = pd.concat([part[0] for part in filled], ignore_index=True)
    return OutlierBoards(rows, np.concatenate([part[1] for part in filled]))


def shown(cases: Sequence[ScoredCase]) -> list[ScoredCase]:
    """Of the first seed, the cases with outliers; at most `MOST` probabilities, spread evenly."""
    first = [each for each in cases if each.case.seed == cases[0].case.seed and each.images.outliers]
    stamps = [each for each in first if each.case.setting == "stamp"]
    places = sorted({round(place) for place in np.linspace(0, len(stamps) - 1, min(MOST, len(stamps)))})
    return [stamps[place] for place in places] + [each for each in first if each.case.setting != "stamp"]


def first_classes(samples: pd.DataFrame) -> list[int]:
    """The first labels with a score and with outliers among them."""
    own = samples[samples[SCORE].notna() & samples["outlier"]]
    return sorted(int(label) for label in own["label"].unique())[:CLASSES]


def _board(scored: ScoredCase) -> tuple[pd.DataFrame, Bytes]:
    """Rows [images of all classes] and pictures uint8 [rows, side, side, 3]."""
    samples, fit = scored.findings.load().samples, scored.images.fit
    parts = []
    for label in first_classes(samples):
        own = samples[(samples["label"] == label) & samples[SCORE].notna()]
        best = own.sort_values(SCORE, ascending=False, kind="stable").head(IMAGES)
        counts = {"of": len(own), "outliers": int(own["outlier"].sum())}
        head = {**scored.head, "class_name": fit.class_names[label], **counts}
        rows = pd.DataFrame([head] * len(best), index=best.index)
        rows["place"], rows["score"] = np.arange(len(best)), best[SCORE]
        parts.append(rows.join(best[["outlier", "id"]]))
    boards = pd.concat(parts) if parts else pd.DataFrame(columns=COLUMNS)
    pictures = [fit.read(int(place), SIDE) for place in boards.index]
    return boards, np.array(pictures, dtype=np.uint8).reshape(-1, SIDE, SIDE, 3)
