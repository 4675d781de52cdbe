"""Concept vectors of classes: their boards, directions that several classes share, and the wrong side."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evoscope.figure_data import ConceptBoards
from evoscope.seeds import generator
from evoscope.viz import Sheet
from evoscope.viz.charts import epoch_name
from evoscope.viz.pictures import GAP, GLOW, TILE, show_concept, show_mosaic
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import INK, QUIET, SMALL, elide, wrap
from results.page_style import (
    HEADING,
    LAYER,
    NOTHING,
    caption,
    direction_name,
    exhibit,
    interval_column,
    layer_heading,
    layers_of,
    markdown,
    measured_under,
    model_column,
    percent,
    protocol_name,
    rows_of,
    runs_of,
)
from results.registry import About, Exhibits, Written, figure, table

# --- figure: concepts ------------------------------------------------------------------------------------------------

MOST = 10  # rows that one page holds
# Inches.
MARGIN, WORDS, SIDE, BETWEEN, SPACE, NAMES, KEY = 0.07, 1.16, 0.48, 0.08, 0.08, 0.14, 0.2
RIGHT = 0.36  # of the share that is right
LINE, BOLD = 0.11, 0.86  # of a line; how much more room plain letters leave than bold ones
STEP = SIDE * (TILE + GAP) / TILE  # from tile to tile


def concepts_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    every = exhibit(exhibits, "concepts", ConceptBoards)
    concepts = shown(every, about.seed).concepts
    what = (
        "For some classes the concept vector with the largest z among the directions of the layer: #, its index in the "
        "basis, with the side of it that is meant; z, how far images predicted as the class lie above the others "
        "along it, in standard deviations of the others; the clusters (unique concepts) among its most activating "
        "images; and, where the truth is known, the concept that it tells best, with the AUC on held-out images. "
        "Then the most activating images, of whatever class; the same with the concept map, interpolated bilinearly "
        "from the layer's grid, so outlines are no sharper than that; and images drawn at random from those predicted "
        f"as the class, with the share of all of them that is right. Of each network, the classes of the largest "
        f"{measure_of(every.concepts)} are chosen, as marked, and as many are drawn at random (seed {about.seed}) of "
        f"the others; {len(every.concepts) - len(concepts)} further ones are not shown. The best direction of many: a "
        "large z is no test of significance, and whether the images share one thing is for the reader to judge."
    )
    n = f"{len(concepts)} concepts of {concepts['class_name'].nunique()} classes"
    return caption(what, about, n=n, runs=runs_of(concepts))


def measure_of(concepts: pd.DataFrame) -> str:
    """What rows are chosen by: ``auc`` where true concepts are known, else ``z``."""
    return "AUC" if np.isfinite(concepts["auc"].astype(float)).any() else "z"


def concepts_finding(exhibits: Exhibits, about: About) -> str:
    """How many of all concepts tell a true one, or hold one cluster."""
    concepts = exhibit(exhibits, "concepts", ConceptBoards).concepts
    if concepts.empty:
        return ""
    if measure_of(concepts) == "AUC":
        told, what = (int((concepts["concept"] != "").sum()), "tell a true concept (held-out AUC of .7 and more)")
    else:
        told, what = (int((concepts["clusters"] == 1).sum()), "hold one cluster of images, and not several or none")
    return f"Of the first concept vectors of the classes, {told} of {len(concepts)} {what}"


@figure(
    "fig_concepts",
    title="Concept vectors of classes, and where they are seen",
    reads=("concepts",),
    says=concepts_finding,
    words=concepts_words,
    paper="CDISCO",
    shows="each class's concept vector, the images that excite it most, and where",
    place=180,
)
def concepts_figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per run and layer, a row per class."""
    boards = shown(exhibit(exhibits, "concepts", ConceptBoards), about.seed)
    blocks = list(layers_of(boards.concepts))
    height = len(blocks) * (HEADING + NAMES + 0.08) + len(boards.concepts) * (SIDE + SPACE) + KEY + 0.06
    sheet = Sheet(PAGE, height)
    if boards.concepts.empty:
        sheet.text(MARGIN, 0.1, NOTHING, color=QUIET)
        return sheet.figure
    top = 0.05
    for block in blocks:
        layer_heading(sheet, MARGIN, top, block, about, f", {epoch_name(int(block['epoch'].iloc[0]))}")
        top += HEADING
        _names(sheet, top)
        top += NAMES
        for place in block.index.to_numpy(dtype=int):
            _row(sheet, top, boards, place)
            top += SIDE + SPACE
        top += 0.08
    sheet.swatch(MARGIN, top, GLOW, marker="s")
    sheet.text(MARGIN + 0.14, top, "concept map above its median", size=SMALL, color=QUIET)
    sheet.swatch(MARGIN + 1.8, top, INK).set(linewidth=0.8)
    text = "outline of the segment, the pixels above the protocol's percentile"
    sheet.text(MARGIN + 2.08, top, text, size=SMALL, color=QUIET)
    return sheet.figure


