"""COMPAS: what a commercial score says of people who were arrested (ProPublica), as OpenXAI prepares it.

Of the people in ``compas-scores-two-years.csv`` those stay that were scored within 30 days of the arrest, whose
later record is known, who were charged with a felony or a misdemeanour, and who have a score: 6,172. The class is
the score: high (0), or medium and low (1).
Sources: Angwin et al., Machine Bias, ProPublica 2016; Agarwal et al., OpenXAI, NeurIPS 2022.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.data.tables.table import Part, Table, numbers, split
from evoscope.errors import EvoscopeError

COLUMNS = (
    "age",
    "two_year_recid",
    "priors_count",
    "length_of_stay",
    "c_charge_degree_F",
    "sex_Female",
    "race",
)
TARGET = "risk"
CLASSES = ("high risk", "medium or low risk")
RAW = "compas-scores-two-years.csv"
SPLIT = ("openxai/compas-train.csv", "openxai/compas-test.csv")
_NEEDED = (
    *("days_b_screening_arrest", "is_recid", "c_charge_degree", "score_text", "age", "two_year_recid"),
    *("priors_count", "c_jail_in", "c_jail_out", "sex", "race"),
)


def has_compas(root: Path) -> bool:
    """Whether the data are below ``root``, in either form."""
    folder = root / "compas"
    return (folder / RAW).is_file() or all((folder / name).is_file() for name in SPLIT)


def open_compas(root: Path, seed: int) -> Table:
    """Open COMPAS below ``root``: OpenXAI's split where it is, else ProPublica's file, split with ``seed``.

    Raises
    ------
    EvoscopeError : neither is there, or a file is not what it should be.
    """
    folder = root / "compas"
    if not has_compas(root):
        raise EvoscopeError(
            f"there is no COMPAS below '{folder}'",
            f"put {RAW} there, from ProPublica's repository compas-analysis on GitHub "
            "(github.com/propublica/compas-analysis), or choose tabular.name=breast_cancer",
        )
    if all((folder / name).is_file() for name in SPLIT):
        train, test = (_part(_read(folder / name), str(folder / name)) for name in SPLIT)
    else:
        whole = _part(prepared(_read(folder / RAW), str(folder / RAW)), str(folder / RAW))
        train, test = split(whole.values, whole.labels, seed)
    return Table("COMPAS", COLUMNS, CLASSES, (), CLASSES.index("high risk"), train, test)


def prepared(raw: pd.DataFrame, source: str) -> pd.DataFrame:
    """OpenXAI's columns, and the target, of ProPublica's rows.

    Raises
    ------
    EvoscopeError : a column is missing.
    """
    _check(raw, _NEEDED, source)
    # The three letters NA are how pandas knows a missing value, so a row without a score has none here.
    kept = raw[
        raw["days_b_screening_arrest"].between(-30, 30)
        & (raw["is_recid"] != -1)
        & (raw["c_charge_degree"] != "O")
        & raw["score_text"].notna()
    ]
    stay = pd.to_datetime(kept["c_jail_out"]) - pd.to_datetime(kept["c_jail_in"])
    return pd.DataFrame(
        {
            **{name: kept[name] for name in ("age", "two_year_recid", "priors_count")},
            "length_of_stay": stay.dt.days,
            "c_charge_degree_F": (kept["c_charge_degree"] == "F").astype(np.int64),
            "sex_Female": (kept["sex"] == "Female").astype(np.int64),
            "race": (kept["race"] == "African-American").astype(np.int64),
            TARGET: (kept["score_text"] != "High").astype(np.int64),
        }
    )


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise EvoscopeError(
            f"'{path}' is no CSV file ({str(error).splitlines()[0]})", "fetch the file again"
        ) from error


def _part(frame: pd.DataFrame, source: str) -> Part:
    _check(frame, (*COLUMNS, TARGET), source)
    labels = numbers(frame, [TARGET], source)[:, 0]
    return Part(numbers(frame, COLUMNS, source), labels.astype(np.int64))


def _check(frame: pd.DataFrame, columns: tuple[str, ...], source: str) -> None:
    lacking = [name for name in columns if name not in frame.columns]
    if lacking:
        raise EvoscopeError(f"'{source}' has no column {lacking[0]!r}", "fetch the file again")
