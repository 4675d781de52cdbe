"""Relevance of each class's concept: z, derivative, ablation against random directions, and stability."""

from pathlib import Path

import pandas as pd

from results.about import About, caption
from results.concepts import direction_name, model_column, runs_of
from results.fig_concept_relevance import COLUMNS, beyond, counted
from results.reading import Exhibits, percent, table
from results.tables import interval_column, with_interval, write_table

ID = "table_concept_relevance"
TITLE = "Relevance of concept vectors to the prediction"
READS: tuple[str, ...] = ("relevance",)


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV (every digit) and Markdown."""
    rows = table(exhibits, READS[0], COLUMNS)
    above = caption(
        TITLE,
        "z: how far images predicted as the class lie above the others along the vector, in standard deviations of "
        "the others; the best of many directions is shown, so a large z alone is no evidence. Derivative: mean change "
        "of the class logit per unit of the vector, and the share of images on which it is positive. Changes: of the "
        "class logit and of accuracy (a fraction) on images of the class when the direction is projected out of the "
        "layer, beside the mean over random directions of equal variance and where 95 % of them lie. Stability: "
        "|cosine| with the matched direction after drawing the images anew, in brackets that of random bases. "
        f"{beyond(rows)}",
        about,
        n=counted(rows),
        runs=runs_of(rows),
        interval="95 %, bootstrap over images",
    )
    return write_table(rows, readable(rows), folder, ID, above, about.origin())


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in words, values with their intervals."""
    shown = pd.DataFrame({"model": model_column(rows["run"])})
    shown["layer"], shown["class"] = rows["layer"].to_numpy(), rows["class_name"].to_numpy()
    pairs = zip(rows["direction"], rows["side"], strict=True)
    shown["direction"] = [direction_name(direction, side) for direction, side in pairs]
    shown["z"], shown["derivative"] = (
        rows[name].astype(float).round(2).to_numpy() for name in ("z", "derivative")
    )
    shown["positive"] = [percent(float(share)) for share in rows["positive_share"]]
    shown["logit [95 %]"] = interval_column(rows, "logit_change", "logit_low", "logit_high")
    shown["random logit [95 %]"] = interval_column(rows, "random_change", "random_low", "random_high")
    shown["accuracy [95 %]"] = interval_column(rows, "accuracy_change", "accuracy_low", "accuracy_high")
    shown["random accuracy"] = rows["random_accuracy_change"].astype(float).round(4).to_numpy()
    both = rows[["stability", "stability_null"]].astype(float).itertuples(index=False, name=None)
    nan = float("nan")
    shown["stability"] = [
        f"{with_interval(own, nan, nan)} ({with_interval(null, nan, nan)})" for own, null in both
    ]
    return shown
