"""Whose answers do not count, by the rules that the design fixed."""

import numpy as np
import pandas as pd

from human_eval.design.trial import Exclusion, Study, Trial

LEAST_CHOICES, LEAST_REPEATS = 10, 3


def exclusions(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """One row per participant of a tidy table: the measures, the rules broken (``reasons``) and ``excluded``."""
    people = answers.groupby("participant", sort=False)
    sizes = {block.id: len(block.trials) for block in study.blocks}
    counted, main = people.size(), answers[answers["role"] == "main"]
    measures = {
        "answers": counted,
        "complete": counted / people["block"].first().map(sizes).astype("float64"),
        "catch": _mean(answers[answers["role"] == "catch"], "right"),
        "median_ms": main.astype({"ms": "float64"}).groupby("participant")["ms"].median(),
        "same_position": _same_position(main) if study.trials[0].form.choose else _unknown(),
        "repeat": _repeated(study, answers),
    }
    frame = pd.DataFrame(measures, index=counted.index).rename_axis("participant").reset_index()
    frame["reasons"] = _reasons(study.exclusion, frame)
    frame["excluded"] = frame["reasons"] != ""
    return frame


def _unknown() -> "pd.Series[float]":
    return pd.Series(dtype="float64")


def _mean(answers: pd.DataFrame, column: str) -> "pd.Series[float]":
    """Mean per participant; nobody has one who has no value."""
    return answers.astype({column: "Float64"}).groupby("participant")[column].mean().astype("float64")


def _same_position(main: pd.DataFrame) -> "pd.Series[float]":
    """Share of each participant's choices of the position that they chose most."""
    given = main[main["given"].notna()]
    counts = given.groupby(["participant", "given"]).size().groupby("participant")
    return (counts.max() / counts.sum())[counts.sum() >= LEAST_CHOICES].astype("float64")


def _repeated(study: Study, answers: pd.DataFrame) -> "pd.Series[float]":
    """Share of repeated trials in which the same source (or option) was taken as the first time."""
    taken = pd.DataFrame(
        [
            (trial.id, given, _meant(trial, given))
            for trial in study.trials
            for given in range(trial.alternatives)
        ],
        columns=["trial", "given", "meant"],
    ).astype({"given": "Int64"})
    closed = answers[answers["given"].notna() & answers["role"].isin(["main", "repeat"])]
    meant = closed.merge(taken, on=["trial", "given"])[["participant", "item", "role", "meant"]]
    both = meant[meant["role"] == "main"].merge(
        meant[meant["role"] == "repeat"], on=["participant", "item"], suffixes=("", "_again")
    )
    alike = (both["meant"] == both["meant_again"]).groupby(both["participant"])
    return alike.mean()[alike.size() >= LEAST_REPEATS].astype("float64")


def _meant(trial: Trial, given: int) -> str:
    """What a choice stands for, wherever it was shown."""
    return trial.sources[given] if trial.form.choose else str(given)


def _reasons(rules: Exclusion, frame: pd.DataFrame) -> list[str]:
    """Rules broken by each participant; a measure that is missing breaks none."""
    broken = {
        "answered too few questions": frame["complete"] < rules.min_complete,
        "missed catch trials": frame["catch"] < rules.min_catch,
        "answered too fast": frame["median_ms"] < rules.min_median_ms,
        "contradicted earlier answers": frame["repeat"] < rules.min_repeat,
        "chose the same position": frame["same_position"] > rules.max_same_position,
    }
    marks = np.stack([np.asarray(found, dtype=bool) for found in broken.values()], axis=1)
    return ["; ".join(why for why, mark in zip(broken, row, strict=True) if mark) for row in marks]
