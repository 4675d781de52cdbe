"""How often the direction that the released code ranks is the one that it shows."""

from pathlib import Path

import pandas as pd

from results.about import About, caption
from results.concepts import LAYER, model_column, runs_of
from results.fig_coverage import PROTOCOLS
from results.fig_reversal import measured_under
from results.reading import Exhibits, table
from results.tables import interval_column, write_table

ID = "table_wrong_side"
TITLE = "The wrong side of the decomposition"
READS: tuple[str, ...] = ("wrong_side",)

COLUMNS = (*LAYER, "protocol", "classes", "same_direction", "low", "high", "chance")


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV (every digit) and Markdown."""
    rows = table(exhibits, READS[0], COLUMNS)
    above = caption(
        TITLE,
        "The released code multiplies by the wrong side of the decomposition: images are scored along the columns "
        "of the matrix whose rows are shown as concepts. Share of the classes for which both sides, all else equal, "
        "choose the same direction; chance: one over the number of directions. Where it is near chance, the "
        "concepts shown as released have nothing to do with the scores that chose them.",
        measured_under(rows, about),
        n=f"{rows['classes'].sum():,.0f} classes over {len(rows)} rows",
        runs=runs_of(rows),
        interval="95 %, over classes",
    )
    return write_table(rows, readable(rows), folder, ID, above, about.origin())


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in words."""
    shown = pd.DataFrame({"model": model_column(rows["run"])})
    shown["layer"] = rows["layer"].to_numpy()
    shown["protocol"] = [PROTOCOLS.get(str(name), str(name)) for name in rows["protocol"]]
    shown["classes"] = rows["classes"].to_numpy()
    shown["same direction [95 %]"] = interval_column(rows, "same_direction", "low", "high")
    shown["chance"] = rows["chance"].astype(float).round(4).to_numpy()
    return shown
