"""The tables that were drawn for one data set at one scale, by protocol."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

ORIGIN = re.compile(r"<!-- (.*) -->\s*$")
TABULAR = "table_tabular"
Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Evidence:
    """Tables of one ``data`` set at one ``scale``: ``tables`` by protocol of the job and then by name."""

    data: str
    scale: str
    tables: Mapping[str, Tables]

    @property
    def where(self) -> str:
        """``concept_scenes, laptop``."""
        return f"{self.data}, {self.scale}"

    @property
    def images(self) -> bool:
        """Whether these are images, not a table of numbers (`TABULAR`)."""
        return any(set(tables) - {TABULAR} for tables in self.tables.values())

    def rows(self, name: str, protocol: str) -> pd.DataFrame:
        """Rows of a table under a protocol; none where it was not drawn.

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
    """All tables below ``folders``, by data set and scale; of a table that occurs twice the one that comes later.

    A table without its Markdown file, which holds its origin, is not one of ours and is passed over.
    """
    found: dict[tuple[str, str], dict[str, dict[str, pd.DataFrame]]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("table_*.csv")):
            origin = origin_of(path.with_suffix(".md"))
            if origin:
                place = found.setdefault((origin["Data"], origin["Scale"]), {})
                place.setdefault(origin["Protocol"], {})[path.stem] = pd.read_csv(path)
    return [Evidence(data, scale, found[data, scale]) for data, scale in sorted(found, key=_rank)]


def origin_of(path: Path) -> dict[str, str]:
    """Stamp at the end of a table's Markdown file: commit, key, data, scale, protocol, seed; empty without one."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    match = ORIGIN.search(text)
    return dict(part.split("=", 1) for part in match[1].split("; ")) if match else {}


def _rank(place: Sequence[str]) -> tuple[bool, str, str]:
    """The drawn images first."""
    return place[0] != "concept_scenes", place[0], place[1]
