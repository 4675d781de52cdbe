"""A table in two parts, as a network learns from it and is judged on it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

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
        """Hex digest of all values, labels and names."""
        parts = [
            array.tobytes().hex() for part in (self.train, self.test) for array in (part.values, part.labels)
        ]
        return digest(self.name, *self.columns, "classes", *self.class_names, *parts)

    def scaled(self) -> tuple[Floats, Floats]:
        """Training and test values with each column's range over the training rows laid on 0 to 1, float32."""
        low, high = self.train.values.min(axis=0), self.train.values.max(axis=0)
        reach = np.where(high > low, high - low, 1.0)
        train, test = (((part.values - low) / reach).astype(np.float32) for part in (self.train, self.test))
        return train, test


def split(values: Doubles, labels: Ints, seed: int) -> tuple[Part, Part]:
    """Draw a fifth of the rows of each class for the test."""
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
            f"class {found[counts.argmin()]} of {source} has {counts.min()} row",
            f"give at least {LEAST} of each class",
        )
    return tuple(_text(value) for value in found), labels.astype(np.int64)


MOST = 20
"""Classes of a table; more values than that are measurements."""


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)
