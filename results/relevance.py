"""What a class loses when its concept is projected out of the layer, against random directions."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evoscope.viz import Sheet, colour_of, interval_rows, label_of, remark
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, LARGE, QUIET, SMALL, elide, plain
from results.page_style import (
    NOTHING,
    caption,
    direction_name,
    doubles,
    interval_column,
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
ACROSS = 3  # panels in a row
# Inches.
LEFT, LABEL, BETWEEN, TITLES, ROW, AXIS, KEY = 0.07, 1.05, 0.12, 0.34, 0.155, 0.42, 0.2
WIDTH = (PAGE - LEFT - 0.07 - ACROSS * LABEL - (ACROSS - 1) * BETWEEN) / ACROSS


def concept_relevance_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    rows = rows_of(exhibits, "relevance", COLUMNS)
    what = (
        "Each row is the concept of a class: its direction is projected out of the layer's maps and what follows runs "
        "again. Change of the class logit on images of the class, beside random directions of equal variance on the "
        "same images (the fair comparison: a direction of large variance costs more, whatever it means); band: 95 % of "
        "them. Full dots lie below the band, the bar of claim C2. Accuracy, stability, z and derivative are in "
        "table_concept_relevance." + left_out(rows)
    )
    return caption(what, about, n=counted(rows), runs=runs_of(rows), interval=INTERVAL)


def concept_relevance_finding(exhibits: Exhibits, about: About) -> str:
    """How many concepts cost their class more than nearly all random directions, as claim C2 counts them."""
    rows = rows_of(exhibits, "relevance", COLUMNS)
    if rows.empty:
        return ""
    parts = [
        f"{int(lost_more(own).sum())} of {len(own)} ({label_of(str(own['run'].iloc[0]))})" for own in layers_of(rows)
    ]
    return f"Classes that lose more of their logit without their concept than at random: {', '.join(parts)}"


def lost_more(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Whether the logit falls below the band of random directions; the bar of claim C2."""
    return rows["logit_change"].astype(float) < rows["random_low"].astype(float)


@figure(
    "fig_concept_relevance",
    title="What classes lose without their concept vectors",
    reads=("relevance",),
    says=concept_relevance_finding,
    words=concept_relevance_words,
    paper="Evoscope",
    shows="what a class loses without its concept, against random",
    place=210,
)
def concept_relevance_figure(exhibits: Exhibits, about: About) -> Figure:
    """A panel per run and layer, a row per concept."""
    rows = rows_of(exhibits, "relevance", COLUMNS)
    blocks = [shown(own) for own in layers_of(rows)]
    lines = [blocks[start : start + ACROSS] for start in range(0, len(blocks), ACROSS)]
    heights = [TITLES + ROW * max(map(len, line)) + AXIS for line in lines]
    sheet = Sheet(PAGE, sum(heights) + KEY + 0.1)
    if not blocks:
        sheet.text(0.07, 0.1, NOTHING, color=QUIET)
        return sheet.figure
    top = 0.05
    for line, height in zip(lines, heights, strict=True):
        for place, own in enumerate(line):
            _block(sheet, LEFT + place * (LABEL + WIDTH + BETWEEN), top, own)
        top += height
    sheet.swatch(0.07, top, QUIET, marker="o")
    sheet.text(0.21, top, "concept of the class, below the band", size=SMALL, color=QUIET)
    sheet.swatch(2.15, top, QUIET, marker="o").set(mfc="white", mec=QUIET, mew=1.0)
    sheet.text(2.29, top, "not below it", size=SMALL, color=QUIET)
    sheet.swatch(3.15, top, BACKDROP, marker="s").set(mec=BACKDROP)
    sheet.text(3.29, top, "random directions of equal variance, mean and 95 %", size=SMALL, color=QUIET)
    return sheet.figure


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The first concepts of a run, as many as are drawn."""
    return rows.iloc[:MOST].reset_index(drop=True)


def _block(sheet: Sheet, left: float, top: float, rows: pd.DataFrame) -> None:
    run, layer = (str(rows[name].iloc[0]) for name in ("run", "layer"))
    sheet.text(left, top, label_of(run), room=LABEL + WIDTH, size=LARGE, bold=True)
    sheet.text(left, top + 0.15, layer, room=LABEL + WIDTH, size=SMALL, color=QUIET, cut="middle")
    axes = sheet.axes(left + LABEL, top + TITLES, WIDTH, ROW * len(rows))
    value, low, high = (doubles(rows[name]) for name in ("logit_change", "logit_low", "logit_high"))
    null = doubles(rows["random_change"]), doubles(rows["random_low"]), doubles(rows["random_high"])
    axes.axvline(0, color=QUIET, lw=0.6, zorder=1)
    if np.isfinite(value).any():
        interval_rows(axes, value, low, high, [colour_of(run)] * len(rows), null)
        for place in np.flatnonzero(~lost_more(rows).to_numpy(dtype=bool) & np.isfinite(value)):
            axes.plot(value[place], place, "o", markersize=3.6, mfc="white", mec=colour_of(run), mew=1.0, zorder=5)
        drawn = np.concatenate([value, low, high, *null])
        drawn = np.concatenate([drawn[np.isfinite(drawn)], [0.0]])
        room = 0.06 * float(np.ptp(drawn)) or 1.0
        axes.set_xlim(float(drawn.min()) - room, float(drawn.max()) + room)
        axes.locator_params(axis="x", nbins=3)
    else:
        axes.set_xticks([])
        remark(axes, "not measured")
    names = [plain(elide(str(name), LABEL - 0.08, SMALL)) for name in rows["class_name"]]
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), names, size=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("change of the class logit", size=SMALL)


def beyond(rows: pd.DataFrame) -> str:
    """Sentence on how many concepts lower the logit more than random directions do."""
    known = rows[rows[["logit_change", "random_low"]].notna().all(axis=1)]
    if known.empty:
        return "Intervals of the logit are not known."
    below = f"{int(lost_more(known).sum())} of {len(known)}"
    return f"{below} concepts cost the logit of their class more than 97.5 % of random directions of equal variance do."


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
    return f"{text} ({missing} more without a candidate: a class that is never predicted)" if missing else text


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
    shown["z"], shown["derivative"] = (rows[name].astype(float).round(2).to_numpy() for name in ("z", "derivative"))
    shown["positive"] = [percent(float(share)) for share in rows["positive_share"]]
    shown["logit [95 %]"] = interval_column(rows, "logit_change", "logit_low", "logit_high")
    shown["random logit [95 %]"] = interval_column(rows, "random_change", "random_low", "random_high")
    shown["accuracy [95 %]"] = interval_column(rows, "accuracy_change", "accuracy_low", "accuracy_high")
    shown["random accuracy"] = rows["random_accuracy_change"].astype(float).round(4).to_numpy()
    both = rows[["stability", "stability_null"]].astype(float).itertuples(index=False, name=None)
    nan = float("nan")
    shown["stability"] = [f"{with_interval(own, nan, nan)} ({with_interval(null, nan, nan)})" for own, null in both]
    return shown