def shown(boards: ConceptBoards, seed: int) -> ConceptBoards:
    """As many rows of each run and layer as a page holds: half by `measure_of`, marked ``chosen``, half at random."""
    frame = boards.concepts.reset_index(drop=True)
    each = max(MOST // max(len(frame[LAYER].drop_duplicates()), 1), 1)
    ranked = frame.sort_values(["auc", "z"], ascending=False, kind="stable").index
    first, rows, chosen = (each + 1) // 2, list[int](), list[bool]()
    for own in layers_of(frame):
        order = ranked[ranked.isin(own.index)].to_numpy(dtype=np.int64)
        places = generator(seed, "boards", *own[LAYER].iloc[0]).permutation(max(len(order) - first, 0))
        drawn = sorted(order[first + places[: each - first]])
        rows += [*order[:first], *drawn]
        chosen += [*([True] * len(order[:first])), *([False] * len(drawn))]
    return replace(
        boards,
        concepts=frame.loc[rows].assign(chosen=chosen).reset_index(drop=True),
        images=boards.images[rows],
        heat=boards.heat[rows],
        segments=boards.segments[rows],
        predicted=boards.predicted[rows],
    )


def columns_of(boards: ConceptBoards) -> tuple[float, float, float]:
    """Where the images, the maps and the predicted images begin, in inches."""
    wide = boards.images.shape[1] * STEP
    return MARGIN + WORDS, MARGIN + WORDS + wide + BETWEEN, MARGIN + WORDS + 2 * (wide + BETWEEN)


def _names(sheet: Sheet, top: float) -> None:
    wide = 4 * STEP
    left = MARGIN + WORDS
    names = (
        (MARGIN, "class and its concept"),
        (left, "most activating images"),
        (left + wide + BETWEEN, "the same with the concept map"),
        (left + 2 * (wide + BETWEEN), "predicted as it, at random"),
    )
    for place, name in names:
        sheet.text(place, top, name, size=SMALL, color=QUIET)


def _row(sheet: Sheet, top: float, boards: ConceptBoards, place: int) -> None:
    """One concept: words, images, maps, images predicted as the class."""
    concept, images = boards.concepts.iloc[place], boards.images[place]
    plain, maps, predicted = columns_of(boards)
    wide = len(images) * STEP
    show_mosaic(sheet.axes(plain, top, wide, SIDE), images, len(images))
    show_concept(sheet.axes(maps, top, wide, SIDE), images, boards.heat[place], boards.segments[place])
    strip = boards.predicted[place][: int(concept["predicted_count"])]
    if len(strip):
        room = PAGE - predicted - MARGIN - RIGHT
        show_mosaic(sheet.axes(predicted, top, room, SIDE), strip, 5)
        sheet.text(PAGE - MARGIN, top + 0.1, percent(float(concept["right"])), bold=True, across="right")
        sheet.text(PAGE - MARGIN, top + 0.22, "right", size=SMALL, color=QUIET, across="right")
    else:
        sheet.text(predicted, top + SIDE / 2 - 0.05, "none", size=SMALL, color=QUIET)
    _words(sheet, top, concept)


def _words(sheet: Sheet, top: float, concept: "pd.Series[Any]") -> None:
    """Class in bold, then the facts of its concept, as many lines as the images are high."""
    room = WORDS - 0.09
    name = wrap(str(concept["class_name"]), BOLD * room, SMALL, 2).split("\n")
    for number, line in enumerate(name):
        sheet.text(MARGIN, top + LINE * number, line, room=room, size=SMALL, bold=True)
    top += LINE * len(name)
    for number, (line, colour) in enumerate(fact_lines(concept)):
        sheet.text(MARGIN, top + LINE * number, elide(line, room, SMALL), size=SMALL, color=colour)


def fact_lines(concept: "pd.Series[Any]") -> list[tuple[str, str]]:
    """Direction and z, unique concepts, the true concept where one is known, how it was picked; with their colours."""
    first = direction_name(concept["direction"], concept["side"])
    if np.isfinite(concept["z"]):
        first += f", z {concept['z']:.1f}"
    clusters = int(concept["clusters"])
    held = f"{clusters} cluster{'s' * (clusters != 1)}" if clusters else "no cluster"
    lines = [(first, QUIET), (f"{held} · {'chosen' if concept['chosen'] else 'at random'}", QUIET)]
    if concept["concept"]:
        auc = f", AUC {concept['auc']:.2f}" if np.isfinite(concept["auc"]) else ""
        name = str(concept["concept"]).rpartition(":")[2]
        lines.append((elide(name, 0.5, SMALL) + auc, INK))
    return lines


# --- table: popularity -----------------------------------------------------------------------------------------------

SETTING = [*LAYER, "protocol"]
POPULARITY = (*SETTING, "place", "direction", "count", "classes")
LISTED = 5  # directions of each place that are listed
PLACES = {1: "first", 2: "second", 3: "third"}


@table(
    "table_popularity",
    title="Directions that are the concept of several classes",
    reads=("popularity",),
    paper="CDISCO",
    shows="directions that are the concept of several classes",
    place=240,
)
def popularity_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every direction) and text of the Markdown (the most popular of each place)."""
    rows = rows_of(exhibits, "popularity", POPULARITY)
    kept = popular(rows)
    single = int((rows["count"] == 1).sum())
    above = caption(
        "For how many classes a direction is the first, second or third candidate by z. A direction that is the first "
        "of several classes may mean something they share, or several things at once; as released, only the positive "
        "side is looked at, whose sign is arbitrary, and the direction that is named is not the one that was scored. "
        f"Listed: the {LISTED} most frequent of each place, of those with at least two classes; the CSV has all, "
        f"{single:,} of {len(rows):,} of them with one class.",
        measured_under(rows, about),
        n=f"{len(rows):,} pairs of place and direction",
        runs=runs_of(rows),
    )
    return rows, [above, markdown(popular_rows(kept))]


def popular(rows: pd.DataFrame) -> pd.DataFrame:
    """The most frequent directions of each place that belong to at least two classes."""
    several = rows[rows["count"] > 1].sort_values("count", ascending=False, kind="stable")
    kept = several[several.groupby([*SETTING, "place"]).cumcount() < LISTED]
    ranks = {setting: rank for rank, setting in enumerate(dict.fromkeys(_keys(rows)))}
    order = kept.assign(rank=[ranks[key] for key in _keys(kept)])
    return order.sort_values(["rank", "place", "count"], ascending=[True, True, False], kind="stable")


def _keys(rows: pd.DataFrame) -> list[tuple[str, ...]]:
    return list(rows[SETTING].itertuples(index=False, name=None))


def popular_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in words."""
    shown = _headed(rows)
    shown["candidate"] = [PLACES.get(int(place), str(place)) for place in rows["place"]]
    shown["direction"] = [f"#{int(direction)}" for direction in rows["direction"]]
    shown["classes"] = rows["count"].to_numpy()
    shown["which"] = rows["classes"].astype(str).to_numpy()
    return shown


