"""What is published of the two papers' human studies, to lay beside measured results."""

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
CONCEPTEVO, CDISCO = HERE / "conceptevo_human_study.csv", HERE / "cdisco_human_study.csv"
# Words of the published task by the kind of study that repeats it.
_TASKS = {"image_intruder": "intruder", "label_agreement": "label agreement"}
COLUMNS = ("condition", "participants", "items", "chance", "accuracy", "source")


def published_study(kind: str) -> pd.DataFrame:
    """Published conditions of one ``kind`` of study; no rows where nothing is published.

    Columns: ``condition`` ("" for a study as a whole), ``participants``, ``items`` (text, as published), ``chance``
    and ``accuracy`` (NaN where unpublished), ``source``. ConceptEvo published how many sets each condition had and
    how many people took part (260, in its first version only), but no accuracy.
    """
    if kind in _TASKS:
        return _sister(_TASKS[kind])
    return _conceptevo(kind)


def _sister(task: str) -> pd.DataFrame:
    """The study of O'Mahony et al. (2023), by authors of CDISCO and of the same design."""
    rows = pd.read_csv(CDISCO)
    rows = rows[rows["task"].str.startswith(task)].rename(columns={"study": "source", "result": "accuracy"})
    return rows.assign(condition="", items=rows["items"].astype(str))[list(COLUMNS)].reset_index(drop=True)


def _conceptevo(kind: str) -> pd.DataFrame:
    every = pd.read_csv(CONCEPTEVO, dtype=str, keep_default_na=False)
    people = int(every.loc[every["task"] == "participants", "items"].iloc[0])
    rows = every[every["task"] == kind]
    # Of six sets one is the intruder; the random condition has none.
    guess = 1 / 6 if kind == "alignability" else float("nan")
    chance = [float("nan") if name == "random" else guess for name in rows["condition"]]
    source = "ConceptEvo, " + rows["source"]
    rows = rows.assign(participants=people, chance=chance, accuracy=float("nan"), source=source)
    if kind == "evolution_label":
        rows = rows.assign(items=rows["items"] + " (" + rows["condition"] + ")", condition="")
    return rows[list(COLUMNS)].reset_index(drop=True)
