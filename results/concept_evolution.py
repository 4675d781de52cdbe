"""Concept vectors over training: their way through the map, when they appear and settle, and their boards."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from evoscope.arrays import Bytes
from evoscope.figure_data import NEVER, ConceptEvolution, NeuronMap
from evoscope.viz import Sheet, colour_of, interval_curve, map_limits, message, path, remark
from evoscope.viz.charts import UNTRAINED, epoch_name
from evoscope.viz.pictures import show_mosaic
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import FAINT, INK, QUIET, SMALL, wrap
from results.page_style import (
    HEADING,
    LAYER,
    NOTHING,
    base_of,
    caption,
    direction_name,
    doubles,
    exhibit,
    interval_column,
    layer_heading,
    layers_of,
    map_panel,
    markdown,
    model_column,
    rows_of,
    runs_of,
    spread,
)
from results.registry import About, Exhibits, Written, figure, table

# --- figure: concept evolution ---------------------------------------------------------------------------------------

CONCEPT = ["direction", "side"]
# Okabe and Ito's, which colour-blind readers tell apart; letters say the same.
COLOURS, LETTERS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7"), "ABCD"
EPOCHS, COLUMNS = 5, 2  # most epochs with boards, and images in a row of a board
INTERVAL = "95 %, bootstrap over directions"
# Inches.
MARGIN, MAP, NAMES, TICKS, GAP, KEY = 0.07, 2.05, 0.17, 0.34, 0.1, 0.3
LEFT, BETWEEN, WIDEST, WORDS = 1.42, 0.12, 1.0, 0.17
SIMILARITY, SHARES, AXIS = 2.25, 1.65, 0.38


@dataclass(frozen=True)
class Block:
    """One run: its rows of the exhibit, the boards of its shown rows, and the epochs that are looked at."""

    steps: pd.DataFrame
    summary: pd.DataFrame
    boards: Bytes

    @property
    def epochs(self) -> list[int]:
        """All of them, in order."""
        return sorted({int(epoch) for epoch in self.summary["epoch"]})

    @property
    def shown(self) -> list[pd.DataFrame]:
        """Rows of each concept with boards, those that appear first in front; their index counts boards."""
        rows = self.steps[self.steps["shown"]].reset_index(drop=True)
        concepts = [own for _, own in rows.groupby(CONCEPT, sort=False)]
        return sorted(concepts, key=lambda own: int(own["appears"].iloc[0]))[: len(COLOURS)]


def concept_evolution_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    found = exhibit(exhibits, "concept_evolution", ConceptEvolution)
    method = exhibit(exhibits, "map", NeuronMap).method.upper()
    what = (
        "Concept vectors of a layer (its singular directions, each side for itself where both are candidates: the "
        "first of every class and those of most energy) are placed in the unified space by the images that project "
        "most on them, as neurons are by their stimuli, and those of the last epoch are matched one to one with those "
        f"of every other epoch by cosine. Left: ways of a few through the neuron map ({method}; a place among the "
        "nearest base neurons, in grey), from the open ring to the full dot. Middle: similarity of all to their "
        "partner at each epoch; dashed, in a band over 90 % of the concepts, the 95th percentile that a concept "
        "reaches among as many random directions of that epoch or with permuted images, whichever is higher. A concept "
        "appears (ring) at the first epoch from which it stays above, and settles (dot) at the first from which it "
        "also stays as near its last place as another draw of the images would leave it; at the last epoch it is its "
        "own partner, so that all that is new then appears there; chance alone lifts one in twenty above it at an "
        "epoch. Right: shares that have appeared and settled. Below: "
        "the images that project most on the partner at each epoch, and its similarity, bold above chance; AUC: held "
        "out, of the partner for the true concept that the vector tells at the end."
    )
    epochs = max([0, *found.summary.groupby("run")["epoch"].nunique()])
    if epochs > EPOCHS:
        what += f" Boards of {EPOCHS} of {epochs} epochs are shown."
    return caption(what, about, n=counted(found), runs=runs_of(found.steps), interval=INTERVAL)


def counted(found: ConceptEvolution) -> str:
    """``20 concepts on 12 directions``, over all runs."""
    last = found.summary.groupby(LAYER, sort=False).last()
    return f"{int(last['concepts'].sum())} concepts on {int(last['directions'].sum())} directions"


@figure(
    "fig_concept_evolution",
    title="Concept vectors over training in the unified space",
    reads=("concept_evolution", "map"),
    words=concept_evolution_words,
    paper="Evoscope",
    shows="concept vectors over training in the unified space",
    place=290,
)
def concept_evolution_figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per run: map, similarities, shares, and a row of boards per shown concept."""
    found = exhibit(exhibits, "concept_evolution", ConceptEvolution)
    base = base_of(exhibit(exhibits, "map", NeuronMap).neurons)
    blocks = list(blocks_of(found))
    wide = board_width(blocks)
    heights = [HEADING + NAMES + MAP + TICKS + len(each.shown) * (wide + WORDS + GAP) for each in blocks]
    sheet = Sheet(PAGE, max(sum(heights) + KEY + 0.1, 0.4))
    if not blocks:
        sheet.text(MARGIN, 0.1, NOTHING, color=QUIET)
        return sheet.figure
    top = 0.05
    for block, height in zip(blocks, heights, strict=True):
        _block(sheet, top, block, base, wide, about)
        top += height
    _key(sheet, top + 0.02)
    return sheet.figure


