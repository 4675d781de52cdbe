"""Important evolutions of single neurons, and importance against the concepts that define a class."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evoscope.figure_data import ImportantEvolutions
from evoscope.viz import Sheet, colour_of, heat_over, label_of, message, patch_grid
from evoscope.viz.charts import epoch_name
from evoscope.viz.pictures import LOWERS, RAISES, bare
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, LARGE, NORMAL, QUIET, SMALL, elide, look_of, width_of, wrap
from results.page_style import (
    CLASS_INTERVAL,
    caption,
    doubles,
    exhibit,
    full_name,
    interval_column,
    markdown,
    networks,
    notes,
    pair_words,
    rows_of,
    runs_of,
)
from results.registry import About, Exhibits, Written, figure, table

# --- figure: important -----------------------------------------------------------------------------------------------

PATCHES, ACROSS, IMAGES = 4, 2, 2  # patches of a neuron, in a row, and images of the class that are shown
# Inches.
MARGIN, SIDE, BETWEEN, HEADING, NAMES, GAP, KEY, BAR = 0.07, 1.0, 0.22, 0.19, 0.14, 0.14, 0.2, 1.3
BEFORE = MARGIN
AFTER = BEFORE + SIDE + BETWEEN
SHOWN = AFTER + SIDE + BETWEEN
WORDS = SHOWN + IMAGES * (SIDE + 0.04) + 0.12


def important_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    neurons = exhibit(exhibits, "important", ImportantEvolutions).neurons
    names = ", ".join(f"{row.layer}#{row.channel}" for row in neurons.itertuples())
    what = (
        "Each row is the neuron whose evolution matters most for the named class, of layers whose map has several "
        "cells: the image patches that excite it most before and after, and the images of the class on which its "
        "evolution raised the logit most, in grey with each place's part of the sensitivity S, red where the change "
        "raises the logit, blue where it lowers it. Bar: the mean of S over images of the class, the change of the "
        "class logit that the neuron's evolution makes, to first order. Bold: the true concept that its maximum tells "
        "best, before and after, where there is a clear one. Score: the share of the class's images with "
        f"S > 0; q: the false discovery rate. The neurons are {names or 'none'}."
    )
    n = f"{len(neurons)} neurons of {neurons['run'].nunique()} runs, {neurons['class_name'].nunique()} classes"
    return caption(what, about, n=n, runs=runs_of(neurons))


def important_finding(exhibits: Exhibits, about: About) -> str:
    """How many of the evolutions end in a concept, and what they add to the logit."""
    neurons = exhibit(exhibits, "important", ImportantEvolutions).neurons
    if neurons.empty:
        return ""
    labelled = neurons[neurons["concept_after"] != ""]
    low, high = float(neurons["mean"].min()), float(neurons["mean"].max())
    raised = f"The most important neurons' evolutions raise their class's logit by {low:.2g} to {high:.2g}"
    if labelled.empty:
        return raised
    new = int((labelled["concept_before"] != labelled["concept_after"]).sum())
    return f"{raised}; {new} of {len(neurons)} end in a clear concept that they had not before"


@figure(
    "fig_important",
    title="Evolutions that matter most for a class",
    reads=("important",),
    says=important_finding,
    words=important_words,
    paper="ConceptEvo",
    shows="evolutions that matter most for a class",
    place=50,
)
def important_figure(exhibits: Exhibits, about: About) -> Figure:
    """A row per class: its most important neuron before and after, where it helped, and how much."""
    important = exhibit(exhibits, "important", ImportantEvolutions)
    neurons = important.neurons.reset_index(drop=True)
    each = HEADING + NAMES + SIDE + GAP
    sheet = Sheet(PAGE, max(len(neurons) * each + KEY + 0.06, 0.4))
    if neurons.empty:
        sheet.text(MARGIN, 0.1, "no neuron was chosen", color=QUIET)
        return sheet.figure
    most = max(float(np.nanmax(np.abs(doubles(neurons["mean"])), initial=0)), 1e-9)
    for place in range(len(neurons)):
        _neuron(sheet, 0.04 + place * each, important, neurons.iloc[place], place, most)
    top = sheet.height - 0.18
    left = MARGIN
    for colour, text, wide in ((RAISES, "raises the logit there", 1.4), (LOWERS, "lowers it", 0.8)):
        sheet.swatch(left, top, colour, marker="s")
        sheet.text(left + 0.12, top, text, size=SMALL, color=QUIET)
        left += wide
    sheet.text(left, top, "(maps are scaled for each neuron)", size=SMALL, color=QUIET)
    return sheet.figure


def _neuron(
    sheet: Sheet, top: float, important: ImportantEvolutions, neuron: "pd.Series[Any]", place: int, most: float
) -> None:
    """One row: class and network, patches before and after, images with what mattered, words and bar."""
    run, colour = str(neuron["run"]), colour_of(str(neuron["run"]))
    name = str(neuron["class_name"]) or "all classes"
    shown = elide(name, 3.5, LARGE, bold=True)
    sheet.text(MARGIN, top, shown, size=LARGE, bold=True)
    left = MARGIN + width_of(shown, LARGE, bold=True) + 0.12
    sheet.text(left, top + 0.01, full_name(look_of(run), run), room=PAGE - left - 0.1, color=colour)
    top += HEADING
    heads = ((BEFORE, epoch_name(int(neuron["from_epoch"]))), (AFTER, epoch_name(int(neuron["to_epoch"]))))
    for left, head in (*heads, (SHOWN, "where it helped the class")):
        sheet.text(left, top, head, size=SMALL, color=QUIET)
    top += NAMES
    for left, patches in ((BEFORE, important.before[place]), (AFTER, important.after[place])):
        axes = sheet.axes(left, top, SIDE, SIDE)
        if len(patches):
            patch_grid(axes, patches[:PATCHES], min(ACROSS, len(patches)), colour)
            axes.set_anchor("NW")
        else:
            message(axes, "none")
        if left == AFTER:
            axes.annotate("", (-0.03, 0.5), (-0.19, 0.5), xycoords="axes fraction", arrowprops=ARROW)
    images, heat = important.images[place, :IMAGES], important.heat[place, :IMAGES]
    axes = sheet.axes(SHOWN, top, IMAGES * (SIDE + 0.04), SIDE)
    if len(images):
        patch_grid(axes, heat_over(images, heat), IMAGES, BACKDROP)
        axes.set_anchor("NW")
    else:
        message(axes, "none")
    _words(sheet, WORDS, top, neuron, most)


ARROW = {"arrowstyle": "-|>", "color": QUIET, "lw": 1.2, "shrinkA": 0, "shrinkB": 0}


def _words(sheet: Sheet, left: float, top: float, neuron: "pd.Series[Any]", most: float) -> None:
    """Concepts, the bar of its mean sensitivity, and its numbers."""
    room, low = PAGE - left - 0.07, top
    if bool(neuron["concept_before"] or neuron["concept_after"]):
        for line in concept_words(str(neuron["concept_before"]), str(neuron["concept_after"]), room):
            sheet.text(left, low, line, bold=True)
            low += 0.13
    mean = float(neuron["mean"])
    if np.isfinite(mean):
        axes = sheet.axes(left, low + 0.05, BAR, 0.16)
        axes.barh(0, mean, color=RAISES if mean > 0 else LOWERS, height=0.8)
        axes.set_xlim(min(0.0, mean / most), most)
        bare(axes)
        sheet.text(left, low + 0.24, f"{mean:+.3f} of the class logit", room=room, size=SMALL)
        low += 0.37
    lines = []
    for column, form in (("score", "score {:.2f}"), ("q", ""), ("moved", "moved {:.2f} in the space")):
        value = float(neuron[column])
        if np.isfinite(value):
            lines.append(form.format(value) if form else q_words(value))
    for number, line in enumerate(lines):
        sheet.text(left, low + 0.115 * number, line, room=room, size=SMALL, color=QUIET)


def concept_words(before: str, after: str, room: float) -> list[str]:
    """``wheel → eye`` in one or two lines; a concept that stays is named once."""
    before, after = (name.rpartition(":")[2] or "unclear" for name in (before, after))
    whole = f"{before} → {after}" if before != after else f"{after} (stays)"
    if before == after or elide(whole, room, NORMAL, bold=True) == whole:
        return wrap(whole, room, NORMAL, 2, bold=True).split("\n")
    return [elide(before, room, NORMAL, bold=True), elide(f"→ {after}", room, NORMAL, bold=True)]


def q_words(q: float) -> str:
    """``q .012``; below a thousandth only that."""
    return "q < .001" if q < 0.001 else f"q {q:.3f}".replace("0.", ".", 1)


# --- table: importance -----------------------------------------------------------------------------------------------

PAIR = ["run", "pair", "from_epoch", "to_epoch"]
COLUMNS = (
    *PAIR, "class_name", "kind", "auc", "low", "high", "null", "null_low", "null_high", "p", "neurons", "of", "note",
)  # fmt: skip
KINDS = {"defining": "whose concept defines the class", "distractor": "whose concept no class uses"}


def finding(rows: pd.DataFrame) -> str:
    """How well importance tells the neurons whose concept defines a class, mean over networks and pairs."""
    own = rows[(rows["class_name"].fillna("") == "") & (rows["kind"] == "defining") & rows["auc"].notna()]
    if own.empty:
        return ""
    return (
        f"Importance tells neurons whose concept defines a class from the others with AUC {own['auc'].mean():.2f} "
        f"(with the concepts permuted {own['null'].mean():.2f}); {networks(own)}."
    )


@table(
    "table_importance",
    title="Importance of evolutions against the concepts that define a class",
    reads=("truth",),
    paper="Evoscope",
    shows="importance against the concepts that define a class",
    place=150,
    finding=finding,
)
def importance_table(exhibits: Exhibits, about: About) -> Written:
    """Every row for the CSV; in Markdown means over classes, then the classes."""
    rows = rows_of(exhibits, "truth", COLUMNS)
    single = rows["class_name"].fillna("") != ""
    above = caption(
        "AUC with which the importance of a neuron's evolution for a class tells the named neurons from all others of "
        "the network: 0.5 is chance; the null is the same with the neurons' concepts permuted, of a mean the mean over "
        "the classes under one permutation; p says how often it reaches the value. "
        "Neurons whose concept defines the class should lie above the null, neurons of a concept that no "
        "class uses should not.",
        about,
        n="named neurons, of all, in the columns on the right; a mean is over "
        f"{rows.loc[single, 'class_name'].nunique()} classes",
        runs=runs_of(rows),
        interval=f"{CLASS_INTERVAL}; of the null, 95 % of the permutations",
    )
    means, classes = lines(rows[~single], "auc [95 %]"), lines(rows[single], "auc")
    if means.empty or classes.empty:
        return rows, [above, markdown(classes if means.empty else means)]
    titles = "**Means over the classes**", "**Every class**"
    return rows, [above, titles[0], markdown(means), titles[1], markdown(classes)]


def lines(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Readable rows, those of a run and pair together; the class where one is named, the note where there is any."""
    rows = rows.reset_index(drop=True)
    shown = pd.DataFrame({"model": [label_of(run) for run in rows["run"]]})
    pairs = rows[["pair", "from_epoch", "to_epoch"]].itertuples(index=False, name=None)
    shown["pair"] = [pair_words(str(pair), int(first), int(last)) for pair, first, last in pairs]
    if (rows["class_name"].fillna("") != "").any():
        shown["class"] = rows["class_name"]
    shown["neurons"] = [KINDS.get(kind, str(kind)) for kind in rows["kind"]]
    shown[value] = interval_column(rows, "auc", "low", "high")
    shown["null [95 %]"] = interval_column(rows, "null", "null_low", "null_high")
    shown["p"] = rows["p"].astype(float).round(4)
    shown["n"] = count(rows["neurons"])
    shown["of"] = count(rows["of"])
    if (notes(rows) != "").any():
        shown["note"] = notes(rows)
    return shown


def count(numbers: "pd.Series[float]") -> list[str]:
    """Whole numbers (means may have a decimal), a dash where unknown."""
    return ["–" if pd.isna(number) else f"{round(float(number), 1):,g}" for number in numbers]
