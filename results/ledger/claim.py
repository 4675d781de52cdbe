"""A claim of a paper, the tables that bear on it, and the checks that decide it.

`Evidence` holds the tables of one data set and scale; a `Check` compares one measured number with a bound; a `Claim`
makes checks of evidence, and `verdict` counts those that pass (`RULE`).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from results.page_style import with_interval

DRAWN, LAPTOP = "concept_scenes", "laptop"  # the data set and the scale of a plain command
CORRECTED, RELEASED = PROTOCOLS = ("corrected", "as_released")
ROOTED = "data.root=PATH"  # images that are not drawn lie somewhere
ORIGIN = re.compile(r"<!-- (.*) -->\s*$")
TABULAR = "table_tabular"

Side = Literal["above", "below", "at most", "at least"]
NAN = float("nan")
SHOWN = 4  # checks written out in a cell
MOST, FEW = 0.9, 0.1  # shares of checks that pass; see `RULE`
RULE = (
    "A claim is a set of checks, each a measured number against a bound (its null, zero, or another number). A check "
    "that says *interval* passes when the 95 % interval lies beyond the bound; one that says *value* when the value "
    "does. The claim holds when at least nine in ten of its checks pass, does not hold when at most one in ten does, "
    "and holds in part otherwise. Without a check it is not testable here."
)
PEOPLE = (
    "needs people; `python -m human_eval` makes the study, and its simulated observers can show that the "
    "questions are answerable from the pictures and how many raters they need, not what people see"
)


@dataclass(frozen=True)
class Evidence:
    """Tables of one ``data`` set at one ``scale``: ``tables`` by protocol of the job and then by name."""

    data: str
    scale: str
    tables: Mapping[str, Mapping[str, pd.DataFrame]]

    @property
    def where(self) -> str:
        """``concept_scenes, laptop``."""
        return f"{self.data}, {self.scale}"

    @property
    def images(self) -> bool:
        """Whether these are images, not a table of numbers (`TABULAR`)."""
        return any(set(tables) - {TABULAR} for tables in self.tables.values())

    def rows(self, name: str, protocol: str) -> pd.DataFrame:
        """Rows of a table under a protocol; empty where it was not drawn.

        A table with a column ``protocol`` holds several, whichever the job's own was.
        """
        for drawn_under, tables in sorted(self.tables.items(), key=lambda item: item[0] != protocol):
            if name in tables and "protocol" in tables[name].columns:
                own = tables[name][tables[name]["protocol"] == protocol]
                if len(own):
                    return own.reset_index(drop=True)
            elif name in tables and drawn_under == protocol:
                return tables[name]
        return pd.DataFrame()


def collect(folders: Iterable[Path]) -> list[Evidence]:
    """All tables below ``folders`` by data set and scale, drawn images first; of two alike the later counts.

    A table without its Markdown file, which holds its origin, is passed over.
    """
    found: dict[tuple[str, str], dict[str, dict[str, pd.DataFrame]]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("table_*.csv")):
            origin = origin_of(path.with_suffix(".md"))
            if origin:
                place = found.setdefault((origin["Data"], origin["Scale"]), {})
                place.setdefault(origin["Protocol"], {})[path.stem] = pd.read_csv(path)
    places = sorted(found, key=lambda place: (place[0] != DRAWN, place))
    return [Evidence(data, scale, found[data, scale]) for data, scale in places]


def origin_of(path: Path) -> dict[str, str]:
    """Stamp at the end of a table's Markdown file: commit, key, data, scale, protocol, seed; empty without one."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    match = ORIGIN.search(text)
    return dict(part.split("=", 1) for part in match[1].split("; ")) if match else {}


class Verdict(Enum):
    """What became of a claim."""

    HOLDS = "holds"
    PARTLY = "holds in part"
    FAILS = "does not hold"
    UNTESTED = "not testable here"


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


def of_value(what: str, value: float, side: Side, bound: float, *, sure: bool = False) -> Check:
    """Check of a value without an interval."""
    return Check(what, value, NAN, NAN, side, bound, sure)


def valued(checks: Sequence[Check]) -> list[Check]:
    """The checks that have a value."""
    return [check for check in checks if np.isfinite(check.value)]


def verdict(checks: Sequence[Check]) -> Verdict:
    """What the checks together say, see `RULE`; those without a value do not count."""
    known = valued(checks)
    if not known:
        return Verdict.UNTESTED
    share = sum(check.passes for check in known) / len(known)
    return Verdict.HOLDS if share >= MOST else Verdict.FAILS if share <= FEW else Verdict.PARTLY


def summary(checks: Sequence[Check]) -> str:
    """The checks in a table's cell: all of them when they are few, else how many pass and the range of the values."""
    known = valued(checks)
    if not known:
        return "not measured"
    passed = f"{sum(check.passes for check in known)} of {len(known)} checks pass"
    if len(known) <= SHOWN:
        return f"{passed}: " + "; ".join(check.words for check in known)
    values = sorted(check.value for check in known)
    middle = float(np.median(values))
    return f"{passed}; values {values[0]:.3g} to {values[-1]:.3g}, median {middle:.3g}"


Checks = Callable[[Evidence, str], Sequence[Check]]


def none(evidence: Evidence, protocol: str) -> Sequence[Check]:
    """No check: what only people, or other data, can tell."""
    return []


@dataclass(frozen=True)
class Claim:
    """``id`` (E: ConceptEvo, C: CDISCO), the ``text``, the ``published`` evidence, the ``rule``.

    ``checks`` gives the checks of a data set under a protocol; ``experiment`` is what measures them; ``untested``: why
    there are none, where it is not that the experiment was not run; ``truth``: whether it takes images whose concepts
    are known.
    """

    id: str
    text: str
    published: str
    rule: str
    experiment: str
    checks: Checks = none
    untested: str = ""
    truth: bool = False

    @property
    def paper(self) -> str:
        """Which paper makes it."""
        return "ConceptEvo" if self.id.startswith("E") else "CDISCO"

    def row(self, evidence: Evidence) -> dict[str, str]:
        """The claim's row of the ledger for a data set and scale; no cell is empty."""
        found = {name: self.checks(evidence, name) for name in PROTOCOLS}
        return {
            "claim": self.id,
            "paper": self.paper,
            "text": self.text,
            "published": self.published,
            "data": evidence.data,
            "scale": evidence.scale,
            **{f"measured, {name}": self._measured(evidence, checks) for name, checks in found.items()},
            "verdict": verdict(found[CORRECTED]).value,
            "verdict as released": verdict(found[RELEASED]).value,
            "rule": self.rule,
            "command": command(self.experiment, evidence.data, evidence.scale),
        }

    def _measured(self, evidence: Evidence, checks: Sequence[Check]) -> str:
        unknown = "no concept is known of these images" if self.truth and evidence.data != DRAWN else ""
        return self.untested or unknown or summary(checks)


def command(experiment: str, data: str = DRAWN, scale: str = LAPTOP, protocol: str = CORRECTED) -> str:
    """The command that measures ``experiment``, which may have options; one that starts with ``python`` is whole."""
    if experiment.startswith("python"):
        return experiment
    options = [] if data == DRAWN else [f"data={data}", ROOTED]
    options += [f"scale={scale}"] if scale != LAPTOP else []
    options += [f"protocol={protocol}"] if protocol != CORRECTED else []
    return " ".join(["python run.py", f"experiment={experiment}", *options])
