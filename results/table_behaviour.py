"""Whether the runs behave as published, by measured criteria."""

from pathlib import Path

import pandas as pd

from evoscope.viz import label_of
from results.about import About, caption
from results.reading import Exhibits, table
from results.tables import interval_column, write_table

ID = "table_behaviour"
TITLE = "Do the runs behave as published?"
READS: tuple[str, ...] = ("behaviour",)

COLUMNS = ("criterion", "run", "seed", "value", "low", "high", "holds", "statement")


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV and Markdown."""
    rows = table(exhibits, READS[0], COLUMNS)
    shown = pd.DataFrame(
        {
            "criterion": rows["criterion"].astype(str).str.replace("_", " "),
            "run": [label_of(run) for run in rows["run"]],
            "seed": rows["seed"].astype(str),
            "value [95 %]": interval_column(rows, "value", "low", "high"),
            "holds": ["yes" if holds else "no" for holds in rows["holds"].astype(bool)],
            "what was measured": rows["statement"],
        }
    )
    held = int(rows["holds"].astype(bool).sum())
    text = caption(
        TITLE,
        f"Well trained, collapse and overfitting by measured criteria: {held} of {len(rows)} hold.",
        about,
        n=f"{rows.loc[rows['seed'] >= 0, 'seed'].nunique()} seeds",
        runs=list(dict.fromkeys(rows["run"])),
        interval="95 %, where a criterion has one",
    )
    return write_table(rows, shown, folder, ID, text, about.origin())
