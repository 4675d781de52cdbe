"""Answers and those who gave them: tidy tables, exclusions, and how far any two people agree."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evoscope.arrays import Doubles
from evoscope.errors import EvoscopeError
from human_eval.analyse.imports import read_file
from human_eval.analyse.labels import normalised, says
from human_eval.answers import answer_table
from human_eval.design.build import WORD
from human_eval.design.trial import Exclusion, Study, Trial

COLUMNS = (
    *("participant", "block", "trial", "item", "condition", "role"),
    *("given", "answer", "right", "alternatives", "ms", "texts", "position", "missing"),
)
ASKED = ("item", "condition", "role", "answer", "alternatives", "choose")  # of each trial
MOST_MS = 7 * 24 * 3600 * 1000  # a week; an answer that took longer is none
COMPARED = 60  # participants whose answers are compared two by two
LEAST_CHOICES, LEAST_REPEATS = 10, 3  # below, a participant's share of them says nothing
NEEDED = {"participant", "block", "trial", "choice", "option", "texts", "ms"}


def read_answers(path: Path, study: Study) -> pd.DataFrame:
    """Answers of a parquet file of the server, or of a file or folder of files of pages and other tools.

    Raises
    ------
    EvoscopeError : there are none, or they are of another form.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".json", ".csv"))
        if not files:
            raise EvoscopeError(f"'{path}' holds no files of answers", "give a folder of .json or .csv files")
        tables = [checked(study, answer_table(read_file(file, study)), str(file)) for file in files]
        return pd.concat(tables, ignore_index=True)
    if path.suffix in (".json", ".csv"):
        return checked(study, answer_table(read_file(path, study)), str(path))
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise EvoscopeError(f"'{path}' is no parquet file of answers", "give what the server exported") from error
    if not set(frame.columns) >= NEEDED:
        lacking = ", ".join(sorted(NEEDED - set(frame.columns)))
        raise EvoscopeError(f"'{path}' lacks the columns {lacking}", "give what the server exported")
    return checked(study, frame, str(path))


def checked(study: Study, answers: pd.DataFrame, where: str = "the table of answers") -> pd.DataFrame:
    """The same answers, all of which can have been given in this study.

    Raises
    ------
    EvoscopeError : an answer to another study, in a foreign block, or to what its trial does not offer; names it.
    """
    blocks, trials = {block.id: set(block.trials) for block in study.blocks}, study.by_id()
    for row in answers.to_dict("records"):
        wrong = _impossible(row, blocks, trials)
        if wrong:
            who = f"participant '{row['participant']}', trial '{row['trial']}'"
            raise EvoscopeError(
                f"{where} holds an answer that '{study.name}' cannot have got ({who}): {wrong}",
                "give the answers to this study alone, as they were saved",
            )
    return answers


def _impossible(row: dict[Hashable, Any], blocks: dict[str, set[str]], trials: dict[str, Trial]) -> str:
    """What is wrong with an answer; "" if nothing."""
    if pd.isna(row["participant"]) or not str(row["participant"]).strip():
        return "it says not who gave it"
    if row["trial"] not in trials:
        return "the study has no such trial"
    if row["trial"] not in blocks.get(row["block"], set()):
        return f"the study has no block '{row['block']}' with this trial"
    return _outside(row, trials[row["trial"]])


def _outside(row: dict[Hashable, Any], trial: Trial) -> str:
    """What an answer says that its trial does not offer; "" if nothing."""
    panels, options = len(trial.panels) if trial.form.choose else 0, len(trial.form.options)
    limits = {"choice": panels, "option": options, "position": max(panels, options), "ms": MOST_MS}
    for name, limit in limits.items():
        value = row.get(name)
        if value is None or pd.isna(value):
            continue
        if not isinstance(value, int | float | np.number) or value != int(value):
            return f"{name} is {value!r}, no whole number"
        if not 0 <= value < limit:
            return f"{name} is {value}, and there are {limit}"
    texts = row["texts"]
    if texts is None or isinstance(texts, float):
        return ""
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        return "its texts are no list of texts"
    many = len(texts) > len(trial.form.texts)
    return f"it has {len(texts)} texts, and {len(trial.form.texts)} were asked" if many else ""


