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
    rows_of,
    runs_of,
)
from results.registry import About, Exhibits, Written, figure, table

# --- figure: metrics -------------------------------------------------------------------------------------------------

COLUMNS = ("metric", "run", "epoch", "value", "low", "high", "null", "null_low", "null_high", "n")
INTERVAL = "95 %, bootstrap; of the null, 95 % of the shuffles"
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
# Inches.
SLOT, LABEL, PLOT, BESIDE, HEADING, ROW, AXIS, CURVES = 3.6, 1.22, 1.42, 0.88, 0.24, 0.2, 0.32, 1.15


def metrics_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    metrics = rows_of(exhibits, "metrics", COLUMNS)
    what = (
        "Dots are values with their intervals; grey bands (dashed lines over epochs) are the null, the same metric "
        "after shuffling. A metric without a grey band has no null. n is printed beside each value."
    )
    if (metrics["epoch"] == AS_IT_IS).any() and over_epochs(metrics):
        what += " Dotted lines over epochs: networks of which one state is known."
    n = f"{len(metrics)} values of {metrics['metric'].nunique()} metrics"
    return caption(what, about, n=n, runs=runs_of(metrics), interval=INTERVAL)


@figure(
    "fig_metrics",
    title="How well the space aligns the models",
    reads=("metrics",),
    words=metrics_words,
    paper="Evoscope",
    shows="alignment metrics with intervals and nulls",
    place=70,
)
def metrics_figure(exhibits: Exhibits, about: About) -> Figure:
    """A panel per metric: a row per model, or curves where a metric is known at several epochs."""
    metrics = rows_of(exhibits, "metrics", COLUMNS)
    panels = [
        (str(name), rows.reset_index(drop=True)) for name, rows in metrics.groupby("metric", sort=False)
    ]
    pairs = [panels[start : start + 2] for start in range(0, len(panels), 2)]
    heights = [max(panel_height(rows) for _, rows in pair) for pair in pairs]
    sheet = Sheet(PAGE, sum(heights) + len(pairs) * (HEADING + AXIS) + 0.25)
    top = 0.05
    for pair, height in zip(pairs, heights, strict=True):
        for column, (name, rows) in enumerate(pair):
            _panel(sheet, 0.05 + column * SLOT, top, name, rows)
        top += HEADING + height + AXIS
    _key(sheet, sheet.height - 0.2)
    return sheet.figure


def over_epochs(rows: pd.DataFrame) -> bool:
    """Whether a metric is known at several epochs of some run."""
    return bool(rows[["run", "epoch"]].drop_duplicates()["run"].duplicated().any())


def panel_height(rows: pd.DataFrame) -> float:
    """Inches that a metric needs."""
    return max(CURVES, 0.16 * rows["run"].nunique()) if over_epochs(rows) else ROW * len(rows)


def name_of(metric: str) -> str:
    """Readable name of a metric."""
    return NAMES.get(metric, metric.replace("_", " "))


def _panel(sheet: Sheet, left: float, top: float, name: str, rows: pd.DataFrame) -> None:
    sheet.text(left, top, name_of(name), room=SLOT - 0.2, size=LARGE, bold=True)
    if over_epochs(rows):
        _curves(sheet, left + 0.36, top + HEADING, rows)
    else:
        _rows(sheet, left, top + HEADING, rows)


def _rows(sheet: Sheet, left: float, top: float, rows: pd.DataFrame) -> None:
    axes = sheet.axes(left + LABEL, top, PLOT, ROW * len(rows))
    colours = [colour_of(run) for run in rows["run"]]
    interval_rows(
        axes, doubles(rows["value"]), doubles(rows["low"]), doubles(rows["high"]), colours, _null(rows)
    )
    labels = [plain(elide(label_of(run), LABEL - 0.1, SMALL)) for run in rows["run"]]
    axes.set_yticks(range(len(rows)), labels, size=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    widen(axes, rows)
    for place, (value, n) in enumerate(zip(rows["value"], rows["n"], strict=True)):
        text = f"{number(value)}  (n {n:,.0f})" if np.isfinite(value) else "not defined"
        low = top + ROW * (place + 0.5) - 0.045
        sheet.text(left + LABEL + PLOT + 0.05, low, text, room=BESIDE, size=SMALL, color=QUIET)


def number(value: float) -> str:
    """Two decimals, or two digits where that would be zero."""
    return f"{value:.2f}" if abs(value) >= 0.095 or value == 0 else f"{value:.2g}"


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


def _curves(sheet: Sheet, left: float, top: float, rows: pd.DataFrame) -> None:
    axes = sheet.axes(left, top, PLOT + 0.25, panel_height(rows) - 0.06)
    for place, (run, own) in enumerate(rows.groupby("run", sort=False)):
        own, colour = own.sort_values("epoch"), colour_of(str(run))
        if (own["epoch"] == AS_IT_IS).all():
            axes.axhline(own["value"].iloc[0], color=colour, lw=0.9, ls=":")
        else:
            epochs = doubles(own["epoch"])
            interval_curve(axes, epochs, *_null(own), colour, null=True)
            interval_curve(
                axes, epochs, doubles(own["value"]), doubles(own["low"]), doubles(own["high"]), colour
            )
        beside = left + PLOT + 0.35
        sheet.swatch(beside, top + 0.15 * place, colour)
        sheet.text(beside + 0.25, top + 0.15 * place, label_of(str(run)), room=0.9, size=SMALL)
    known = rows.loc[rows["epoch"] != AS_IT_IS, "epoch"]
    epoch_axis(axes, int(known.min()), int(known.max()))
    axes.grid(axis="y")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.locator_params(axis="y", nbins=4)
    axes.annotate(
        "epoch",
        (1, 0),
        xytext=(4, -2),
        xycoords="axes fraction",
        textcoords="offset points",
        size=SMALL,
        va="top",
    )


def _key(sheet: Sheet, top: float) -> None:
    sheet.swatch(0.1, top, QUIET, marker="o")
    sheet.text(0.24, top, "value with its interval (n: what it is a mean of)", size=SMALL, color=QUIET)
    sheet.swatch(3.0, top, QUIET, dashes="dashed")
    sheet.text(3.26, top, "null (grey band or dashed): the same after shuffling", size=SMALL, color=QUIET)


# --- table: space baselines ------------------------------------------------------------------------------------------

BASELINES = (
    *("metric", "run", "epoch", "space", "value", "low", "high", "learned_less", "less_low", "less_high", "n"),
)  # fmt: skip

# What a space is good for, the most telling measure first.
TELLING = {
    "concept_purity@10": "share of the ten nearest neurons of other networks that have the neuron's concept",
    "same_neuron_mrr": "reciprocal rank of the same neuron at another epoch",
    "stimulus_agreement": "correlation of nearness with shared stimuli",
}


def finding(rows: pd.DataFrame) -> str:
    """The learned space beside what nothing was learned for, at the last epochs, as means over the networks."""
    metric = next((name for name in TELLING if (rows["metric"] == name).any()), None)
    own = rows[(rows["metric"] == metric) & (rows["run"] != "all")]
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
