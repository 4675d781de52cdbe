"""Unique concepts per direction by method and by band of singular values, beside the published counts."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.arrays import Doubles
from evoscope.viz import Sheet, colour_of, interval_rows, label_of
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import INK, LARGE, QUIET, SMALL
from results.page_style import (
    LAYER,
    NOTHING,
    caption,
    doubles,
    interval_column,
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
COUNTING = "empty as none"  # of the means that are drawn
MOST = 5  # clusters from which on directions are counted together
PUBLISHED = "published"
PROBES = "Probes are trained on the true labels of the concepts and are as many as those."
KEPT = "as released they are kept, under the corrected protocol they are relative to the layer's median distance."
ACROSS = 3  # panels in a row
# Inches.
LEFT, BETWEEN, TITLES, ROW, AXIS, KEY = 1.02, 0.22, 0.34, 0.19, 0.42, 0.2


def clusters_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    clusters, _, _ = read(exhibits)
    what = (
        "Mean clusters (unique concepts) per direction that survive among its most activating images, a direction that "
        f"holds none counted as none, by method and network. {PROBES} Ticks: published means of the SVD's directions "
        f"and of single neurons ({PUBLISHED_SETTING}); another network at another scale, so their order can be "
        "compared but not their heights. The published thresholds of distance (15, and 15 for its square) suit that "
        f"one layer and do not transfer: {KEPT} Shares by number of clusters and bands of singular values are in "
        "table_clusters."
    )
    interval = "95 %, bootstrap over directions"
    return caption(
        what, measured_under(clusters, about), n=counted(clusters), runs=runs_of(clusters), interval=interval
    )


def counted(clusters: pd.DataFrame) -> str:
    """``5,120 directions of 20 decompositions``."""
    sizes = clusters.groupby([*SETTING, "method"])["directions"].sum()
    return f"{sizes.sum():,.0f} directions of {len(sizes)} decompositions"


def clusters_finding(exhibits: Exhibits, about: About) -> str:
    """In how many networks directions of the SVD hold fewer unique concepts than neurons, as published."""
    _, means, _ = read(exhibits)
    every = {str(own["run"].iloc[0]): (mean_of(own, "svd"), mean_of(own, "neurons")) for own in networks_of(means)}
    pairs = {run: pair for run, pair in every.items() if np.isfinite(pair).all()}
    if not pairs:
        return ""
    theirs = published_means()
    published = f"{mean_of(theirs, 'svd'):.2f} and {mean_of(theirs, 'neurons'):.2f}"
    fewer = sum(svd < neurons for svd, neurons in pairs.values())
    listed = "; ".join(f"{label_of(run)} {svd:.2f} and {neurons:.2f}" for run, (svd, neurons) in pairs.items())
    return (
        f"Directions of the SVD hold fewer unique concepts than single neurons in {fewer} of {len(pairs)} networks: "
        f"{listed}; published: {published}"
    )


def networks_of(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows of each run and layer under the corrected protocol, or the first there is."""
    if rows.empty:
        return []
    kept = "corrected" if "corrected" in set(rows["protocol"]) else rows["protocol"].iloc[0]
    return list(layers_of(rows[rows["protocol"] == kept]))


@figure(
    "fig_clusters",
    title="Unique concepts per direction",
    reads=("clusters", "cluster_means", "bands"),
    says=clusters_finding,
    words=clusters_words,
    paper="CDISCO",
    shows="unique concepts per direction by method, and by singular value",
    place=200,
)
def clusters_figure(exhibits: Exhibits, about: About) -> Figure:
    """A panel per network and layer, a row per method."""
    _, means, _ = read(exhibits)
    networks = networks_of(means[means["counting"] == COUNTING])
    methods = methods_of(means)
    each = TITLES + ROW * len(methods) + AXIS
    sheet = Sheet(PAGE, max(-(-len(networks) // ACROSS), 1) * each + KEY + 0.05)
    if not networks:
        sheet.text(0.07, 0.1, NOTHING, color=QUIET)
        return sheet.figure
    wide = (PAGE - LEFT - 0.1 - (ACROSS - 1) * BETWEEN) / ACROSS
    high = float(np.nanmax(np.append(means[["value", "high"]].to_numpy(dtype=np.float64), 1.0)))
    theirs = published_means()
    for place, own in enumerate(networks):
        down, across = divmod(place, ACROSS)
        left, top = LEFT + across * (wide + BETWEEN), 0.05 + down * each
        sheet.text(left, top, label_of(str(own["run"].iloc[0])), room=wide, size=LARGE, bold=True)
        layer = str(own["layer"].iloc[0])
        sheet.text(left, top + 0.15, layer, room=wide, size=SMALL, color=QUIET, cut="middle")
        axes = sheet.axes(left, top + TITLES, wide, ROW * len(methods))
        _panel(axes, own, methods, named=across == 0)
        for method in ("svd", "neurons"):
            _tick(axes, methods, method, mean_of(theirs, method))
        axes.set_xlim(0, 1.05 * max(high, *(mean_of(theirs, method) for method in ("svd", "neurons"))))
    _key(sheet, sheet.height - 0.18)
    return sheet.figure


def _panel(axes: Axes, rows: pd.DataFrame, methods: list[str], named: bool) -> None:
    own = rows.drop_duplicates("method").set_index("method").reindex(methods)
    colour = colour_of(str(rows["run"].iloc[0]))
    value, low, high = (doubles(own[name]) for name in ("value", "low", "high"))
    interval_rows(axes, value, low, high, [colour] * len(methods))
    axes.set_yticks(range(len(methods)), [method_name(name) if named else "" for name in methods], size=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("unique concepts per direction", size=SMALL)


def _tick(axes: Axes, methods: list[str], method: str, value: float) -> None:
    """The published mean of a method in its row."""
    if method in methods:
        axes.plot(value, methods.index(method), marker="|", markersize=9, mew=1.6, color=INK, zorder=5)


def _key(sheet: Sheet, top: float) -> None:
    sheet.swatch(0.07, top, QUIET, marker="o")
    sheet.text(0.21, top, "mean over the directions, with interval", size=SMALL, color=QUIET)
    sheet.swatch(2.6, top, INK, marker="|").set(markersize=7, mew=1.6)
    sheet.text(2.74, top, "published, another network", size=SMALL, color=QUIET)


def read(exhibits: Exhibits) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The three exhibits: counts, means and bands."""
    clusters, means, bands = (
        rows_of(exhibits, name, columns)
        for name, columns in (("clusters", CLUSTERS), ("cluster_means", MEANS), ("bands", BANDS))
    )
    return clusters, means, bands


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


def band_name(first: float, last: float) -> str:
    """``100–199``, or ``3`` for a band of one direction."""
    return f"{first:.0f}–{last:.0f}" if last > first else f"{first:.0f}"


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
    return {"model": label_of(str(run)), "layer": str(layer), "protocol": protocol_name(protocol)}


def counts(clusters: pd.DataFrame) -> pd.DataFrame:
    """One row per run, layer, protocol and method: how many directions, and the share by clusters, none apart."""
    names = ["none", *map(str, range(1, MOST)), f"{MOST} or more"]
    lines = []
    for setting, own in clusters.groupby(SETTING, sort=False):
        for method in methods_of(own):
            total = int(own.loc[own["method"] == method, "directions"].sum())
            held = dict(zip(names, (percent(float(share), 1) for share in shares(own, method)), strict=True))
            lines.append(heading(*setting) | {"method": method_name(method), "directions": f"{total:,}"} | held)
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
    return [(name, rows[rows["method"] == name].sort_values(keys, kind="stable")) for name in ("svd", "neurons")]


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
