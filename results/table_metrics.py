"""Alignment metrics as a table."""

from pathlib import Path

import pandas as pd

from evoscope.viz import label_of
from results.about import About, caption
from results.fig_metrics import COLUMNS, name_of
from results.reading import Exhibits, notes, table
from results.tables import interval_column, write_table

ID = "table_metrics"
TITLE = "Alignment metrics"
READS: tuple[str, ...] = ("metrics",)


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV and Markdown."""
    metrics = table(exhibits, READS[0], COLUMNS)
    shown = pd.DataFrame(
        {
            "metric": [name_of(metric) for metric in metrics["metric"]],
            "model": [label_of(run) for run in metrics["run"]],
            "epoch": metrics["epoch"],
            "value [95 %]": interval_column(metrics, "value", "low", "high"),
            "null [95 %]": interval_column(metrics, "null", "null_low", "null_high"),
            "n": [f"{n:,.0f}" for n in metrics["n"]],
        }
    )
    if (notes(metrics) != "").any():
        shown["why there is no value"] = notes(metrics)
    text = caption(
        TITLE,
        "Every value with its interval beside its null; a dash: none is defined.",
        about,
        n="in the last column",
        runs=list(dict.fromkeys(metrics["run"])),
        interval="95 %, bootstrap; of the null, 95 % of the shuffles",
    )
    return write_table(metrics, shown, folder, ID, text, about.origin())
