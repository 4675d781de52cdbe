"""Directions that are the candidate of several classes."""

from pathlib import Path

import pandas as pd

from results.about import About, caption
from results.concepts import LAYER, model_column, runs_of
from results.fig_coverage import PROTOCOLS
from results.fig_reversal import measured_under
from results.reading import Exhibits, table
from results.tables import write_table

ID = "table_popularity"
TITLE = "Directions that are the concept of several classes"
READS: tuple[str, ...] = ("popularity",)

SETTING = [*LAYER, "protocol"]
COLUMNS = (*SETTING, "place", "direction", "count", "classes")
MOST = 5  # directions of each place that are listed
PLACES = {1: "first", 2: "second", 3: "third"}


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV (every direction) and Markdown (the most popular of each place)."""
    rows = table(exhibits, READS[0], COLUMNS)
    kept = popular(rows)
    single = int((rows["count"] == 1).sum())
    above = caption(
        TITLE,
        "For how many classes a direction is the first, second or third candidate by z. A direction that is the first "
        "of several classes may mean something they share, or several things at once; as released, only the positive "
        "side is looked at, whose sign is arbitrary, and the direction that is named is not the one that was scored. "
        f"Listed: the {MOST} most frequent of each place, of those with at least two classes; the CSV has all, "
        f"{single:,} of {len(rows):,} of them with one class.",
        measured_under(rows, about),
        n=f"{len(rows):,} pairs of place and direction",
        runs=runs_of(rows),
    )
    return write_table(rows, readable(kept), folder, ID, above, about.origin())


def popular(rows: pd.DataFrame) -> pd.DataFrame:
    """The most frequent directions of each place that belong to at least two classes."""
    several = rows[rows["count"] > 1].sort_values("count", ascending=False, kind="stable")
    kept = several[several.groupby([*SETTING, "place"]).cumcount() < MOST]
    ranks = {setting: rank for rank, setting in enumerate(dict.fromkeys(_keys(rows)))}
    order = kept.assign(rank=[ranks[key] for key in _keys(kept)])
    return order.sort_values(["rank", "place", "count"], ascending=[True, True, False], kind="stable")


def _keys(rows: pd.DataFrame) -> list[tuple[str, ...]]:
    return list(rows[SETTING].itertuples(index=False, name=None))


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in words."""
    shown = pd.DataFrame({"model": model_column(rows["run"])})
    shown["layer"] = rows["layer"].to_numpy()
    shown["protocol"] = [PROTOCOLS.get(str(name), str(name)) for name in rows["protocol"]]
    shown["candidate"] = [PLACES.get(int(place), str(place)) for place in rows["place"]]
    shown["direction"] = [f"#{int(direction)}" for direction in rows["direction"]]
    shown["classes"] = rows["count"].to_numpy()
    shown["which"] = rows["classes"].astype(str).to_numpy()
    return shown
