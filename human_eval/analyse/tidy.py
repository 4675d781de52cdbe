"""One row per answer, with what was asked and whether it was right."""

from pathlib import Path
from typing import Any

import pandas as pd

from evoscope.errors import EvoscopeError
from human_eval.collect.database import answer_table
from human_eval.design.assembly import WORD
from human_eval.design.files import read_json
from human_eval.design.trial import Study, Trial

COLUMNS = (
    *("participant", "block", "trial", "item", "condition", "role"),
    *("given", "answer", "right", "alternatives", "ms", "texts"),
)
NEEDED = {"participant", "block", "trial", "choice", "option", "texts", "ms"}


def read_answers(path: Path) -> pd.DataFrame:
    """Answers of a parquet file of the server, or of a folder of files that participants downloaded.

    Raises
    ------
    EvoscopeError : there are none, or they are of another form.
    """
    if path.is_dir():
        return answer_table([record for file in sorted(path.glob("*.json")) for record in _downloaded(file)])
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise EvoscopeError(
            f"'{path}' is no parquet file of answers", "give what the server exported"
        ) from error
    if not set(frame.columns) >= NEEDED:
        lacking = ", ".join(sorted(NEEDED - set(frame.columns)))
        raise EvoscopeError(f"'{path}' lacks the columns {lacking}", "give what the server exported")
    return frame


def _downloaded(file: Path) -> list[dict[str, Any]]:
    document = read_json(file)
    try:
        shared = {name: document[name] for name in ("participant", "block")}
        shared["simulated"] = bool(document.get("simulated", False))
        return [{**shared, **response} for response in document["responses"]]
    except (KeyError, TypeError) as error:
        raise EvoscopeError(
            f"'{file}' holds no answers", "give the files that participants downloaded"
        ) from error


def tidy(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """Answers with their trials: first answer of each participant to each trial, unknown trials left out.

    Returns
    -------
    DataFrame
        ``participant``, ``block``, ``trial``, ``item``, ``condition``, ``role``, ``given`` (chosen panel or option;
        missing where the question is open), ``answer``, ``right`` (missing where nothing is right), ``alternatives``,
        ``ms``, ``texts`` (tuple).
    """
    known = pd.DataFrame([_row(trial) for trial in study.trials]).set_index("trial")
    known = known.astype({"answer": "Int64", "alternatives": "Int64"})
    first = answers.drop_duplicates(["participant", "trial"])
    frame = first[first["trial"].isin(known.index)].join(known, on="trial").reset_index(drop=True)
    frame["texts"] = [tuple(texts) if texts is not None else () for texts in frame["texts"]]
    frame["given"] = frame["choice"].where(frame["choose"].astype(bool), frame["option"]).astype("Int64")
    named = pd.Series(
        [WORD in {text.strip().casefold() for text in t} for t in frame["texts"]], dtype="boolean"
    )
    right = (frame["given"] == frame["answer"]).astype("boolean")
    frame["right"] = right.mask(frame["alternatives"] == 0, named).mask(frame["answer"].isna())
    return frame[list(COLUMNS)]


def _row(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.id,
        "item": trial.item,
        "condition": trial.condition,
        "role": trial.role,
        "answer": trial.answer,
        "alternatives": trial.alternatives,
        "choose": trial.form.choose,
    }
