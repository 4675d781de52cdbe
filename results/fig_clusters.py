"""Unique concepts per direction: methods beside each other, those with none apart, and by band of singular values."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from evoscope.arrays import Doubles
from evoscope.viz import Sheet, colour_of, remark
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, INK, NORMAL, QUIET, SMALL
from results.about import About, caption
from results.concepts import (
    HEADING,
    LAYER,
    NOTHING,
    layer_heading,
    layers_of,
    method_name,
    methods_of,
    runs_of,
)
from results.fig_coverage import PROTOCOLS
from results.fig_reversal import measured_under
from results.reading import Exhibits, doubles, table
from results.reference.cdisco import PUBLISHED_SETTING, published_bands, published_clusters, published_means

ID = "fig_clusters"
TITLE = "Unique concepts per direction"
READS: tuple[str, ...] = ("clusters", "cluster_means", "bands")

CLUSTERS = (*LAYER, "protocol", "method", "clusters", "directions")
MEANS = (*LAYER, "protocol", "method", "counting", "directions", "value", "low", "high")
BANDS = (*LAYER, "protocol", "method", "first", "last", "directions", "mean_clusters", "directions_with_zero")
COUNTING = "empty as none"  # of the means that are printed
MOST = 5  # clusters from which on directions are counted together
# From one cluster up; steps of Cividis, which grow darker evenly for every reader.
SHADES = ("#e9d26a", "#b9a973", "#8a8779", "#575d6d", "#00224e")
PUBLISHED = "published"
# Inches.
LEFT, WIDTH, BETWEEN, NUMBERS, TITLES, ROW, TICKS = 0.98, 1.62, 0.5, 0.3, 0.17, 0.15, 0.3
BAND, EMPTY, LABELS, GAP, KEY = 0.62, 0.24, 0.5, 0.1, 0.36


class Panel(NamedTuple):
    """One column of a block: its ``title``, counts, means and bands, and the ``colour`` of its bars."""

    title: str
    clusters: pd.DataFrame
    means: pd.DataFrame
    bands: pd.DataFrame
    colour: str


def figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per run and layer: counts by method above, bands below; a column per protocol, then the published."""
    clusters, means, bands = read(exhibits)
    blocks = list(layers_of(clusters))
    heights = [
        HEADING + TITLES + ROW * len(methods_of(own)) + TICKS + BAND + EMPTY + LABELS + GAP for own in blocks
    ]
    sheet = Sheet(PAGE, sum(heights) + KEY + 0.1)
    if not blocks:
        sheet.text(0.07, 0.1, NOTHING, color=QUIET)
        return sheet.figure
    top = 0.05
    for own, height in zip(blocks, heights, strict=True):
        layer_heading(sheet, 0.07, top, own, about)
        here = own[LAYER].drop_duplicates()
        _block(sheet, top + HEADING, panels(own, means.merge(here), bands.merge(here)), methods_of(own))
        top += height
    _key(sheet, top)
    return sheet.figure


def read(exhibits: Exhibits) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The three exhibits: counts, means and bands."""
    clusters, means, bands = (
        table(exhibits, name, columns) for name, columns in zip(READS, (CLUSTERS, MEANS, BANDS), strict=True)
    )
    return clusters, means, bands


def panels(clusters: pd.DataFrame, means: pd.DataFrame, bands: pd.DataFrame) -> list[Panel]:
    """A column per protocol, at most two, and the published one."""
    found = sorted(dict.fromkeys(clusters["protocol"]), key=lambda name: name != "corrected")[:2]
    columns = []
    for name in found:
        own, mean, band = (rows[rows["protocol"] == name] for rows in (clusters, means, bands))
        run = str(clusters["run"].iloc[0])
        columns.append(Panel(PROTOCOLS.get(str(name), str(name)), own, mean, band, colour_of(run)))
    theirs = published_means().assign(low=np.nan, high=np.nan), published_bands().assign(method="svd")
    return [*columns, Panel(PUBLISHED, published_clusters(), *theirs, QUIET)]


def shares(rows: pd.DataFrame, method: str) -> Doubles:
    """Share of a method's directions that hold 0, 1, ..., `MOST` or more clusters; NaN where there are none."""
    own = rows[rows["method"] == method]
    counts = np.zeros(MOST + 1)
    np.add.at(counts, np.minimum(own["clusters"].to_numpy(dtype=int), MOST), doubles(own["directions"]))
    total = counts.sum()
    return counts / total if total else np.full(MOST + 1, np.nan)


def mean_of(means: pd.DataFrame, method: str) -> float:
    """Mean clusters per direction, those with none counted as none; NaN where it is not known."""
    own = means[(means["method"] == method) & (means["counting"] == COUNTING)]
    return float(own["value"].iloc[0]) if len(own) else float("nan")


def _block(sheet: Sheet, top: float, columns: list[Panel], methods: list[str]) -> None:
    high = max(
        [1.0, *(float(np.nanmax(doubles(panel.bands["mean_clusters"]), initial=0)) for panel in columns)]
    )
    for place, panel in enumerate(columns):
        left = LEFT + place * (WIDTH + BETWEEN)
        sheet.text(left, top, panel.title, size=NORMAL, bold=True)
        sheet.text(left + WIDTH + NUMBERS, top, "mean", size=SMALL, color=QUIET, across="right")
        axes = sheet.axes(left, top + TITLES, WIDTH, ROW * len(methods))
        _counts(axes, panel, methods, named=place == 0)
        for row, method in enumerate(methods):
            value = mean_of(panel.means, method)
            text = f"{value:.2f}" if np.isfinite(value) else "–"
            below = top + TITLES + ROW * row + 0.03
            sheet.text(left + WIDTH + NUMBERS, below, text, size=SMALL, color=QUIET, across="right")
        _bands(sheet, left, top + TITLES + ROW * len(methods) + TICKS, panel, high, named=place == 0)


