"""Reversal: how accuracy changes when neurons are put back to an earlier epoch, bin by bin of importance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.arrays import Bools, Doubles
from evoscope.figure_data import BIN_NAMES
from evoscope.viz import Sheet, colour_of, label_of, remark
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, INK, LARGE, QUIET, SMALL, elide, look_of
from results.page_style import (
    CELL,
    CLASS_INTERVAL,
    PERCENTILES,
    caption,
    counted_its_way,
    doubles,
    full_name,
    markdown,
    measured_under,
    networks,
    pair_words,
    protocol_name,
    rows_of,
    runs_of,
)
from results.reference import published_reversal
from results.registry import About, Exhibits, Written, figure, table

# --- figure: reversal ------------------------------------------------------------------------------------------------

SETTING = [*CELL, "layers"]
MEASURED = ("value", "low", "high", "se", "accuracy")
COUNTS = ("classes", "images", "samples", "draws")
COLUMNS = (*SETTING, "condition", *MEASURED, *COUNTS)
ORDER = (*SETTING, "most_first", "monotone", "least_near_zero", "random_between", "holds", "why")
COMPARED = ("corrected", "as_released")  # protocols that the published numbers belong beside
DRAWN = (*BIN_NAMES, "random")
PLACES = np.array([0.0, 1.0, 2.0, 3.0, 4.3])
ACROSS = 3  # panels in a row
# Inches.
LEFT, BETWEEN, HEADING, HEIGHT, AXIS, KEY = 0.4, 0.5, 0.2, 1.7, 0.42, 0.26
WIDTH = (PAGE - LEFT - 0.4 - (ACROSS - 1) * BETWEEN) / ACROSS


def reversal_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    every, order = rows_of(exhibits, "reversal", COLUMNS), rows_of(exhibits, "order", ORDER)
    rows = shown(every)
    layers = "each counted once" if (rows["layers"] == "once").all() else "as the released code lists them"
    what = (
        "In the later network, a quarter of one layer's neurons gets the maps of the earlier network; the change of "
        "accuracy that follows, in percentage points, by importance of the quarter for the class, as the mean over the "
        f"layers, {layers}, and on the right of a random quarter. Pale dots: rows, that is pairs of epochs, training "
        "or test images, first or first five guesses; line and bars: their median, smallest and largest. Grey: the "
        "published rows of the same architecture, of other networks on other images, on a scale of their own with the "
        "same zero (band: smallest to largest, dashed: median). " + verdicts(rows, order) + _doubts(rows)
    )
    runs = runs_of(rows)
    interval = "smallest to largest of the rows; intervals of each row are in table_reversal"
    return caption(what, measured_under(rows, about), n=sizes(rows), runs=runs, interval=interval)


def reversal_finding(exhibits: Exhibits, about: About) -> str:
    """In how many rows the most important quarter costs most, and in how many the whole published order holds."""
    rows, order = shown(rows_of(exhibits, "reversal", COLUMNS)), rows_of(exhibits, "order", ORDER)
    judged = rows[SETTING].drop_duplicates().merge(order, on=SETTING)
    if judged.empty:
        return ""
    most, holds = (int(judged[name].astype(bool).sum()) for name in ("most_first", "holds"))
    return (
        f"Putting back the most important quarter of a layer costs the most accuracy in {most} of {len(judged)} rows; "
        f"the whole published order holds in {holds}"
    )


@figure(
    "fig_reversal",
    title="Accuracy when neurons are put back to an earlier epoch",
    reads=("reversal", "order"),
    says=reversal_finding,
    words=reversal_words,
    paper="ConceptEvo",
    shows="accuracy when neurons are put back to an earlier epoch",
    place=40,
)
def reversal_figure(exhibits: Exhibits, about: About) -> Figure:
    """A panel per network: the bins of importance and a random quarter."""
    rows = shown(rows_of(exhibits, "reversal", COLUMNS))
    networks = [own for _, own in rows.groupby("run", sort=False)]
    each = HEADING + HEIGHT + AXIS
    sheet = Sheet(PAGE, max(-(-len(networks) // ACROSS), 1) * each + KEY)
    if rows.empty:
        sheet.text(LEFT, 0.1, "no reversal was measured", color=QUIET)
        return sheet.figure
    for place, own in enumerate(networks):
        down, across = divmod(place, ACROSS)
        left, top = LEFT + across * (WIDTH + BETWEEN), 0.05 + down * each
        run = str(own["run"].iloc[0])
        name = elide(full_name(look_of(run), run), WIDTH, LARGE, bold=True)
        sheet.text(left, top, name, size=LARGE, bold=True)
        axes = sheet.axes(left, top + HEADING, WIDTH, HEIGHT)
        _panel(axes, own, words=across == 0)
        last = across == ACROSS - 1 or place == len(networks) - 1
        _published(sheet.axes(left, top + HEADING, WIDTH, HEIGHT), axes, own, words=last)
    low, text = sheet.height - 0.22, "median of the rows, bar: smallest to largest (0–25: most important)"
    sheet.swatch(LEFT, low, INK, marker="o")
    sheet.text(LEFT + 0.14, low, text, size=SMALL, color=QUIET)
    sheet.swatch(LEFT + 3.55, low, BACKDROP).set(linewidth=6)
    sheet.text(LEFT + 3.85, low, "published rows, own scale on the right", size=SMALL, color=QUIET)
    return sheet.figure


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one protocol, the corrected one where there is one, with every layer counted once where that was done."""
    for column, wanted in (("protocol", "corrected"), ("layers", "once")):
        kept = wanted if wanted in set(rows[column]) else next(iter(rows[column]), wanted)
        rows = rows[rows[column] == kept]
    return rows


