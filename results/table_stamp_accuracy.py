"""Accuracy with and without the stamp as a table, beside the published values."""

from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.viz import label_of
from results.about import About, caption
from results.outliers import ACCURACY, SEED_INTERVAL, case_words, over_seeds, runs_of, seeds_of, subject
from results.reading import Exhibits, table
from results.reference import published_stamps
from results.tables import with_interval, write_table

ID = "table_stamp_accuracy"
TITLE = "Accuracy with and without the stamp, beside the published values"
READS: tuple[str, ...] = ("stamp_accuracy",)
CONDITIONS = {"stamped": "with stamp", "plain": "without stamp"}


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV (every seed) and Markdown (means over the seeds)."""
    rows, means = table(exhibits, READS[0], ACCURACY), over_seeds(exhibits, READS[0], ACCURACY)
    above = caption(
        TITLE,
        "Accuracy (shares) of networks trained from scratch on stamped images, on test images not seen in training, "
        "with stamps drawn in the same way and without any; the last row is of networks trained without stamps on "
        "partly wrong labels, judged by right ones. Epochs: mean over the seeds, ended by patience. In the released "
        "code the stamped test set seems to overlap the training images.",
        about,
        n=f"{seeds_of(rows)}, images of {subject(means)}",
        runs=runs_of(means),
        interval=SEED_INTERVAL,
    )
    return write_table(rows, shown(means), folder, ID, above, about.origin())


def shown(means: pd.DataFrame) -> pd.DataFrame:
    """One row per network, setting and p."""
    theirs = published_stamps()
    lines = []
    for (run, setting, p), own in means.groupby(["run", "setting", "p"], sort=False):
        line = {"model": label_of(str(run)), "images": case_words(str(setting), float(str(p)))}
        for condition, name in CONDITIONS.items():
            part = own[own["condition"] == condition]
            same = theirs.loc[(theirs["p"] == p) & (setting == "stamp"), condition]
            line[name] = (
                with_interval(*map(float, part.iloc[0][["value", "low", "high"]])) if len(part) else "–"
            )
            line[f"{name}, published"] = f"{float(same.iloc[0]):.3f}" if len(same) else "–"
        epochs = float(own["epochs"].iloc[0])
        lines.append({**line, "epochs": f"{epochs:.1f}" if np.isfinite(epochs) else "–"})
    names = ["model", "images", *CONDITIONS.values(), "epochs"]
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=names)
