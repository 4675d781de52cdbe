"""Alignment and discovery: regions of one map where models meet, and the map under three ways of training."""

from dataclasses import dataclass, replace

import pandas as pd
from matplotlib.figure import Figure

from evoscope.arrays import Bytes
from evoscope.figure_data import Alignment, NeuronMap, TrainingCurves
from evoscope.viz import Limits, Sheet, circles, colour_of, label_of, map_limits, message, patch_grid, points
from evoscope.viz.charts import epoch_name
from evoscope.viz.maps import spots
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import LARGE, NORMAL, QUIET, SMALL, wrap
from results.page_style import (
    base_of,
    caption,
    doubles,
    exhibit,
    map_panel,
    percent,
    placed,
    run_heading,
    spread,
    status_counts,
)
from results.registry import About, Exhibits, figure

# --- figure: alignment -----------------------------------------------------------------------------------------------

SHOWN = 3  # patches per neuron
# Inches.
MARGIN, MAP, HEADING, REGION, BETWEEN, WORDS, GAP = 0.07, 1.78, 0.34, 1.58, 0.13, 0.31, 0.16
STRIP = REGION / SHOWN
REGIONS_LEFT = MARGIN + MAP + 0.2


@dataclass(frozen=True)
class Row:
    """One model at one epoch."""

    run: str
    epoch: int
    base: bool


def alignment_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    neurons, alignment = exhibit(exhibits, "map", NeuronMap), exhibit(exhibits, "alignment", Alignment)
    rows = model_rows(neurons.neurons, alignment.members)
    shown = sum(len(_of(neurons.neurons, row)) for row in rows)
    chosen = "chosen" in alignment.regions
    where = "that were chosen by hand on the map" if chosen else "where neurons of several models meet"
    what = (
        "Each row is one model: its neurons in colour over the base model's in grey, in the same two-dimensional map "
        f"({neurons.method.upper()}, fitted on the base model). Circles mark regions {where}; on the right, the "
        "image patches that excite each model's neurons there most, with layer#channel and the concept the neuron "
        "answers to, where it has a clear one."
    )
    runs = list(dict.fromkeys(row.run for row in rows))
    return caption(what, about, n=f"{shown:,} neurons of {len(rows)} models", runs=runs)


@figure(
    "fig_alignment",
    title="Neurons of different models in one semantic space",
    reads=("map", "alignment"),
    words=alignment_words,
    paper="ConceptEvo",
    shows="regions of one map where models meet, with example patches",
    place=10,
)
def alignment_figure(exhibits: Exhibits, about: About) -> Figure:
    """One row per model: its map with circled regions, and what excites its neurons there."""
    neurons, alignment = exhibit(exhibits, "map", NeuronMap).neurons, numbered(exhibits)
    rows = model_rows(neurons, alignment.members)
    height = max(MAP, most_neurons(alignment.members) * (STRIP + WORDS) - 0.06)
    regions = max(len(alignment.regions), 1)
    sheet = Sheet(REGIONS_LEFT + regions * (REGION + BETWEEN), len(rows) * (HEADING + height + GAP) + 0.05)
    limits = map_limits(doubles(neurons["x"]), doubles(neurons["y"]))
    for place, row in enumerate(rows):
        top = 0.05 + place * (HEADING + height + GAP)
        _map(sheet, top, row, neurons, alignment, limits)
        _regions(sheet, top, row, alignment, titled=place == 0)
    return sheet.figure


def numbered(exhibits: Exhibits) -> Alignment:
    """The exhibit with its members numbered as their patches are."""
    alignment = exhibit(exhibits, "alignment", Alignment)
    return replace(alignment, members=alignment.members.reset_index(drop=True))


def model_rows(neurons: pd.DataFrame, members: pd.DataFrame) -> list[Row]:
    """The base model, then every other model that has members, in the order of the exhibit."""
    rows = [Row(str(run), int(epoch), True) for run, epoch in _pairs(base_of(neurons))]
    known = {(row.run, row.epoch) for row in rows}
    return rows + [
        Row(str(run), int(epoch), False) for run, epoch in _pairs(members) if (run, epoch) not in known
    ]


def _pairs(frame: pd.DataFrame) -> list[tuple[str, int]]:
    return list(frame[["run", "epoch"]].drop_duplicates().itertuples(index=False, name=None))


def most_neurons(members: pd.DataFrame) -> int:
    """Largest number of neurons that one model has in one region (at least one)."""
    return int(members.groupby(["region", "run", "epoch"]).size().max()) if len(members) else 1


def _of(frame: pd.DataFrame, row: Row) -> pd.DataFrame:
    return frame[(frame["run"] == row.run) & (frame["epoch"] == row.epoch)]


