"""Stage ``behaviour``: do the three VGG16 recipes behave as published? Criteria measured over seeds."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.artefacts import load, save
from evoscope.exhibits import Table, TrainingCurves
from evoscope.progress import Progress
from evoscope.stats.intervals import t_interval
from evoscope.store import Node, Stage

STAGE = Stage("behaviour", version=1, modules=("evoscope.stats", "experiments.stages.behaviour"))

GOOD, FIRST = 0.8, 0.5
Row = dict[str, object]


def behaviour(curves: Node) -> Node:
    """Node of the criteria, from training curves of ``vgg16``, ``vgg16_large_lr`` and ``vgg16_no_dropout``."""

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        found = load(TrainingCurves, inputs["curves"])
        rows = [*learns(found.curves), *collapses(found.curves, 1 / found.classes), *overfits(found.curves)]
        save(Table(pd.DataFrame(rows)), folder)

    return Node(
        STAGE, config={}, inputs={"curves": curves}, build=compute, seed=0, label="behaviour of the recipes"
    )


def learns(curves: pd.DataFrame) -> list[Row]:
    """Well-trained: good at the end, and not yet after the first epoch (concepts form gradually)."""
    rows: list[Row] = []
    for seed, run in _each_seed(curves, "vgg16"):
        last, first = float(run["test_top1"].iloc[-1]), float(run.loc[run["epoch"] == 0, "test_top1"].iloc[0])
        rows.append(
            _row("learns", "vgg16", seed, last, last >= GOOD, f"final test accuracy at least {GOOD:.0%}")
        )
        rows.append(
            _row(
                "gradual", "vgg16", seed, first, first <= FIRST, f"at most {FIRST:.0%} after the first epoch"
            )
        )
    return rows


def collapses(curves: pd.DataFrame, chance: float) -> list[Row]:
    """Too large learning rate: at least twice chance at its peak, and at least half of that lost at the end."""
    rows = []
    for seed, run in _each_seed(curves, "vgg16_large_lr"):
        peak, last = float(run["test_top1"].max()), float(run["test_top1"].iloc[-1])
        statement = f"peak {peak:.1%} (at least {2 * chance:.0%}), end {last:.1%} (at most half of the peak)"
        rows.append(
            _row(
                "collapses",
                "vgg16_large_lr",
                seed,
                last / peak,
                peak >= 2 * chance and last <= peak / 2,
                statement,
            )
        )
    return rows


def overfits(curves: pd.DataFrame) -> list[Row]:
    """No dropout: the train-test gap at the end is larger than with dropout, paired over seeds."""
    gaps = {name: gap(curves, name) for name in ("vgg16", "vgg16_no_dropout")}
    seeds = sorted(gaps["vgg16"].index.intersection(gaps["vgg16_no_dropout"].index))
    differences = (gaps["vgg16_no_dropout"] - gaps["vgg16"]).loc[seeds].to_numpy()
    rows = [
        _row(
            "gap difference",
            "vgg16_no_dropout",
            seed,
            float(value),
            bool(value > 0),
            "gap without minus with dropout",
        )
        for seed, value in zip(seeds, differences, strict=True)
    ]
    if len(seeds) > 1:
        interval = t_interval(differences)
        summary = _row(
            "overfits",
            "vgg16_no_dropout",
            -1,
            interval.value,
            interval.low > 0,
            "paired 95 % interval above 0",
        )
        rows.append({**summary, "low": interval.low, "high": interval.high})
    return rows


def gap(curves: pd.DataFrame, run: str) -> "pd.Series[float]":
    """Train minus test accuracy at the last epoch, by seed."""
    last = curves[curves["run"] == run].sort_values("epoch").groupby("seed").last()
    return last["train_top1"] - last["test_top1"]


def _each_seed(curves: pd.DataFrame, run: str) -> list[tuple[int, pd.DataFrame]]:
    chosen = curves[curves["run"] == run].sort_values(["seed", "epoch"])
    return [(int(str(seed)), group) for seed, group in chosen.groupby("seed")]


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
