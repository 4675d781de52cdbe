"""Concept vectors over training: how many are found at earlier epochs, when they settle, and their boards."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.arrays import Bytes
from evoscope.figure_data import NEVER, ConceptEvolution
from evoscope.stats import wilson
from evoscope.viz import Sheet, colour_of, interval_curve, label_of, message, remark
from evoscope.viz.charts import UNTRAINED, epoch_name
from evoscope.viz.pictures import show_mosaic
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import INK, QUIET, SMALL, plain, wrap
from results.page_style import (
    LAYER,
    NOTHING,
    caption,
    direction_name,
    doubles,
    exhibit,
    interval_column,
    layers_of,
    markdown,
    model_column,
    percent,
    rows_of,
    runs_of,
    spread,
)
from results.registry import About, Exhibits, Written, figure, table

# --- figure: concept evolution ---------------------------------------------------------------------------------------

CONCEPT = ["direction", "side"]
# Most epochs with boards, images in a row of a board, and concepts with boards.
EPOCHS, COLUMNS, BOARDS = 5, 2, 2
INTERVAL = "95 %, bootstrap over directions; of shares above chance, Wilson over concepts"
CHANCE = 5.0  # per cent of the concepts that chance alone lifts above it
# Inches.
MARGIN, PANEL, TICKS, GAP, KEY = 0.07, 1.9, 0.42, 0.1, 0.06
LEFT, BETWEEN, WIDEST, WORDS = 1.42, 0.12, 1.0, 0.17


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
        return sorted(concepts, key=lambda own: int(own["appears"].iloc[0]))


def concept_evolution_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    found = exhibit(exhibits, "concept_evolution", ConceptEvolution)
    what = (
        "Concept vectors of a layer (its singular directions, each side for itself where both are candidates: the "
        "first of every class and those of most energy) are placed in the unified space by the images that project "
        "most on them, as neurons are by their stimuli, and those of the last epoch are matched one to one with those "
        "of every earlier epoch by cosine. Above: share of them whose partner at each earlier look is nearer than the "
        "95th percentile that a concept reaches among as many random directions of that epoch or with permuted images, "
        "whichever is higher; dotted: the 5 % that chance lifts above it. The last epoch, where each is its own "
        "partner, is left out. Below, of one concept a network: the images that project most on its partner at each "
        "epoch, and its similarity, bold above chance; AUC: held out, of the partner for the true concept that the "
        "vector tells at the end."
    )
    epochs = max([0, *found.summary.groupby("run")["epoch"].nunique()])
    if epochs > EPOCHS:
        what += f" Boards of {EPOCHS} of {epochs} epochs are shown."
    return caption(what, about, n=counted(found), runs=runs_of(found.steps), interval=INTERVAL)


def concept_evolution_finding(exhibits: Exhibits, about: About) -> str:
    """How many of the concepts are found above chance at the look before the last."""
    found = exhibit(exhibits, "concept_evolution", ConceptEvolution)
    parts = []
    for block in blocks_of(found):
        looks = above_chance(block)
        if len(looks):
            run = label_of(str(block.steps["run"].iloc[0]))
            parts.append(f"{percent(float(looks['share'].iloc[-1]))} ({run}, {epoch_name(int(looks.index[-1]))})")
    if not parts:
        return ""
    return f"Of the last epoch's concepts, found above chance (5 %) at the look before: {', '.join(parts)}"


def above_chance(block: "Block") -> pd.DataFrame:
    """Share of the concepts above their null at each look but the last, with ``low`` and ``high``, by epoch."""
    rows = block.steps[block.steps["epoch"] < block.epochs[-1]] if block.epochs else block.steps
    rows = rows[np.isfinite(doubles(rows["null95"]))]
    lines = {}
    for epoch, own in rows.groupby("epoch"):
        found = wilson(int((doubles(own["similarity"]) > doubles(own["null95"])).sum()), len(own))
        lines[int(str(epoch))] = (found.value, found.low, found.high)
    return pd.DataFrame.from_dict(lines, orient="index", columns=["share", "low", "high"])


def counted(found: ConceptEvolution) -> str:
    """``20 concepts on 12 directions``, over all runs."""
    last = found.summary.groupby(LAYER, sort=False).last()
    return f"{int(last['concepts'].sum())} concepts on {int(last['directions'].sum())} directions"


@figure(
    "fig_concept_evolution",
    title="Concept vectors over training in the unified space",
    reads=("concept_evolution",),
    says=concept_evolution_finding,
    words=concept_evolution_words,
    paper="Evoscope",
    shows="concept vectors over training in the unified space",
    place=290,
)
def concept_evolution_figure(exhibits: Exhibits, about: About) -> Figure:
    """Shares above chance of all runs, and a row of boards for one concept of the first ones."""
    blocks = list(blocks_of(exhibit(exhibits, "concept_evolution", ConceptEvolution)))
    epochs = max([1, *(min(len(each.epochs), EPOCHS) for each in blocks)])
    wide = min((PAGE - LEFT - MARGIN) / epochs - BETWEEN, WIDEST)
    boards = [(block, block.shown[0]) for block in blocks if block.shown][:BOARDS]
    sheet = Sheet(PAGE, 0.2 + PANEL + TICKS + len(boards) * (0.2 + wide + WORDS + GAP) + KEY)
    if not blocks:
        sheet.text(MARGIN, 0.1, NOTHING, color=QUIET)
        return sheet.figure
    sheet.text(MARGIN, 0.03, "% of the last epoch's concepts that are found above chance", size=SMALL, color=QUIET)
    _shares(sheet.axes(0.45, 0.2, PAGE - 0.6, PANEL), blocks)
    top = 0.2 + PANEL + TICKS
    for block, concept in boards:
        run = str(block.steps["run"].iloc[0])
        name = f"{label_of(run)}, layer {block.steps['layer'].iloc[0]}"
        sheet.text(MARGIN, top, name, room=PAGE - 0.2, size=SMALL, bold=True, cut="middle")
        _concept(sheet, top + 0.18, concept, block, wide)
        top += 0.2 + wide + WORDS + GAP
    return sheet.figure


def blocks_of(found: ConceptEvolution) -> Iterator[Block]:
    """The runs of an exhibit, in its order."""
    steps = found.steps.reset_index(drop=True)
    board = np.cumsum(steps["shown"].to_numpy(dtype=bool)) - 1
    for own in layers_of(steps):
        head = own.iloc[0]
        summary = found.summary[(found.summary["run"] == head["run"]) & (found.summary["layer"] == head["layer"])]
        boards = found.boards[board[own.index[own["shown"].to_numpy(dtype=bool)]]]
        yield Block(own, summary.sort_values("epoch"), boards)


def _shares(axes: Axes, blocks: list[Block]) -> None:
    """Share above chance at each look, a curve per run, and the line of chance."""
    known = [(block, above_chance(block)) for block in blocks]
    last = max((len(block.epochs) for block in blocks), default=1)
    for place, (block, looks) in enumerate(known):
        run = str(block.steps["run"].iloc[0])
        x = np.array([block.epochs.index(int(epoch)) for epoch in looks.index], dtype=np.float64)
        value, low, high = (100 * doubles(looks[name]) for name in ("share", "low", "high"))
        interval_curve(axes, x + 0.05 * (place - (len(known) - 1) / 2), value, low, high, colour_of(run))
        axes.text(
            0.99, 0.97 - 0.09 * place, plain(label_of(run)), transform=axes.transAxes, size=SMALL,
            color=colour_of(run), ha="right", va="top",
        )  # fmt: skip
    longest = max(blocks, key=lambda block: len(block.epochs))
    names = ["init" if epoch == UNTRAINED else str(epoch) for epoch in longest.epochs[:-1]]
    kept = set(spread(range(len(names)), 9))
    axes.set_xticks(range(len(names)), [name if place in kept else "" for place, name in enumerate(names)])
    axes.set_xlim(-0.4, max(last - 2, 0) + 0.4)
    axes.set_xlabel("epoch that is looked at", labelpad=1)
    axes.axhline(CHANCE, color=INK, lw=0.9, linestyle=(0, (1, 1.8)), zorder=1)
    axes.annotate("chance, 5 %", (0.01, CHANCE), xycoords=("axes fraction", "data"), size=SMALL, va="bottom")
    axes.set_ylim(0, 100)
    axes.grid(axis="y")
    if not any(len(looks) for _, looks in known):
        remark(axes, "no earlier look")


def _concept(sheet: Sheet, top: float, concept: pd.DataFrame, block: Block, wide: float) -> None:
    """Name and dates of one concept, then its board at each epoch."""
    first, room = concept.iloc[-1], LEFT - 0.14
    sheet.text(MARGIN, top, direction_name(first["direction"], first["side"]), room=room, bold=True)
    lines = [(line, INK) for line in _what(concept, room)]
    lines += [(line, QUIET) for line in dates(int(first["appears"]), int(first["settles"]))]
    for number, (line, colour) in enumerate(lines):
        sheet.text(MARGIN, top + 0.145 + 0.115 * number, line, room=room + 0.06, size=SMALL, color=colour)
    for column, epoch in enumerate(spread(block.epochs, EPOCHS)):
        left = MARGIN + LEFT + column * (wide + BETWEEN)
        step = concept[concept["epoch"] == epoch]
        sheet.text(left, top, epoch_name(epoch), room=wide, size=SMALL, color=QUIET)
        axes = sheet.axes(left, top + WORDS - 0.03, wide, wide)
        if step.empty or int(step["matched_direction"].iloc[0]) < 0:
            message(axes, "not found")
            continue
        show_mosaic(axes, block.boards[step.index[0]], COLUMNS)
        held = step.iloc[0]["similarity"] > step.iloc[0]["null95"]
        text = f"{step.iloc[0]['similarity']:.2f}".replace("0.", ".", 1)
        sheet.text(left + wide, top, text, size=SMALL, bold=bool(held), color=INK if held else QUIET, across="right")


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
                f"{epoch_name(int(epoch))} to {last}" for epoch, last in zip(rows["epoch"], rows["last"], strict=True)
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
