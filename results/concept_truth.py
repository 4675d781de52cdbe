"""How methods fare where the concepts are known: recovery, distinctness and localisation, beside chance."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evoscope.viz import Sheet, colour_of, interval_rows, label_of, remark
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import NORMAL, QUIET, SMALL
from results.page_style import (
    HEADING,
    LAYER,
    caption,
    doubles,
    interval_column,
    layer_heading,
    layers_of,
    markdown,
    method_name,
    methods_of,
    networks,
    rows_of,
    runs_of,
    with_interval,
)
from results.registry import About, Exhibits, Written, figure, table

# --- figure: concept truth -------------------------------------------------------------------------------------------

COLUMNS = (*LAYER, "method", "metric", "value", "low", "high", "null", "concepts")
METRICS = {
    "recovery auc": "recovery, AUC",
    "matched correlation": "matched correlation",
    "distinctness": "distinctness",
    "pointing": "pointing game",
    "iou": "IoU with masks",
}
UNKNOWN = "no true concept is known for these images"
INTERVAL = "95 %, bootstrap over the concepts (distinctness: over the directions that tell one best)"
CHANCE = "as many random orthonormal directions; of pointing and IoU, a random place. Missing where not known."
MEANING = (
    "Ways to find directions in the same features, against the concepts that {known}. Recovery: AUC "
    "with which the best direction tells whether a concept is in an image, chosen on some images and judged on others. "
    "Matched correlation: the same when every concept must have a direction of its own. Distinctness: by how much a "
    "direction tells its best concept better than its second best. {places}A "
    "method with more directions has more chances to be chosen; probes are given the labels and show what a linear "
    "direction can reach, not what the others should."
)
PLACES = (
    "Pointing game: how often the peak of the concept map lies on the concept's mask; IoU: overlap of the segment with "
    "it; both are bounded by the layer's grid. "
)
# Inches.
LEFT, BETWEEN, TITLES, ROW, AXIS, KEY = 0.98, 0.16, 0.17, 0.155, 0.28, 0.2


def concept_truth_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    rows = rows_of(exhibits, "concept_truth", COLUMNS)
    n = f"{concepts_of(rows)} true concepts; {rows['method'].nunique()} methods" if len(rows) else UNKNOWN
    return caption(f"{_meaning(rows)} Upright line: {CHANCE}", about, n=n, runs=runs_of(rows), interval=INTERVAL)


def _meaning(rows: pd.DataFrame) -> str:
    """What is measured; photographs with labels have no masks."""
    masked = "iou" in metrics_of(rows) or not len(rows)
    known = "the images were made with" if masked else "the images were labelled with (data.concepts)"
    return MEANING.format(known=known, places=PLACES if masked else "")


def concept_truth_finding(exhibits: Exhibits, about: About) -> str:
    """Which methods recover true concepts better than as many random directions, in how many networks."""
    rows = rows_of(exhibits, "concept_truth", COLUMNS)
    own = rows[(rows["metric"] == "recovery auc") & rows["low"].notna() & rows["null"].notna()]
    if own.empty:
        return ""
    above = own[own["low"].astype(float) > own["null"].astype(float)]
    counts = above.groupby("method")[LAYER[0]].nunique()
    networks = own["run"].nunique()
    listed = [f"{method_name(name)} ({counts[name]})" for name in methods_of(own) if name in counts]
    svd = int(counts.get("svd", 0))
    return (
        f"Directions of the SVD recover true concepts better than random ones in {svd} of {networks} networks; methods "
        f"that do (in how many): {', '.join(listed) or 'none'}"
    )


@figure(
    "fig_concept_truth",
    title="Ways to find concept vectors, against the true concepts",
    reads=("concept_truth",),
    says=concept_truth_finding,
    words=concept_truth_words,
    paper="Evoscope",
    shows="ways to find concepts against the true ones",
    place=220,
)
def concept_truth_figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per run and layer, a panel per metric, a row per method."""
    rows = rows_of(exhibits, "concept_truth", COLUMNS)
    blocks = list(layers_of(rows))
    heights = [HEADING + TITLES + ROW * len(methods_of(own)) + AXIS for own in blocks]
    sheet = Sheet(PAGE, sum(heights) + KEY + 0.1)
    if not blocks:
        sheet.text(0.07, 0.1, UNKNOWN, color=QUIET)
        return sheet.figure
    top, metrics = 0.05, metrics_of(rows)
    for own, height in zip(blocks, heights, strict=True):
        layer_heading(sheet, 0.07, top, own, about, f", {concepts_of(own)} true concepts")
        _block(sheet, top + HEADING, own, metrics, {name: limits(rows, name) for name in metrics})
        top += height
    sheet.swatch(0.07, top, QUIET, marker="o")
    sheet.text(0.21, top, "mean over the true concepts, with interval", size=SMALL, color=QUIET)
    sheet.swatch(2.7, top, QUIET, marker="|").set(markersize=6, mew=1.0)
    sheet.text(2.84, top, "random directions, or a random place", size=SMALL, color=QUIET)
    return sheet.figure


