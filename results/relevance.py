"""What a class loses when its concept is projected out of the layer, against random directions."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.arrays import Doubles
from evoscope.viz import Sheet, colour_of, interval_rows, label_of, remark
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, NORMAL, QUIET, SMALL, elide, plain, width_of
from results.page_style import (
    HEADING,
    NOTHING,
    caption,
    direction_name,
    doubles,
    interval_column,
    layer_heading,
    layers_of,
    markdown,
    model_column,
    percent,
    rows_of,
    runs_of,
    with_interval,
)
from results.registry import About, Exhibits, Written, figure, table

# --- figure: concept relevance ---------------------------------------------------------------------------------------

COLUMNS = (
    "run", "layer", "class_name", "direction", "side", "z", "derivative", "positive_share", "logit_change",
    "logit_low", "logit_high", "random_change", "random_low", "random_high", "accuracy_change", "accuracy_low",
    "accuracy_high", "random_accuracy_change", "stability", "stability_null",
)  # fmt: skip
INTERVAL = "95 %, bootstrap over images"
MOST = 12  # concepts of a run that are drawn
# Inches.
LABEL, LEFT, BETWEEN, TITLES, ROW, LEAST, AXIS, KEY = 1.72, 1.8, 0.24, 0.17, 0.165, 1.0, 0.34, 0.2
LOGIT, ACCURACY, STABILITY, SCATTER, BEFORE = 1.35, 0.98, 0.75, 1.17, 0.58


def concept_relevance_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    rows = rows_of(exhibits, "relevance", COLUMNS)
    what = (
        "Each row is the concept of a class: its direction is projected out of the layer's maps and what follows runs "
        "again. Change of the class logit and of the accuracy on images of the class, beside random directions of "
        "equal variance on the same images (the fair comparison: a direction of large variance costs more, whatever it "
        "means); band: 95 % of them. Stability: |cosine| with the matched direction after drawing the images anew. "
        "Right: mean derivative of the class logit along the vector against z, a dot per concept; a vector with a "
        "large z may have no or the opposite effect on the logit. " + beyond(rows) + left_out(rows)
    )
    return caption(what, about, n=counted(rows), runs=runs_of(rows), interval=INTERVAL)


@figure(
    "fig_concept_relevance",
    title="What classes lose without their concept vectors",
    reads=("relevance",),
    words=concept_relevance_words,
    paper="Evoscope",
    shows="what a class loses without its concept, against random",
    place=210,
)
def concept_relevance_figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per run and layer: a row per concept, and z against the derivative."""
    rows = rows_of(exhibits, "relevance", COLUMNS)
    blocks = [shown(own) for own in layers_of(rows)]
    heights = [HEADING + TITLES + inner(own) + AXIS for own in blocks]
    sheet = Sheet(PAGE, sum(heights) + KEY + 0.1)
    if not blocks:
        sheet.text(0.07, 0.1, NOTHING, color=QUIET)
        return sheet.figure
    top = 0.05
    for own, height in zip(blocks, heights, strict=True):
        layer_heading(sheet, 0.07, top, own, about)
        _block(sheet, top + HEADING, own)
        top += height
    _key(sheet, top)
    return sheet.figure


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The first concepts of a run, as many as are drawn."""
    return rows.iloc[:MOST].reset_index(drop=True)


def inner(rows: pd.DataFrame) -> float:
    """Height of a block's panels in inches."""
    return max(ROW * len(rows), LEAST)


def _block(sheet: Sheet, top: float, rows: pd.DataFrame) -> None:
    left, height = LEFT, inner(rows)
    for wide, title, draw in (
        (LOGIT, "change of logit", _logit),
        (ACCURACY, "of accuracy, points", _accuracy),
        (STABILITY, "stability", _stability),
    ):
        sheet.text(left, top, title, size=NORMAL, bold=title == "change of logit")
        axes = sheet.axes(left, top + TITLES, wide, height)
        draw(axes, rows)
        _row_axis(axes, len(rows))
        left += wide + BETWEEN
    for place in range(len(rows)):
        _label(sheet, top + TITLES + height * (place + 0.5) / len(rows) - 0.05, rows.iloc[place])
    left += BEFORE - BETWEEN
    sheet.text(left - 0.3, top, "derivative against z", size=NORMAL)
    _scatter(sheet.axes(left, top + TITLES, SCATTER, height), rows)


