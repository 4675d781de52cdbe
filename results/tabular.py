"""Concepts of a table's network against its inputs, what their loss costs, and the gaps between groups."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evoscope.arrays import Bools, Doubles
from evoscope.figure_data import TabularConcepts
from evoscope.stats import t_interval
from evoscope.viz import Sheet
from evoscope.viz.charts import signed_cells
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import NORMAL, QUIET, SMALL, elide, width_of
from results.page_style import caption, doubles, exhibit, interval_column, markdown, percent
from results.registry import About, Exhibits, Written, figure, table

# --- figure: tabular -------------------------------------------------------------------------------------------------

MOST, LEAST = 14, 4  # inputs that are drawn, and of them at least so many that are not protected
LEVEL = 0.05
# Inches.
LEFT, RIGHT, GAP, NAMES, ROW, BETWEEN, WIDEST = 1.65, 2.0, 0.16, 1.1, 0.185, 0.3, 0.46


def tabular_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    found = exhibit(exhibits, "tabular", TabularConcepts)
    drawn, number = columns_of(found), len(found.networks)
    left_out = len(found.columns) - sum(map(len, drawn))
    what = (
        "Each row is a singular direction of a hidden layer over the training rows (v0 has the largest singular "
        "value), with the class that it speaks for or against most: first those with the largest z, then those with "
        "the largest singular values. Numbers: correlation of the test rows' coordinates along it with each input; "
        "pale where 5 % of the shuffles of the rows have one as large anywhere in the layer. Right: its z, its share "
        "of the layer's variance, and how the test accuracy changes when it is projected out (to the mean). "
        f"{network_words(found, about)}"
    )
    if left_out:
        what += f" {left_out} inputs with smaller correlations are in the table only."
    if number > 1:
        what += " Drawn: the first network; the table has all."
    test, train = (int(found.networks[name].iloc[0]) for name in ("test_rows", "train_rows"))
    n = f"{test:,} test rows, {train:,} training rows, {number} network{'s' * (number > 1)}"
    return caption(what, about, n=n, interval="95 %, bootstrap over test rows")


def tabular_finding(exhibits: Exhibits, about: About) -> str:
    """Which input (a protected one where there is any) a concept follows most, and how much random directions do."""
    found = exhibit(exhibits, "tabular", TabularConcepts)
    own = first_network(found.correlations)
    own = own[own["value"].notna().to_numpy()]
    protected = np.asarray(own["protected"], dtype=bool)
    own = own[protected] if protected.any() else own
    if own.empty:
        return ""
    row = own.iloc[int(own["value"].abs().to_numpy().argmax())]
    kind = "protected inputs" if protected.any() else "the inputs"
    return (
        f"Of {kind}, a concept follows {str(row['column']).replace('_', ' ')} most: correlation "
        f"{signed(float(row['value']))}, the strongest of random directions {float(row['random']):.2f}"
    )


@figure(
    "fig_tabular",
    title="Concepts of a network for a table, and the inputs that they follow",
    reads=("tabular",),
    says=tabular_finding,
    words=tabular_words,
    paper="CDISCO",
    shows="concepts of a table's network against its inputs",
    place=100,
)
def tabular_figure(exhibits: Exhibits, about: About) -> Figure:
    """A panel per hidden layer, of the first network."""
    found = exhibit(exhibits, "tabular", TabularConcepts)
    concepts = first_network(found.concepts)
    layers = list(dict.fromkeys(concepts["layer"]))
    rows = [int((concepts["layer"] == layer).sum()) for layer in layers]
    groups = columns_of(found)
    names = min(NAMES, max(width_of(name, SMALL) for group in groups for name in group) + 0.1)
    top = names + 0.25
    sheet = Sheet(PAGE, top + sum(rows) * ROW + len(layers) * BETWEEN)
    wide = min(WIDEST, (PAGE - LEFT - RIGHT - GAP) / max(1, sum(map(len, groups))))
    for number, (layer, count) in enumerate(zip(layers, rows, strict=True)):
        _layer(sheet, top, found, str(layer), groups, wide, first=number == 0)
        top += count * ROW + BETWEEN
    text = (
        "number: correlation over the test rows (red: above zero, blue: below); pale: no more than chance gives;  "
        "*  more than random directions cost"
    )
    sheet.text(0.07, top - BETWEEN + 0.08, text, room=PAGE - 0.14, size=SMALL, color=QUIET)
    return sheet.figure


def first_network(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the network that is drawn."""
    return rows[np.asarray(rows["seed"] == rows["seed"].min(), dtype=bool)]


def columns_of(found: TabularConcepts) -> tuple[list[str], list[str]]:
    """Inputs that are drawn, in their order: the most correlated of the others, then all that are protected."""
    own = first_network(found.correlations)
    largest = own.assign(size=own["value"].abs()).groupby("column")["size"].max()
    others = [name for name in found.columns if name not in found.protected]
    room = max(LEAST, MOST - len(found.protected))
    kept = set(largest.reindex(others).fillna(0).sort_values(ascending=False, kind="stable").index[:room])
    return [name for name in others if name in kept], list(found.protected)