def metrics_of(rows: pd.DataFrame) -> list[str]:
    """Metrics that occur, the known ones first."""
    found = list(dict.fromkeys(rows["metric"].astype(str)))
    return [*(name for name in METRICS if name in found), *(name for name in found if name not in METRICS)]


def metric_name(metric: str) -> str:
    """Readable name of a metric."""
    return METRICS.get(metric, metric)


def concepts_of(rows: pd.DataFrame) -> str:
    """How many true concepts the values are means of: ``23``, or ``20 to 23``."""
    known = doubles(rows["concepts"])
    known = np.unique(known[np.isfinite(known)])
    if not len(known):
        return "unknown"
    return f"{known[0]:.0f}" if len(known) == 1 else f"{known[0]:.0f} to {known[-1]:.0f}"


def limits(rows: pd.DataFrame, metric: str) -> tuple[float, float]:
    """Horizontal limits of a metric, the same for every run: all that is drawn, and zero or the chance of an AUC."""
    own = rows.loc[rows["metric"] == metric, ["value", "low", "high", "null"]].to_numpy(dtype=np.float64)
    start = 0.5 if metric == "recovery auc" else 0.0
    if not np.isfinite(own).any():
        return 0.0, 1.0
    known = np.concatenate([own[np.isfinite(own)], [start]])
    low, high = float(known.min()), float(known.max())
    room = 0.05 * (high - low) or 0.05
    return low - room, high + room


def _block(
    sheet: Sheet, top: float, rows: pd.DataFrame, metrics: list[str], reach: dict[str, tuple[float, float]]
) -> None:
    methods = methods_of(rows)
    wide = (PAGE - LEFT - 0.1 - BETWEEN * (len(metrics) - 1)) / len(metrics)
    for place, metric in enumerate(metrics):
        left = LEFT + place * (wide + BETWEEN)
        sheet.text(left, top, metric_name(metric), room=wide + 0.1, size=NORMAL, bold=True)
        axes = sheet.axes(left, top + TITLES, wide, ROW * len(methods))
        own = rows[rows["metric"] == metric].drop_duplicates("method").set_index("method").reindex(methods)
        value, low, high, null = (doubles(own[name]) for name in ("value", "low", "high", "null"))
        unknown = np.full(len(own), np.nan)
        colours = [colour_of(str(rows["run"].iloc[0]))] * len(own)
        interval_rows(axes, value, low, high, colours, (null, unknown, unknown))
        if not np.isfinite(value).any():
            remark(axes, "not measured")
        axes.set_xlim(*reach[metric])
        axes.locator_params(axis="x", nbins=3)
        labels = [method_name(name) if place == 0 else "" for name in methods]
        axes.set_yticks(range(len(methods)), labels, size=SMALL)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")


# --- table: concept truth --------------------------------------------------------------------------------------------


@table(
    "table_concept_truth",
    title="Recovery, distinctness and localisation of true concepts",
    reads=("concept_truth",),
    paper="Evoscope",
    shows="ways to find concepts against the true ones",
    place=280,
)
def concept_truth_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every row) and text of the Markdown (a row per method, chance in brackets)."""
    rows = rows_of(exhibits, "concept_truth", COLUMNS)
    n = f"{concepts_of(rows)} true concepts" if len(rows) else UNKNOWN
    above = caption(f"{_meaning(rows)} In round brackets: {CHANCE}", about, n=n, runs=runs_of(rows), interval=INTERVAL)
    return rows, [above, markdown(readable(rows))]


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per run, layer and method, a column per metric."""
    metrics = metrics_of(rows)
    lines = []
    for (run, layer), own in rows.groupby(LAYER, sort=False):
        for method in methods_of(own):
            cells = own[own["method"] == method].drop_duplicates("metric").set_index("metric").reindex(metrics)
            values = cells[["value", "low", "high", "null"]].astype(float).itertuples(name=None)
            head = {"model": label_of(str(run)), "layer": str(layer), "method": method_name(method)}
            lines.append(head | {metric_name(name): cell(*numbers) for name, *numbers in values})
    names = ["model", "layer", "method", *map(metric_name, metrics)]
    return pd.DataFrame(lines, columns=names)


