"""Tables: COMPAS as OpenXAI prepares it, two of scikit-learn's, or any CSV file of numbers.

COMPAS tells what a commercial score says of people who were arrested (ProPublica). Of the
people in ``compas-scores-two-years.csv`` those stay that were scored within 30 days of the arrest, whose
later record is known, who were charged with a felony or a misdemeanour, and who have a score: 6,172. The class is
the score: high (0), or medium and low (1).
Sources: Angwin et al., Machine Bias, ProPublica 2016; Agarwal et al., OpenXAI, NeurIPS 2022.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Doubles, Floats, Ints
from evoscope.data.images import digest
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive

TEST_SHARE = 0.2
LEAST = 2
"""Rows of a class that a stratified split needs."""


@dataclass(frozen=True)
class Part:
    """Some rows: ``values``: float64 [rows, columns], as they were read; ``labels``: int64 [rows]."""

    values: Doubles
    labels: Ints

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    ``name``: of the data; ``columns``: of the inputs; ``class_names``: one per class; ``protected``: those of the
    columns that tell people apart and are shown apart; ``shown``: the class whose predicted share is compared
    between groups of people; ``train``, ``test``: the rows.
    """

    name: str
    columns: tuple[str, ...]
    class_names: tuple[str, ...]
    protected: tuple[str, ...]
    shown: int
    train: Part
    test: Part

    @property
    def fingerprint(self) -> str:
        """Hex digest of all values, labels and names, and of what is shown apart."""
        parts = [array.tobytes().hex() for part in (self.train, self.test) for array in (part.values, part.labels)]
        apart = ("protected", *self.protected, "shown", str(self.shown))
        return digest(self.name, *self.columns, "classes", *self.class_names, *apart, *parts)

    def scaled(self) -> tuple[Floats, Floats]:
        """Training and test values with each column's range over the training rows laid on 0 to 1, float32."""
        low, high = self.train.values.min(axis=0), self.train.values.max(axis=0)
        reach = np.where(high > low, high - low, 1.0)
        train, test = (((part.values - low) / reach).astype(np.float32) for part in (self.train, self.test))
        return train, test


