"""Exhibits by name, checked before anything is drawn."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd

from evoscope.activations.stimuli import Status
from evoscope.arrays import Doubles
from evoscope.errors import EvoscopeError

Exhibits = Mapping[str, object]
Kind = TypeVar("Kind")

STATUS_NAMES = {Status.DEAD: "dead", Status.CONSTANT: "constant", Status.NON_FINITE: "non-finite"}


def exhibit(exhibits: Exhibits, name: str, kind: type[Kind]) -> Kind:
    """The exhibit ``name``.

    Raises
    ------
    EvoscopeError : it is missing or something else.
    """
    found = exhibits.get(name)
    if not isinstance(found, kind):
        state = "missing" if found is None else f"a {type(found).__name__}, not a {kind.__name__}"
        raise EvoscopeError(f"exhibit '{name}' is {state}", "run the experiment that makes it before drawing")
    return found


def table(exhibits: Exhibits, name: str, columns: Collection[str]) -> pd.DataFrame:
    """The exhibit ``name``, a frame with at least ``columns``.

    Raises
    ------
    EvoscopeError : it is missing or lacks columns.
    """
    found = exhibit(exhibits, name, pd.DataFrame)
    lacking = [column for column in columns if column not in found.columns]
    if lacking:
        raise EvoscopeError(
            f"exhibit '{name}' lacks columns {', '.join(lacking)}", "make it again with this version"
        )
    return found


def doubles(values: "pd.Series[float]") -> Doubles:
    """A column as float64."""
    return np.asarray(values, dtype=np.float64)


def placed(neurons: pd.DataFrame) -> "pd.Series[bool]":
    """Which neurons have a place on the map."""
    return neurons["x"].notna() & neurons["y"].notna()


def spread(epochs: Sequence[int], most: int) -> list[int]:
    """At most ``most`` of the epochs: the first, the last and evenly many between."""
    known = sorted(set(epochs))
    if len(known) <= most:
        return known
    return [known[place] for place in np.linspace(0, len(known) - 1, most).round().astype(int)]


def status_counts(neurons: pd.DataFrame) -> list[str]:
    """How many neurons are dead, constant, non-finite, or unplaced though healthy; nothing for what does not occur."""
    counts = {name: int((neurons["status"] == status).sum()) for status, name in STATUS_NAMES.items()}
    counts["unplaced"] = int(((neurons["status"] == Status.OK) & ~placed(neurons)).sum())
    return [f"{count:,} {name}" for name, count in counts.items() if count]


def percent(share: float, digits: int = 0) -> str:
    """``62 %``, or a dash where nothing is known."""
    return f"{100 * share:.{digits}f} %" if np.isfinite(share) else "–"


def notes(rows: pd.DataFrame) -> "pd.Series[str]":
    """Why values are missing: the column ``note`` where there is one, else empty."""
    if "note" not in rows.columns:
        return pd.Series("", index=rows.index)
    return rows["note"].fillna("").astype(str)
