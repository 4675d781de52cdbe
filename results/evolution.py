"""Evolution: what excites chosen neurons at each epoch, and the way they take through the map."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evoscope.activations.stimuli import Status
from evoscope.figure_data import Evolution, NeuronMap
from evoscope.viz import Sheet, colour_of, map_limits, message, patch_grid, path
from evoscope.viz.charts import epoch_name
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import FAINT, QUIET, SMALL, elide, width_of
from results.page_style import (
    STATUS_NAMES,
    base_of,
    caption,
    doubles,
    exhibit,
    map_panel,
    run_heading,
    runs_of,
    spread,
)
from results.registry import About, Exhibits, figure

EPOCHS = 6
NARROWEST = 4.5  # page, in inches
# Inches.
MARGIN, LEFT, BETWEEN, HEADING, WORDS, GAP, WIDEST = 0.07, 1.22, 0.11, 0.4, 0.16, 0.1, 1.1


@dataclass(frozen=True)
class Cells:
    """Size of the pictures: ``columns`` patches in a row, ``width`` x ``height`` inches, on a ``page`` so wide."""

    columns: int
    width: float
    height: float
    page: float


def evolution_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    evolution = exhibit(exhibits, "evolution", Evolution)
    steps = evolution.steps
    number = len(steps.drop_duplicates(["run", "layer", "channel"]))
    what = (
        "Each row is one neuron (layer#channel). Left: its way through the map over the epochs, from the open ring to "
        "the full dot, over the base model's neurons in grey. Then, epoch by epoch, the image patches that excite it "
        "most, the concept it answers to where it has a clear one, and the held-out AUC of the concept it ends with."
    )
    epochs = [len(rows["epoch"].unique()) for _, rows in steps.groupby("run")]
    if epochs and max(epochs) > EPOCHS:
        what += f" Patches of {EPOCHS} of {max(epochs)} epochs are shown; the ways pass through all of them."
    n = f"{number} neurons, {evolution.patches.shape[1]} patches each"
    return caption(what, about, n=n, runs=runs_of(steps))


@figure(
    "fig_evolution",
    title="Concepts of single neurons over the epochs",
    reads=("evolution", "map"),
    words=evolution_words,
    paper="ConceptEvo",
    shows="chosen neurons over the epochs",
    place=30,
)
def evolution_figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per run, a row per neuron, a cell of patches per epoch."""
    evolution = exhibit(exhibits, "evolution", Evolution)
    steps = evolution.steps.reset_index(drop=True)
    base = base_of(exhibit(exhibits, "map", NeuronMap).neurons)
    runs = runs_of(steps)
    cells = cell_size(steps, evolution.patches.shape[1])
    rows = len(steps.drop_duplicates(["run", "layer", "channel"]))
    height = len(runs) * HEADING + rows * (cells.height + WORDS + GAP) + 0.08
    sheet = Sheet(cells.page, max(height, 0.4))
    if steps.empty:
        sheet.text(MARGIN, 0.1, "no neuron was chosen", color=QUIET)
    top = 0.05
    for run in runs:
        top = _block(sheet, top, steps[steps["run"] == run], evolution, base, cells, about)
    return sheet.figure


def cell_size(steps: pd.DataFrame, patches: int) -> Cells:
    """As large as the page allows for the run with most epochs."""
    epochs = max([1, *(len(shown_epochs(rows)) for _, rows in steps.groupby("run"))])
    columns = max(ceil(sqrt(patches)), 1)
    rows = max(ceil(patches / columns), 1)
    width = min((PAGE - LEFT - MARGIN) / epochs - BETWEEN, WIDEST)
    page = max(LEFT + MARGIN + epochs * (width + BETWEEN), NARROWEST)
    return Cells(columns, width, width * rows / columns, page)


def shown_epochs(steps: pd.DataFrame) -> list[int]:
    """At most six epochs of a run."""
    return spread([int(epoch) for epoch in steps["epoch"].unique()], EPOCHS)


def _block(
    sheet: Sheet,
    top: float,
    steps: pd.DataFrame,
    evolution: Evolution,
    base: pd.DataFrame,
    cells: Cells,
    about: About,
) -> float:
    """One run under its heading; returns where the next block begins."""
    run = str(steps["run"].iloc[0])
    epochs = shown_epochs(steps)
    run_heading(sheet, MARGIN, top, run, about)
    for column, epoch in enumerate(epochs):
        sheet.text(_cell_left(column, cells), top + 0.23, epoch_name(epoch), room=cells.width)
    top += HEADING
    for neuron in _neurons(steps):
        _path(sheet, top, neuron, base, cells)
        for column, epoch in enumerate(epochs):
            _cell(sheet, _cell_left(column, cells), top, neuron[neuron["epoch"] == epoch], evolution, cells)
        top += cells.height + WORDS + GAP
    return top


def _neurons(steps: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for _, rows in steps.groupby(["layer", "channel"], sort=False):
        yield rows


def _cell_left(column: int, cells: Cells) -> float:
    return MARGIN + LEFT + column * (cells.width + BETWEEN)


def _path(sheet: Sheet, top: float, neuron: pd.DataFrame, base: pd.DataFrame, cells: Cells) -> None:
    """Small map with the neuron's way through it."""
    x, y = doubles(neuron["x"]), doubles(neuron["y"])
    limits = map_limits(np.concatenate([doubles(base["x"]), x]), np.concatenate([doubles(base["y"]), y]))
    side = min(cells.height, LEFT - 0.2)
    axes = map_panel(sheet, MARGIN, top, side, limits, base)
    path(axes, x, y, colour_of(str(neuron["run"].iloc[0])))
    name = f"{neuron['layer'].iloc[0]}#{neuron['channel'].iloc[0]}"
    sheet.text(MARGIN, top + cells.height + 0.035, name, room=LEFT - 0.06, size=SMALL, cut="middle")


def _cell(
    sheet: Sheet, left: float, top: float, step: pd.DataFrame, evolution: Evolution, cells: Cells
) -> None:
    """Patches of one neuron at one epoch, and what it answers to."""
    axes = sheet.axes(left, top, cells.width, cells.height)
    status = Status(int(step["status"].iloc[0])) if len(step) else None
    if status is not Status.OK:
        message(axes, "not recorded" if status is None else STATUS_NAMES[status])
        return
    row = step.iloc[0]
    patch_grid(axes, evolution.patches[step.index[0]], cells.columns, colour_of(row["run"]))
    concept, score = concept_words(str(row["concept"]), float(row["auc"]), cells.width)
    known = bool(row["concept"])
    low = top + cells.height + 0.035
    sheet.text(left, low, concept, size=SMALL, color=None if known else FAINT)
    sheet.text(left + cells.width, low, score, size=SMALL, color=QUIET, across="right")


def concept_words(concept: str, auc: float, room: float) -> tuple[str, str]:
    """Concept and AUC that fit side by side into ``room`` inches; empty where unknown."""
    score = f"{auc:.2f}".removeprefix("0") if np.isfinite(auc) else ""
    taken = width_of(score, SMALL) + 0.06 if score else 0.0
    return elide(concept or ("unclear" if score else ""), room - taken, SMALL), score
