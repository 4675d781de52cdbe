"""What each run reached."""

from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.figure_data import TrainingCurves
from evoscope.viz import label_of
from results.about import About, caption
from results.reading import Exhibits, exhibit, percent
from results.tables import write_table

ID = "table_training"
TITLE = "Accuracy after training"
READS: tuple[str, ...] = ("training",)

SHARES = ("train_top1", "train_top5", "test_top1", "test_top5")


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV and Markdown."""
    training = exhibit(exhibits, "training", TrainingCurves)
    full = final_rows(training.curves)
    shown = full.assign(
        run=[label_of(run) for run in full["run"]],
        diverged=np.where(full["diverged"], "yes", "no"),
        **{name: [percent(share) for share in full[name]] for name in (*SHARES, "best_test_top1")},
    )
    shown.columns = [
        str(name).replace("_", " ").replace("top1", "top-1").replace("top5", "top-5")
        for name in shown.columns
    ]
    text = caption(
        TITLE,
        f"Accuracy at the last epoch, and the best test accuracy with its epoch; chance is {1 / training.classes:.1%}. "
        "Diverged: the loss was not finite at some epoch.",
        about,
        n=f"{len(full)} trainings",
        runs=list(dict.fromkeys(full["run"])),
    )
    return write_table(full, shown, folder, ID, text, about.origin())


def final_rows(curves: pd.DataFrame) -> pd.DataFrame:
    """One row per run and seed: its last epoch and its best one."""
    rows = [_final(own) for _, own in curves.groupby(["run", "seed"], sort=False)]
    return pd.DataFrame(
        rows, columns=["run", "seed", "epoch", *SHARES, "best_test_top1", "best_epoch", "diverged"]
    )


def _final(own: pd.DataFrame) -> dict[str, object]:
    last = own.iloc[int(np.argmax(own["epoch"]))]
    best = own.iloc[int(np.nanargmax(own["test_top1"]))] if own["test_top1"].notna().any() else last
    return {
        **{name: last[name] for name in ("run", "seed", "epoch", *SHARES)},
        "best_test_top1": best["test_top1"],
        "best_epoch": best["epoch"],
        "diverged": bool(own["diverged"].any()),
    }