def blocks_of(found: ConceptEvolution) -> Iterator[Block]:
    """The runs of an exhibit, in its order."""
    steps = found.steps.reset_index(drop=True)
    board = np.cumsum(steps["shown"].to_numpy(dtype=bool)) - 1
    for own in layers_of(steps):
        head = own.iloc[0]
        summary = found.summary[
            (found.summary["run"] == head["run"]) & (found.summary["layer"] == head["layer"])
        ]
        boards = found.boards[board[own.index[own["shown"].to_numpy(dtype=bool)]]]
        yield Block(own, summary.sort_values("epoch"), boards)


def board_width(blocks: list[Block]) -> float:
    """Inches of a board, for the run with most epochs."""
    epochs = max([1, *(min(len(each.epochs), EPOCHS) for each in blocks)])
    return min((PAGE - LEFT - MARGIN) / epochs - BETWEEN, WIDEST)


def _block(sheet: Sheet, top: float, block: Block, base: pd.DataFrame, wide: float, about: About) -> None:
    directions = block.steps["direction"].nunique()
    sides = "on both sides" if len(set(block.steps["side"])) > 1 else "on their positive side"
    layer_heading(sheet, MARGIN, top, block.steps, about, f"; {directions} directions followed, {sides}")
    top += HEADING
    left = MARGIN + MAP + AXIS + 0.08
    for place, name in (
        (MARGIN, "way through the map"),
        (left, "similarity to the last epoch's concept"),
        (left + SIMILARITY + AXIS + 0.1, "% of concepts so far"),
    ):
        sheet.text(place, top, name, size=SMALL, color=QUIET)
    top += NAMES
    _ways(sheet, top, block, base)
    _similarities(sheet.axes(left, top, SIMILARITY, MAP), block)
    _shares(sheet.axes(left + SIMILARITY + AXIS + 0.1, top, SHARES - 0.2, MAP), block)
    top += MAP + TICKS
    for place, concept in enumerate(block.shown):
        _concept(sheet, top, concept, block, place, wide)
        top += wide + WORDS + GAP


def _ways(sheet: Sheet, top: float, block: Block, base: pd.DataFrame) -> None:
    """The base's neurons in grey and the shown concepts' ways over the epochs."""
    steps = block.steps[block.steps["shown"]]
    x, y = (np.concatenate([doubles(base[name]), doubles(steps[name])]) for name in "xy")
    axes = map_panel(sheet, MARGIN, top, MAP, map_limits(x, y), base)
    for place, concept in enumerate(block.shown):
        way = concept.dropna(subset=["x", "y"])
        if len(way):
            path(axes, doubles(way["x"]), doubles(way["y"]), COLOURS[place])
            _letter(axes, way["x"].iloc[-1], way["y"].iloc[-1], place)


def _letter(axes: Axes, x: float, y: float, place: int) -> None:
    note = axes.annotate(LETTERS[place], (x, y), xytext=(3, 3), textcoords="offset points", zorder=8)
    note.set(size=SMALL, weight="bold", color=COLOURS[place])
    note.set_path_effects([withStroke(linewidth=1.6, foreground="white")])