def _label(sheet: Sheet, top: float, row: "pd.Series[Any]") -> None:
    """Class and direction before a row."""
    name = direction_name(row["direction"], row["side"])
    sheet.text(LABEL, top, name, size=SMALL, color=QUIET, across="right")
    room = LABEL - width_of(name, SMALL) - 0.15
    sheet.text(0.07, top, elide(str(row["class_name"]), room, SMALL), size=SMALL)


def _row_axis(axes: Axes, count: int) -> None:
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _logit(axes: Axes, rows: pd.DataFrame) -> None:
    null = doubles(rows["random_change"]), doubles(rows["random_low"]), doubles(rows["random_high"])
    _changes(axes, rows, ("logit_change", "logit_low", "logit_high"), null, 1.0)


def _accuracy(axes: Axes, rows: pd.DataFrame) -> None:
    unknown = np.full(len(rows), np.nan)
    null = 100 * doubles(rows["random_accuracy_change"]), unknown, unknown
    _changes(axes, rows, ("accuracy_change", "accuracy_low", "accuracy_high"), null, 100.0)


def _changes(
    axes: Axes,
    rows: pd.DataFrame,
    names: tuple[str, str, str],
    null: tuple[Doubles, Doubles, Doubles],
    unit: float,
) -> None:
    """Values with intervals and their null, zero in view."""
    value, low, high = (unit * doubles(rows[name]) for name in names)
    colours = [colour_of(str(run)) for run in rows["run"]]
    drawn = np.concatenate([value, low, high, *null])
    drawn = np.concatenate([drawn[np.isfinite(drawn)], [0.0]])
    axes.axvline(0, color=QUIET, lw=0.6, zorder=1)
    if not np.isfinite(value).any():
        axes.set_xticks([])
        remark(axes, "not measured")
        return
    interval_rows(axes, value, low, high, colours, null)
    room = 0.06 * float(np.ptp(drawn)) or 1.0
    axes.set_xlim(float(drawn.min()) - room, float(drawn.max()) + room)
    axes.locator_params(axis="x", nbins=3)


def _stability(axes: Axes, rows: pd.DataFrame) -> None:
    value, null = doubles(rows["stability"]), doubles(rows["stability_null"])
    unknown, colours = np.full(len(rows), np.nan), [colour_of(str(run)) for run in rows["run"]]
    interval_rows(axes, value, unknown, unknown, colours, (null, unknown, unknown))
    if not np.isfinite(value).any():
        remark(axes, "not measured")
    axes.set_xlim(0, 1.04)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])


def _scatter(axes: Axes, rows: pd.DataFrame) -> None:
    z, derivative = doubles(rows["z"]), doubles(rows["derivative"])
    if not np.isfinite(z * derivative).any():
        axes.set_xticks([])
        axes.set_yticks([])
        remark(axes, "not measured")
        return
    axes.axhline(0, color=QUIET, lw=0.6, zorder=1)
    for place, colour in enumerate(colour_of(str(run)) for run in rows["run"]):
        axes.plot(z[place], derivative[place], marker="o", markersize=3.6, color=colour, mew=0, clip_on=False)
    axes.set_xlim(left=min(0.0, *axes.get_xlim()))
    axes.margins(y=0.12)
    axes.locator_params(axis="both", nbins=4)
    axes.set_xlabel("z", size=SMALL, labelpad=1)
    axes.grid(axis="both")


def _key(sheet: Sheet, top: float) -> None:
    sheet.swatch(0.07, top, QUIET, marker="o")
    sheet.text(0.21, top, "concept of the class, with interval", size=SMALL, color=QUIET)
    sheet.swatch(2.2, top, BACKDROP, marker="s")
    text = "random directions of equal variance, mean and 95 %; of stability, what random sets give"
    sheet.text(2.34, top, text, size=SMALL, color=QUIET)