def cell(value: float, low: float, high: float, null: float) -> str:
    """``0.812 [0.790, 0.833] (0.500)``: value, interval, chance."""
    text = with_interval(value, low, high)
    return f"{text} ({with_interval(null, np.nan, np.nan)})" if np.isfinite(null) and np.isfinite(value) else text


# --- table: equal rank -----------------------------------------------------------------------------------------------

RANKED = (
    *(*LAYER, "truth", "directions", "rank", "all", "against", "metric", "value", "low", "high", "other"),
    *("gain", "gain_low", "gain_high", "energy", "concepts", "draws"),
)  # fmt: skip
AGAINST = {
    "rotation": "random directions",
    "neurons": "neurons, drawn",
    "within": "a rotation within the same subspace",
}
DIRECTIONS = {"svd": "first of the SVD", "refined": "unique concepts of the first 20"}


COMPARED = 20  # directions that the sentence compares, or as many as there are


def finding(rows: pd.DataFrame) -> str:
    """The first directions of the SVD against as many random ones of the layer, mean over the layers."""
    own = rows[
        (rows["directions"] == "svd") & (rows["rank"] <= COMPARED) & (rows["metric"] == "recovery auc")
        & (rows["against"] == "rotation") & rows["gain"].notna()
    ]  # fmt: skip
    own = own[own["rank"] == own["rank"].max()]
    if own.empty:
        return ""
    told, rank = " or ".join(dict.fromkeys(own["truth"].astype(str))), int(own["rank"].iloc[0])
    return (
        f"The best of the first {rank} SVD directions tells {told} with AUC {own['value'].mean():.3f}, the best of as "
        f"many random directions with {own['other'].mean():.3f}; {networks(own)}."
    )


@table(
    "table_equal_rank",
    title="Directions against as many random ones",
    reads=("equal_rank",),
    paper="CDISCO",
    shows="concepts told by the first directions, by as many random ones and by as many neurons",
    place=282,
    finding=finding,
)
def equal_rank_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV and text of the Markdown, a row per number of directions and rival."""
    rows = rows_of(exhibits, "equal_rank", RANKED)
    above = caption(
        "AUC with which the best of k directions tells a concept (where none is known: a class), and correlation when "
        "each has a direction of its own; chosen on some images, judged on others. A random basis lets all its "
        "directions try within the few dimensions that features vary in, so k directions stand against k. Gain: mean "
        "difference, paired over the concepts, of ten draws. A rotation within the same subspace leaves the subspace "
        "and changes the axes.",
        about,
        n="concepts or classes, in the last column",
        runs=runs_of(rows),
        interval="95 %, over the concepts (fewer than 20: Student)",
    )
    return rows, [above, markdown(by_rank(rows))]


def by_rank(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per run, layer, directions, number and rival, a column per metric."""
    lines = []
    keys = [*LAYER, "truth", "directions", "rank", "against"]
    for (run, layer, truth, directions, rank, against), own in rows.groupby(keys, sort=False):
        every = ", all" if bool(own["all"].iloc[0]) else ""
        head = {"model": label_of(str(run)), "layer": str(layer), "directions": DIRECTIONS[str(directions)]}
        line = {**head, "k": f"{rank}{every}", "against": AGAINST[str(against)]}
        for _, each in own.iterrows():
            name = metric_name(str(each["metric"]))
            line[name] = (
                f"{with_interval(each['value'], np.nan, np.nan)} ({with_interval(each['other'], np.nan, np.nan)})"
            )
            line[f"{name}: gain"] = with_interval(each["gain"], each["gain_low"], each["gain_high"])
        lines.append({**line, "n": f"{own['concepts'].iloc[0]} {truth}"})
    return pd.DataFrame(lines)


# --- table: methods at equal rank -------------------------------------------------------------------------------------

METHOD_RANKED = (
    *(*LAYER, "truth", "method", "rank", "all", "metric", "value", "low", "high", "gain", "gain_low", "gain_high"),
    *("count", "draws"),
)  # fmt: skip
RANK_METRICS = {
    "recovery auc": "AUC",
    "matched correlation": "matched correlation",
    "board share": "share of the commonest class",
    "boards alike": "boards of one class",
}
REFINED_TITLE = "unique concepts"