def _similarities(axes: Axes, block: Block) -> None:
    """Every concept's similarity over the epochs over the band of the nulls, and where it appears and settles."""
    epochs = block.epochs
    _epochs(axes, epochs)
    axes.set_ylim(*similarity_limits(block))
    null, low, high = (doubles(block.summary[name]) for name in ("null95", "null_low", "null_high"))
    interval_curve(axes, np.arange(len(epochs), dtype=np.float64), null, low, high, QUIET, null=True)
    shown = block.steps["shown"].to_numpy(dtype=bool)
    _lines(axes, block.steps[~shown], epochs, FAINT, prominent=False)
    for place, concept in enumerate(block.shown):
        _lines(axes, concept, epochs, COLOURS[place], prominent=True)
    if not np.isfinite(doubles(block.steps["similarity"])).any():
        remark(axes, "unplaced")


def similarity_limits(block: Block) -> tuple[float, float]:
    """From the lowest similarity or null to 1, with some room."""
    every = np.concatenate([doubles(block.steps["similarity"]), doubles(block.summary["null_low"])])
    low = min([0.9, *every[np.isfinite(every)]])
    return low - 0.05 * (1 - low), 1 + 0.05 * (1 - low)


def _lines(axes: Axes, steps: pd.DataFrame, epochs: list[int], colour: str, *, prominent: bool) -> None:
    """A line per concept, a ring where it appears, a dot where it settles (in the ring where both are one)."""
    series = (own.set_index("epoch")["similarity"].reindex(epochs) for _, own in steps.groupby(CONCEPT))
    values = np.array([doubles(own) for own in series]).reshape(-1, len(epochs))
    width, alpha, area, above = (1.3, 1.0, 15, 4) if prominent else (0.5, 0.55, 5, 2)
    axes.plot(np.arange(len(epochs)), values.T, color=colour, lw=width, alpha=alpha, zorder=above)
    for name, face, size in (("appears", "white", area), ("settles", colour, 0.35 * area)):
        there = steps[steps["epoch"] == steps[name]]
        where = [epochs.index(int(epoch)) for epoch in there["epoch"]]
        marks = axes.scatter(
            where, doubles(there["similarity"]), s=size, c=face, edgecolors=colour, zorder=above + 1
        )
        marks.set_linewidth(0.5 if not prominent else 1.0)


def _shares(axes: Axes, block: Block) -> None:
    """Cumulative share of concepts that have appeared (full) and settled (pale), with intervals."""
    epochs, run = block.epochs, str(block.steps["run"].iloc[0])
    _epochs(axes, epochs)
    place = np.arange(len(epochs), dtype=np.float64)
    for name, colour, aside in (("appeared", colour_of(run), -0.06), ("settled", INK, 0.06)):
        share, low, high = (
            100 * doubles(block.summary[column]) for column in (name, f"{name}_low", f"{name}_high")
        )
        interval_curve(axes, place + aside, share, low, high, colour)
        height = 0.93 if name == "appeared" else 0.85
        axes.text(0.04, height, name, transform=axes.transAxes, size=SMALL, color=colour, va="top")
    axes.set_ylim(-4, 104)
    axes.grid(axis="y")


def _epochs(axes: Axes, epochs: list[int]) -> None:
    """Epochs at equal distances, whatever lies between them."""
    names = ["init" if epoch == UNTRAINED else str(epoch) for epoch in epochs]
    kept = set(spread(range(len(epochs)), 8))
    axes.set_xticks(range(len(epochs)), [name if place in kept else "" for place, name in enumerate(names)])
    axes.set_xlim(-0.3, len(epochs) - 0.7)
    axes.set_xlabel("epoch", labelpad=1)


def _concept(sheet: Sheet, top: float, concept: pd.DataFrame, block: Block, place: int, wide: float) -> None:
    """Name and dates of one concept, then its board at each epoch."""
    _words(sheet, top, concept, place)
    for column, epoch in enumerate(spread(block.epochs, EPOCHS)):
        left = MARGIN + LEFT + column * (wide + BETWEEN)
        step = concept[concept["epoch"] == epoch]
        sheet.text(left, top, epoch_name(epoch), room=wide, size=SMALL, color=QUIET)
        axes = sheet.axes(left, top + WORDS - 0.03, wide, wide)
        if step.empty or int(step["matched_direction"].iloc[0]) < 0:
            message(axes, "not found")
            continue
        show_mosaic(axes, block.boards[step.index[0]], COLUMNS)
        _numbers(sheet, left, top, step.iloc[0], wide)