def _counts(axes: Axes, panel: Panel, methods: list[str], named: bool) -> None:
    """A row per method: to the left the share that holds no cluster, to the right those that hold some."""
    for row, method in enumerate(methods):
        share = 100 * shares(panel.clusters, method)
        if not np.isfinite(share).all():
            continue
        axes.barh(row, -share[0], height=0.74, color=BACKDROP, linewidth=0)
        start = np.concatenate([[0.0], np.cumsum(share[1:])])
        axes.barh([row] * MOST, share[1:], left=start[:-1], height=0.74, color=SHADES, linewidth=0)
    axes.axvline(0, color=INK, lw=0.7)
    axes.set_xlim(-100, 100)
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.set_xticks([-100, -50, 0, 50, 100])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):.0f}"))
    axes.set_yticks(range(len(methods)), [method_name(name) if named else "" for name in methods], size=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _bands(sheet: Sheet, left: float, top: float, panel: Panel, high: float, named: bool) -> None:
    """Mean clusters per band of the first method that has any, and below it the share with none."""
    above, below = sheet.axes(left, top, WIDTH, BAND), sheet.axes(left, top + BAND, WIDTH, EMPTY)
    rows = _first_method(panel.bands).sort_values("first")
    for axes in (above, below):
        axes.set_xlim(-0.6, max(len(rows), 1) - 0.4)
        axes.tick_params(axis="x", length=0)
        axes.set_xticks([])
    above.set_ylim(0, 1.08 * high)
    above.locator_params(axis="y", nbins=3, integer=True)
    below.set_ylim(100, 0)
    below.set_yticks([100], ["100 %"])
    for axes in (above, below) if not named else ():
        axes.tick_params(axis="y", labelleft=False)
    if named:
        sheet.text(0.07, top + 0.02, "clusters per\ndirection,\nby band", size=SMALL)
        sheet.text(0.07, top + BAND + 0.06, "with none", size=SMALL, color=QUIET)
    if rows.empty:
        remark(above, "no bands")
        return
    _band_bars(above, below, rows, panel)


def _band_bars(above: Axes, below: Axes, rows: pd.DataFrame, panel: Panel) -> None:
    place = np.arange(len(rows))
    above.bar(place, doubles(rows["mean_clusters"]), width=0.78, color=panel.colour, linewidth=0)
    empty = 100 * doubles(rows["directions_with_zero"]) / np.maximum(doubles(rows["directions"]), 1)
    below.bar(place, empty, width=0.78, color=BACKDROP, linewidth=0)
    neurons = mean_of(panel.means, "neurons")
    if np.isfinite(neurons):
        above.axhline(neurons, color=INK, lw=0.9, linestyle=(0, (3, 1.6)), zorder=4)
    edges = [band_name(*ends) for ends in zip(rows["first"], rows["last"], strict=True)]
    below.set_xticks(place, edges, size=SMALL, rotation=90)
    below.spines["bottom"].set_visible(False)


def band_name(first: float, last: float) -> str:
    """``100–199``, or ``3`` for a band of one direction."""
    return f"{first:.0f}–{last:.0f}" if last > first else f"{first:.0f}"


def _first_method(bands: pd.DataFrame) -> pd.DataFrame:
    names = methods_of(bands)
    return bands[bands["method"] == names[0]] if names else bands


def _key(sheet: Sheet, top: float) -> None:
    """Say along the bottom what the colours mean."""
    left = 0.07
    sheet.text(left, top, "% of directions that hold", size=SMALL, color=QUIET)
    left += 1.16
    for name, colour in zip(
        ("none", *map(str, range(1, MOST)), f"{MOST} or more"), (BACKDROP, *SHADES), strict=True
    ):
        sheet.swatch(left, top, colour, marker="s")
        sheet.text(left + 0.12, top, name, size=SMALL, color=QUIET)
        left += 0.28 if len(name) == 1 else 0.46 if name == "none" else 0.62
    sheet.text(left + 0.06, top, "clusters", size=SMALL, color=QUIET)
    sheet.swatch(left + 0.7, top, INK, dashes="dashed").set(linewidth=0.9)
    sheet.text(left + 0.96, top, "mean of single neurons", size=SMALL, color=QUIET)
    text = "mean: clusters per direction, none counted as none; bands: of indices of singular values, largest first"
    sheet.text(0.07, top + 0.15, text, size=SMALL, color=QUIET)


def words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure."""
    clusters, _, bands = read(exhibits)
    ranked = " and ".join(
        dict.fromkeys(method_name(_first_method(own)["method"].iloc[0]) for own in layers_of(bands))
    )
    what = (
        "Above: share of a method's directions by the number of clusters (unique concepts) that survive among their "
        "most activating images. Grey, to the left of zero: directions that hold none, which the released code counts "
        "as one. Probes are trained on the true labels of the concepts and are as many as those. Below: mean clusters "
        f"by band of singular values ({ranked or 'none known'}), the published bands shrunk to the layer's width, and "
        "under it the share of the band's directions that hold none; dashed: the mean of single neurons. Published: "
        f"{PUBLISHED_SETTING}; another network at another scale, so shapes can be compared but not heights. The "
        "published thresholds of distance (15, and 15 for its square) suit that one layer and do not transfer: as "
        "released they are kept, under the corrected protocol they are relative to the layer's median distance."
    )
    sizes = clusters.groupby([*LAYER, "protocol", "method"])["directions"].sum()
    n = f"{sizes.sum():,.0f} directions of {len(sizes)} decompositions"
    return caption(TITLE, what, measured_under(clusters, about), n=n, runs=runs_of(clusters))
