"""Reversal: how accuracy changes when neurons are put back to an earlier epoch, bin by bin of importance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.arrays import Doubles
from evoscope.figure_data import BIN_NAMES
from evoscope.viz import Sheet, colour_of, interval_bars, label_of, level_band, reference_marks, remark
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import INK, NORMAL, QUIET, SMALL, elide
from results.page_style import (
    CELL,
    CLASS_INTERVAL,
    PERCENTILES,
    caption,
    counted_its_way,
    doubles,
    markdown,
    measured_under,
    networks,
    pair_words,
    protocol_name,
    rows_of,
    run_heading,
    runs_of,
)
from results.reference import published_reversal
from results.registry import About, Exhibits, Written, figure, table

# --- figure: reversal ------------------------------------------------------------------------------------------------

PAIR = ["run", "pair", "from_epoch", "to_epoch"]
SETTING = [*CELL, "layers"]
MEASURED = ("value", "low", "high", "se", "accuracy")
COUNTS = ("classes", "images", "samples", "draws")
COLUMNS = (*SETTING, "condition", *MEASURED, *COUNTS)
ORDER = (*SETTING, "most_first", "monotone", "least_near_zero", "random_between", "holds", "why")
PANELS = (("train", "top1"), ("train", "top5"), ("test", "top1"), ("test", "top5"))
COMPARED = ("corrected", "as_released")  # protocols that the published numbers belong beside
FARTHEST = 2.0  # published values beyond so many times the largest measured one are shown at the edge
HOLDS, FAILS = "✓", "✗"
# Inches.
LEFT, BETWEEN, HEADING, TITLES, HEIGHT, TICKS, GAP, KEY = 0.42, 0.13, 0.21, 0.34, 0.82, 0.15, 0.1, 0.34
WIDTH = (PAGE - LEFT - 0.06 - 3 * BETWEEN) / 4


def reversal_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    every, order = rows_of(exhibits, "reversal", COLUMNS), rows_of(exhibits, "order", ORDER)
    rows = shown(every)
    layers = "each counted once" if (rows["layers"] == "once").all() else "as the released code lists them"
    what = (
        "In the later network, a quarter of one layer's neurons gets the maps of the earlier network; bars are the "
        "change of accuracy that follows, in percentage points, by importance of the quarter for the class, as the "
        f"mean over the layers, {layers}. Line: a random quarter. Diamonds and the dashed line: the published values "
        "for the same architecture and pair, of other networks on other images; triangles at an edge: they lie "
        "outside. " + verdicts(rows, order)
    )
    doubtful = published(rows).query("suspect")
    if len(doubtful):
        cells = [
            f"{label_of(str(row.run))}, {row.pair}, {row.split} {str(row.metric).replace('top', 'top-')}"
            for row in doubtful.itertuples()
        ]
        what += f" Pale diamonds ({'; '.join(cells)}): in the source, the bins are those of another row."
    runs = runs_of(rows)
    return caption(what, measured_under(rows, about), n=sizes(rows), runs=runs, interval=INTERVALS)


@figure(
    "fig_reversal",
    title="Accuracy when neurons are put back to an earlier epoch",
    reads=("reversal", "order"),
    words=reversal_words,
    paper="ConceptEvo",
    shows="accuracy when neurons are put back to an earlier epoch",
    place=40,
)
def reversal_figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per run, a row per pair of epochs, a panel per split and metric."""
    rows, order = shown(rows_of(exhibits, "reversal", COLUMNS)), rows_of(exhibits, "order", ORDER)
    pairs = rows[PAIR].drop_duplicates()
    blocks = [pairs[pairs["run"] == run] for run in dict.fromkeys(pairs["run"])]
    row = TITLES + HEIGHT + GAP
    sheet = Sheet(PAGE, sum(HEADING + TICKS + len(block) * row for block in blocks) + KEY + 0.12)
    if rows.empty:
        sheet.text(LEFT, 0.1, "no reversal was measured", color=QUIET)
        return sheet.figure
    top = 0.05
    for block in blocks:
        run_heading(sheet, 0.07, top, str(block["run"].iloc[0]), about)
        top += HEADING
        for place in range(len(block)):
            own = block.iloc[[place]].merge(rows, on=PAIR)
            _pair(sheet, top, own, block.iloc[[place]].merge(order, on=PAIR), last=place == len(block) - 1)
            top += row
        top += TICKS
    _key(sheet, top + 0.02)
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


def _pair(sheet: Sheet, top: float, rows: pd.DataFrame, order: pd.DataFrame, last: bool) -> None:
    """One pair of epochs: four panels with the same heights."""
    head = rows.iloc[0]
    sheet.text(LEFT, top, pair_words(str(head["pair"]), int(head["from_epoch"]), int(head["to_epoch"])))
    limits = heights(rows)
    for column, (split, metric) in enumerate(PANELS):
        left = LEFT + column * (WIDTH + BETWEEN)
        own = rows[(rows["split"] == split) & (rows["metric"] == metric)]
        axes = sheet.axes(left, top + TITLES, WIDTH, HEIGHT)
        axes.set_ylim(*limits)
        _panel(axes, own)
        _axis(axes, words=column == 0, ticks=last)
        _title(sheet, left, top + 0.17, f"{split}, {metric.replace('top', 'top-')}", own, order)


