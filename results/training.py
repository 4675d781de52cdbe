"""Training: accuracy of every run at every epoch, what each run reached, and whether it behaves as published."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.arrays import Doubles
from evoscope.figure_data import TrainingCurves
from evoscope.viz import Sheet, accuracy_curves, colour_of, family_of, label_of, level_line, mark_points
from evoscope.viz.charts import epoch_axis
from evoscope.viz.sheet import PAGE, Dashes
from evoscope.viz.style import LARGE, QUIET, SMALL, elide, look_of, width_of
from results.page_style import caption, exhibit, interval_column, learnt_anything, markdown, percent, rows_of, runs_of
from results.registry import About, Exhibits, Written, figure, table

# --- figure: training ------------------------------------------------------------------------------------------------

ACROSS = 4  # panels per row
NARROWEST = 4.6  # page, in inches
# Inches.
LEFT, PANEL, PITCH, HEADING, HEIGHT, AXIS, LINE = 0.42, 1.45, 1.66, 0.22, 1.45, 0.42, 0.135


def training_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    curves = exhibit(exhibits, "training", TrainingCurves).curves
    runs = runs_of(curves)
    what = (
        "Top-1 accuracy on test images (solid) and training images (dashed) at every epoch; init is before training. "
        "Dotted: chance. Crosses: epochs whose loss was not finite."
    )
    seeds = curves.groupby("run")["seed"].nunique()
    interval = "none; thin lines are single seeds, thick lines their mean" if (seeds > 1).any() else "none, one seed"
    return caption(what, about, n=f"{len(runs)} runs, {_seeds(seeds)} each", runs=runs, interval=interval)


def training_finding(exhibits: Exhibits, about: About) -> str:
    """Test accuracy of every run after training, and what chance is."""
    training = exhibit(exhibits, "training", TrainingCurves)
    ends = reached(training.curves)
    if ends.empty:
        return ""
    best, worst = str(ends.idxmax()), str(ends.idxmin())
    text = f"After training, {label_of(best)} tells {percent(float(ends[best]))} of the test images"
    if best != worst:
        text += f" and {label_of(worst)} {percent(float(ends[worst]))}"
    return f"{text}; chance is {percent(1 / training.classes)}"


def reached(curves: pd.DataFrame) -> "pd.Series[float]":
    """Test accuracy at each run's last epoch, mean over its seeds; runs without any are left out."""
    last = curves.sort_values("epoch").groupby(["run", "seed"], sort=False)["test_top1"].last()
    return last.groupby("run", sort=False).mean().dropna()


@figure(
    "fig_training",
    title="Accuracy over the epochs of training",
    reads=("training",),
    says=training_finding,
    words=training_words,
    paper="ConceptEvo",
    shows="accuracy of every run at every epoch",
    place=60,
)
def training_figure(exhibits: Exhibits, about: About) -> Figure:
    """A panel per family of networks, all on the same axes."""
    training = exhibit(exhibits, "training", TrainingCurves)
    families = runs_by_family(training.curves)
    legend, ends = LINE * max([1, *map(len, families.values())]), reached(training.curves)
    pitch = HEADING + HEIGHT + AXIS + legend + 0.12
    width = PAGE if len(families) >= ACROSS else max(LEFT + len(families) * PITCH, NARROWEST)
    sheet = Sheet(width, -(-max(len(families), 1) // ACROSS) * pitch + 0.3)
    for place, (family, runs) in enumerate(families.items()):
        row, column = divmod(place, ACROSS)
        left, top = LEFT + column * PITCH, 0.05 + row * pitch
        sheet.text(left, top, family, room=PANEL, size=LARGE, bold=True)
        axes = sheet.axes(left, top + HEADING, PANEL, HEIGHT)
        _panel(axes, training, runs, labelled=column == 0)
        _legend(sheet, left, top + HEADING + HEIGHT + AXIS, runs, ends)
    _key(sheet, sheet.height - 0.2, training.classes)
    return sheet.figure


def runs_by_family(curves: pd.DataFrame) -> dict[str, list[str]]:
    """Runs of each family, in the order of the exhibit."""
    families: dict[str, list[str]] = {}
    for run in dict.fromkeys(curves["run"]):
        families.setdefault(family_of(run), []).append(run)
    return families


def _panel(axes: Axes, training: TrainingCurves, runs: list[str], labelled: bool) -> None:
    level_line(axes, 100 / training.classes)
    for run in runs:
        rows = training.curves[training.curves["run"] == run]
        train, test = by_seed(rows, "train_top1"), by_seed(rows, "test_top1")
        epochs = train.columns.to_numpy(dtype=float)
        accuracy_curves(axes, epochs, values(train), values(test), colour_of(run))
        broken = rows[rows["diverged"].astype(bool)]
        mark_points(
            axes, broken["epoch"].to_numpy(dtype=float), broken["test_top1"].to_numpy(dtype=float), colour_of(run)
        )
    epoch_axis(axes, int(training.curves["epoch"].min()), int(training.curves["epoch"].max()))
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 25, 50, 75, 100], None if labelled else [""] * 5)
    axes.grid(axis="y")
    axes.set_xlabel("epoch")
    if labelled:
        axes.set_ylabel("top-1 accuracy, %")


