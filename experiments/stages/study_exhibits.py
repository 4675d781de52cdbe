"""Stages ``study_table`` and ``study_sheet``: how large the studies are and must be, and a trial of each to see."""

from collections.abc import Mapping
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from evoscope.arrays import Bytes
from evoscope.artefacts import save
from evoscope.figure_data import StudySheet, Table
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.context import Context
from human_eval.design import Effect, Study, Trial, load_study, participants_needed, simulated_power

TABLE = Stage(
    "study_table", version=1, modules=("human_eval.design.power", "experiments.stages.study_exhibits")
)
SHEET = Stage("study_sheet", version=1, modules=("experiments.stages.study_exhibits",))
SIDE = 128
# What studies are planned to show, and with which power: an accuracy so much above chance.
ABOVE_CHANCE, POWER = 0.15, 0.8


def study_table(context: Context, studies: Mapping[str, Node]) -> Node:
    """Node of the table ``studies``: a row per kind and condition."""
    people, seed = context.config.study.participants, context.config.seed

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        rows = [row for kind in studies for row in _conditions(load_study(inputs[kind]), people, seed)]
        save(Table(pd.DataFrame(rows)), folder)

    return Node(
        TABLE,
        config={"kinds": list(studies), "participants": people, "above": ABOVE_CHANCE, "power": POWER},
        inputs=studies,
        build=compute,
        seed=seed,
        label=f"sizes and power of {len(studies)} human studies",
    )


def study_sheet(context: Context, studies: Mapping[str, Node]) -> Node:
    """Node of the exhibit ``study_sheet``: the first main trial of each study that has a right answer, if any."""

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        shown = [_example(load_study(inputs[kind])) for kind in studies]
        frame = pd.DataFrame([row for row, _ in shown])
        frame["first"] = np.cumsum([0, *[len(pictures) for _, pictures in shown]])[:-1]
        save(StudySheet(frame, np.concatenate([pictures for _, pictures in shown])), folder)

    return Node(
        SHEET,
        config={"kinds": list(studies), "side": SIDE},
        inputs=studies,
        build=compute,
        seed=context.config.seed,
        label="a trial of each human study",
    )


def _conditions(study: Study, people: int, seed: int) -> list[dict[str, object]]:
    main = [trial for trial in study.trials if trial.role == "main"]
    return [
        _condition(study, name, people, seed) for name in dict.fromkeys(trial.condition for trial in main)
    ]


def _condition(study: Study, name: str, people: int, seed: int) -> dict[str, object]:
    """Size of one condition; power only where answers can be right."""
    trials = [trial for trial in study.trials if trial.role == "main" and trial.condition == name]
    own = {trial.id for trial in trials}
    each = float(np.mean([len(own.intersection(block.trials)) for block in study.blocks]))
    row: dict[str, object] = {
        "kind": study.kind,
        "condition": name,
        "trials": len(trials),
        "blocks": len(study.blocks),
        "answered": each,
        "chance": nan,
        "accuracy": nan,
        "needed": nan,
        "participants": people,
        "power": nan,
        "wanted": POWER,
    }
    if any(trial.answer is None for trial in trials):
        return row
    chance = 1 / trials[0].alternatives
    effect, asked = Effect(chance + ABOVE_CHANCE, chance), max(1, int(each))
    needed = participants_needed(effect, asked, POWER, seed)
    power = simulated_power(effect, people, asked, seed)
    known = {"needed": nan if needed is None else float(needed), "power": power}
    return {**row, "chance": chance, "accuracy": effect.accuracy, **known}


def _example(study: Study) -> tuple[dict[str, object], Bytes]:
    main = [trial for trial in study.trials if trial.role == "main"]
    trial = next((each for each in main if each.answer is not None), main[0])
    pictures = [_sized(study.pictures[row]) for panel in trial.panels for row in panel]
    return _described(study, trial), np.array(pictures, dtype=np.uint8)


def _described(study: Study, trial: Trial) -> dict[str, object]:
    form = trial.form
    return {
        "kind": study.kind,
        "condition": trial.condition,
        "question": form.question,
        "choose": form.choose,
        "texts": "\n".join(form.texts),
        "option_question": form.option_question,
        "options": "\n".join(form.options),
        "answer": -1 if trial.answer is None else trial.answer,
        "panels": len(trial.panels),
        "pictures": len(trial.panels[0]),
    }


def _sized(picture: Bytes) -> Bytes:
    """One picture at the side that all on the sheet have."""
    resized = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(resized, dtype=np.uint8)
