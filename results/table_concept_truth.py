"""Methods against the true concepts as a table."""

from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.viz import label_of
from results.about import About, caption
from results.concepts import LAYER, method_name, methods_of, runs_of
from results.fig_concept_truth import (
    CHANCE,
    COLUMNS,
    INTERVAL,
    MEANING,
    UNKNOWN,
    concepts_of,
    metric_name,
    metrics_of,
)
from results.reading import Exhibits, table
from results.tables import with_interval, write_table

ID = "table_concept_truth"
TITLE = "Recovery, distinctness and localisation of true concepts"
READS: tuple[str, ...] = ("concept_truth",)


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV (every row) and Markdown (a row per method, chance in brackets)."""
    rows = table(exhibits, READS[0], COLUMNS)
    n = f"{concepts_of(rows)} true concepts" if len(rows) else UNKNOWN
    above = caption(
        TITLE, f"{MEANING} In round brackets: {CHANCE}", about, n=n, runs=runs_of(rows), interval=INTERVAL
    )
    return write_table(rows, readable(rows), folder, ID, above, about.origin())


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per run, layer and method, a column per metric."""
    metrics = metrics_of(rows)
    lines = []
    for (run, layer), own in rows.groupby(LAYER, sort=False):
        for method in methods_of(own):
            cells = (
                own[own["method"] == method].drop_duplicates("metric").set_index("metric").reindex(metrics)
            )
            values = cells[["value", "low", "high", "null"]].astype(float).itertuples(name=None)
            head = {"model": label_of(str(run)), "layer": str(layer), "method": method_name(method)}
            lines.append(head | {metric_name(name): cell(*numbers) for name, *numbers in values})
    names = ["model", "layer", "method", *map(metric_name, metrics)]
    return pd.DataFrame(lines, columns=names)


def cell(value: float, low: float, high: float, null: float) -> str:
    """``0.812 [0.790, 0.833] (0.500)``: value, interval, chance."""
    text = with_interval(value, low, high)
    return (
        f"{text} ({with_interval(null, np.nan, np.nan)})"
        if np.isfinite(null) and np.isfinite(value)
        else text
    )