def by_seed(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row per seed, one column per epoch."""
    return rows.pivot_table(index="seed", columns="epoch", values=column, dropna=False)


def values(frame: pd.DataFrame) -> Doubles:
    """A frame of numbers as float64."""
    return frame.to_numpy(dtype=np.float64)


def _legend(sheet: Sheet, left: float, top: float, runs: list[str], ends: "pd.Series[float]") -> None:
    """Names of the runs with the test accuracy that they reach."""
    for place, run in enumerate(runs):
        low = top + place * LINE
        sheet.swatch(left, low, colour_of(run))
        name = look_of(run).variant or label_of(run)
        known = f" ({percent(float(ends[run]))})" if run in ends else ""
        name = elide(name, PITCH - 0.3 - width_of(known, SMALL), SMALL)
        sheet.text(left + 0.26, low, name + known, size=SMALL)


def _key(sheet: Sheet, top: float, classes: int) -> None:
    """Say along the bottom what the lines mean."""
    left = LEFT
    dashes: tuple[tuple[Dashes, str], ...] = (
        ("-", "test"),
        ("dashed", "training"),
        ("dotted", f"chance, {100 / classes:.3g} %"),
    )
    for dash, text in dashes:
        sheet.swatch(left, top, QUIET, dashes=dash)
        sheet.text(left + 0.26, top, text, size=SMALL, color=QUIET)
        left += 0.26 + width_of(text, SMALL) + 0.25
    sheet.swatch(left, top, QUIET, marker="X")
    sheet.text(left + 0.12, top, "loss not finite (diverged)", size=SMALL, color=QUIET)


def _seeds(seeds: "pd.Series[int]") -> str:
    low, high = (int(seeds.min()), int(seeds.max())) if len(seeds) else (0, 0)
    return f"{low} seed{'s' * (low != 1)}" if low == high else f"{low} to {high} seeds"


# --- table: training -------------------------------------------------------------------------------------------------

SHARES = ("train_top1", "train_top5", "test_top1", "test_top5")


def finding(rows: pd.DataFrame) -> str:
    """Test accuracy of every network at its last epoch, mean over its seeds."""
    means = rows.groupby("run", sort=False)["test_top1"].mean().dropna()
    if means.empty:
        return ""
    listed = ", ".join(f"{label_of(str(run))} {percent(float(value))}" for run, value in means.items())
    return f"Test accuracy after training: {listed}."


@table(
    "table_training",
    title="Accuracy after training",
    reads=("training",),
    paper="ConceptEvo",
    shows="accuracy after training",
    place=170,
    finding=finding,
)
def training_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV and text of the Markdown."""
    training = exhibit(exhibits, "training", TrainingCurves)
    full = final_rows(training.curves)
    shown = full.assign(
        run=[label_of(run) for run in full["run"]],
        diverged=np.where(full["diverged"], "yes", "no"),
        **{name: [percent(share) for share in full[name]] for name in (*SHARES, "best_test_top1")},
    )
    shown.columns = [
        str(name).replace("_", " ").replace("top1", "top-1").replace("top5", "top-5") for name in shown.columns
    ]
    text = caption(
        f"Accuracy at the last epoch, and the best test accuracy with its epoch; chance is {1 / training.classes:.1%}. "
        "Diverged: the loss was not finite at some epoch.",
        about,
        n=f"{len(full)} trainings",
        runs=runs_of(full),
    )
    return full, [text, markdown(shown)]


def final_rows(curves: pd.DataFrame) -> pd.DataFrame:
    """One row per run and seed: its last epoch and its best one."""
    rows = [_final(own) for _, own in curves.groupby(["run", "seed"], sort=False)]
    return pd.DataFrame(rows, columns=["run", "seed", "epoch", *SHARES, "best_test_top1", "best_epoch", "diverged"])


def _final(own: pd.DataFrame) -> dict[str, object]:
    last = own.iloc[int(np.argmax(own["epoch"]))]
    best = own.iloc[int(np.nanargmax(own["test_top1"]))] if own["test_top1"].notna().any() else last
    return {
        **{name: last[name] for name in ("run", "seed", "epoch", *SHARES)},
        "best_test_top1": best["test_top1"],
        "best_epoch": best["epoch"],
        "diverged": bool(own["diverged"].any()),
    }


# --- table: behaviour ------------------------------------------------------------------------------------------------

COLUMNS = ("criterion", "run", "seed", "value", "low", "high", "holds", "statement")


BEHAVIOURS = {
    "learns": "learns well",
    "gradual": "learns gradually",
    "gap difference": "overfits more than with dropout",
}


def behaviour_finding(rows: pd.DataFrame) -> str:
    """In how many seeds each published behaviour is seen; only what was learnt can collapse."""
    seeds = rows[rows["seed"] >= 0]
    lost = (seeds["criterion"] == "collapses") & ~seeds["statement"].astype(str).map(learnt_anything).astype(bool)
    counts = seeds[~lost].groupby(["run", "criterion"], sort=False)["holds"].agg(["sum", "count"])
    if counts.empty:
        return ""
    listed = "; ".join(
        f"{label_of(str(run))} {BEHAVIOURS.get(str(criterion), criterion)} in {held} of {of} seeds"
        for (run, criterion), (held, of) in zip(counts.index, counts.astype(int).to_numpy(), strict=True)
    )
    nothing = f" ({int(lost.sum())} more learnt nothing that could be lost)" if lost.any() else ""
    return f"{listed}{nothing}."


@table(
    "table_behaviour",
    title="Do the runs behave as published?",
    reads=("behaviour",),
    paper="ConceptEvo",
    shows="whether the runs behave as published",
    place=130,
    finding=behaviour_finding,
)
def behaviour_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV and text of the Markdown."""
    rows = rows_of(exhibits, "behaviour", COLUMNS)
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
        f"Well trained, collapse and overfitting by measured criteria: {held} of {len(rows)} hold.",
        about,
        n=f"{rows.loc[rows['seed'] >= 0, 'seed'].nunique()} seeds",
        runs=runs_of(rows),
        interval="95 %, where a criterion has one",
    )
    return rows, [text, markdown(shown)]
