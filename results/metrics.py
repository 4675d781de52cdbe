"""Alignment metrics: each value with its interval, beside what chance alone would give."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.arrays import Doubles
from evoscope.figure_data import AS_IT_IS
from evoscope.viz import Sheet, colour_of, interval_curve, interval_rows, label_of
from evoscope.viz.charts import epoch_axis
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import LARGE, QUIET, SMALL, elide, plain
from results.page_style import (
    caption,
    doubles,
    epoch_column,
    interval_column,
    markdown,
    networks,
    notes,
    percent,
    rows_of,
    runs_of,
)
from results.registry import About, Exhibits, Written, figure, table

# --- figure: metrics -------------------------------------------------------------------------------------------------

COLUMNS = ("metric", "run", "epoch", "value", "low", "high", "null", "null_low", "null_high", "n")
BASELINES = (
    *("metric", "run", "epoch", "space", "value", "low", "high", "learned_less", "less_low", "less_high", "n"),
)  # fmt: skip
INTERVAL = "95 %, bootstrap; of the null, 95 % of its draws"
NAMES = {
    "concept_purity@10": "Concept purity@10 across models",
    "same_neuron_mrr": "Same neuron found again after an epoch (MRR)",
    "stimulus_agreement": "Cosine against shared stimuli (Spearman)",
    "self_projection_rmse": "Base projected onto itself (error)",
    "self_projection_cosine": "Base projected onto itself (cosine)",
    "coverage": "Share of stimuli that the base covers",
    "placed": "Share of neurons that have a place",
    "unplaced": "Share of neurons without a place",
    "unlabelled": "Placed neurons without a clear concept",
}
PURITY, AGREEMENT, AGAIN = "concept_purity@10", "stimulus_agreement", "same_neuron_mrr"
SPACES = {
    "learned": "learned",
    "random vectors": "random vectors",
    "shared stimuli": "shared images",
    "separate spaces": "own spaces",
}
# Inches.
LEFT, LABEL, PLOT, BETWEEN, HEADING, ROW, AXIS, KEY = 0.07, 1.02, 1.12, 0.24, 0.24, 0.17, 0.36, 0.22
LAST = PAGE - LEFT - 2 * (PLOT + BETWEEN) - 2 * LABEL - 0.42  # width of the curves


def metrics_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    metrics = rows_of(exhibits, "metrics", COLUMNS)
    what = (
        "Left: the share of stimuli that the base covers. Middle: how often neighbours from other networks answer to "
        "the same concept (where none is known: rank correlation of the cosine with shared stimuli), of every network "
        "and, over all of them, in the learned space and without one. Right: how well a neuron is found again after an "
        "epoch (mean reciprocal rank). Dots are values with their intervals; grey bands (dashed over epochs) are the "
        "null, the same after shuffling, and for coverage with images drawn at random; a value without one has none. "
        "All metrics are in table_metrics."
    )
    if (metrics["epoch"] == AS_IT_IS).any() and over_epochs(metrics):
        what += " Dotted lines over epochs: networks of which one state is known."
    n = f"{len(metrics)} values of {metrics['metric'].nunique()} metrics"
    return caption(what, about, n=n, runs=runs_of(metrics), interval=INTERVAL)


def metrics_finding(exhibits: Exhibits, about: About) -> str:
    """Purity against its null and against shared stimuli alone; without concepts, retrieval against its null."""
    metrics, spaces = rows_of(exhibits, "metrics", COLUMNS), rows_of(exhibits, "space_baselines", BASELINES)
    own = metrics[(metrics["metric"] == PURITY) & np.isfinite(metrics["value"].astype(float))]
    if len(own):
        whole = own[own["run"] == "all"] if (own["run"] == "all").any() else own
        text = (
            f"Of a neuron's ten nearest neighbours in other networks, {percent(float(whole['value'].mean()))} answer "
            f"to the same concept, {percent(float(whole['null'].mean()))} by chance"
        )
        alone = compared(spaces, PURITY).query("space == 'shared stimuli'")["value"]
        return text + (
            f"; shared images alone, without a space, give {percent(float(alone.mean()))}" if len(alone) else ""
        )
    again = metrics[(metrics["metric"] == AGAIN) & np.isfinite(metrics["value"].astype(float))]
    if again.empty:
        return ""
    value, null = float(again["value"].median()), float(again["null"].median())
    return f"A neuron is found again after an epoch with a mean reciprocal rank of {value:.2f}, by chance {null:.2f}"


@figure(
    "fig_metrics",
    title="How well the space aligns the models",
    reads=("metrics", "space_baselines"),
    says=metrics_finding,
    words=metrics_words,
    paper="Evoscope",
    shows="alignment metrics with intervals and nulls",
    place=70,
)
def metrics_figure(exhibits: Exhibits, about: About) -> Figure:
    """Coverage, purity and retrieval side by side."""
    metrics = rows_of(exhibits, "metrics", COLUMNS)
    spaces = rows_of(exhibits, "space_baselines", BASELINES)
    name = PURITY if (metrics["metric"] == PURITY).any() else AGREEMENT
    covered, agreeing = ended(metrics, "coverage"), ended(metrics, name)
    agreeing = pd.concat([agreeing[agreeing["run"] != "all"], compared(spaces, name)], ignore_index=True)
    again = metrics[metrics["metric"] == AGAIN]
    height = max(ROW * max(len(covered), len(agreeing)), 1.3)
    sheet = Sheet(PAGE, HEADING + height + AXIS + KEY + 0.05)
    left = LEFT
    for rows, title in ((covered, "Coverage"), (agreeing, SHORT[name])):
        sheet.text(left, 0.05, title, room=LABEL + PLOT, size=LARGE, bold=True)
        if len(rows):
            _rows(sheet, left, 0.05 + HEADING, rows)
        left += LABEL + PLOT + BETWEEN
    sheet.text(left, 0.05, SHORT[AGAIN], room=LAST + 0.4, size=LARGE, bold=True)
    if len(again):
        _curves(sheet.axes(left + 0.34, 0.05 + HEADING, LAST, height), again)
    _key(sheet, sheet.height - 0.2)
    return sheet.figure


SHORT = {PURITY: "Same concept nearby", AGREEMENT: "Cosine, shared images", AGAIN: "Found again (MRR)"}


def compared(spaces: pd.DataFrame, name: str) -> pd.DataFrame:
    """A metric in every space, over all networks, or of the first where it is not known over all."""
    own = spaces[(spaces["metric"] == name) & spaces["space"].isin(SPACES)]
    return own[own["run"] == ("all" if "all" in set(own["run"]) else next(iter(own["run"]), ""))]


def ended(metrics: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows of a metric at the last epoch of each run."""
    own = metrics[metrics["metric"] == name]
    return own.sort_values("epoch", kind="stable").drop_duplicates("run", keep="last").sort_index()


