"""Whose answers do not count, by the rules that the design fixed."""

from typing import Any

import pandas as pd

from human_eval.design.trial import Exclusion, Study

LEAST_CHOICES, LEAST_REPEATS = 10, 3


def exclusions(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """One row per participant of a tidy table: the measures, the rules broken (``reasons``) and ``excluded``."""
    sizes = {block.id: len(block.trials) for block in study.blocks}
    rows = [_measured(study, name, part, sizes) for name, part in answers.groupby("participant", sort=False)]
    columns = ["participant", "answers", "complete", "catch", "median_ms", "same_position", "repeat"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["reasons"] = ["; ".join(_broken(study.exclusion, row)) for row in frame.to_dict("records")]
    frame["excluded"] = frame["reasons"] != ""
    return frame


def _measured(study: Study, name: object, part: pd.DataFrame, sizes: dict[str, int]) -> dict[str, object]:
    main = part[part["role"] == "main"]
    return {
        "participant": name,
        "answers": len(part),
        "complete": len(part) / sizes.get(part["block"].iloc[0], len(part)),
        "catch": part.loc[part["role"] == "catch", "right"].astype("Float64").mean(),
        "median_ms": main["ms"].astype("Float64").median(),
        "same_position": _same_position(main) if study.trials[0].form.choose else pd.NA,
        "repeat": _repeated(study, part),
    }


def _same_position(main: pd.DataFrame) -> object:
    given = main["given"].dropna()
    return given.value_counts(normalize=True).max() if len(given) >= LEAST_CHOICES else pd.NA


def _repeated(study: Study, part: pd.DataFrame) -> object:
    """Share of repeated trials in which the same source (or option) was taken as the first time."""
    trials = study.by_id()
    taken: dict[str, dict[str, object]] = {"main": {}, "repeat": {}}
    for name, item, role, given in part[["trial", "item", "role", "given"]].itertuples(index=False):
        if role in taken and not pd.isna(given):
            trial = trials[name]
            taken[role][item] = trial.sources[given] if trial.form.choose else given
    both = taken["main"].keys() & taken["repeat"].keys()
    if len(both) < LEAST_REPEATS:
        return pd.NA
    return sum(taken["main"][item] == taken["repeat"][item] for item in both) / len(both)


def _broken(rules: Exclusion, row: dict[Any, Any]) -> list[str]:
    """Rules broken; a measure that is missing breaks none."""
    least = (
        ("complete", rules.min_complete, "answered too few questions"),
        ("catch", rules.min_catch, "missed catch trials"),
        ("median_ms", rules.min_median_ms, "answered too fast"),
        ("repeat", rules.min_repeat, "contradicted earlier answers"),
    )
    broken = [why for name, bound, why in least if not pd.isna(row[name]) and row[name] < bound]
    sided = not pd.isna(row["same_position"]) and row["same_position"] > rules.max_same_position
    return broken + ["chose the same position"] * sided