@table(
    "table_method_ranks",
    title="Every method at equal numbers of directions",
    reads=("method_ranks",),
    paper="Evoscope",
    shows="what the first 10, 20, 50, 100 and all directions of every method tell, and whose boards are of one class",
    place=283,
)
def method_ranks_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV and text of the Markdown, a row per method and number of directions."""
    rows = rows_of(exhibits, "method_ranks", METHOD_RANKED)
    above = caption(
        "AUC with which the best of k directions tells a concept (where none is known: a class), and correlation when "
        "each has a direction of its own; chosen on some images, judged on others. Directions of a method are taken by "
        "energy, the strongest first; neurons and random directions have no such order and are drawn, ten times. "
        "Unique concepts: the means of clusters that the method ends with, in the order of their directions, both "
        "sides. Share of the commonest class: among the ten other images that excite a direction most, the mean over "
        "directions; boards of one class: directions for which it is seven or more. k ends where a method has no more.",
        about,
        n="concepts or classes, in the last column; of boards, directions",
        runs=runs_of(rows),
        interval="95 %, over the concepts (fewer than 20: Student); of boards, over the directions",
    )
    return rows, [above, markdown(by_method(rows))]


def by_method(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per run, layer, method, number and kind of truth, a column per metric."""
    lines = []
    told, shares = rows[rows["truth"] != "classes"], rows[rows["truth"] == "classes"]
    keys = [*LAYER, "method", "rank", "metric"]
    texts = interval_column(shares, "value", "low", "high")
    boards = dict(zip(shares[keys].itertuples(index=False, name=None), texts, strict=True))
    for (run, layer, truth, method, rank), own in told.groupby([*LAYER, "truth", "method", "rank"], sort=False):
        every = ", all" if bool(own["all"].iloc[0]) else ""
        name = REFINED_TITLE if method == "refined" else method_name(str(method))
        line = {"model": label_of(str(run)), "layer": str(layer), "of": str(truth), "method": name}
        line["k"] = f"{rank}{every}"
        for _, each in own.iterrows():
            line[RANK_METRICS[str(each["metric"])]] = with_interval(each["value"], each["low"], each["high"])
        for metric in ("board share", "boards alike") if truth == "all" else ():
            line[RANK_METRICS[metric]] = boards[run, layer, method, rank, metric]
        lines.append({**line, "n": int(own["count"].iloc[0])})
    names = [*("model", "layer", "of", "method", "k"), *RANK_METRICS.values(), "n"]
    return pd.DataFrame(lines, columns=names).fillna("–")


# --- table: class ranking --------------------------------------------------------------------------------------------

READ = (
    *(*LAYER, "reading", "energy", "directions", "value", "low", "high", "place"),
    *("rotation_gain", "rotation_low", "rotation_high", "classes"),
)  # fmt: skip
READINGS = {"projection": "z of the projection", "evidence": "z of the evidence"}


@table(
    "table_class_ranking",
    title="The first direction of a class, by what ranks the directions",
    reads=("class_readings",),
    paper="CDISCO",
    shows="how well the first direction tells its class, by both readings of the ranking",
    place=284,
)
def class_ranking_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV and text of the Markdown."""
    rows = rows_of(exhibits, "class_readings", READ)
    shown = pd.DataFrame(
        {
            "model": [label_of(run) for run in rows["run"]],
            "layer": rows["layer"],
            "ranked by": [READINGS.get(reading, reading) for reading in rows["reading"]],
            "energy": rows["energy"],
            "directions": [method_name(name) for name in rows["directions"]],
            "AUC of the class [95 %]": interval_column(rows, "value", "low", "high"),
            "less rotation [95 %]": interval_column(rows, "rotation_gain", "rotation_low", "rotation_high"),
            "place": rows["place"],
            "n": rows["classes"],
        }
    )
    above = caption(
        "Directions of a class are those along which images predicted as it differ most from the rest: in their "
        "projection, or (the released code) in the evidence, the gradient times the activation. AUC with which the "
        "first direction, on its ranked side, tells the class on other images. Energy: share of the squares that the "
        "candidates hold, the strongest first; the abstract speaks of directions of high variance, the code keeps all. "
        "Place: median place of the direction by strength, from 0. Rotation: mean of ten.",
        about,
        n="classes, in the last column",
        runs=runs_of(rows),
        interval="95 %, over the classes (fewer than 20: Student)",
    )
    return rows, [above, markdown(shown)]
