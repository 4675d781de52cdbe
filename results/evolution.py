"""Evolution: what excites a neuron at each epoch, the way it takes through the map, and how its concept forms."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.activations.stimuli import Status
from evoscope.arrays import Doubles
from evoscope.figure_data import Evolution, NeuronMap
from evoscope.viz import Sheet, colour_of, label_of, map_limits, message, patch_grid, path
from evoscope.viz.charts import epoch_name
from evoscope.viz.sheet import PAGE, TALLEST
from evoscope.viz.style import LARGE, NORMAL, QUIET, SMALL, elide, look_of, width_of
from results.page_style import STATUS_NAMES, base_of, caption, doubles, exhibit, full_name, map_panel, runs_of, spread
from results.registry import About, Exhibits, figure

EPOCHS, STRIPS, PATCHES, ACROSS = 6, 4, 4, 2  # most that are shown; patches in a row
UNCLEAR = "no clear concept"
# Inches.
MARGIN, LEFT, BETWEEN, HEADING, NAMES, GAP, WIDEST, CURVE = 0.07, 1.02, 0.1, 0.2, 0.14, 0.12, 1.36, 0.36


def evolution_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    evolution = exhibit(exhibits, "evolution", Evolution)
    steps, drawn = evolution.steps, list(strips(evolution.steps))
    what = (
        "Each strip is one neuron. Left: its way through the map over the epochs, from the open ring to the full dot, "
        "over the base model's neurons in grey. Then, epoch by epoch, the image patches that excite it most. Below: "
        f"how well it tells the concept that is named, at every epoch ({measure_words(steps)}). The neurons are those "
        "whose concept forms most, of different concepts: examples, not the rule; their names are "
        + ", ".join(f"{own['layer'].iloc[0]}#{own['channel'].iloc[0]}" for own in drawn)
        + "."
    )
    epochs = [len(rows["epoch"].unique()) for _, rows in steps.groupby("run")]
    if epochs and max(epochs) > EPOCHS:
        what += f" Patches of {EPOCHS} of {max(epochs)} epochs are shown; ways and curves pass through all of them."
    n = f"{len(drawn)} neurons, {min(evolution.patches.shape[1], PATCHES)} patches each"
    return caption(what, about, n=n, runs=runs_of(steps))


def measure_words(steps: pd.DataFrame) -> str:
    """What the curve is: ``held-out AUC; dotted: chance`` or a share of the stimuli."""
    by = str(steps["by"].iloc[0]) if len(steps) else ""
    return {
        "AUC": "AUC on images that it was not chosen on; dotted: chance",
        "share": "share of its ten most exciting images that are of the class",
    }.get(by, "not known")


def evolution_finding(exhibits: Exhibits, about: About) -> str:
    """How the concept of the first neuron forms."""
    evolution = exhibit(exhibits, "evolution", Evolution)
    first = next(strips(evolution.steps), None)
    if first is None or not first["measured"].iloc[0] or not np.isfinite(first["value"].iloc[-1]):
        return ""
    whose = f"A neuron of {label_of(str(first['run'].iloc[0]))}"
    return f"{whose} comes to look for {plain_name(first)}: {values_words(first)}"


def plain_name(neuron: pd.DataFrame) -> str:
    """The concept that a neuron is measured by, without its family."""
    return str(neuron["measured"].iloc[0]).rpartition(":")[2]


def values_words(neuron: pd.DataFrame) -> str:
    """``AUC 0.52 before training, 0.97 at epoch 6``; of shares, percent."""
    ends = neuron[np.isfinite(doubles(neuron["value"]))].iloc[[0, -1]]
    share = str(neuron["by"].iloc[0]) == "share"
    parts = [f"{100 * value:.0f} %" if share else f"{value:.2f}" for value in map(float, ends["value"])]
    first, last = (epoch_name(int(epoch)) for epoch in ends["epoch"])
    what = "of its ten most exciting images" if share else ""
    head = "" if share else "AUC "
    return f"{head}{parts[0]} {first if first != 'epoch' else ''}, {parts[1]} {what} at {last}".replace("  ", " ")


@figure(
    "fig_evolution",
    title="Concepts of single neurons over the epochs",
    reads=("evolution", "map"),
    says=evolution_finding,
    words=evolution_words,
    paper="ConceptEvo",
    shows="chosen neurons over the epochs",
    place=30,
)
def evolution_figure(exhibits: Exhibits, about: About) -> Figure:
    """A strip per neuron: its way, a cell of patches per epoch, and the curve of its concept below."""
    evolution = exhibit(exhibits, "evolution", Evolution)
    base = base_of(exhibit(exhibits, "map", NeuronMap).neurons)
    drawn, wide = list(strips(evolution.steps)), width_of_cells(evolution.steps)
    each = strip_height(wide)
    sheet = Sheet(PAGE, max(len(drawn) * each, 0.4))
    if not drawn:
        sheet.text(MARGIN, 0.1, "no neuron was chosen", color=QUIET)
    for place, neuron in enumerate(drawn):
        _strip(sheet, 0.03 + place * each, neuron, evolution, base, wide)
    return sheet.figure


def width_of_cells(steps: pd.DataFrame) -> float:
    """Inches of an epoch's patches, for the run with most epochs."""
    columns = max([1, *(len(shown_epochs(own)) for _, own in steps.groupby("run"))])
    return min((PAGE - LEFT - MARGIN) / columns - BETWEEN, WIDEST)


