"""One direction and its unique concepts: CDISCO's way from a direction to concept vectors in one picture."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.figure_data import ConceptSplit
from evoscope.viz import Sheet, label_of
from evoscope.viz.charts import epoch_name
from evoscope.viz.pictures import GAP, TILE, bare, show_concept, show_mosaic
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, FAINT, HUGE, LARGE, NORMAL, QUIET, SMALL
from results.page_style import caption, direction_name, doubles, exhibit, layer_heading, percent
from results.registry import About, Exhibits, figure

COLOURS = ("#0072b2", "#e69f00", "#009e73")  # of Okabe and Ito, none of which is a network's
FIRST, NEXT = "#555555", "→"
# Inches.
MARGIN, HEADING, NAMES, AXIS, PANEL, RIGHT = 0.07, 0.4, 0.24, 0.42, 1.85, 2.85
HISTOGRAM, CLUSTERS, FOOT, SIDE, WORDS, SPACE = 1.1, 1.55, 0.5, 0.76, 0.17, 0.1
STEP = SIDE * (TILE + GAP) / TILE


def split_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    split = exhibit(exhibits, "concept_split", ConceptSplit)
    facts = split.facts.iloc[0]
    several = f"{facts['several']:,} of {facts['sought']:,} directions that rank first for a class hold more than one"
    if split.concepts.empty:
        return caption(f"{several}.", about, n="no direction")
    what = (
        "How CDISCO gets from a direction to concept vectors. 1: all images by their score along the direction; the "
        "most activating ones are grey. 2: these on their first two principal axes, after Ward's clustering, k-means "
        "and pruning; rings belong to no cluster. 3: the most activating images of each cluster; below them the map "
        "of the cluster's mean, which is the unique concept, interpolated bilinearly from the layer's grid. What a "
        "cluster is called is what it shows more often than all images do, with both shares. The direction whose two "
        f"largest clusters are the farthest apart is shown, the clearest case and not a typical one; {several}."
    )
    n = f"{int(split.histogram['images'].sum()):,} images, {len(split.points)} of them clustered"
    return caption(what, about, n=n, runs=[str(facts["run"])])


def split_finding(exhibits: Exhibits, about: About) -> str:
    """What the first unique concepts of the direction show."""
    split = exhibit(exhibits, "concept_split", ConceptSplit)
    facts = split.facts.iloc[0]
    if split.concepts.empty:
        return f"None of {facts['sought']:,} directions holds more than one unique concept"
    shares = zip(split.concepts["title"], doubles(split.concepts["share"]), strict=True)
    parts = [f"{title} ({percent(share)} of its images)" for title, share in shares]
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}"
    direction = direction_name(facts["direction"], facts["side"])
    return f"Direction {direction} of {label_of(str(facts['run']))} holds {len(parts)} concepts: {listed}"


@figure(
    "fig_concept_split",
    title="From a direction to unique concepts",
    reads=("concept_split",),
    says=split_finding,
    words=split_words,
    paper="CDISCO",
    shows="one direction, the clusters of its images, and the unique concept of each with its map",
    place=179,
)
def split_figure(exhibits: Exhibits, about: About) -> Figure:
    """Three steps from left to right: histogram, clusters, and a block of images and maps per unique concept."""
    split = exhibit(exhibits, "concept_split", ConceptSplit)
    if split.concepts.empty:
        sheet = Sheet(PAGE, 0.4)
        sheet.text(MARGIN, 0.1, "no direction that ranks first for a class holds several unique concepts", color=QUIET)
        return sheet.figure
    block = WORDS + 2 * SIDE + SPACE
    top, second = HEADING + NAMES, HEADING + 2 * NAMES + HISTOGRAM + FOOT
    sheet = Sheet(PAGE, max(top + len(split.concepts) * block, second + CLUSTERS + 0.05))
    facts = split.facts.iloc[0]
    direction = direction_name(facts["direction"], facts["side"])
    more = f", {epoch_name(int(facts['epoch']))}, direction {direction}"
    layer_heading(sheet, MARGIN, 0.05, split.facts, about, more)
    for left, above, name in (
        (MARGIN, HEADING, "1  Along one direction"),
        (MARGIN, second - NAMES, "2  The farthest images"),
        (RIGHT, HEADING, "3  Unique concepts"),
    ):
        sheet.text(left, above, name, size=LARGE, bold=True)
    sheet.text(RIGHT - 0.4, second + CLUSTERS / 2 - 0.1, NEXT, size=HUGE, color=QUIET)
    _histogram(sheet.axes(MARGIN + AXIS, top, PANEL, HISTOGRAM), split)
    _clusters(sheet.axes(MARGIN + AXIS, second, PANEL, CLUSTERS), split.points)
    for place in range(len(split.concepts)):
        _block(sheet, RIGHT, top + place * block, split, place)
    return sheet.figure


def _histogram(axes: Axes, split: ConceptSplit) -> None:
    bars, least = split.histogram, float(split.facts["from"].iloc[0])
    colours = [FIRST if right > least else BACKDROP for right in bars["right"]]
    axes.bar(bars["left"], bars["images"], bars["right"] - bars["left"], align="edge", color=colours, lw=0)
    axes.set_xlabel("score along the direction", size=SMALL)
    axes.set_ylabel("images", size=SMALL)
    words = f"the {len(split.points)} farthest"
    axes.text(1, 1.02, words, transform=axes.transAxes, size=SMALL, color=FIRST, ha="right", va="bottom")


def _clusters(axes: Axes, points: pd.DataFrame) -> None:
    for number in sorted(points["concept"].unique()):
        own = points[points["concept"] == number]
        x, y = doubles(own["x"]), doubles(own["y"])
        if number == 0:
            axes.plot(x, y, "o", markersize=3, mfc="none", mec=FAINT, mew=0.6)
        else:
            axes.plot(x, y, "o", markersize=3.4, color=COLOURS[int(number) - 1], mew=0)
    axes.set_xlabel("first principal axis", size=SMALL)
    axes.set_ylabel("second", size=SMALL)
    axes.set_xticks([])
    axes.set_yticks([])


def _block(sheet: Sheet, left: float, top: float, split: ConceptSplit, place: int) -> None:
    """A unique concept: what it shows, its images, and its maps on them."""
    row = split.concepts.iloc[place]
    sheet.swatch(left, top, COLOURS[place], marker="o")
    words = f"{row['title']}: {percent(row['share'])} of {int(row['size'])} images"
    sheet.text(left + 0.16, top, words, size=NORMAL, bold=True, room=PAGE - left - 1.1)
    sheet.text(
        PAGE - MARGIN, top, f"of all images {percent(row['everywhere'])}", size=SMALL, color=QUIET, across="right"
    )
    there = min(int(row["size"]), len(split.images[place]))
    images = split.images[place][:there]
    wide = there * STEP
    show_mosaic(sheet.axes(left, top + WORDS, wide, SIDE), images, there)
    maps = sheet.axes(left, top + WORDS + SIDE, wide, SIDE)
    bare(show_concept(maps, images, split.heat[place][:there], split.segments[place][:there]))
