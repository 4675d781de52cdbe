"""The spectrum of a layer, and how near its singular directions lie to single neurons."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from evoscope.arrays import Doubles
from evoscope.discovery.basis import ALIGNED
from evoscope.viz import Sheet, colour_of, label_of, remark
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, INK, LARGE, QUIET, SMALL
from results.page_style import (
    HEADING,
    LAYER,
    NOTHING,
    caption,
    doubles,
    layer_heading,
    layers_of,
    markdown,
    methods_of,
    percent,
    rows_of,
    runs_of,
)
from results.registry import About, Exhibits, Written, figure, table

# --- figure: concept spectrum ----------------------------------------------------------------------------------------

COLUMNS = ("run", "layer", "index", "singular_value", "share", "alignment", "random_alignment")
ROUNDING = 1e-7  # share of the largest singular value below which one is the rounding of a Gram matrix
BANDS = ("run", "layer", "protocol", "method", "first", "last")
# Inches.
LEFT, WIDTH, BETWEEN, NAMES, HEIGHT, AXIS, KEY = 0.5, 2.9, 0.6, 0.2, 1.15, 0.42, 0.2


def concept_spectrum_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    rows = rows_of(exhibits, "spectrum", COLUMNS)
    what = (
        "Left: singular values of the layer's pooled features, falling, on a logarithmic axis; without centring, the "
        "first direction is about the mean of all images. Energy: share of the sum of squares. Grey lines: edges of "
        "the published bands, shrunk to the layer's width. Right: for each singular direction its largest component by "
        "size, with its sign, sorted: ±1 is a single neuron. Beyond the dotted lines the paper calls a direction "
        "aligned with a neuron. Dashed: as many random unit vectors; in a narrow layer chance alone gives larger "
        "components, so alignment counts only as far as it exceeds them. Canonical signs make the largest component "
        "positive. Singular values that are zero up to rounding are not drawn."
    )
    n = "; ".join(f"{len(own):,} directions of {own['layer'].iloc[0]}" for own in layers_of(rows)) or "none"
    return caption(what, about, n=n, runs=runs_of(rows))


def concept_spectrum_finding(exhibits: Exhibits, about: About) -> str:
    """How many directions align with a neuron."""
    parts = [
        f"{int((own['alignment'].abs() >= ALIGNED).sum())} of {len(own)} ({label_of(str(own['run'].iloc[0]))})"
        for own in layers_of(rows_of(exhibits, "spectrum", COLUMNS))
    ]
    return f"Directions of the SVD beyond ±{ALIGNED:g} of a single neuron: {', '.join(parts)}" if parts else ""


@figure(
    "fig_concept_spectrum",
    title="Singular values of a layer, and alignment of its directions with neurons",
    reads=("spectrum", "bands"),
    says=concept_spectrum_finding,
    words=concept_spectrum_words,
    paper="CDISCO",
    shows="singular values of a layer and alignment with neurons",
    place=190,
)
def concept_spectrum_figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per run and layer: singular values on the left, alignment on the right."""
    rows, bands = rows_of(exhibits, "spectrum", COLUMNS), rows_of(exhibits, "bands", BANDS)
    blocks = list(layers_of(rows))
    each = HEADING + NAMES + HEIGHT + AXIS
    sheet = Sheet(PAGE, len(blocks) * each + KEY + 0.1)
    if not blocks:
        sheet.text(0.07, 0.1, NOTHING, color=QUIET)
        return sheet.figure
    for place, block in enumerate(blocks):
        top = 0.05 + place * each
        layer_heading(sheet, 0.07, top, block, about, f", {len(block):,} directions")
        _block(sheet, top + HEADING, block.sort_values("index"), bands.merge(block[LAYER].drop_duplicates()))
    _key(sheet, len(blocks) * each + 0.05)
    return sheet.figure


def _block(sheet: Sheet, top: float, rows: pd.DataFrame, bands: pd.DataFrame) -> None:
    right = LEFT + WIDTH + BETWEEN
    sheet.text(LEFT, top, "Singular values", size=LARGE, bold=True)
    sheet.text(LEFT + WIDTH, top + 0.02, first_share(rows), size=SMALL, color=QUIET, across="right")
    sheet.text(right, top, "Alignment with neurons", size=LARGE, bold=True)
    sheet.text(right + WIDTH, top + 0.02, aligned_share(rows), size=SMALL, color=QUIET, across="right")
    colour = colour_of(str(rows["run"].iloc[0]))
    kept = bands[bands["method"] == next(iter(methods_of(bands)), "")]
    kept = kept[kept["protocol"] == next(iter(kept["protocol"]), "")]
    _spectrum(sheet.axes(LEFT, top + NAMES, WIDTH, HEIGHT), rows, np.unique(doubles(kept["first"]))[1:], colour)
    _alignment(sheet.axes(right, top + NAMES, WIDTH, HEIGHT), rows, colour)


def first_share(rows: pd.DataFrame) -> str:
    """How much of the sum of squares the first direction holds."""
    share = doubles(rows["share"])
    return f"first: {percent(float(share[0]), 1)} of the energy" if len(share) else ""


def aligned_share(rows: pd.DataFrame) -> str:
    """How many directions reach the published line."""
    reached = int((rows["alignment"].abs() >= ALIGNED).sum())
    return f"{reached} of {len(rows)} beyond ±{ALIGNED:g}"


