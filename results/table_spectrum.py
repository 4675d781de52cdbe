"""Singular values of a layer, direction by direction, and how many directions nearly are neurons."""

from pathlib import Path

import pandas as pd

from evoscope.discovery.basis import ALIGNED
from results.about import About, caption
from results.concepts import LAYER, layers_of, model_column, runs_of
from results.reading import Exhibits, percent, table
from results.tables import write_table

ID = "table_spectrum"
TITLE = "Energy of the directions, and their alignment with neurons"
READS: tuple[str, ...] = ("spectrum",)

COLUMNS = (*LAYER, "index", "singular_value", "share", "alignment", "random_alignment")


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write every direction as CSV and a summary per layer as Markdown."""
    rows = table(exhibits, READS[0], COLUMNS)
    above = caption(
        TITLE,
        "Share of the energy that the first direction and the first ten hold, and how many directions have a "
        f"component of {ALIGNED} or more, so that they nearly are a single neuron, beside as many random directions. "
        "The CSV has every direction.",
        about,
        n=f"{len(rows):,} directions of {len(rows[LAYER].drop_duplicates())} layers",
        runs=runs_of(rows),
    )
    return write_table(rows, readable(rows), folder, ID, above, about.origin())


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per layer."""
    return pd.DataFrame([_line(own) for own in layers_of(rows)])


def _line(own: pd.DataFrame) -> dict[str, object]:
    energy = own.sort_values("index")["share"].astype(float)
    return {
        "model": model_column([own["run"].iloc[0]])[0],
        "layer": own["layer"].iloc[0],
        "directions": len(own),
        "first": percent(float(energy.iloc[0]), 1),
        "first ten": percent(float(energy.iloc[:10].sum()), 1),
        f"beyond {ALIGNED}": int((own["alignment"].abs() >= ALIGNED).sum()),
        "random ones": int((own["random_alignment"].abs() >= ALIGNED).sum()),
    }
