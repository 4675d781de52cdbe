"""Human studies as a table: trials, blocks, chance, and how many participants show an effect."""

from pathlib import Path

import pandas as pd

from results.about import About, caption
from results.reading import Exhibits, table
from results.tables import write_table

ID = "table_studies"
TITLE = "Human studies: sizes, chance and participants needed"
READS: tuple[str, ...] = ("studies",)

COLUMNS = (
    "kind", "condition", "trials", "blocks", "answered", "chance", "accuracy", "needed", "participants", "power",
    "wanted",
)  # fmt: skip
DASH = "–"


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV and Markdown."""
    rows = table(exhibits, READS[0], COLUMNS)
    people, wanted = int(rows["participants"].iloc[0]), float(rows["wanted"].iloc[0])
    above = caption(
        TITLE,
        "Trials of each condition, how many of them one participant answers (mean over the blocks), the chance of a "
        f"right answer, and how many participants show the accuracy named beside it with a power of {wanted:g}: "
        "one-sided t test at .05 over the participants' accuracies, simulated 500 times with spreads of 0.5 of the "
        "log-odds over participants and over trials. A dash: nothing can be right, or more than 1,000 are needed. The "
        "last column is the power with the participants asked for.",
        about,
        n=f"{int(rows['trials'].sum())} trials of {rows['kind'].nunique()} studies; {people} participants asked for",
    )
    return write_table(rows, lines(rows), folder, ID, above, about.origin())


def lines(rows: pd.DataFrame) -> pd.DataFrame:
    """Readable rows."""
    return pd.DataFrame(
        {
            "study": [str(name).replace("_", " ") for name in rows["kind"]],
            "condition": [str(name).replace("_", " ") for name in rows["condition"]],
            "trials": rows["trials"],
            "blocks": rows["blocks"],
            "answered by each": [f"{value:.1f}" for value in rows["answered"]],
            "chance": [_number(value, ".3f") for value in rows["chance"]],
            "accuracy to show": [_number(value, ".3f") for value in rows["accuracy"]],
            "participants needed": [_number(value, ".0f") for value in rows["needed"]],
            f"power with {int(rows['participants'].iloc[0])}": [
                _number(value, ".2f") for value in rows["power"]
            ],
        }
    )


def _number(value: float, form: str) -> str:
    return DASH if pd.isna(value) else format(value, form)