def _headed(rows: pd.DataFrame) -> pd.DataFrame:
    """Model, layer and protocol of every row, as a table shows them."""
    shown = pd.DataFrame({"model": model_column(rows["run"])})
    shown["layer"] = rows["layer"].to_numpy()
    shown["protocol"] = [protocol_name(name) for name in rows["protocol"]]
    return shown


# --- table: wrong side -----------------------------------------------------------------------------------------------

WRONG_SIDE = (*SETTING, "classes", "same_direction", "low", "high", "chance")


@table(
    "table_wrong_side",
    title="The wrong side of the decomposition",
    reads=("wrong_side",),
    paper="Evoscope",
    shows="whether the direction ranked as released is the one shown",
    place=270,
)
def wrong_side_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every digit) and text of the Markdown."""
    rows = rows_of(exhibits, "wrong_side", WRONG_SIDE)
    above = caption(
        "The released code multiplies by the wrong side of the decomposition: images are scored along the columns "
        "of the matrix whose rows are shown as concepts. Share of the classes for which both sides, all else equal, "
        "choose the same direction; chance: one over the number of directions. Where it is near chance, the "
        "concepts shown as released have nothing to do with the scores that chose them.",
        measured_under(rows, about),
        n=f"{rows['classes'].sum():,.0f} classes over {len(rows)} rows",
        runs=runs_of(rows),
        interval="95 %, over classes",
    )
    shown = _headed(rows)
    shown["classes"] = rows["classes"].to_numpy()
    shown["same direction [95 %]"] = interval_column(rows, "same_direction", "low", "high")
    shown["chance"] = rows["chance"].astype(float).round(4).to_numpy()
    return rows, [above, markdown(shown)]


# --- table: switches -------------------------------------------------------------------------------------------------

SWITCHED = (*LAYER, "protocol", "switch", "changed", "low", "high", "classes")


@table(
    "table_concept_switches",
    title="Defects of the released ranking, one switch at a time",
    reads=("switches",),
    paper="Evoscope",
    shows="how often a class's first concept changes when one defect alone is mended",
    place=272,
)
def concept_switches_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every digit) and text of the Markdown."""
    rows = rows_of(exhibits, "switches", SWITCHED)
    shown = _headed(rows).assign(mended=rows["switch"].to_numpy())
    shown["first concept changes [95 %]"] = interval_column(rows, "changed", "low", "high")
    above = caption(
        "Share of the classes whose first direction is another one when one choice alone of the released protocol is "
        "mended; signs together with both sides as candidates, which makes the result independent of signs.",
        measured_under(rows, about),
        n=f"{rows['classes'].max():,.0f} classes of each layer",
        runs=runs_of(rows),
        interval="95 %, Wilson over classes",
    )
    return rows, [above, markdown(shown)]
