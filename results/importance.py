"""Important evolutions of single neurons, and importance against the concepts that define a class."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evoscope.figure_data import ImportantEvolutions, NeuronMap
from evoscope.viz import Sheet, colour_of, heat_over, label_of, map_limits, message, move, patch_grid
from evoscope.viz.charts import epoch_name, epochs_name
from evoscope.viz.pictures import LOWERS, RAISES
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, QUIET, SMALL, elide, wrap
from results.page_style import (
    CLASS_INTERVAL,
    base_of,
    caption,
    doubles,
    exhibit,
    interval_column,
    map_panel,
    markdown,
    networks,
    notes,
    pair_words,
    rows_of,
    run_heading,
    runs_of,
)
from results.registry import About, Exhibits, Written, figure, table

# --- figure: important -----------------------------------------------------------------------------------------------

BLOCK = ["run", "class_name", "from_epoch", "to_epoch"]
TILES = 2  # rows of pictures per neuron
PATCHES, IMAGES = 4, 5  # most that are shown
# Inches.
MARGIN, MAP, BETWEEN, WORDS, LEAD, HEADING, GAP, KEY = 0.07, 1.0, 0.11, 1.19, 0.06, 0.56, 0.12, 0.2
NAMES = 0.3  # from a block's top to the names of its columns


@dataclass(frozen=True)
class Columns:
    """Where the columns begin, in inches, for so many patches and images in a row of tiles."""

    patches: int
    images: int

    @property
    def before(self) -> float:
        """Patches at the earlier epoch."""
        return MARGIN + MAP + BETWEEN

    @property
    def after(self) -> float:
        """Patches at the later epoch."""
        return self.before + self.patches * MAP / TILES + BETWEEN

    @property
    def shown(self) -> float:
        """Images of the class."""
        return self.after + self.patches * MAP / TILES + BETWEEN

    @property
    def words(self) -> float:
        """Text."""
        return self.shown + self.images * MAP / TILES + BETWEEN

    @property
    def page(self) -> float:
        """Width of the paper."""
        return self.words + WORDS


def important_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    important = exhibit(exhibits, "important", ImportantEvolutions)
    neurons = important.neurons
    method = exhibit(exhibits, "map", NeuronMap).method.upper()
    what = (
        "Each row is one neuron (layer#channel) among those whose evolution matters most for the named class: one of a "
        "layer, of layers whose map has several cells, none that shares half of its stimuli with one above. Left: "
        f"where it moved in the map ({method}), from the ring to the dot, over the base model's neurons in grey. Then "
        "the image patches that excite it most before and after, and the images of the class on which its evolution "
        "raised the logit most: as they are, and in grey with each place's part of the sensitivity S, red where the "
        "change raises the logit, blue where it lowers it. Right: the concept it answers to before and after, where "
        "there is a clear one; score, the share of the class's images with S > 0; the mean of S, in logits; q, the "
        "false discovery rate; and how far it moved in the space."
    )
    number = len(neurons.drop_duplicates(["run", "layer", "channel", *BLOCK[1:]]))
    n = f"{number} neurons of {neurons['run'].nunique()} runs"
    return caption(what, about, n=n, runs=runs_of(neurons))


@figure(
    "fig_important",
    title="Evolutions that matter most for a class",
    reads=("important", "map"),
    words=important_words,
    paper="ConceptEvo",
    shows="evolutions that matter most for a class",
    place=50,
)
def important_figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per run and class, a row per neuron."""
    important = exhibit(exhibits, "important", ImportantEvolutions)
    base = base_of(exhibit(exhibits, "map", NeuronMap).neurons)
    neurons = important.neurons.reset_index(drop=True)
    columns = columns_of(important)
    blocks = list(in_blocks(neurons))
    height = len(blocks) * (LEAD + HEADING) + len(neurons) * (MAP + GAP) + KEY + 0.06
    sheet = Sheet(columns.page, height)
    if neurons.empty:
        sheet.text(MARGIN, 0.1, "no neuron was chosen", color=QUIET)
        return sheet.figure
    top = 0.0
    for block in blocks:
        _heading(sheet, top + LEAD, block, columns, about)
        top += LEAD + HEADING
        for place in block.index.to_numpy(dtype=int):
            _neuron(sheet, top, important, neurons.loc[place], place, base, columns)
            top += MAP + GAP
    _key(sheet, top, columns)
    return sheet.figure