def published(rows: pd.DataFrame) -> pd.DataFrame:
    """The published rows for one panel's or pair's measured ones; none for another run, pair or protocol."""
    keys = rows.loc[rows["protocol"].isin(COMPARED), ["run", "pair", "split", "metric"]].drop_duplicates()
    return published_reversal().merge(keys, on=["run", "pair", "split", "metric"])


def by_condition(rows: pd.DataFrame, conditions: Sequence[str], column: str) -> Doubles:
    """A column [conditions] of one panel; NaN where a condition was not measured."""
    first = rows.drop_duplicates("condition").set_index("condition")[column]
    return doubles(first.reindex(list(conditions)))


def _panel(axes: Axes, rows: pd.DataFrame, words: bool) -> None:
    """Every row pale, their median as a line, smallest and largest as bars."""
    keys = [*CELL, "layers"]
    found = [100 * by_condition(own, DRAWN, "value") for _, own in rows.groupby(keys, sort=False)]
    values, colour = np.array(found).reshape(-1, len(DRAWN)), colour_of(str(rows["run"].iloc[0]))
    axes.set_xlim(-0.5, PLACES[-1] + 0.5)
    axes.set_xticks(PLACES, [*PERCENTILES, "random"], size=SMALL)
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("percentile of importance")
    axes.grid(axis="y")
    if words:
        axes.set_ylabel("change of accuracy, points")
    known: Bools = np.asarray(np.isfinite(values).any(axis=0))
    if not known.any():
        remark(axes, "not measured")
        return
    axes.plot(np.tile(PLACES, (len(values), 1)).T, values.T, ".", color=colour, alpha=0.3, markersize=4, mew=0)
    measured = values[:, known]
    middle, low, high = (reduce(measured, axis=0) for reduce in (np.nanmedian, np.nanmin, np.nanmax))
    axes.vlines(PLACES[known], low, high, color=colour, lw=1.0, zorder=4)
    bins = known.copy()
    bins[-1] = False
    axes.plot(PLACES[bins], middle[bins[known]], color=colour, lw=1.6, zorder=5)
    axes.plot(PLACES[known], middle, "o", color=colour, markersize=4.5, zorder=6)
    axes.axhline(0, color=INK, lw=0.7, zorder=2)
    room = 0.08 * float(max(np.ptp([*low, *high, 0.0]), 1.0))
    axes.set_ylim(min(0.0, *low) - room, max(0.0, *high) + room)


def _published(below: Axes, axes: Axes, rows: pd.DataFrame, words: bool) -> None:
    """The published rows as a band behind the measured ones, on a scale of their own on the right, with one zero."""
    below.set_zorder(axes.get_zorder() - 1)
    axes.patch.set_visible(False)
    below.set_xlim(*axes.get_xlim())
    below.set_xticks([])
    theirs = 100 * published(rows)[list(DRAWN)].to_numpy(dtype=np.float64)
    for side in ("left", "bottom"):
        below.spines[side].set_visible(False)
    if not len(theirs):
        below.set_yticks([])
        return
    low, high, middle = (reduce(theirs, axis=0) for reduce in (np.nanmin, np.nanmax, np.nanmedian))
    below.fill_between(PLACES[:-1], low[:-1], high[:-1], color=BACKDROP, lw=0, alpha=0.7)
    below.vlines(PLACES[-1:], low[-1:], high[-1:], color=BACKDROP, lw=6, alpha=0.7)
    below.plot(PLACES[:-1], middle[:-1], color=QUIET, lw=1.0, linestyle=(0, (3, 1.6)))
    below.plot(PLACES[-1:], middle[-1:], "_", color=QUIET, markersize=7)
    ours, bottom = axes.get_ylim(), 1.08 * min(float(low.min()), -0.5)
    above = max(ours[1] / -ours[0], 1.08 * float(high.max()) / -bottom)  # of what is below zero: one zero for both
    axes.set_ylim(ours[0], -above * ours[0])
    below.set_ylim(bottom, -above * bottom)
    below.yaxis.tick_right()
    below.tick_params(axis="y", labelcolor=QUIET, length=0)
    below.locator_params(axis="y", nbins=5)
    if words:
        below.yaxis.set_label_position("right")
        below.set_ylabel("published, points", color=QUIET)