def _map(
    sheet: Sheet, top: float, row: Row, neurons: pd.DataFrame, alignment: Alignment, limits: Limits
) -> None:
    own, colour = _of(neurons, row), colour_of(row.run)
    seen = int(placed(own).sum())
    sheet.text(
        MARGIN, top, label_of(row.run) + (" (base)" if row.base else ""), room=MAP, size=LARGE, bold=True
    )
    state = f"{epoch_name(row.epoch)} · {seen:,} of {len(own):,} placed"
    sheet.text(MARGIN, top + 0.165, state, room=MAP, size=SMALL, color=QUIET)
    base = None if row.base else base_of(neurons)
    axes = map_panel(sheet, MARGIN, top + HEADING, MAP, limits, base)
    points(axes, doubles(own["x"]), doubles(own["y"]), colour)
    if not seen:
        message(axes, "\n".join(["no neuron placed:", *status_counts(own)]))
    circles(axes, alignment.regions)
    members = _of(alignment.members, row)
    spots(axes, doubles(members["x"]), doubles(members["y"]), colour)


def _regions(sheet: Sheet, top: float, row: Row, alignment: Alignment, titled: bool) -> None:
    if alignment.regions.empty:
        sheet.text(REGIONS_LEFT, top + HEADING, "no region found", room=REGION, color=QUIET)
    for place, region in enumerate(alignment.regions.itertuples()):
        left = REGIONS_LEFT + place * (REGION + BETWEEN)
        if titled:
            sheet.text(left, top, str(region.region), size=LARGE, bold=True)
            sheet.text(left + 0.16, top + 0.015, wrap(str(region.title), REGION - 0.16, NORMAL, 2))
        members = _of(alignment.members, row)
        _neurons(sheet, left, top + HEADING, members[members["region"] == region.region], alignment.patches)


def _neurons(sheet: Sheet, left: float, top: float, members: pd.DataFrame, patches: Bytes) -> None:
    """Strips of one model's neurons in one region; ``members`` keeps the row numbers of the patches."""
    if members.empty:
        sheet.text(left, top + 0.2, "no neuron of this model here", room=REGION, size=SMALL, color=QUIET)
    for place, number in enumerate(members.index.to_numpy(dtype=int)):
        low, neuron = top + place * (STRIP + WORDS), members.iloc[place]
        shown = patches[number, :SHOWN]
        width = STRIP * max(len(shown), 1)
        patch_grid(sheet.axes(left, low, width, STRIP), shown, max(len(shown), 1), colour_of(neuron["run"]))
        name = f"{neuron['layer']}#{neuron['channel']}"
        sheet.text(left, low + STRIP + 0.025, name, room=REGION, size=SMALL, cut="middle")
        sheet.text(left, low + STRIP + 0.125, neuron["concept"], room=REGION, size=SMALL, color=QUIET)


# --- figure: discovery -----------------------------------------------------------------------------------------------

STORY = ("vgg16", "vgg16_large_lr", "vgg16_no_dropout")
EPOCHS = 4  # most that are shown
FIXED = "\u00a0"  # a space at which no line is broken
# Inches.
PANEL, PANEL_GAP, PANEL_HEADING, PANEL_WORDS = 1.68, 0.113, 0.38, 0.44
ROW = PANEL_HEADING + PANEL + PANEL_WORDS + 0.1


def discovery_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
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
    return caption(what, about, n=n or "no run", runs=runs)


@figure(
    "fig_discovery",
    title="Concepts under three ways of training",
    reads=("map", "training"),
    words=discovery_words,
    paper="ConceptEvo",
    shows="the map under three ways of training VGG16",
    place=20,
)
def discovery_figure(exhibits: Exhibits, about: About) -> Figure:
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
            left = MARGIN + column * (PANEL + PANEL_GAP)
            _panel(sheet, left, top, neurons, run, epoch, limits)
            accuracy = accuracy_line(curves, run, epoch)
            sheet.text(left, top + PANEL_HEADING + PANEL + 0.04, accuracy, room=PANEL, size=NORMAL)
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
    axes = map_panel(sheet, left, top + PANEL_HEADING, PANEL, limits, base_of(neurons))
    points(axes, doubles(own["x"]), doubles(own["y"]), colour_of(run))
    counts = status_counts(own)
    if not placed(own).any():
        message(axes, "\n".join(["no neuron placed:", *counts]))
    state = f"{FIXED}· ".join(count.replace(" ", FIXED) for count in counts or [f"all {len(own):,} placed"])
    line = wrap(state, PANEL, SMALL, lines=2)
    sheet.text(left, top + PANEL_HEADING + PANEL + 0.165, line, size=SMALL, color=QUIET)
