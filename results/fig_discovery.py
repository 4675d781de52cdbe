"""Discovery: how the map fills, empties or stands still under three ways of training one architecture."""

import pandas as pd
from matplotlib.figure import Figure

from evoscope.figure_data import NeuronMap, TrainingCurves
from evoscope.viz import Limits, Sheet, colour_of, label_of, map_limits, message, points
from evoscope.viz.charts import epoch_name
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import NORMAL, QUIET, SMALL, wrap
from results.about import About, caption
from results.drawing import base_of, map_panel
from results.headings import run_heading
from results.reading import Exhibits, doubles, exhibit, percent, placed, spread, status_counts

ID = "fig_discovery"
TITLE = "Concepts under three ways of training"
READS: tuple[str, ...] = ("map", "training")

STORY = ("vgg16", "vgg16_large_lr", "vgg16_no_dropout")
EPOCHS = 4
FIXED = "\u00a0"  # a space at which no line is broken
# Inches.
MARGIN, PANEL, BETWEEN, HEADING, WORDS = 0.07, 1.68, 0.113, 0.38, 0.44
ROW = HEADING + PANEL + WORDS + 0.1


def figure(exhibits: Exhibits, about: About) -> Figure:
    """Arrange a row per run, a panel per epoch, accuracies and the neurons' health under each."""
    neurons = exhibit(exhibits, "map", NeuronMap).neurons
    curves = one_seed(exhibit(exhibits, "training", TrainingCurves).curves, about.seed)
    runs = story_runs(neurons)
    sheet = Sheet(PAGE, max(len(runs), 1) * ROW)
    limits = map_limits(doubles(neurons["x"]), doubles(neurons["y"]))
    if not runs:
        sheet.text(MARGIN, 0.1, "the map holds no model besides the base", color=QUIET)
    for place, run in enumerate(runs):
        top = 0.05 + place * ROW
        run_heading(sheet, MARGIN, top, run, about)
        for column, epoch in enumerate(shown_epochs(neurons, run)):
            left = MARGIN + column * (PANEL + BETWEEN)
            _panel(sheet, left, top, neurons, run, epoch, limits)
            accuracy = accuracy_line(curves, run, epoch)
            sheet.text(left, top + HEADING + PANEL + 0.04, accuracy, room=PANEL, size=NORMAL)
    return sheet.figure


def story_runs(neurons: pd.DataFrame) -> list[str]:
    """Return the three VGG16 runs; where the map has none of them, every run but the base."""
    present = list(dict.fromkeys(neurons.loc[~neurons["base"], "run"]))
    return [run for run in STORY if run in present] or present


def shown_epochs(neurons: pd.DataFrame, run: str) -> list[int]:
    """At most four epochs of a run."""
    return spread([int(epoch) for epoch in neurons.loc[neurons["run"] == run, "epoch"].unique()], EPOCHS)


def one_seed(curves: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Of every run the rows of ``seed``, or of its first seed where it was not trained with that one."""
    kept = [
        rows[rows["seed"] == (seed if seed in set(rows["seed"]) else rows["seed"].iloc[0])]
        for _, rows in curves.groupby("run", sort=False)
    ]
    return pd.concat(kept) if kept else curves


def accuracy_line(curves: pd.DataFrame, run: str, epoch: int) -> str:
    """``train 62 %   test 55 %`` of a run at an epoch, nothing where it is not recorded."""
    rows = curves[(curves["run"] == run) & (curves["epoch"] == epoch)]
    if rows.empty:
        return "accuracy not recorded"
    row = rows.iloc[0]
    line = f"train {percent(row['train_top1'])} · test {percent(row['test_top1'])}"
    return line + (" · diverged" if bool(row["diverged"]) else "")


def _panel(
    sheet: Sheet, left: float, top: float, neurons: pd.DataFrame, run: str, epoch: int, limits: Limits
) -> None:
    own = neurons[(neurons["run"] == run) & (neurons["epoch"] == epoch)]
    sheet.text(left, top + 0.215, epoch_name(epoch), room=PANEL)
    axes = map_panel(sheet, left, top + HEADING, PANEL, limits, base_of(neurons))
    points(axes, doubles(own["x"]), doubles(own["y"]), colour_of(run))
    counts = status_counts(own)
    if not placed(own).any():
        message(axes, "\n".join(["no neuron placed:", *counts]))
    state = f"{FIXED}· ".join(count.replace(" ", FIXED) for count in counts or [f"all {len(own):,} placed"])
    line = wrap(state, PANEL, SMALL, lines=2)
    sheet.text(left, top + HEADING + PANEL + 0.165, line, size=SMALL, color=QUIET)


def words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure."""
    neurons = exhibit(exhibits, "map", NeuronMap)
    runs = story_runs(neurons.neurons)
    what = (
        "Each row is one run at some of its epochs: its neurons in colour over the base model's in grey "
        f"({neurons.method.upper()} fitted on the base model). Below, accuracy on training and test images, "
        "and the neurons that are dead (never above zero), constant, non-finite, or unplaced because the base "
        "model covers none of their stimuli."
    )
    sizes = [
        len(neurons.neurons[neurons.neurons["run"] == run].drop_duplicates(["layer", "channel"]))
        for run in runs
    ]
    n = ", ".join(f"{size:,} neurons of {label_of(run)}" for run, size in zip(runs, sizes, strict=True))
    return caption(TITLE, what, about, n=n or "no run", runs=runs)