def over_epochs(rows: pd.DataFrame) -> bool:
    """Whether a metric is known at several epochs of some run."""
    return bool(rows[["run", "epoch"]].drop_duplicates()["run"].duplicated().any())


def name_of(metric: str) -> str:
    """Readable name of a metric."""
    return NAMES.get(metric, metric.replace("_", " "))


def _rows(sheet: Sheet, left: float, top: float, rows: pd.DataFrame) -> None:
    axes = sheet.axes(left + LABEL, top, PLOT, ROW * len(rows))
    value, low, high = (doubles(rows[name]) for name in ("value", "low", "high"))
    interval_rows(axes, value, low, high, [colour_of(str(run)) for run in rows["run"]], _null(rows))
    spaces = rows["space"] if "space" in rows else pd.Series(np.nan, index=rows.index)
    names = [
        f"{'all' if run == 'all' else label_of(str(run))}: {SPACES[space]}" if space in SPACES else label_of(str(run))
        for space, run in zip(spaces, rows["run"], strict=True)
    ]
    labels = [plain(elide(name, LABEL - 0.06, SMALL)) for name in names]
    axes.set_yticks(range(len(rows)), labels, size=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    widen(axes, rows)


def widen(axes: Axes, rows: pd.DataFrame) -> None:
    """Show zero and everything drawn; whole shares up to one where values are shares."""
    drawn = rows[["value", "low", "high", "null", "null_low", "null_high"]].to_numpy(dtype=np.float64)
    drawn = drawn[np.isfinite(drawn)]
    low, high = min([0.0, *drawn]), max([0.0, *drawn]) or 1.0
    high = 1.0 if 0.5 < high <= 1 else high
    axes.set_xlim(low - 0.05 * (high - low) * (low < 0), high + 0.03 * (high - low))
    axes.locator_params(axis="x", nbins=3)


def _null(rows: pd.DataFrame) -> tuple[Doubles, Doubles, Doubles]:
    return doubles(rows["null"]), doubles(rows["null_low"]), doubles(rows["null_high"])


def _curves(axes: Axes, rows: pd.DataFrame) -> None:
    """A curve per run over the epochs, its name in its colour below one another in the corner."""
    for place, (run, own) in enumerate(rows.groupby("run", sort=False)):
        own, colour = own.sort_values("epoch"), colour_of(str(run))
        if (own["epoch"] == AS_IT_IS).all():
            axes.axhline(own["value"].iloc[0], color=colour, lw=0.9, ls=":")
        else:
            epochs, value, low, high = (doubles(own[name]) for name in ("epoch", "value", "low", "high"))
            interval_curve(axes, epochs, *_null(own), colour, null=True)
            interval_curve(axes, epochs, value, low, high, colour)
        name = plain(elide(label_of(str(run)), LAST - 0.1, SMALL))
        height = 0.98 - 0.085 * place
        axes.text(0.03, height, name, transform=axes.transAxes, size=SMALL, color=colour, va="top", zorder=5)
    known = rows.loc[rows["epoch"] != AS_IT_IS, "epoch"]
    if len(known):
        epoch_axis(axes, int(known.min()), int(known.max()))
    axes.grid(axis="y")
    high = np.nanmax(np.append(rows[["value", "high"]].to_numpy(dtype=np.float64), 0.1))
    axes.set_ylim(0.0, 1.05 if high > 0.5 else float(high) * (1.15 + 0.12 * rows["run"].nunique()))
    axes.locator_params(axis="y", nbins=4)
    axes.set_xlabel("epoch", size=SMALL)


def _key(sheet: Sheet, top: float) -> None:
    sheet.swatch(0.1, top, QUIET, marker="o")
    sheet.text(0.24, top, "value with its interval", size=SMALL, color=QUIET)
    sheet.swatch(3.0, top, QUIET, dashes="dashed")
    sheet.text(3.26, top, "null (grey band or dashed): what chance gives", size=SMALL, color=QUIET)


# --- table: space baselines ------------------------------------------------------------------------------------------

# What a space is good for, the most telling measure first.
TELLING = {
    "concept_purity@10": "share of the ten nearest neurons of other networks that have the neuron's concept",
    "same_neuron_mrr": "reciprocal rank of the same neuron at another epoch",
    "stimulus_agreement": "correlation of nearness with shared stimuli",
}


def finding(rows: pd.DataFrame) -> str:
    """The learned space beside what nothing was learned for, at the last epochs, as means over the networks."""
    single = rows[rows["run"] != "all"]
    metric = next((name for name in TELLING if (single["metric"] == name).any()), None)
    own = single[single["metric"] == metric]
    own = own[own["epoch"] == own.groupby("run")["epoch"].transform("max")]
    means = own.groupby("space", sort=False)["value"].mean().dropna()
    if metric is None or "learned" not in means:
        return ""
    beside = ", ".join(f"{value:.3f} ({space})" for space, value in means.items() if space != "learned")
    rest = f", against {beside}" if beside else ""
    return f"The {TELLING[metric]} is {means['learned']:.3f} in the learned space{rest}; {networks(own)}."


@table(
    "table_space_baselines",
    title="Alignment with and without a learned space",
    reads=("space_baselines",),
    paper="Evoscope",
    shows="alignment by random image vectors, by shared stimuli and in separate spaces",
    place=112,
    finding=finding,
)
def space_baselines_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV and text of the Markdown."""
    rows = rows_of(exhibits, "space_baselines", BASELINES)
    shown = pd.DataFrame(
        {
            "metric": [name_of(metric) for metric in rows["metric"]],
            "model": [label_of(run) for run in rows["run"]],
            "epoch": epoch_column(rows["epoch"]),
            "space": rows["space"],
            "value [95 %]": interval_column(rows, "value", "low", "high"),
            "learned less this [95 %]": interval_column(rows, "learned_less", "less_low", "less_high"),
            "n": [f"{n:,.0f}" for n in rows["n"]],
        }
    )
    text = caption(
        "Neurons lie at the mean of their stimuli's vectors, so that those with stimuli in common lie together "
        "whatever was learned. Random vectors: Gaussian vectors for the images, nothing learned; shared stimuli: "
        "neurons are compared by the images that excite both, without any space; separate spaces: every model and "
        "epoch has a space of its own, by the same skip-gram.",
        about,
        n="neurons, in the last column",
        runs=runs_of(rows),
        interval="95 %, bootstrap over neurons; of random vectors, 95 % of ten draws",
    )
    return rows, [text, markdown(shown)]


# --- table: metrics --------------------------------------------------------------------------------------------------


@table(
    "table_metrics",
    title="Alignment metrics",
    reads=("metrics",),
    paper="Evoscope",
    shows="alignment metrics",
    place=110,
)
def metrics_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV and text of the Markdown."""
    metrics = rows_of(exhibits, "metrics", COLUMNS)
    shown = pd.DataFrame(
        {
            "metric": [name_of(metric) for metric in metrics["metric"]],
            "model": [label_of(run) for run in metrics["run"]],
            "epoch": epoch_column(metrics["epoch"]),
            "value [95 %]": interval_column(metrics, "value", "low", "high"),
            "null [95 %]": interval_column(metrics, "null", "null_low", "null_high"),
            "n": [f"{n:,.0f}" for n in metrics["n"]],
        }
    )
    if (notes(metrics) != "").any():
        shown["why there is no value"] = notes(metrics)
    text = caption(
        "Every value with its interval beside its null; a dash: none is defined.",
        about,
        n="in the last column",
        runs=runs_of(metrics),
        interval=INTERVAL,
    )
    return metrics, [text, markdown(shown)]
