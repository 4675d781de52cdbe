"""Trainings, the states of networks that they leave, their accuracies, and whether recipes behave as published."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.data.images import ImageSet
from evoscope.figure_data import Table, TrainingCurves
from evoscope.models.checkpoints import Checkpoints, RunFolder
from evoscope.models.network import Network
from evoscope.models.spec import ModelSpec
from evoscope.models.zoo import build
from evoscope.stats import t_interval
from evoscope.store import Artefact, Machine, Runtime, folder_stage, stage
from evoscope.training.loop import read_metrics, train
from evoscope.training.recipe import COLLAPSE_KEPT, COLLAPSE_PEAK, GOOD, GRADUAL, Behaviour, TrainingRecipe
from evoscope.training.recipe import behaviour as judge

Row = dict[str, object]
Seeds = dict[int, Behaviour]


@folder_stage(version=1, read=RunFolder, resumable=True)
def training(
    folder: Path,
    spec: ModelSpec,
    recipe: TrainingRecipe,
    data: ImageSet,
    test: ImageSet,
    seed: int,
    machine: Machine,
    runtime: Runtime,
) -> None:
    """A network with a checkpoint before training and after every epoch."""
    network = build(spec, len(data.class_names), seed)
    network.module.to(machine.device)
    train(network, data, test, recipe, folder, seed, runtime.progress, runtime.memory_mb, runtime.workers)


@dataclass(frozen=True)
class Files:
    """The state of a network at an epoch in files that exist already."""

    checkpoints: Checkpoints
    epoch: int
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", self.checkpoints.fingerprint(self.epoch))


@dataclass(frozen=True)
class Checkpoint:
    """A network at an epoch; ``state``: the training that left it, or files that exist already."""

    spec: ModelSpec
    classes: int
    epoch: int
    state: "Artefact[RunFolder] | Files"
    seed: int
    machine: Machine

    def open(self) -> Network:
        """The network in this state, on its device."""
        network = build(self.spec, self.classes, self.seed)
        checkpoints = self.state.checkpoints if isinstance(self.state, Files) else self.state.load()
        checkpoints.load(network.module, self.epoch)
        network.module.to(self.machine.device)
        return network


@stage(version=1, label="training curves")
def curves(trainings: Mapping[str, Artefact[RunFolder]], classes: int) -> TrainingCurves:
    """The accuracies of several trainings in one table; several seeds of a run are called ``name/seed``."""
    frames = [
        read_metrics(node.load().path).assign(run=name.split("/")[0], seed=node.seed)
        for name, node in trainings.items()
    ]
    return TrainingCurves(pd.concat(frames, ignore_index=True), classes)


@stage(version=2, label="behaviour of the recipes")
def behaviour(curves: Artefact[TrainingCurves]) -> Table:
    """Measures whether the three VGG16 recipes behave as published."""
    found = curves.load()
    well, large, plain = (judged(found, run) for run in ("vgg16", "vgg16_large_lr", "vgg16_no_dropout"))
    return Table(pd.DataFrame([*learns(well), *collapses(large), *overfits(well, plain)]))


def judged(found: TrainingCurves, run: str) -> Seeds:
    """The behaviour of ``run`` with every seed it was trained with, in the order of the seeds."""
    own = found.curves[found.curves["run"] == run]
    return {int(str(seed)): judge(rows, found.classes) for seed, rows in own.groupby("seed")}


def learns(well: Seeds) -> list[Row]:
    """Well-trained: good at the end, and not yet after the first epoch (concepts form gradually)."""
    good, gradual = f"final test accuracy at least {GOOD:.0%}", f"at most {GRADUAL:.0%} after the first epoch"
    rows: list[Row] = []
    for seed, seen in well.items():
        rows.append(_row("learns", "vgg16", seed, seen.final, seen.good, good))
        rows.append(_row("gradual", "vgg16", seed, seen.first, seen.gradual, gradual))
    return rows


def collapses(large: Seeds) -> list[Row]:
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


def overfits(well: Seeds, plain: Seeds) -> list[Row]:
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
