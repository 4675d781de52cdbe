"""Stage ``behaviour``: do the three VGG16 recipes behave as published? Criteria measured over seeds."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.artefacts import load, save
from evoscope.figure_data import Table, TrainingCurves
from evoscope.progress import Progress
from evoscope.stats import t_interval
from evoscope.store import Node, Stage
from evoscope.training.recipe import COLLAPSE_KEPT, COLLAPSE_PEAK, GOOD, GRADUAL, Behaviour
from evoscope.training.recipe import behaviour as judge

STAGE = Stage(
    "behaviour",
    version=2,
    modules=("evoscope.stats", "evoscope.training.recipe", "experiments.stages.behaviour"),
)

Row = dict[str, object]
Judged = dict[int, Behaviour]  # by seed


def behaviour(curves: Node) -> Node:
    """Node of the criteria, from training curves of ``vgg16``, ``vgg16_large_lr`` and ``vgg16_no_dropout``."""

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        found = load(TrainingCurves, inputs["curves"])
        well, large, plain = (judged(found, run) for run in ("vgg16", "vgg16_large_lr", "vgg16_no_dropout"))
        save(Table(pd.DataFrame([*learns(well), *collapses(large), *overfits(well, plain)])), folder)

    return Node(
        STAGE, config={}, inputs={"curves": curves}, build=compute, seed=0, label="behaviour of the recipes"
    )


def judged(found: TrainingCurves, run: str) -> Judged:
    """The behaviour of ``run`` with every seed it was trained with, in the order of the seeds."""
    own = found.curves[found.curves["run"] == run]
    return {int(str(seed)): judge(rows, found.classes) for seed, rows in own.groupby("seed")}


def learns(well: Judged) -> list[Row]:
    """Well-trained: good at the end, and not yet after the first epoch (concepts form gradually)."""
    good, gradual = f"final test accuracy at least {GOOD:.0%}", f"at most {GRADUAL:.0%} after the first epoch"
    rows: list[Row] = []
    for seed, seen in well.items():
        rows.append(_row("learns", "vgg16", seed, seen.final, seen.good, good))
        rows.append(_row("gradual", "vgg16", seed, seen.first, seen.gradual, gradual))
    return rows


def collapses(large: Judged) -> list[Row]:
    """Too large learning rate: a peak well above chance, most of which is lost at the end."""
    rows = []
    for seed, seen in large.items():
        least = COLLAPSE_PEAK * seen.chance
        statement = (
            f"peak {seen.peak:.1%} (at least {least:.0%}), "
            f"end {seen.final:.1%} (at most {COLLAPSE_KEPT:.0%} of the peak)"
        )
        rows.append(_row("collapses", "vgg16_large_lr", seed, seen.kept, seen.collapsed, statement))
    return rows


def overfits(well: Judged, plain: Judged) -> list[Row]:
    """No dropout: the train-test gap at the end is larger than with dropout, paired over seeds."""
    name, what = "vgg16_no_dropout", "gap without minus with dropout"
    differences = {seed: plain[seed].gap - well[seed].gap for seed in well if seed in plain}
    rows = [_row("gap difference", name, seed, value, value > 0, what) for seed, value in differences.items()]
    if len(differences) > 1:
        interval = t_interval(np.array(list(differences.values())))
        low, high = interval.low, interval.high
        summary = _row("overfits", name, -1, interval.value, low > 0, "paired 95 % interval above 0")
        rows.append({**summary, "low": low, "high": high})
    return rows


def _row(criterion: str, run: str, seed: int, value: float, holds: bool, statement: str) -> Row:
    return {
        "criterion": criterion,
        "run": run,
        "seed": seed,
        "value": value,
        "low": np.nan,
        "high": np.nan,
        "holds": holds,
        "statement": statement,
    }
