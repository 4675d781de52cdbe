"""Unique concepts per direction by method and by band of singular values, beside the published counts."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from evoscope.arrays import Doubles
from evoscope.viz import Sheet, colour_of, label_of, remark
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, INK, NORMAL, QUIET, SMALL
from results.page_style import (
    HEADING,
    LAYER,
    NOTHING,
    caption,
    doubles,
    interval_column,
    layer_heading,
    layers_of,
    markdown,
    measured_under,
    method_name,
    methods_of,
    percent,
    protocol_name,
    rows_of,
    runs_of,
)
from results.reference import PUBLISHED_SETTING, published_bands, published_clusters, published_means
from results.registry import About, Exhibits, Written, figure, table

# --- figure: clusters ------------------------------------------------------------------------------------------------

SETTING = [*LAYER, "protocol"]
CLUSTERS = (*SETTING, "method", "clusters", "directions")
MEANS = (*SETTING, "method", "counting", "directions", "value", "low", "high")
BANDS = (*SETTING, "method", "first", "last", "directions", "mean_clusters", "directions_with_zero")
COUNTING = "empty as none"  # of the means that are printed
MOST = 5  # clusters from which on directions are counted together
# From one cluster up; steps of Cividis, which grow darker evenly for every reader.
SHADES = ("#e9d26a", "#b9a973", "#8a8779", "#575d6d", "#00224e")
PUBLISHED = "published"
PROBES = "Probes are trained on the true labels of the concepts and are as many as those."
KEPT = "as released they are kept, under the corrected protocol they are relative to the layer's median distance."
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


def clusters_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    clusters, _, bands = read(exhibits)
    ranked = " and ".join(
        dict.fromkeys(method_name(_first_method(own)["method"].iloc[0]) for own in layers_of(bands))
    )
    what = (
        "Above: share of a method's directions by the number of clusters (unique concepts) that survive among their "
        "most activating images. Grey, to the left of zero: directions that hold none, which the released code counts "
        f"as one. {PROBES} Below: mean clusters "
        f"by band of singular values ({ranked or 'none known'}), the published bands shrunk to the layer's width, and "
        "under it the share of the band's directions that hold none; dashed: the mean of single neurons. Published: "
        f"{PUBLISHED_SETTING}; another network at another scale, so shapes can be compared but not heights. The "
        f"published thresholds of distance (15, and 15 for its square) suit that one layer and do not transfer: {KEPT}"
    )
    return caption(what, measured_under(clusters, about), n=counted(clusters), runs=runs_of(clusters))


def counted(clusters: pd.DataFrame) -> str:
    """``5,120 directions of 20 decompositions``."""
    sizes = clusters.groupby([*SETTING, "method"])["directions"].sum()
    return f"{sizes.sum():,.0f} directions of {len(sizes)} decompositions"


@figure(
    "fig_clusters",
    title="Unique concepts per direction",
    reads=("clusters", "cluster_means", "bands"),
    words=clusters_words,
    paper="CDISCO",
    shows="unique concepts per direction by method, and by singular value",
    place=200,
)
def clusters_figure(exhibits: Exhibits, about: About) -> Figure:
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
        rows_of(exhibits, name, columns)
        for name, columns in (("clusters", CLUSTERS), ("cluster_means", MEANS), ("bands", BANDS))
    )
    return clusters, means, bands


def panels(clusters: pd.DataFrame, means: pd.DataFrame, bands: pd.DataFrame) -> list[Panel]:
    """A column per protocol, at most two, and the published one."""
    found = sorted(dict.fromkeys(clusters["protocol"]), key=lambda name: name != "corrected")[:2]
    columns = []
    for name in found:
        own, mean, band = (rows[rows["protocol"] == name] for rows in (clusters, means, bands))
        run = str(clusters["run"].iloc[0])
        columns.append(Panel(protocol_name(name), own, mean, band, colour_of(run)))
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


# --- table: clusters -------------------------------------------------------------------------------------------------

COUNTINGS = {
    "empty as one": "none counts as one (as released)",
    "empty as none": "none counts as none",
    "without empty": "only directions that hold some",
}
NOTE = (
    "Share of a method's directions by the clusters (unique concepts) that survive among their most activating "
    f"images. Published: {PUBLISHED_SETTING}: another network at another scale, whose thresholds of distance (15, "
    f"and 15 for its square) suit that one layer and do not transfer; {KEPT} The published means follow from the "
    f"published counts. {PROBES}"
)


@table(
    "table_clusters",
    title="Unique concepts per direction beside the published counts",
    reads=("clusters", "cluster_means", "bands"),
    paper="CDISCO",
    shows="unique concepts per direction beside the published counts",
    place=230,
)
def clusters_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (counts, means and bands, measured and published) and the same as text of the Markdown."""
    measured = read(exhibits)
    theirs = published_clusters(), published_means(), published_bands().assign(method="svd")
    clusters, means, bands = (_beside(*pair) for pair in zip(measured, theirs, strict=True))
    above = caption(
        NOTE,
        measured_under(measured[0], about),
        n=counted(measured[0]),
        runs=runs_of(measured[0]),
        interval="95 %, bootstrap over directions; published means have none",
    )
    parts = {
        "Directions by clusters": counts(clusters),
        "Mean clusters per direction": mean_rows(means),
        "By band of singular values": band_rows(bands),
    }
    named = (("counts", clusters), ("means", means), ("bands", bands))
    full = pd.concat([rows.assign(part=name) for name, rows in named])
    first = ["part", *SETTING, "method"]
    full = full[[*first, *(name for name in full.columns if name not in first)]]
    return full, [above, *(f"**{title}**\n\n{markdown(rows)}" for title, rows in parts.items())]