def tidy(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """Joins answers to their trials: the first of each participant to each trial, unknown trials left out.

    Returns
    -------
    DataFrame
        ``participant``, ``block``, ``trial``, ``item``, ``condition``, ``role``, ``given`` (chosen panel or option;
        missing where the question is open), ``answer``, ``right`` (missing where nothing is right), ``alternatives``,
        ``ms``, ``texts`` (tuple), ``position`` (of the chosen panel on the screen), ``missing`` (whether pictures were
        not shown, so that nothing was answered).
    """
    asked = [{**vars(trial), "alternatives": trial.alternatives, "choose": trial.form.choose} for trial in study.trials]
    known = pd.DataFrame(asked).set_index("id")[list(ASKED)]
    known = known.astype({"answer": "Int64", "alternatives": "Int64"})
    first = answers.drop_duplicates(["participant", "trial"])
    frame = first[first["trial"].isin(known.index)].join(known, on="trial").reset_index(drop=True)
    frame["texts"] = [tuple(texts) if texts is not None else () for texts in frame["texts"]]
    frame["given"] = frame["choice"].where(frame["choose"].astype(bool), frame["option"]).astype("Int64")
    shown_at = frame["position"] if "position" in frame else pd.Series(pd.NA, index=frame.index)
    frame["position"] = shown_at.astype("Int64").fillna(frame["given"])
    lost = frame["missing"] if "missing" in frame else pd.Series(pd.NA, index=frame.index)
    frame["missing"] = lost.astype("Int64").fillna(0) > 0
    named = pd.Series([any(says(text, WORD) for text in t) for t in frame["texts"]], dtype="boolean")
    right = (frame["given"] == frame["answer"]).astype("boolean")
    frame["right"] = right.mask(frame["alternatives"] == 0, named).mask(frame["answer"].isna() | frame["missing"])
    return frame[list(COLUMNS)]


def decidable(answers: pd.DataFrame) -> pd.DataFrame:
    """Rows of a tidy table that are closed answers to main trials with a right answer."""
    return answers[(answers["role"] == "main") & answers["right"].notna() & (answers["alternatives"] > 0)]


def exclusions(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """One row per participant of a tidy table: the measures, the rules broken (``reasons``) and ``excluded``."""
    people = answers.groupby("participant", sort=False)
    sizes = {block.id: len(block.trials) for block in study.blocks}
    counted, main = people.size(), answers[answers["role"] == "main"]
    checks = answers[(answers["role"] == "catch") & answers["right"].notna()]
    wrong = ~checks["right"].astype(bool)  # who was asked no attention check has no number
    both = answered_twice(study, answers)
    alike = both["right"].groupby(both["participant"])
    measures = {
        "answers": counted,
        "complete": counted / people["block"].first().map(sizes).astype("float64"),
        "catch_failures": wrong.groupby(checks["participant"]).sum().astype("float64"),
        "median_ms": main.astype({"ms": "float64"}).groupby("participant")["ms"].median(),
        "same_position": _same_position(main) if study.trials[0].form.choose else pd.Series(dtype="float64"),
        "repeat": alike.mean()[alike.size() >= LEAST_REPEATS].astype("float64"),
    }
    frame = pd.DataFrame(measures, index=counted.index).rename_axis("participant").reset_index()
    frame["reasons"] = _reasons(study.exclusion, frame)
    frame["excluded"] = frame["reasons"] != ""
    return frame


def _same_position(main: pd.DataFrame) -> "pd.Series[float]":
    """Share of each participant's choices of the position that they chose most."""
    given = main[main["given"].notna()]
    counts = given.groupby(["participant", "position"]).size().groupby("participant")
    return (counts.max() / counts.sum())[counts.sum() >= LEAST_CHOICES].astype("float64")


def answered_twice(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """Closed answers to trials that came again.

    Returns
    -------
    DataFrame
        ``participant``, ``item``, ``condition``, ``alternatives``, ``meant`` and ``meant_again`` (source or option),
        ``right`` (whether they are the same).
    """
    taken = pd.DataFrame(
        [
            (trial.id, given, trial.sources[given] if trial.form.choose else str(given))
            for trial in study.trials
            for given in range(trial.alternatives)
        ],
        columns=["trial", "given", "meant"],
    ).astype({"given": "Int64"})
    closed = answers[answers["given"].notna() & answers["role"].isin(["main", "repeat"])]
    columns = ["participant", "item", "condition", "alternatives", "role", "meant"]
    meant = closed.merge(taken, on=["trial", "given"])[columns]
    again = meant.loc[meant["role"] == "repeat", ["participant", "item", "condition", "meant"]]
    keys = ["participant", "item", "condition"]
    both = meant[meant["role"] == "main"].merge(again, on=keys, suffixes=("", "_again"))
    return both.assign(right=both["meant"] == both["meant_again"]).drop(columns="role")


def _reasons(rules: Exclusion, frame: pd.DataFrame) -> list[str]:
    """Rules broken by each participant; a measure that is missing breaks none."""
    broken = {
        "answered too few questions": frame["complete"] < rules.min_complete,
        "failed attention checks": frame["catch_failures"] >= rules.catch_failures,
        "answered too fast": frame["median_ms"] < rules.min_median_ms,
        "contradicted earlier answers": frame["repeat"] < rules.min_repeat,
        "chose the same position": frame["same_position"] > rules.max_same_position,
    }
    marks = np.stack([np.asarray(found, dtype=bool) for found in broken.values()], axis=1)
    return ["; ".join(why for why, mark in zip(broken, row, strict=True) if mark) for row in marks]


def per_participant(answers: pd.DataFrame, excluded: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of each participant, the excluded ones too, on main trials that have a right answer.

    Returns
    -------
    DataFrame
        ``participant``, ``answers``, ``accuracy``, ``chance``, ``excluded``.
    """
    known = decidable(answers)
    chance = 1 / known["alternatives"].astype("float64")
    right = known["right"].astype("float64")
    of = known["participant"]
    columns = {"answers": right.groupby(of).size(), "accuracy": right.groupby(of).mean()}
    frame = pd.DataFrame({**columns, "chance": chance.groupby(of).mean()}).rename_axis("participant")
    gone = excluded.set_index("participant")["excluded"]
    return frame.reset_index().assign(excluded=lambda rows: rows["participant"].map(gone).astype(bool))


def agreement_matrix(answers: pd.DataFrame) -> pd.DataFrame:
    """How often any two of the first `COMPARED` participants gave the same answer to the main trials both saw.

    An answer is the panel or option; where the question is open only, the words of all its text fields.

    Returns
    -------
    DataFrame
        ``participant``, then a column per participant; NaN on the diagonal and for two who share no trial.
    """
    main = answers[answers["role"] == "main"]
    people = main["participant"].drop_duplicates().tolist()[:COMPARED]
    main = main[main["participant"].isin(people)]
    pairs = zip(main["given"], main["texts"], strict=True)
    said = [_words(texts) if pd.isna(given) else str(given) for given, texts in pairs]
    codes = pd.Series(pd.factorize(pd.Series(said, dtype="object"))[0], index=main.index)
    table = main.assign(code=codes).pivot_table(index="participant", columns="trial", values="code")
    shares = _shares(table.reindex(people).to_numpy(dtype=np.float64))
    return pd.DataFrame(shares, columns=people).assign(participant=people)[["participant", *people]]


def _words(texts: tuple[str, ...]) -> str:
    return " / ".join(" ".join(sorted(normalised(text))) for text in texts)


def _shares(codes: Doubles) -> Doubles:
    """Share of equal codes among the columns that both rows have; [rows, rows]."""
    known = np.isfinite(codes).astype(np.int64)
    count, same = known @ known.T, (codes[:, None] == codes).sum(axis=2)
    alike = np.where(count > 0, same / np.maximum(count, 1), np.nan)
    np.fill_diagonal(alike, np.nan)
    return alike


def option_shares(answers: pd.DataFrame, options: tuple[str, ...]) -> pd.DataFrame:
    """How often each option was taken in each condition: ``condition``, ``answers``, then a column per option."""
    main = answers[(answers["role"] == "main") & answers["given"].notna()]
    if not options or main.empty:
        return pd.DataFrame(columns=["condition", "answers", *options])
    counts = pd.crosstab(main["condition"], main["given"])
    counts = counts.reindex(columns=range(len(options)), fill_value=0)
    shares = counts.div(counts.sum(axis=1), axis=0).set_axis(list(options), axis=1)
    shares.insert(0, "answers", counts.sum(axis=1))
    return shares.rename_axis(columns=None).reset_index()
