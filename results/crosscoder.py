"""Concepts over training by a crosscoder: when entries of one dictionary over all epochs are born, turn and die."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.discovery.dictionaries import PRESENT, TURNED
from evoscope.figure_data import NEVER, Crosscoder
from evoscope.viz import Sheet, colour_of, interval_curve, label_of
from evoscope.viz.charts import epoch_axis, epoch_name
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import LARGE, QUIET, SMALL
from results.page_style import (
    HEADING,
    NOTHING,
    caption,
    doubles,
    exhibit,
    interval_column,
    layer_heading,
    layers_of,
    markdown,
    model_column,
    percent,
    runs_of,
)
from results.registry import About, Exhibits, Written, figure, table

INTERVAL = "95 %, bootstrap over held-out images"
# Inches.
LEFT, WIDTH, BETWEEN, NAMES, HEIGHT, AXIS = 0.5, 2.9, 0.6, 0.2, 1.6, 0.42


def crosscoder_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    found = exhibit(exhibits, "crosscoder", Crosscoder)
    what = (
        "One sparse dictionary per network: an image has one code, which every epoch decodes by directions of its own. "
        "Left: length of each entry's decoder at each epoch, as a share of its longest (dark: 1), entries sorted by "
        f"birth and death; an entry is there from the first to the last epoch at which the share reaches {PRESENT}. A "
        f"white tick marks where it turns: the cosine to the epoch before is below {TURNED}. Right: share of the "
        "variance of held-out images that the codes explain at each epoch. Entries that no image uses are left out."
    )
    return caption(what, about, n=f"{len(found.entries):,} entries", interval=INTERVAL, runs=runs_of(found.entries))


def crosscoder_finding(exhibits: Exhibits, about: About) -> str:
    """How many entries are there from the first epoch to the last."""
    found = exhibit(exhibits, "crosscoder", Crosscoder)
    parts = []
    for own in layers_of(found.entries):
        epochs = found.steps.loc[found.steps["run"] == own["run"].iloc[0], "epoch"]
        whole = int(((own["birth"] <= epochs.min()) & (own["death"] >= epochs.max())).sum())
        parts.append(f"{whole} of {len(own)} ({label_of(str(own['run'].iloc[0]))})")
    return f"Dictionary entries that are there at every epoch: {', '.join(parts)}" if parts else ""


@figure(
    "fig_crosscoder",
    title="Concepts over training by one dictionary over all epochs",
    reads=("crosscoder",),
    says=crosscoder_finding,
    words=crosscoder_words,
    paper="Evoscope",
    shows="births, turns and deaths of dictionary entries over training",
    place=215,
)
def crosscoder_figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per run: decoder lengths on the left, explained variance on the right."""
    found = exhibit(exhibits, "crosscoder", Crosscoder)
    blocks = list(layers_of(found.entries))
    each = HEADING + NAMES + HEIGHT + AXIS
    sheet = Sheet(PAGE, max(len(blocks), 1) * each + 0.1)
    if not blocks:
        sheet.text(0.07, 0.1, NOTHING, color=QUIET)
    for place, entries in enumerate(blocks):
        top, run = 0.05 + place * each, str(entries["run"].iloc[0])
        layer_heading(sheet, 0.07, top, entries, about, f", {len(entries)} entries in use")
        sheet.text(LEFT, top + HEADING, "Length of the decoders", size=LARGE, bold=True)
        sheet.text(LEFT + WIDTH + BETWEEN, top + HEADING, "Variance explained", size=LARGE, bold=True)
        below = top + HEADING + NAMES
        steps = found.steps[found.steps["run"] == run]
        _lengths(sheet.axes(LEFT, below, WIDTH, HEIGHT), entries, steps)
        summary = found.summary[found.summary["run"] == run]
        axes = sheet.axes(LEFT + WIDTH + BETWEEN, below, WIDTH, HEIGHT)
        x, value, low, high = (doubles(summary[name]) for name in ("epoch", "explained", "low", "high"))
        interval_curve(axes, x, value, low, high, colour_of(run))
        epoch_axis(axes, int(x.min()), int(x.max()))
        axes.set_ylim(min(0.0, float(np.nanmin(low))), 1)
        axes.set_xlabel("epoch", size=SMALL)
    return sheet.figure


def _lengths(axes: Axes, entries: pd.DataFrame, steps: pd.DataFrame) -> None:
    order = entries.sort_values(["birth", "death", "entry"])
    epochs = sorted(steps["epoch"].unique())
    shown = steps.pivot_table(index="entry", columns="epoch", values="norm").loc[order["entry"], epochs]
    axes.imshow(shown.to_numpy(), cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    turned = order["turn"].to_numpy()
    for row in np.flatnonzero(turned != NEVER):
        column = epochs.index(turned[row])
        axes.plot([column - 0.5] * 2, [row - 0.5, row + 0.5], color="white", lw=1.4)
    axes.set_xticks(range(len(epochs)), ["init" if epoch < 0 else str(epoch) for epoch in epochs])
    axes.set_yticks([])
    axes.set_xlabel("epoch", size=SMALL)
    axes.set_ylabel("entries", size=SMALL)


@table(
    "table_crosscoder",
    title="Concepts that are born, turn and die over training, by a crosscoder",
    reads=("crosscoder",),
    paper="Evoscope",
    shows="births, turns and deaths of dictionary entries over training",
    place=285,
)
def crosscoder_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every entry) and text of the Markdown (a line per run and epoch)."""
    found = exhibit(exhibits, "crosscoder", Crosscoder)
    what = (
        "Entries of one sparse dictionary over all epochs: how many are there, were born, turned and died, and how "
        "much of the variance of held-out images they explain. The CSV has every entry, with the concept that its code "
        "tells best on images that it was not chosen on."
    )
    above = caption(what, about, n=f"{len(found.entries):,} entries", interval=INTERVAL, runs=runs_of(found.entries))
    return found.entries, [above, markdown(readable(found))]


def readable(found: Crosscoder) -> pd.DataFrame:
    """One line per run and epoch."""
    rows = found.summary
    named = found.entries.groupby("run")["concept"].agg(lambda names: percent(float((names != "").mean())))
    return pd.DataFrame(
        {
            "model": model_column(rows["run"]),
            "epoch": [epoch_name(int(epoch)) for epoch in rows["epoch"]],
            "there": rows["present"],
            "born": rows["born"],
            "turned": rows["turned"],
            "died": rows["died"],
            "explained": interval_column(rows, "explained", "low", "high"),
            "used by an image": rows["active"].map("{:.1f}".format),
            "never used": rows["dead"],
            "with a known concept": rows["run"].map(named),
        }
    )