def _layer(
    sheet: Sheet,
    top: float,
    found: TabularConcepts,
    layer: str,
    groups: tuple[list[str], list[str]],
    wide: float,
    first: bool,
) -> None:
    concepts = first_network(found.concepts).query("layer == @layer")
    sheet.text(0.07, top - 0.19, layer.replace("_", " "), size=NORMAL, bold=True)
    left = LEFT
    for columns, heading in zip(groups, ("", "protected"), strict=True):
        if not columns:
            continue
        value, certain = cells(found, layer, columns)
        axes = sheet.axes(left, top, wide * len(columns), ROW * len(concepts))
        signed_cells(axes, value, certain, wide)
        axes.set_yticks([])
        axes.xaxis.tick_top()
        shown = [elide(name.replace("_", " "), NAMES - 0.1, SMALL) for name in columns] if first else []
        axes.set_xticks(range(len(shown)), shown, rotation=90, size=SMALL)
        if heading and first:
            sheet.text(left, 0.05, heading, size=SMALL, bold=True)
        left += wide * len(columns) + GAP
    _words(sheet, top, left, concepts, first)


def cells(found: TabularConcepts, layer: str, columns: list[str]) -> tuple[Doubles, Bools]:
    """Correlations [concepts, columns] of the drawn network's layer, and which of them chance does not reach."""
    own = first_network(found.correlations).query("layer == @layer")
    order = list(first_network(found.concepts).query("layer == @layer")["direction"])
    value, p = (
        own.pivot_table(index="direction", columns="column", values=name, dropna=False)
        .reindex(index=order, columns=columns)
        .to_numpy(dtype=np.float64)
        for name in ("value", "p")
    )
    return value, np.asarray(p < LEVEL)


def _words(sheet: Sheet, top: float, left: float, concepts: pd.DataFrame, first: bool) -> None:
    """Name of each concept on the left; its share of the variance and what its loss costs on the right."""
    if first:
        sheet.text(left + 0.28, top - 0.2, "z", size=SMALL, color=QUIET, across="right")
        sheet.text(left + 0.72, top - 0.3, "share of\nvariance", size=SMALL, color=QUIET, across="right")
        sheet.text(left + 0.84, top - 0.3, "accuracy without,\npercentage points", size=SMALL, color=QUIET)
    for place, row in enumerate(concepts.itertuples()):
        line = top + place * ROW + 0.045
        name = f"v{row.direction!s}"
        if row.class_name:
            name += f" {'for' if float(str(row.z)) > 0 else 'against'} {row.class_name!s}"
        sheet.text(LEFT - 0.08, line, name, room=LEFT - 0.15, size=SMALL, across="right")
        sheet.text(left + 0.28, line, signed(float(str(row.z))), size=SMALL, across="right")
        share = float(str(row.share))
        sheet.text(left + 0.72, line, "< 1 %" if share < 0.01 else percent(share), size=SMALL, across="right")
        sheet.text(left + 0.84, line, points(row), size=SMALL)


def points(row: object) -> str:
    """``−1.2 [−2.0, −0.4]``, with a star where no random direction of equal variance costs as much."""
    value, low, high, random = (
        100 * float(getattr(row, name)) for name in ("accuracy_change", "low", "high", "random_low")
    )
    text = f"{signed(value)} [{signed(low)}, {signed(high)}]"
    return text + (" *" if value < random else "")


def signed(number: float) -> str:
    """``−12.3`` or ``0.4``; a dash where nothing is known."""
    return f"{round(number, 1) + 0.0:.1f}".replace("-", "−") if np.isfinite(number) else "–"


def network_words(found: TabularConcepts, about: About) -> str:
    """Sentences on the network, its accuracy, the protected inputs, and what a correlation does not show."""
    return (
        f"Network: {'; '.join(about.recipes.values())}. "
        f"{accuracy_words(found.networks)} {between_words(found)} {CAUTION}"
    )


def accuracy_words(networks: pd.DataFrame) -> str:
    """``Test accuracy 84.9 % (mean of 3 networks, 95 % 84.1 to 85.7 %); always the largest class: 81.5 %``."""
    found = t_interval(doubles(networks["test_accuracy"]))
    mean = "" if found.n == 1 else f" (mean of {found.n} networks, 95 % interval {percent(found.low, 1)} to "
    mean += "" if found.n == 1 else f"{percent(found.high, 1)})"
    largest = percent(float(networks["largest_class"].iloc[0]), 1)
    return f"Test accuracy {percent(found.value, 1)}{mean}; always the largest class: {largest}."


def between_words(found: TabularConcepts) -> str:
    """Sentence on the inputs that the protected ones go with."""
    pairs = [f"{row.column} with {row.other} ({float(str(row.value)):+.2f})" for row in found.inputs.itertuples()]
    if not pairs:
        return "No column is protected."
    return f"Largest correlations of the protected inputs with others: {', '.join(pairs)}.".replace("-", "−")


