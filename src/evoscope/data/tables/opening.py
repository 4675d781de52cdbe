"""From the name or the path of a table to its rows."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_wine

from evoscope.data.tables.compas import has_compas, open_compas
from evoscope.data.tables.table import Table, classes, numbers, split
from evoscope.errors import EvoscopeError

NAMES = ("auto", "compas", "breast_cancer", "wine")
_EMBEDDED = {"breast_cancer": load_breast_cancer, "wine": load_wine}


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
            f"there is no table {name!r}", f"choose one of {', '.join(NAMES)}, or give tabular.path"
        )
    if path is not None:
        table = open_csv(path, target, seed)
    elif name == "compas" or (name == "auto" and has_compas(root)):
        table = open_compas(root, seed)
    else:
        table = _embedded("breast_cancer" if name == "auto" else name, seed)
    return _protecting(table, protected, required)


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
    found = _EMBEDDED[name]()
    labels = np.asarray(found.target, dtype=np.int64)
    train, test = split(np.asarray(found.data, dtype=np.float64), labels, seed)
    columns, names = (tuple(map(str, texts)) for texts in (found.feature_names, found.target_names))
    return Table(f"{name} (scikit-learn)", columns, names, (), 0, train, test)


def _protecting(table: Table, protected: Sequence[str], required: bool) -> Table:
    lacking = [name for name in protected if name not in table.columns]
    if lacking and required:
        raise EvoscopeError(
            f"{table.name} has no column {lacking[0]!r} to protect",
            f"set tabular.protected to some of {', '.join(table.columns[:20])}",
        )
    return replace(table, protected=tuple(name for name in protected if name in table.columns))
