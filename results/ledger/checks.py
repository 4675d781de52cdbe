"""A check compares one measured number with a bound; a verdict counts checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import numpy as np
import pandas as pd

from results.page_style import with_interval

Side = Literal["above", "below", "at most", "at least"]
SHOWN = 4  # checks written out in a cell
MOST, FEW = 0.9, 0.1


class Verdict(Enum):
    """What became of a claim."""

    HOLDS = "holds"
    PARTLY = "holds in part"
    FAILS = "does not hold"
    UNTESTED = "not testable here"


RULE = (
    "A claim is a set of checks, each a measured number against a bound (its null, zero, or another number). A check "
    "that says *interval* passes when the 95 % interval lies beyond the bound; one that says *value* when the value "
    "does. The claim holds when at least nine in ten of its checks pass, does not hold when at most one in ten does, "
    "and holds in part otherwise. Without a check it is not testable here."
)


@dataclass(frozen=True)
class Check:
    """A measured number against a bound.

    ``what`` was measured; ``value`` with ``low`` and ``high`` (NaN: none); ``side`` of ``bound`` where it should be;
    ``sure``: the interval counts where there is one, not only the value.
    """

    what: str
    value: float
    low: float
    high: float
    side: Side
    bound: float
    sure: bool = True

    @property
    def passes(self) -> bool:
        """Whether the number is where the claim wants it."""
        rising = self.side in ("above", "at least")
        edge = (self.low if rising else self.high) if self.sure else self.value
        edge = edge if np.isfinite(edge) else self.value
        beyond = edge > self.bound if rising else edge < self.bound
        return bool(beyond or (self.side.startswith("at") and edge == self.bound))

    @property
    def words(self) -> str:
        """``VGG19 0.220 [0.207, 0.232] (above 0.075)``."""
        return f"{self.what} {with_interval(self.value, self.low, self.high)} ({self.side} {self.bound:.3g})"


def of_row(
    what: str,
    row: "pd.Series[Any]",
    side: Side,
    bound: float,
    names: Sequence[Any] = ("value", "low", "high"),
) -> Check:
    """Check of a row's value and interval, the columns ``names``."""
    value, low, high = (float(row[name]) for name in names)
    return Check(what, value, low, high, side, bound)


def verdict(checks: Sequence[Check]) -> Verdict:
    """What the checks together say, see `RULE`; those without a value do not count."""
    known = [check for check in checks if np.isfinite(check.value)]
    if not known:
        return Verdict.UNTESTED
    share = sum(check.passes for check in known) / len(known)
    return Verdict.HOLDS if share >= MOST else Verdict.FAILS if share <= FEW else Verdict.PARTLY


def summary(checks: Sequence[Check]) -> str:
    """The checks in a table's cell: all of them when they are few, else how many pass and the range of the values."""
    known = [check for check in checks if np.isfinite(check.value)]
    if not known:
        return "not measured"
    passed = f"{sum(check.passes for check in known)} of {len(known)} checks pass"
    if len(known) <= SHOWN:
        return f"{passed}: " + "; ".join(check.words for check in known)
    values = sorted(check.value for check in known)
    middle = float(np.median(values))
    return f"{passed}; values {values[0]:.3g} to {values[-1]:.3g}, median {middle:.3g}"