def heights(rows: pd.DataFrame) -> tuple[float, float]:
    """Vertical limits in percentage points: all that was measured, and the published values that are not far off."""
    drawn = rows[rows["condition"].isin([*BIN_NAMES, "random"])]
    own = 100 * drawn[["value", "low", "high"]].to_numpy(dtype=np.float64)
    own = own[np.isfinite(own)]
    reach = FARTHEST * max([1.0, *np.abs(own)])
    theirs = 100 * published(rows)[[*BIN_NAMES, "random"]].to_numpy(dtype=np.float64).ravel()
    every = np.concatenate([own, np.clip(theirs, -reach, reach), np.array([-1.0, 0.5])])
    room = 0.06 * float(np.ptp(every))
    return float(every.min()) - room, float(every.max()) + room


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    if rows.empty or not np.isfinite(by_condition(rows, BIN_NAMES, "value")).any():
        axes.set_xlim(-0.6, len(BIN_NAMES) - 0.4)
        remark(axes, "not measured")
        return
    value, low, high = (100 * by_condition(rows, BIN_NAMES, name) for name in ("value", "low", "high"))
    interval_bars(axes, value, low, high, colour_of(str(rows["run"].iloc[0])))
    random = [100 * float(by_condition(rows, ["random"], name)[0]) for name in ("value", "low", "high")]
    level_band(axes, *random)
    for _, row in published(rows).iterrows():
        theirs = 100 * row[list(BIN_NAMES)].to_numpy(dtype=np.float64)
        reference_marks(axes, theirs, 100 * float(row["random"]), bool(row["suspect"]))


def _axis(axes: Axes, words: bool, ticks: bool) -> None:
    axes.set_xticks(range(len(BIN_NAMES)), PERCENTILES if ticks else [""] * len(BIN_NAMES), size=SMALL)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.locator_params(axis="y", nbins=5, integer=True)
    axes.tick_params(axis="y", labelleft=words)
    axes.grid(axis="y")
    if words:
        axes.set_ylabel("points", labelpad=1)


def _title(sheet: Sheet, left: float, top: float, name: str, rows: pd.DataFrame, order: pd.DataFrame) -> None:
    """What a panel shows; on the right the accuracy before, and whether the published order holds."""
    sheet.text(left, top, name, size=NORMAL, bold=True)
    if rows.empty:
        return
    verdict = rows.iloc[[0]][SETTING].merge(order, on=SETTING)
    right = left + WIDTH
    if len(verdict):
        holds = bool(verdict["holds"].iloc[0])
        mark, colour = (HOLDS, INK) if holds else (FAILS, QUIET)
        sheet.text(right, top, mark, size=NORMAL, color=colour, across="right")
    accuracy = float(rows["accuracy"].iloc[0])
    if np.isfinite(accuracy):
        text = f"accuracy {100 * accuracy:.1f} %"
        sheet.text(right - 0.13, top + 0.01, text, size=SMALL, color=QUIET, across="right")


def _key(sheet: Sheet, top: float) -> None:
    """Say along the bottom what the marks mean."""
    sheet.swatch(LEFT - 0.02, top, QUIET, marker="s")
    text = "change of accuracy in percentage points by percentile of importance (0–25: most important), with interval"
    sheet.text(LEFT + 0.1, top, text, size=SMALL, color=QUIET)
    top += 0.15
    sheet.swatch(LEFT - 0.02, top, QUIET)
    sheet.text(LEFT + 0.24, top, "a random quarter (band: interval)", size=SMALL, color=QUIET)
    diamond = sheet.swatch(LEFT + 1.88, top, INK, marker="D")
    diamond.set(mfc="white", mew=0.7, markersize=3.2)
    sheet.text(LEFT + 2.0, top, "published bins (pale: doubtful)", size=SMALL, color=QUIET)
    sheet.swatch(LEFT + 3.5, top, INK, dashes="dashed").set(linewidth=0.8)
    sheet.text(LEFT + 3.76, top, "published random", size=SMALL, color=QUIET)
    order = f"{HOLDS} / {FAILS}  the published order holds or not"
    sheet.text(PAGE - 0.06, top, elide(order, 2.2, SMALL), size=SMALL, color=QUIET, across="right")


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
        "important quarter is near zero, a random quarter lies between) holds in "
        + ", in ".join(counts)
        + "."
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
        f"{networks(own)}, {pairs} pairs of epochs."
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
            | {
                "random": _random(own),
                "published: bins; random": theirs(own),
                "order holds": holds,
                "why not": why,
            }
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