def in_blocks(neurons: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Neurons of each run and class, in the order of the exhibit, with their row numbers."""
    for _, rows in neurons.groupby(BLOCK, sort=False):
        yield rows


def columns_of(important: ImportantEvolutions) -> Columns:
    """As many tiles as there are pictures, up to what a page holds."""
    patches = min(max(important.before.shape[1], important.after.shape[1], 1), PATCHES)
    images = min(max(important.images.shape[1], 2), IMAGES)
    return Columns(max(ceil(patches / TILES), 1), images)


def _heading(sheet: Sheet, top: float, block: pd.DataFrame, columns: Columns, about: About) -> None:
    """Run, class and epochs, then the names of the columns."""
    head = block.iloc[0]
    first, last = int(head["from_epoch"]), int(head["to_epoch"])
    run_heading(sheet, MARGIN, top, str(head["run"]), about)
    class_name = f"class: {head['class_name']}" if head["class_name"] else "all classes"
    sheet.text(MARGIN, top + 0.19, f"{class_name}, {epochs_name(first, last)}", room=PAGE - 0.2, bold=True)
    room = columns.patches * MAP / TILES + 0.08
    names = (
        (MARGIN, MAP, "way in the map"),
        (columns.before, room, epoch_name(first)),
        (columns.after, room, epoch_name(last)),
        (columns.shown, columns.images * MAP / TILES, "where it helped the class"),
        (columns.words, WORDS - 0.07, "neuron"),
    )
    for left, width, name in names:
        sheet.text(left, top + NAMES + 0.105, elide(name, width, SMALL), size=SMALL, color=QUIET)


def _neuron(
    sheet: Sheet,
    top: float,
    important: ImportantEvolutions,
    neuron: "pd.Series[Any]",
    place: int,
    base: pd.DataFrame,
    columns: Columns,
) -> None:
    """One row: the way in the map, patches before and after, images with what mattered, words."""
    colour = colour_of(str(neuron["run"]))
    _way(sheet, top, neuron, base, colour)
    for left, patches in ((columns.before, important.before[place]), (columns.after, important.after[place])):
        axes = sheet.axes(left, top, columns.patches * MAP / TILES, MAP)
        if len(patches):
            patch_grid(axes, patches[: columns.patches * TILES], columns.patches, colour)
            axes.set_anchor("NW")
        else:
            message(axes, "none")
    images, heat = important.images[place, : columns.images], important.heat[place, : columns.images]
    axes = sheet.axes(columns.shown, top, columns.images * MAP / TILES, MAP)
    if len(images):
        missing = columns.images - len(images)
        both = np.concatenate(
            [images, np.full((missing, *images.shape[1:]), 255, np.uint8), heat_over(images, heat)]
        )
        patch_grid(axes, both, columns.images, BACKDROP)
    else:
        message(axes, "none")
    _words(sheet, columns.words, top, neuron)


def _way(sheet: Sheet, top: float, neuron: "pd.Series[Any]", base: pd.DataFrame, colour: str) -> None:
    x, y = (np.array([neuron[f"{axis}_before"], neuron[f"{axis}_after"]], dtype=np.float64) for axis in "xy")
    limits = map_limits(np.concatenate([doubles(base["x"]), x]), np.concatenate([doubles(base["y"]), y]))
    move(map_panel(sheet, MARGIN, top, MAP, limits, base), x, y, colour)


def _words(sheet: Sheet, left: float, top: float, neuron: "pd.Series[Any]") -> None:
    """Name, concepts and numbers of a neuron."""
    room = WORDS - 0.07
    name = f"{neuron['layer']}#{neuron['channel']}"
    sheet.text(left, top, name, room=room, size=SMALL, bold=True, cut="middle")
    known = bool(neuron["concept_before"] or neuron["concept_after"])
    concepts = (
        concept_words(str(neuron["concept_before"]), str(neuron["concept_after"]), room) if known else ""
    )
    for number, line in enumerate(concepts):
        sheet.text(left, top + 0.14 + 0.115 * number, line, size=SMALL)
    low = top + 0.14 + 0.115 * len(concepts) + (0.04 if known else 0)
    for number, line in enumerate(number_lines(neuron)):
        sheet.text(left, low + 0.115 * number, line, room=room, size=SMALL, color=QUIET)


def concept_words(before: str, after: str, room: float) -> list[str]:
    """``wheel → eye`` in one or two lines; a concept that stays is named once."""
    before, after = before or "unclear", after or "unclear"
    whole = f"{before} → {after}" if before != after else f"{after} (stays)"
    if before == after or elide(whole, room, SMALL) == whole:
        return wrap(whole, room, SMALL, 2).split("\n")
    return [elide(before, room, SMALL), elide(f"→ {after}", room, SMALL)]


def number_lines(neuron: "pd.Series[Any]") -> list[str]:
    """Score, mean sensitivity, false discovery rate and distance; those that are unknown are left out."""
    named = (
        ("score", "score {:.2f}"),
        ("mean", "mean S {:+.3f}"),
        ("q", ""),
        ("moved", "moved {:.2f}"),
    )
    lines = []
    for column, form in named:
        value = float(neuron[column])
        if np.isfinite(value):
            lines.append(form.format(value) if form else q_words(value))
    return lines


def q_words(q: float) -> str:
    """``q .012``; below a thousandth only that."""
    return "q < .001" if q < 0.001 else f"q {q:.3f}".replace("0.", ".", 1)


def _key(sheet: Sheet, top: float, columns: Columns) -> None:
    left = MARGIN
    sheet.swatch(left, top, QUIET, marker="o").set(mfc="white", mew=1.0)
    sheet.text(left + 0.12, top, "before", size=SMALL, color=QUIET)
    sheet.swatch(left + 0.5, top, QUIET, marker="o")
    sheet.text(left + 0.62, top, "after", size=SMALL, color=QUIET)
    left = columns.before
    for colour, text, wide in ((RAISES, "raises the logit there", 1.2), (LOWERS, "lowers it", 0.62)):
        sheet.swatch(left, top, colour, marker="s")
        sheet.text(left + 0.12, top, text, size=SMALL, color=QUIET)
        left += wide
    sheet.text(left + 0.06, top, "(scaled for each neuron)", size=SMALL, color=QUIET)


# --- table: importance -----------------------------------------------------------------------------------------------

PAIR = ["run", "pair", "from_epoch", "to_epoch"]
COLUMNS = (
    *PAIR, "class_name", "kind", "auc", "low", "high", "null", "null_low", "null_high", "p", "neurons", "of", "note",
)  # fmt: skip
KINDS = {
    "defining": "whose concept defines the class",
    "distractor": "whose concept no class uses",
}


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