def _spectrum(axes: Axes, rows: pd.DataFrame, edges: Doubles, colour: str) -> None:
    value = doubles(rows["singular_value"])
    positive = value > ROUNDING * np.nanmax(value, initial=0)
    if not positive.any():
        axes.set_xticks([])
        axes.set_yticks([])
        remark(axes, "no singular value above zero")
        return
    for edge in edges:
        axes.axvline(edge - 0.5, color=BACKDROP, lw=0.7, zorder=1)
    axes.plot(
        doubles(rows["index"])[positive], value[positive], color=colour, marker="o", markersize=1.6, lw=0.8, mew=0
    )
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlim(-0.015 * len(rows) - 0.5, len(rows) - 0.3)
    axes.set_xlabel("index of the singular value", size=SMALL)


def _alignment(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    own = np.sort(doubles(rows["alignment"]))
    place = np.arange(len(own))
    axes.bar(place, own, width=1.0, color=colour, linewidth=0, rasterized=len(own) > 400, zorder=2)
    chance = random_curve(doubles(rows["random_alignment"]), len(own), either=bool((own < 0).any()))
    axes.plot(place, chance, color=INK, lw=0.9, linestyle=(0, (3, 1.6)), zorder=4)
    signs = (-1, 1) if (own < 0).any() or (chance < 0).any() else (1,)
    for line in (sign * ALIGNED for sign in signs):
        axes.axhline(line, color=QUIET, lw=0.8, linestyle=(0, (1, 1.8)), zorder=3)
    axes.axhline(0, color=QUIET, lw=0.6, zorder=3)
    axes.set_ylim(-1.03 if -1 in signs else 0, 1.03)
    axes.set_yticks(sorted({0.0, *(sign * level for sign in signs for level in (ALIGNED, 1.0))}))
    axes.set_xlim(-0.7, len(own) - 0.3)
    axes.set_xlabel("directions, sorted by their largest component", size=SMALL)


def random_curve(sizes: Doubles, count: int, either: bool = True) -> Doubles:
    """Sorted components of random directions, [count], of which only the sizes are known, with ``either`` sign or +."""
    known = sizes[np.isfinite(sizes)]
    if not len(known):
        return np.full(count, np.nan)
    both = np.sort(np.concatenate([known, -known]) if either and (known >= 0).all() else known)
    return np.asarray(both[np.linspace(0, len(both) - 1, count).round().astype(int)])


def _key(sheet: Sheet, top: float) -> None:
    sheet.swatch(LEFT - 0.02, top, BACKDROP)
    sheet.text(LEFT + 0.24, top, "edges of the bands in table_clusters", size=SMALL, color=QUIET)
    left = LEFT + WIDTH + BETWEEN
    sheet.swatch(left, top, INK, dashes="dashed").set(linewidth=0.9)
    sheet.text(left + 0.26, top, "random directions", size=SMALL, color=QUIET)
    sheet.swatch(left + 1.35, top, QUIET, dashes="dotted").set(linewidth=0.8)
    sheet.text(left + 1.61, top, f"±{ALIGNED:g}, the published line", size=SMALL, color=QUIET)


# --- table: spectrum -------------------------------------------------------------------------------------------------


ENERGY = 0.99


def finding(rows: pd.DataFrame) -> str:
    """How many directions of each layer hold nearly all of its energy."""
    listed = []
    for (run, _), own in rows.groupby(LAYER, sort=False):
        shares = own.sort_values("index")["share"].cumsum()
        listed.append(f"{label_of(str(run))} {int((shares < ENERGY).sum()) + 1} of {len(own)}")
    return f"Directions that hold {percent(ENERGY)} of a layer's energy: {', '.join(listed)}." if listed else ""


@table(
    "table_spectrum",
    title="Energy of the directions, and their alignment with neurons",
    reads=("spectrum",),
    paper="CDISCO",
    shows="energy of directions and how many nearly are neurons",
    place=260,
    finding=finding,
)
def spectrum_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every direction) and text of the Markdown (a summary per layer)."""
    rows = rows_of(exhibits, "spectrum", COLUMNS)
    above = caption(
        "Share of the energy that the first direction and the first ten hold, and how many directions have a "
        f"component of {ALIGNED} or more, so that they nearly are a single neuron, beside as many random directions. "
        "The CSV has every direction.",
        about,
        n=f"{len(rows):,} directions of {len(rows[LAYER].drop_duplicates())} layers",
        runs=runs_of(rows),
    )
    return rows, [above, markdown(readable(rows))]


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per layer."""
    lines = []
    for own in layers_of(rows):
        energy = own.sort_values("index")["share"].astype(float)
        line = {
            "model": label_of(str(own["run"].iloc[0])),
            "layer": own["layer"].iloc[0],
            "directions": len(own),
            "first": percent(float(energy.iloc[0]), 1),
            "first ten": percent(float(energy.iloc[:10].sum()), 1),
            f"beyond {ALIGNED}": int((own["alignment"].abs() >= ALIGNED).sum()),
            "random ones": int((own["random_alignment"].abs() >= ALIGNED).sum()),
        }
        lines.append(line)
    return pd.DataFrame(lines)