def split(values: Doubles, labels: Ints, seed: int) -> tuple[Part, Part]:
    """Draw a fifth of the rows of each class for the test."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(labels))
    train, test = train_test_split(
        rows, test_size=TEST_SHARE, stratify=labels, random_state=derive(seed, "table") % 2**32
    )
    return tuple(Part(values[np.sort(some)], labels[np.sort(some)]) for some in (train, test))  # type: ignore[return-value]  # a pair


def numbers(frame: pd.DataFrame, columns: Sequence[str], source: str) -> Doubles:
    """Columns of a frame as float64 [rows, columns].

    Raises
    ------
    EvoscopeError : a column has text, or a value is missing or infinite; names the column.
    """
    for name in columns:
        column = frame[name]
        if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
            sample = next((value for value in column if isinstance(value, str)), column.iloc[0])
            raise EvoscopeError(
                f"column {name!r} of {source} is not of numbers (it has {sample!r})",
                "turn it into numbers (0 and 1 for each of its values), or leave it out",
            )
        wrong = int((~np.isfinite(column.to_numpy(dtype=np.float64))).sum())
        if wrong:
            raise EvoscopeError(
                f"column {name!r} of {source} has {wrong} values that are missing or infinite",
                "fill them in, or leave those rows out",
            )
    return frame[list(columns)].to_numpy(dtype=np.float64)


def classes(target: Array, name: str, source: str) -> tuple[tuple[str, ...], Ints]:
    """Names of the classes in sorted order, and int64 [rows] which of them each row has.

    Raises
    ------
    EvoscopeError : a class is missing in a row, there is only one, or one has too few rows to be split.
    """
    missing = int(pd.isna(target).sum())
    if missing:
        raise EvoscopeError(f"{missing} rows of {source} have no {name!r}", "leave those rows out")
    found, labels, counts = np.unique(target, return_inverse=True, return_counts=True)
    if len(found) < 2:
        raise EvoscopeError(
            f"all rows of {source} have the same {name!r} ({found[0]})", "give rows of two classes or more"
        )
    if len(found) > MOST:
        raise EvoscopeError(
            f"{name!r} of {source} has {len(found)} different values, which is no class",
            f"name a column of at most {MOST} classes as tabular.target",
        )
    if counts.min() < LEAST:
        raise EvoscopeError(
            f"class {found[counts.argmin()]} of {source} has {counts.min()} row", f"give at least {LEAST} of each class"
        )
    names = (f"{each:g}" if isinstance(each, (float, np.floating)) else str(each) for each in found)
    return tuple(names), labels.astype(np.int64)


MOST = 20
"""Classes of a table; more values than that are measurements."""


COLUMNS = ("age", "two_year_recid", "priors_count", "length_of_stay", "c_charge_degree_F", "sex_Female", "race")
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


NAMES = ("auto", "compas", "breast_cancer", "wine")


def open_table(
    name: str,
    root: Path,
    seed: int,
    *,
    path: Path | None = None,
    target: str = "risk",
    protected: Sequence[str] = (),
    required: bool = True,
) -> Table:
    """Open a table.

    Parameters
    ----------
    name : of `NAMES`; ``auto`` is COMPAS where it is below ``root``, else scikit-learn's breast_cancer.
    root : folder that holds ``compas``.
    seed : draws the test rows, a fifth of each class, where the data have no split of their own.
    path : a CSV file instead, of numbers beside the column ``target``.
    protected : columns shown apart; ``required``: whether one that the table lacks is refused, or left out.

    Raises
    ------
    EvoscopeError : no such name or file, or a file that cannot be learned from.
    """
    if name not in NAMES:
        raise EvoscopeError(
            f"there is no tabular.name={name!r}", f"choose one of {', '.join(NAMES)}, or give tabular.path"
        )
    if path is not None:
        table = open_csv(path, target, seed)
    elif name == "compas" or (name == "auto" and has_compas(root)):
        table = open_compas(root, seed)
    else:
        table = _embedded("breast_cancer" if name == "auto" else name, seed)
    lacking = [name for name in protected if name not in table.columns]
    if lacking and required:
        raise EvoscopeError(
            f"{table.name} has no column {lacking[0]!r} to protect",
            f"set tabular.protected to some of {', '.join(table.columns[:20])}",
        )
    return replace(table, protected=tuple(name for name in protected if name in table.columns))


def open_csv(path: Path, target: str, seed: int) -> Table:
    """Open a user's CSV: numbers, and a column ``target`` of classes, the last of which in order is ``shown``."""
    source = f"'{path}'"
    try:
        frame = pd.read_csv(path)
    except FileNotFoundError as error:
        raise EvoscopeError(f"there is no file {source}", "correct tabular.path") from error
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise EvoscopeError(f"{source} is no CSV file ({reason})", "give one with a line of names") from error
    if target not in frame.columns:
        raise EvoscopeError(
            f"{source} has no column {target!r}",
            f"set tabular.target to one of {', '.join(map(str, frame.columns[:20]))}",
        )
    columns = tuple(str(each) for each in frame.columns if each != target)
    if not columns or frame.empty:
        raise EvoscopeError(f"{source} has no {'rows' if columns else 'inputs'}", "give a table of both")
    values = numbers(frame, columns, source)
    names, labels = classes(frame[target].to_numpy(), target, source)
    train, test = split(values, labels, seed)
    return Table(path.stem, columns, names, (), len(names) - 1, train, test)


def _embedded(name: str, seed: int) -> Table:
    from sklearn import datasets

    found = {"breast_cancer": datasets.load_breast_cancer, "wine": datasets.load_wine}[name]()
    labels = np.asarray(found.target, dtype=np.int64)
    train, test = split(np.asarray(found.data, dtype=np.float64), labels, seed)
    columns, names = (tuple(map(str, texts)) for texts in (found.feature_names, found.target_names))
    return Table(f"{name} (scikit-learn)", columns, names, (), 0, train, test)