def beyond(rows: pd.DataFrame) -> str:
    """Sentence on how many concepts lower the logit more than random directions do."""
    known = rows[rows[["logit_change", "random_low"]].notna().all(axis=1)]
    below = int((known["logit_change"] < known["random_low"]).sum())
    return (
        f"{below} of {len(known)} concepts cost the logit of their class more than 97.5 % of random directions of "
        "equal variance do."
        if len(known)
        else "Intervals of the logit are not known."
    )


def finding(rows: pd.DataFrame) -> str:
    """How many concepts matter to the logit of their class; empty where none was taken out."""
    if rows["logit_change"].isna().all():
        return ""
    return beyond(rows).replace(" concepts ", f" concepts of {', '.join(map(label_of, runs_of(rows)))} ", 1)


def counted(rows: pd.DataFrame) -> str:
    """``6 concepts of 3 classes``, and how many classes have none."""
    known = rows[rows["direction"] >= 0]
    text = f"{len(known)} concepts of {known['class_name'].nunique()} classes"
    missing = len(rows) - len(known)
    return (
        f"{text} ({missing} more without a candidate: a class that is never predicted)" if missing else text
    )


def left_out(rows: pd.DataFrame) -> str:
    """Sentence on the concepts that are not drawn."""
    parts = [
        f"{label_of(str(own['run'].iloc[0]))}, {len(own) - MOST} further concepts"
        for own in layers_of(rows)
        if len(own) > MOST
    ]
    return f" Left out for want of space, in the table: {plain('; '.join(parts))}." if parts else ""


# --- table: concept relevance ----------------------------------------------------------------------------------------


@table(
    "table_concept_relevance",
    title="Relevance of concept vectors to the prediction",
    reads=("relevance",),
    paper="Evoscope",
    shows="relevance and stability of every class's concept",
    place=250,
    finding=finding,
)
def concept_relevance_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every digit) and text of the Markdown."""
    rows = rows_of(exhibits, "relevance", COLUMNS)
    above = caption(
        "z: how far images predicted as the class lie above the others along the vector, in standard deviations of "
        "the others; the best of many directions is shown, so a large z alone is no evidence. Derivative: mean change "
        "of the class logit per unit of the vector, and the share of images on which it is positive. Changes: of the "
        "class logit and of accuracy (a fraction) on images of the class when the direction is projected out of the "
        "layer, beside the mean over random directions of equal variance and where 95 % of them lie. Stability: "
        "|cosine| with the matched direction after drawing the images anew, in brackets that of random bases. "
        f"{beyond(rows)}",
        about,
        n=counted(rows),
        runs=runs_of(rows),
        interval=INTERVAL,
    )
    return rows, [above, markdown(readable(rows))]


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in words, values with their intervals."""
    shown = pd.DataFrame({"model": model_column(rows["run"])})
    shown["layer"], shown["class"] = rows["layer"].to_numpy(), rows["class_name"].to_numpy()
    pairs = zip(rows["direction"], rows["side"], strict=True)
    shown["direction"] = [direction_name(direction, side) for direction, side in pairs]
    shown["z"], shown["derivative"] = (
        rows[name].astype(float).round(2).to_numpy() for name in ("z", "derivative")
    )
    shown["positive"] = [percent(float(share)) for share in rows["positive_share"]]
    shown["logit [95 %]"] = interval_column(rows, "logit_change", "logit_low", "logit_high")
    shown["random logit [95 %]"] = interval_column(rows, "random_change", "random_low", "random_high")
    shown["accuracy [95 %]"] = interval_column(rows, "accuracy_change", "accuracy_low", "accuracy_high")
    shown["random accuracy"] = rows["random_accuracy_change"].astype(float).round(4).to_numpy()
    both = rows[["stability", "stability_null"]].astype(float).itertuples(index=False, name=None)
    nan = float("nan")
    shown["stability"] = [
        f"{with_interval(own, nan, nan)} ({with_interval(null, nan, nan)})" for own, null in both
    ]
    return shown