def _beside(measured: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Measured rows, then the published ones under a run and protocol of that name."""
    theirs = published.assign(run=PUBLISHED, layer="Mixed_7b", protocol=PUBLISHED)
    return pd.concat([measured, theirs.reindex(columns=measured.columns)], ignore_index=True)


def heading(run: object, layer: object, protocol: object) -> dict[str, str]:
    """What one row is about."""
    if protocol == PUBLISHED:
        return {"model": "published, InceptionV3", "layer": str(layer), "protocol": PUBLISHED}
    return {
        "model": label_of(str(run)),
        "layer": str(layer),
        "protocol": protocol_name(protocol),
    }


def counts(clusters: pd.DataFrame) -> pd.DataFrame:
    """One row per run, layer, protocol and method: how many directions, and the share by clusters, none apart."""
    names = ["none", *map(str, range(1, MOST)), f"{MOST} or more"]
    lines = []
    for setting, own in clusters.groupby(SETTING, sort=False):
        for method in methods_of(own):
            total = int(own.loc[own["method"] == method, "directions"].sum())
            held = dict(zip(names, (percent(float(share), 1) for share in shares(own, method)), strict=True))
            lines.append(
                heading(*setting) | {"method": method_name(method), "directions": f"{total:,}"} | held
            )
    return pd.DataFrame(lines)


def mean_rows(means: pd.DataFrame) -> pd.DataFrame:
    """One row per run, layer, protocol and method: the mean under each counting."""
    means = means.assign(text=interval_column(means, "value", "low", "high"))
    lines = []
    for setting, own in means.groupby(SETTING, sort=False):
        for method in methods_of(own):
            texts = own[own["method"] == method].drop_duplicates("counting").set_index("counting")["text"]
            found = {title: texts.get(name, "–") for name, title in COUNTINGS.items()}
            lines.append(heading(*setting) | {"method": method_name(method)} | found)
    return pd.DataFrame(lines)


def band_rows(bands: pd.DataFrame) -> pd.DataFrame:
    """One row per band."""
    heads = pd.DataFrame([heading(*row) for row in bands[SETTING].itertuples(index=False, name=None)])
    heads["method"] = [method_name(str(name)) for name in bands["method"]]
    edges = bands[["first", "last"]].itertuples(index=False, name=None)
    heads["indices"] = [band_name(first, last) for first, last in edges]
    heads["directions"] = bands["directions"].to_numpy(dtype=np.int64)
    heads["mean clusters"] = bands["mean_clusters"].astype(float).round(2).to_numpy()
    heads["directions with none"] = bands["directions_with_zero"].to_numpy(dtype=np.int64)
    return heads


# --- table: cluster map ----------------------------------------------------------------------------------------------

MAP = (
    *(*LAYER, "method", "ward", "prune", "own", "value", "low", "high", "empty", "kept", "of", "directions"),
)  # fmt: skip


@table(
    "table_cluster_map",
    title="Unique concepts per direction and per neuron over both thresholds",
    reads=("cluster_map",),
    paper="CDISCO",
    shows="clusters of SVD directions and of neurons over the thresholds of Ward and of pruning",
    place=232,
)
def cluster_map_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV; in Markdown a row per threshold of Ward, a column per threshold of pruning."""
    rows = rows_of(exhibits, "cluster_map", MAP)
    both = [own["value"].to_numpy() for _, own in _sides(rows)] if len(rows) else []
    fewer = int((both[0] < both[1]).sum()) if both else 0
    means = published_means().query("counting == 'empty as none'").set_index("method")["value"]
    above = caption(
        "Mean clusters of SVD directions / of neurons, none counted as none; in brackets the share of directions "
        "without any, and how many of the most activating images are kept. Which of the two holds more turns with the "
        "thresholds, in units of the protocol's (bold: its own). SVD directions hold fewer in "
        f"{fewer} of {len(both[0]) if both else 0} cells. Published: {means['svd']:.2f} / {means['neurons']:.2f}.",
        about,
        n=f"up to {int(rows['directions'].max()) if len(rows) else 0} directions of each layer",
        runs=runs_of(rows),
        interval="in the CSV, 95 %, bootstrap over directions of one network",
    )
    return rows, [above, markdown(by_threshold(rows))]


def _sides(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Rows of SVD and of neurons, cell by cell the same thresholds."""
    keys = [*LAYER, "ward", "prune"]
    return [
        (name, rows[rows["method"] == name].sort_values(keys, kind="stable")) for name in ("svd", "neurons")
    ]


def by_threshold(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per run, layer and Ward's threshold."""
    lines: dict[tuple[str, str, float], dict[str, str]] = {}
    (_, svd), (_, neurons) = _sides(rows)
    for own, other in zip(svd.itertuples(), neurons.itertuples(), strict=True):
        key = str(own.run), str(own.layer), float(str(own.ward))
        empty = f"{percent(float(str(own.empty)))} / {percent(float(str(other.empty)))}"
        kept = f"{float(str(own.kept)):.0f} / {float(str(other.kept)):.0f}"
        text = f"{float(str(own.value)):.2f} / {float(str(other.value)):.2f} ({empty}; {kept})"
        head = {"model": label_of(key[0]), "layer": key[1], "Ward": f"{key[2]:g}"}
        lines.setdefault(key, head)[f"prune {float(str(own.prune)):g}"] = f"**{text}**" if own.own else text
    return pd.DataFrame(list(lines.values()))