def sizes(rows: pd.DataFrame) -> str:
    """``20 classes, 50 to 250 images of each; importance from 5 samples of images; 5 random draws``."""
    classes, images, samples, draws = (_between(doubles(rows[name])) for name in COUNTS[:4])
    return (
        f"{classes} classes, {images} images of each, importance from {samples} "
        f"sample{'s' * (samples != '1')} of images, {draws} random draw{'s' * (draws != '1')}"
    )


def _between(numbers: Doubles) -> str:
    """Smallest and largest number; zero and NaN are no number."""
    known = np.unique(np.round(numbers[np.isfinite(numbers) & (numbers > 0)]))
    if not len(known):
        return "unknown"
    ends = [f"{known[0]:,.0f}", f"{known[-1]:,.0f}"]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def verdicts(rows: pd.DataFrame, order: pd.DataFrame) -> str:
    """Sentence on how often the published order holds among the rows, for each protocol."""
    judged = rows[SETTING].drop_duplicates().merge(order, on=SETTING)
    if judged.empty:
        return "Whether the published order holds was not judged."
    counts = [
        f"{int(own['holds'].astype(bool).sum())} of {len(own)} rows ({protocol_name(name)})"
        for name, own in judged.groupby("protocol", sort=False)
    ]
    return (
        "The published order (the most important quarter drops most, drops shrink from bin to bin, the least "
        "important quarter is near zero, a random quarter lies between) holds in " + ", in ".join(counts) + "."
    )


INTERVALS = CLASS_INTERVAL

# --- table: reversal -------------------------------------------------------------------------------------------------

DASH = "–"
FIRST = ("corrected", "as_released")


def finding(rows: pd.DataFrame) -> str:
    """What the most important, a random and the least important quarter cost on test images, mean over the cells."""
    own = counted_its_way(rows[rows["protocol"] == rows["protocol"].iloc[0]]) if len(rows) else rows
    own = own[(own["split"] == "test") & (own["metric"] == "top1")]
    means = 100 * own.groupby("condition")["value"].mean()
    if not {BIN_NAMES[0], "random", BIN_NAMES[3]} <= set(means.index):
        return ""
    pairs = len(own.drop_duplicates(["run", "from_epoch", "to_epoch"]))
    return (
        f"Taking back the most important quarter of a layer changes test accuracy by {means[BIN_NAMES[0]]:+.1f} "
        f"points, a random quarter by {means['random']:+.1f}, the least important one by {means[BIN_NAMES[3]]:+.1f}; "
        f"{networks(own)}, {pairs} pair{'s' * (pairs != 1)} of epochs."
    )


@table(
    "table_reversal",
    title="Reversal of evolutions, bin by bin, beside the published values",
    reads=("reversal", "order"),
    paper="ConceptEvo",
    shows="reversal beside the published values",
    place=140,
    finding=finding,
)
def reversal_table(exhibits: Exhibits, about: About) -> Written:
    """Every row for the CSV; in Markdown a row per measurement, then whole layers and networks."""
    rows, order = rows_of(exhibits, "reversal", COLUMNS), rows_of(exhibits, "order", ORDER)
    main = counted_its_way(rows)
    above = caption(
        "Changes of accuracy (fractions, negative for a loss) when a quarter of one layer's neurons gets the maps of "
        "the earlier network, mean over the layers; quarters by percentile of importance for the class, 0–25 the most "
        "important. Beside it the published values for the same architecture and pair, of other networks on other "
        f"images (results/reference). {verdicts(main, order)}{_doubts(main)}",
        measured_under(main, about),
        n=sizes(rows),
        runs=runs_of(rows),
        interval=f"{INTERVALS}; se: over random draws",
    )
    first, second = by_bin(main, order), at_once(rows)
    if second.empty:
        return rows, [above, markdown(first)]
    note = "**All neurons of a layer, and all layers at once.** The same change when more than a quarter is put back."
    return rows, [above, markdown(first), note, markdown(second)]


def by_bin(rows: pd.DataFrame, order: pd.DataFrame) -> pd.DataFrame:
    """One row per run, pair, split, metric and protocol."""
    lines = []
    for own in cells(rows):
        verdict = own.iloc[[0]][SETTING].merge(order, on=SETTING)
        holds, why = _verdict(verdict.iloc[0]) if len(verdict) else (DASH, "")
        bins = dict(zip((f"bin {name}" for name in PERCENTILES), changes(own, BIN_NAMES), strict=True))
        lines.append(
            heading(own)
            | {"accuracy": fraction(float(own["accuracy"].iloc[0]))}
            | bins
            | {"random": _random(own), "published: bins; random": theirs(own), "order holds": holds, "why not": why}
        )
    names = ["model", "pair", "images", "protocol", "accuracy"]
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=names)