CAUTION = (
    "A correlation shows that a concept's score follows an input over people, not that the network computes it from "
    "that input or decides by it: inputs follow each other, and what a sum of several inputs gives follows them all."
)

# --- table: tabular --------------------------------------------------------------------------------------------------

KEY = ["seed", "layer", "direction"]
STRONGEST = 3  # inputs that are named for a concept


def finding(rows: pd.DataFrame) -> str:
    """How closely concepts follow an input, beside random directions of the same layer."""
    best = rows.loc[rows["value"].abs().dropna().groupby([rows[name] for name in KEY]).idxmax()]
    if best.empty:
        return ""
    random = f", random directions of the same layer with {best['random'].mean():.2f}" if "random" in best else ""
    return (
        f"A concept follows the input that it follows most with |r| {best['value'].abs().mean():.2f}{random} (mean "
        f"over {len(best)} concepts of {rows['seed'].nunique()} networks)."
    )


@table(
    "table_tabular",
    title="Concepts of networks for a table",
    reads=("tabular",),
    paper="CDISCO",
    shows="concepts of a table's networks, and gaps between groups of people",
    place=160,
    finding=finding,
)
def tabular_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every correlation) and text of the Markdown (a row per concept, then the gaps)."""
    found = exhibit(exhibits, "tabular", TabularConcepts)
    above = caption(
        "A row per concept: its share of the layer's variance, how well a concept of another network follows it "
        "(largest |correlation|, mean over the other networks), the inputs that its score follows most over the test "
        "rows (in brackets: no more than chance gives), the protected ones, and the change of test accuracy when it is "
        f"projected out, beside random directions of equal variance. {network_words(found, about)}",
        about,
        n=f"{int(found.networks['test_rows'].iloc[0]):,} test rows, {len(found.networks)} networks",
        interval="95 %, bootstrap over test rows; of random directions, the middle 95 %",
    )
    full = found.correlations.merge(found.concepts[[*KEY, "class_name", "z", "share", "again"]], on=KEY)
    between = [] if found.gaps.empty else [_gap_words(found), markdown(gaps(found)), "**Concepts**"]
    return full, [above, *between, markdown(concepts(found))]


def concepts(found: TabularConcepts) -> pd.DataFrame:
    """Readable rows, one per concept."""
    rows = found.concepts
    shown = pd.DataFrame({"seed": rows["seed"], "layer": rows["layer"]})
    shown["concept"] = [f"v{number}" for number in rows["direction"]]
    shown["class"] = rows["class_name"]
    shown["z"] = rows["z"].round(2)
    shown["variance"] = [percent(share, 1) for share in rows["share"]]
    shown["elsewhere"] = rows["again"].round(2)
    follows = {key: _follows(own) for key, own in found.correlations.groupby(KEY)}
    keys = list(rows[KEY].itertuples(index=False, name=None))
    shown["follows"] = [follows[key][0] for key in keys]
    if found.protected:
        shown["protected"] = [follows[key][1] for key in keys]
    shown["accuracy without [95 %]"] = interval_column(rows, "accuracy_change", "low", "high")
    shown["random [95 %]"] = interval_column(rows, "random", "random_low", "random_high")
    return shown


def _follows(own: pd.DataFrame) -> tuple[str, str]:
    """The inputs with the largest correlations, and all protected ones."""
    strongest = own[~own["protected"]].assign(size=own["value"].abs()).sort_values("size", ascending=False)
    return _listed(strongest.head(STRONGEST)), _listed(own[own["protected"]])


def _listed(rows: pd.DataFrame) -> str:
    cells = []
    for column, value, p in rows[["column", "value", "p"]].itertuples(index=False, name=None):
        text = f"{column} {value:+.2f}" if pd.notna(value) else f"{column} –"
        cells.append(text if p < LEVEL else f"({text})")
    return ", ".join(cells)


def _gap_words(found: TabularConcepts) -> str:
    return (
        f"**Gaps.** Share predicted {found.shown} among the rows above the cut of a protected input minus that below, "
        "with the intact network and without each concept (change [95 %], and the middle 95 % of random directions of "
        "equal variance). A gap of predictions is not by itself unfair or fair, and one that shrinks without a concept "
        "does not make that concept the attribute."
    )


def gaps(found: TabularConcepts) -> pd.DataFrame:
    """Readable rows, one per concept and protected input."""
    rows = found.gaps
    shown = pd.DataFrame({"seed": rows["seed"], "layer": rows["layer"]})
    shown["concept"] = [f"v{number}" for number in rows["direction"]]
    shown["groups"] = [f"{column} > {cut:g}" for column, cut in zip(rows["column"], rows["cut"], strict=True)]
    shown["gap"] = rows["gap"].round(3)
    shown["without it"] = rows["gap_without"].round(3)
    shown["change [95 %]"] = interval_column(rows, "change", "low", "high")
    shown["random low"] = rows["random_low"].round(3)
    shown["random high"] = rows["random_high"].round(3)
    return shown