def _numbers(sheet: Sheet, left: float, top: float, step: "pd.Series[float]", wide: float) -> None:
    """Similarity, dark where it lies above the null, at the right of the epoch's name."""
    held = step["similarity"] > step["null95"]
    text = f"{step['similarity']:.2f}".replace("0.", ".", 1)
    sheet.text(
        left + wide, top, text, size=SMALL, bold=bool(held), color=INK if held else QUIET, across="right"
    )


def _words(sheet: Sheet, top: float, concept: pd.DataFrame, place: int) -> None:
    first, room = concept.iloc[-1], LEFT - 0.14
    sheet.text(MARGIN, top, LETTERS[place], bold=True, color=COLOURS[place])
    name = direction_name(first["direction"], first["side"])
    sheet.text(MARGIN + 0.13, top, name, room=room, bold=True)
    lines = [(line, INK) for line in _what(concept, room)]
    lines += [(line, QUIET) for line in dates(int(first["appears"]), int(first["settles"]))]
    for number, (line, colour) in enumerate(lines):
        sheet.text(MARGIN, top + 0.145 + 0.115 * number, line, room=room + 0.06, size=SMALL, color=colour)


def _what(concept: pd.DataFrame, room: float) -> list[str]:
    """The true concept with its AUC over the epochs, and the classes, where there are any."""
    last, lines = concept.iloc[-1], []
    if last["concept"]:
        lines += wrap(f"tells {last['concept']}", room, SMALL, 2).split("\n")
        known = [float(auc) for auc in concept["auc"] if np.isfinite(auc)]
        if known:
            lines.append(f"AUC {known[0]:.2f} → {known[-1]:.2f}".replace("0.", "."))
    if last["class_name"]:
        lines += wrap(f"class: {last['class_name']}", room, SMALL, 2).split("\n")
    return lines


def dates(appears: int, settles: int) -> list[str]:
    """``appears: epoch 2`` and ``settles: epoch 6``."""
    return [
        f"{name}: {'never' if epoch == NEVER else epoch_name(epoch)}"
        for name, epoch in (("appears", appears), ("settles", settles))
    ]


def _key(sheet: Sheet, top: float) -> None:
    left = MARGIN
    for text, wide, ring in (("appears", 0.62, True), ("settles", 0.6, False)):
        mark = sheet.swatch(left, top, INK, marker="o")
        mark.set(markersize=4.2 if ring else 2.6, mfc="white" if ring else INK, mec=INK, mew=0.8)
        sheet.text(left + 0.12, top, text, size=SMALL, color=QUIET)
        left += wide
    sheet.swatch(left, top, QUIET, dashes="dashed").set(linewidth=0.9)
    sheet.text(left + 0.26, top, "95th percentile of chance, median over concepts", size=SMALL, color=QUIET)
    sheet.swatch(left + 2.62, top, FAINT)
    sheet.text(left + 2.88, top, "concepts without boards", size=SMALL, color=QUIET)
    sheet.text(PAGE - MARGIN, top, "bold: above chance", size=SMALL, color=QUIET, across="right")


# --- table: concept evolution ----------------------------------------------------------------------------------------

HALF = 0.5