def at_once(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per run, pair, split, metric and protocol for which whole layers or all layers were put back."""
    together = rows["layers"] == "together"
    whole = rows[(rows["condition"] == "all") & ~together]
    lines = []
    for own in cells(pd.concat([counted_its_way(whole), rows[together]])):
        once, every = own[own["layers"] != "together"], own[own["layers"] == "together"]
        bins = (f"all layers at once, {name}" for name in PERCENTILES)
        lines.append(
            heading(own, layers=False)
            | {"all neurons of one layer": changes(once, ["all"])[0]}
            | dict(zip(bins, changes(every, BIN_NAMES), strict=True))
            | {"all layers at once, random": _random(every)}
            | {"all layers at once, all neurons": changes(every, ["all"])[0]}
        )
    return pd.DataFrame(lines)


def cells(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows of each run, pair, split, metric and protocol; protocols next to each other, the corrected one first."""
    if rows.empty:
        return []
    ranks = {name: place for place, name in enumerate([*FIRST, *sorted(set(rows["protocol"]) - {*FIRST})])}
    keys = rows[CELL].drop_duplicates().reset_index(drop=True)
    for column in ("run", "pair", "from_epoch", "to_epoch"):
        keys[f"_{column}"] = keys[column].map({name: n for n, name in enumerate(dict.fromkeys(keys[column]))})
    keys["_split"] = keys["split"] != "train"
    keys["_protocol"] = keys["protocol"].map(ranks)
    ranked = ["_run", "_pair", "_from_epoch", "_to_epoch", "_split", "metric", "_protocol"]
    keys = keys.sort_values(ranked, kind="stable")[CELL]
    return [keys.iloc[[place]].merge(rows, on=CELL) for place in range(len(keys))]


def heading(rows: pd.DataFrame, layers: bool = True) -> dict[str, str]:
    """What one row of a table is about."""
    head = rows.iloc[0]
    protocol = protocol_name(head["protocol"])
    if layers and head["layers"] != "once":
        protocol += f", layers as {head['layers']}"
    return {
        "model": label_of(str(head["run"])),
        "pair": pair_words(str(head["pair"]), int(head["from_epoch"]), int(head["to_epoch"])),
        "images": f"{head['split']}, {str(head['metric']).replace('top', 'top-')}",
        "protocol": protocol,
    }


def fraction(value: float) -> str:
    """Three decimals, a dash where there is no value."""
    return f"{round(value, 3) + 0.0:.3f}" if np.isfinite(value) else DASH


def change(value: float, low: float, high: float) -> str:
    """``-0.129 [-0.150, -0.108]``."""
    if not (np.isfinite(value) and np.isfinite(low) and np.isfinite(high)):
        return fraction(value)
    return f"{fraction(value)} [{fraction(low)}, {fraction(high)}]"


def changes(rows: pd.DataFrame, conditions: Sequence[str]) -> list[str]:
    """`change` of each condition of one cell."""
    columns = [by_condition(rows, conditions, name) for name in ("value", "low", "high")]
    return [change(*map(float, numbers)) for numbers in zip(*columns, strict=True)]


def _random(rows: pd.DataFrame) -> str:
    text, se = changes(rows, ["random"])[0], float(by_condition(rows, ["random"], "se")[0])
    return f"{text} (se {se:.4f})" if np.isfinite(se) else text


def theirs(rows: pd.DataFrame) -> str:
    """The published bins and random value of one cell: ``-0.129, -0.037, -0.017, 0.007; -0.036``."""
    found = published(rows)
    if found.empty:
        return DASH
    row = found.iloc[0]
    text = ", ".join(fraction(float(row[name])) for name in BIN_NAMES) + f"; {fraction(float(row['random']))}"
    return text + " (suspect)" if row["suspect"] else text


def _verdict(row: "pd.Series[Any]") -> tuple[str, str]:
    return ("yes" if row["holds"] else "no"), "" if pd.isna(row["why"]) else str(row["why"])


def _doubts(rows: pd.DataFrame) -> str:
    """What the source's own notes say against published rows that are shown; one sentence per note."""
    found = published(rows).query("note != ''")
    parts = []
    for note, own in found.groupby("note", sort=False):
        listed = [
            f"{label_of(str(row.run))} {row.pair}, {row.split} {str(row.metric).replace('top', 'top-')}"
            for row in own.itertuples()
        ]
        parts.append(f"{'; '.join(listed)}: {note}.")
    return " Published rows with caveats. " + " ".join(parts) if parts else ""