def strip_height(wide: float) -> float:
    """Inches of a strip."""
    return HEADING + NAMES + wide + CURVE + 0.12 + GAP


def strips(steps: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The neurons that are shown: the first of every run, and further ones of the first runs as the page allows."""
    steps = steps.reset_index(drop=True)
    neurons = [own for _, own in steps.groupby(["run", "layer", "channel"], sort=False)]
    place = {run: number for number, run in enumerate(runs_of(steps))}
    rank = [sum(other["run"].iloc[0] == own["run"].iloc[0] for other in neurons[:n]) for n, own in enumerate(neurons)]
    order = sorted(range(len(neurons)), key=lambda n: (rank[n], place[str(neurons[n]["run"].iloc[0])]))
    kept = sorted(order[: min(STRIPS, int((TALLEST - 0.4) / strip_height(width_of_cells(steps))))])
    yield from (neurons[n].sort_values("epoch") for n in kept)


def shown_epochs(steps: pd.DataFrame) -> list[int]:
    """At most six epochs of a run."""
    return spread([int(epoch) for epoch in steps["epoch"].unique()], EPOCHS)


def _strip(
    sheet: Sheet, top: float, neuron: pd.DataFrame, evolution: Evolution, base: pd.DataFrame, wide: float
) -> None:
    run, epochs = str(neuron["run"].iloc[0]), shown_epochs(neuron)
    _heading(sheet, top, neuron, run)
    top += HEADING
    side = min(wide, LEFT - 0.14)
    x, y = doubles(neuron["x"]), doubles(neuron["y"])
    limits = map_limits(np.concatenate([doubles(base["x"]), x]), np.concatenate([doubles(base["y"]), y]))
    path(map_panel(sheet, MARGIN, top + NAMES, side, limits, base), x, y, colour_of(run))
    sheet.text(MARGIN, top, "way in the map", size=SMALL, color=QUIET)
    for column, epoch in enumerate(epochs):
        left = MARGIN + LEFT + column * (wide + BETWEEN)
        sheet.text(left, top, epoch_name(epoch), room=wide, size=SMALL, color=QUIET)
        _cell(sheet.axes(left, top + NAMES, wide, wide), neuron[neuron["epoch"] == epoch], evolution)
    if np.isfinite(doubles(neuron["value"])).any():
        span = len(epochs) * (wide + BETWEEN) - BETWEEN
        axes = sheet.axes(MARGIN + LEFT, top + NAMES + wide + 0.08, span, CURVE)
        middles = (np.arange(len(epochs)) * (wide + BETWEEN) + wide / 2) / span
        _curve(axes, neuron, np.interp(doubles(neuron["epoch"]), epochs, middles), colour_of(run))


def _heading(sheet: Sheet, top: float, neuron: pd.DataFrame, run: str) -> None:
    """Run and concept in words; layer and channel smallest."""
    name = full_name(look_of(run), run)
    concept = plain_name(neuron) or UNCLEAR
    sheet.swatch(MARGIN, top, colour_of(run), marker="o")
    shown = elide(f"{name}: {concept}", PAGE - 2.2, LARGE, bold=True)
    sheet.text(MARGIN + 0.12, top, shown, size=LARGE, bold=True)
    left = MARGIN + 0.2 + width_of(shown, LARGE, bold=True)
    where = f"{neuron['layer'].iloc[0]}#{neuron['channel'].iloc[0]}"
    room = max(PAGE - left - MARGIN, 0.1)
    sheet.text(left, top + 0.03, where, room=room, size=SMALL, color=QUIET, cut="middle")


def _cell(axes: Axes, step: pd.DataFrame, evolution: Evolution) -> None:
    """Patches of one neuron at one epoch."""
    status = Status(int(step["status"].iloc[0])) if len(step) else None
    if status is not Status.OK:
        message(axes, "not recorded" if status is None else STATUS_NAMES[status])
        return
    shown = evolution.patches[step.index[0], :PATCHES]
    across = min(ACROSS, max(len(shown), 1))
    patch_grid(axes, shown, across, colour_of(str(step["run"].iloc[0])))


def _curve(axes: Axes, neuron: pd.DataFrame, x: Doubles, colour: str) -> None:
    """How well the neuron tells its concept, under the patches of each epoch."""
    value, share = doubles(neuron["value"]), str(neuron["by"].iloc[0]) == "share"
    axes.plot(x, value, color=colour, lw=1.3, marker="o", markersize=3.4, zorder=3)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    least = np.nanmin(np.append(value, 0.0 if share else 0.5))
    axes.set_ylim(float(least) - 0.12, 1.3)
    axes.set_yticks([])
    if not share:
        axes.axhline(0.5, color=QUIET, lw=0.7, linestyle=(0, (1, 1.8)), zorder=0)
    axes.set_ylabel("share" if share else "AUC", rotation=0, size=SMALL, ha="right", va="center", labelpad=4)
    for place in (0, len(value) - 1) if len(value) > 1 else (0,):
        if not np.isfinite(value[place]):
            continue
        text = f"{100 * value[place]:.0f} %" if share else f"{value[place]:.2f}".removeprefix("0")
        axes.annotate(
            text,
            (x[place], value[place]),
            xytext=(0, 4),
            textcoords="offset points",
            size=NORMAL,
            weight="bold",
            ha="center",
        )
