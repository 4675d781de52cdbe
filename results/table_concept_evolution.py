"""Concept vectors over training as a table: what share has appeared and settled by each epoch, beside chance."""

from pathlib import Path

import pandas as pd

from evoscope.figure_data import ConceptEvolution
from evoscope.viz.charts import epoch_name
from results.about import About, caption
from results.concepts import LAYER, model_column, runs_of
from results.reading import Exhibits, doubles, exhibit
from results.tables import interval_column, markdown, write_table

ID = "table_concept_evolution"
TITLE = "Concept vectors that have appeared and settled by each epoch"
READS: tuple[str, ...] = ("concept_evolution",)

NEVER = -2
HALF = 0.5


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV (every concept at every epoch) and Markdown (a row per run, then per run and epoch)."""
    found = exhibit(exhibits, READS[0], ConceptEvolution)
    last = found.summary.groupby(LAYER, sort=False).last()
    above = caption(
        TITLE,
        "Shares of the concept vectors of the last epoch that have appeared (are matched in the unified space better "
        "than chance from that epoch on) and settled (also lie as near their last place as another draw of the images "
        "would leave them). Medians over the concepts: similarity to the partner; the 95th percentile of what chance "
        "gives, the higher of random directions and of permuted images; and what the match has not seen, the cosine of "
        "both vectors in channel space (0 by chance) and the share of common images. Chance alone "
        "lifts one concept in twenty above it at an epoch. At the last epoch each concept is its own partner.",
        about,
        n=f"{int(last['concepts'].sum())} concepts on {int(last['directions'].sum())} directions",
        runs=runs_of(found.summary),
        interval="95 %, bootstrap over directions",
    )
    runs, epochs = by_run(found), by_epoch(found.summary)
    above = f"{above.strip()}\n\n{markdown(runs)}\n\n**Epoch by epoch**"
    return write_table(found.steps, epochs, folder, ID, above, about.origin())


def by_run(found: ConceptEvolution) -> pd.DataFrame:
    """One row per run: how many concepts, and by when half of them are there."""
    lines = []
    for (run, layer), own in found.summary.groupby(LAYER, sort=False):
        steps = found.steps[(found.steps["run"] == run) & (found.steps["layer"] == layer)]
        concepts = steps.drop_duplicates(["direction", "side"])
        earlier = concepts["appears"].between(NEVER + 1, own["epoch"].max() - 1)
        lines.append(
            {
                "model": model_column([str(run)])[0],
                "layer": layer,
                "concepts": len(concepts),
                "appear before the last epoch": int(earlier.sum()),
                "never": int((concepts["appears"] == NEVER).sum()),
                "half appeared": first_reached(own, "appeared"),
                "half settled": first_reached(own, "settled"),
            }
        )
    return pd.DataFrame(lines)


def first_reached(summary: pd.DataFrame, share: str) -> str:
    """The first epoch by which half of the concepts have, or ``never``: the median epoch."""
    reached = summary[doubles(summary[share]) >= HALF]
    return epoch_name(int(reached["epoch"].min())) if len(reached) else "never"


def by_epoch(summary: pd.DataFrame) -> pd.DataFrame:
    """One row per run and epoch."""
    shown = pd.DataFrame({"model": model_column(summary["run"]), "epoch": summary["epoch"].map(epoch_name)})
    for name in ("appeared", "settled"):
        shown[f"{name} [95 %]"] = interval_column(summary, name, f"{name}_low", f"{name}_high")
    names = {
        "similarity": "similarity",
        "null95": "chance",
        "channel_cosine": "channel cosine",
        "shared_stimuli": "common images",
    }
    for column, name in names.items():
        shown[name] = doubles(summary[column]).round(3)
    return shown
