"""Answers as other tools save them: our page's downloads, jsPsych, Label Studio and LimeSurvey."""

import csv
import re
from pathlib import Path
from typing import Any

import pandas as pd

from evoscope.errors import EvoscopeError
from human_eval.design.files import read_json
from human_eval.design.trial import Study, Trial

Records = list[dict[str, Any]]
TOOLS = "give the file that the page, jsPsych, LimeSurvey (question and answer codes) or Label Studio (JSON) saved"
CODE = re.compile(r"t([0-9a-f]{12})(choice|option|text(\d+))")  # of a LimeSurvey question
WHOLE = ("place", "choice", "position", "option", "ms", "missing", "failures")
MANY = 2**53
ANSWER_CODE = re.compile(r"A(\d+)")


def read_file(path: Path, study: Study) -> Records:
    """Answers in one file, as `human_eval.answers.answer_table` takes them.

    Raises
    ------
    EvoscopeError : the file is of none of these tools, or its answers are to no trial of the study.
    """
    try:
        return _typed(_read(path, study))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, csv.Error) as error:
        raise EvoscopeError(f"'{path}' holds no answers that can be read ({error!r})", TOOLS) from error


def _read(path: Path, study: Study) -> Records:
    if path.suffix == ".csv":
        return _limesurvey(path, study)
    document = read_json(path)
    if isinstance(document, dict):
        shared = {name: document[name] for name in ("participant", "block")}
        shared["simulated"] = bool(document.get("simulated", False))
        return [{**shared, **response} for response in document["responses"]]
    if all("annotations" in task for task in document):
        return [record for task in document for record in _labelstudio(task)]
    return [_jspsych(row) for row in document if row.get("trial") is not None]


def _typed(records: Records) -> Records:
    """The records, if all values have their types; whether the study can have got them is not asked here."""
    for record in records:
        for name in ("participant", "block", "trial"):
            if not isinstance(record[name], str) or not record[name]:
                raise ValueError(f"{name} {record[name]!r} is no name")
        for name in WHOLE:
            if not _is_whole(record.get(name)):
                raise ValueError(f"{name} {record[name]!r} of trial {record['trial']}")
        texts = record.get("texts")
        some = () if texts is None else texts
        if isinstance(texts, str) or not all(isinstance(each, str) for each in some):
            raise ValueError(f"texts {texts!r} of trial {record['trial']}")
    return records


def _is_whole(value: object) -> bool:
    """Whether a value is missing, or a whole number from 0 to below ``MANY``."""
    if value is None or value is pd.NA or value != value:
        return True
    return isinstance(value, int | float) and 0 <= value < MANY and value == int(value)


def _jspsych(row: dict[str, Any]) -> dict[str, Any]:
    """A row of jsPsych's data: fields of the form are texts; panels are named by their number in the design."""
    given, panels = row["response"], row["panels"]
    choice = int(given["choice"]) if row["choose"] else None
    return {
        **{name: row[name] for name in ("participant", "block", "trial", "place")},
        "choice": choice,
        "position": None if choice is None else panels.index(choice),
        "texts": [given[f"text{place}"] for place in range(row["texts"])],
        "option": int(given["option"]) if "option" in given else None,
        "ms": round(row["rt"]),
    }


def _labelstudio(task: dict[str, Any]) -> Records:
    """A record per annotation of a task; cancelled ones are left out."""
    data, records = task["data"], []
    for annotation in task["annotations"]:
        if annotation.get("was_cancelled"):
            continue
        by = annotation["completed_by"]
        who = by["id"] if isinstance(by, dict) else by
        found = {each["from_name"]: each["value"] for each in annotation["result"]}
        chosen = found["choice"]["choices"][0] if data["choose"] else None
        records.append(
            {
                "participant": f"labelstudio-{who}",
                "block": data["block"],
                "trial": data["trial"],
                "choice": None if chosen is None else ord(chosen[-1]) - ord("A"),
                "texts": [found[f"text{place}"]["text"][0] for place in range(len(data["texts"]))],
                "option": data["options"].index(found["option"]["choices"][0]) if data["options"] else None,
                "ms": round(1000 * annotation.get("lead_time", 0)) or None,
            }
        )
    return records


def _limesurvey(path: Path, study: Study) -> Records:
    """A record per response and trial with any answer; the block is the one that has all trials of the survey."""
    frame = pd.read_csv(path, sep=None, engine="python", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    asked = dict.fromkeys(found[1] for found in map(CODE.fullmatch, map(str, frame.columns)) if found)
    trials = study.by_id()
    blocks = [block.id for block in study.blocks if set(asked) == set(block.trials)]
    if not asked or not blocks:
        raise ValueError("its question codes are not those of a block of this study")
    records = []
    for _, row in frame.iterrows():
        who = row.get("token") or row["id"]
        for name in asked:
            given = _fields(row, trials[name])
            if given is not None:
                records.append({"participant": f"limesurvey-{who}", "block": blocks[0], "trial": name, **given})
    return records


def _fields(row: "pd.Series[Any]", trial: Trial) -> dict[str, Any] | None:
    """Answer of a response to one trial; None where nothing was answered."""
    form, code = trial.form, f"t{trial.id}"
    texts = [row[f"{code}text{place}"] for place in range(len(form.texts))]
    closed = {name: row[f"{code}{name}"] for name, has in (("choice", form.choose), ("option", form.options)) if has}
    if not any([*texts, *closed.values()]):
        return None
    places = {name: _place(code) for name, code in closed.items()}
    return {"choice": places.get("choice"), "option": places.get("option"), "texts": texts}


def _place(code: str) -> int:
    found = ANSWER_CODE.fullmatch(code)
    if not found:
        raise ValueError(f"{code!r} is no answer code")
    return int(found[1])