@table(
    "table_concept_evolution",
    title="Concept vectors that have appeared and settled by each epoch",
    reads=("concept_evolution",),
    paper="Evoscope",
    shows="concept vectors that appear and settle by each epoch",
    place=300,
)
def concept_evolution_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every concept at every epoch) and text of the Markdown (per run, then per run and epoch)."""
    found = exhibit(exhibits, "concept_evolution", ConceptEvolution)
    above = caption(
        "Shares of the concept vectors of the last epoch that have appeared (are matched in the unified space better "
        "than chance from that epoch on) and settled (also lie as near their last place as another draw of the images "
        "would leave them). Medians over the concepts: similarity to the partner; the 95th percentile of what chance "
        "gives, the higher of random directions and of permuted images; and what the match has not seen, the cosine of "
        "both vectors in channel space (0 by chance) and the share of common images. Chance alone "
        "lifts one concept in twenty above it at an epoch. At the last epoch each concept is its own partner.",
        about,
        n=counted(found),
        runs=runs_of(found.summary),
        interval=INTERVAL,
    )
    tables = markdown(by_run(found)), "**Epoch by epoch**", markdown(by_epoch(found.summary))
    return found.steps, [above, *tables]


def by_run(found: ConceptEvolution) -> pd.DataFrame:
    """One row per run: how many concepts, and by when half of them are there."""
    lines = []
    for (run, layer), own in found.summary.groupby(LAYER, sort=False):
        steps = found.steps[(found.steps["run"] == run) & (found.steps["layer"] == layer)]
        concepts = steps.drop_duplicates(["direction", "side"])
        earlier = concepts["appears"].between(NEVER + 1, own["epoch"].max() - 1)
        lines.append(
            {
                "model": model_column([str(run)])[0],
                "layer": layer,
                "concepts": len(concepts),
                "appear before the last epoch": int(earlier.sum()),
                "never": int((concepts["appears"] == NEVER).sum()),
                "half appeared": first_reached(own, "appeared"),
                "half settled": first_reached(own, "settled"),
            }
        )
    return pd.DataFrame(lines)


def first_reached(summary: pd.DataFrame, share: str) -> str:
    """The first epoch by which half of the concepts have, or ``never``: the median epoch."""
    reached = summary[doubles(summary[share]) >= HALF]
    return epoch_name(int(reached["epoch"].min())) if len(reached) else "never"


def by_epoch(summary: pd.DataFrame) -> pd.DataFrame:
    """One row per run and epoch."""
    shown = pd.DataFrame({"model": model_column(summary["run"]), "epoch": summary["epoch"].map(epoch_name)})
    for name in ("appeared", "settled"):
        shown[f"{name} [95 %]"] = interval_column(summary, name, f"{name}_low", f"{name}_high")
    names = {
        "similarity": "similarity",
        "null95": "chance",
        "channel_cosine": "channel cosine",
        "shared_stimuli": "common images",
    }
    for column, name in names.items():
        shown[name] = doubles(summary[column]).round(3)
    return shown


# --- table: persistence ----------------------------------------------------------------------------------------------

LASTING = (
    *(*LAYER, "epoch", "last", "by", "against", "value", "other", "gain", "gain_low", "gain_high"),
    *("above", "directions", "draws"),
)  # fmt: skip
BY = {"channels": "channels (cosine)", "scores": "images ordered (correlation)"}
AGAINST = {"rotation": "random directions", "within": "a rotation of that epoch's first"}


@table(
    "table_persistence",
    title="First directions of the last epoch, sought at earlier ones",
    reads=("persistence",),
    paper="Evoscope",
    shows="directions over training by their channels and by the images they order",
    place=302,
)
def persistence_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV and text of the Markdown."""
    rows = rows_of(exhibits, "persistence", LASTING)
    shown = pd.DataFrame(
        {
            "model": model_column(rows["run"]),
            "layer": rows["layer"],
            "epoch": [
                f"{epoch_name(int(epoch))} to {last}"
                for epoch, last in zip(rows["epoch"], rows["last"], strict=True)
            ],
            "matched by": [BY[by] for by in rows["by"]],
            "against": [AGAINST[against] for against in rows["against"]],
            "value": doubles(rows["value"]).round(3),
            "of those": doubles(rows["other"]).round(3),
            "gain [95 %]": interval_column(rows, "gain", "gain_low", "gain_high"),
            "above their 95 %": doubles(rows["above"]).round(2),
            "n": rows["directions"],
        }
    )
    above = caption(
        "The strongest directions of the last epoch, matched one to one with those of an earlier one by the size of "
        "the cosine in channel space, and by the size of the correlation of their scores over images that neither was "
        "found on, beside the unified space of the table before; each against equally many directions of random "
        "rotations. Gain: mean difference, paired over the directions; chance lifts one in twenty above the 95th "
        "percentile of its own draws.",
        about,
        n="directions, in the last column",
        runs=runs_of(rows),
        interval="95 %, over directions of one network",
    )
    return rows, [above, markdown(shown)]
