"""Alignment and discovery: regions of one map where models meet, and the map under three ways of training."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.arrays import Bytes
from evoscope.figure_data import Alignment, NeuronMap, TrainingCurves
from evoscope.viz import Limits, Sheet, circles, colour_of, label_of, map_limits, message, patch_grid, points
from evoscope.viz.charts import epoch_name
from evoscope.viz.maps import spots
from evoscope.viz.sheet import PAGE, TALLEST
from evoscope.viz.style import HUGE, LARGE, NORMAL, QUIET, SMALL, WRONG, elide, look_of, width_of, wrap
from results.page_style import (
    base_of,
    caption,
    doubles,
    exhibit,
    full_name,
    map_panel,
    one_seed,
    percent,
    placed,
    runs_shown,
    spread,
    status_counts,
)
from results.registry import About, Exhibits, figure

# --- figure: alignment -----------------------------------------------------------------------------------------------

# Regions, neurons of a model in one, and patches of a neuron that are shown.
COLUMNS, NEURONS, PATCHES = 3, 2, 3
NUMBERS = {1: "One network", 2: "Two networks", 3: "Three networks"}
# Inches.
MARGIN, MAP, TOP, PATCH, BESIDE, BETWEEN, TITLES, KEY = 0.07, 2.5, 0.06, 0.425, 0.025, 0.1, 0.4, 0.5
STRIP = PATCHES * (PATCH + BESIDE) - BESIDE
REGIONS_LEFT = MARGIN + MAP + 0.14


Row = tuple[str, int]  # a model, by its run, at an epoch


def alignment_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    neurons, alignment = exhibit(exhibits, "map", NeuronMap), exhibit(exhibits, "alignment", Alignment)
    rows = model_rows(neurons.neurons, alignment.members)
    shown = sum(len(_of(neurons.neurons, row)) for row in rows)
    what = (
        f"Left: the neurons of every model in one two-dimensional map ({neurons.method.upper()}, fitted on "
        f"{label_of(rows[0][0]) if rows else 'the base'} alone). Circles mark regions; right, the image patches that "
        f"excite each model's neurons there most. {chosen_words(alignment)}"
    )
    runs = list(dict.fromkeys(run for run, _ in rows))
    return caption(what, about, n=f"{shown:,} neurons of {len(rows)} models", runs=runs)


def chosen_words(alignment: Alignment) -> str:
    """Sentence on how the regions were chosen; empty where there are none."""
    if alignment.regions.empty:
        return ""
    if "share" not in alignment.members:
        return "The regions were chosen and named by hand, on the map."
    head = alignment.regions.iloc[0]
    return (
        "They lie where neurons of all models meet, and are named by what lies at the middle of the ten most exciting "
        "patches of their neurons (of photographs, by their class); chance: how often those of neurons drawn at random "
        f"show it. Chosen for being far apart: in {int(head['clear'])} of {int(head['candidates'])} tight regions "
        "every network's patches show one thing; how often neighbours agree over all neurons is measured in "
        "table_metrics."
    )


def alignment_finding(exhibits: Exhibits, about: About) -> str:
    """In how many regions every network's patches show the same thing; more is said only where it is most of them."""
    alignment = exhibit(exhibits, "alignment", Alignment)
    if alignment.regions.empty:
        return ""
    models = alignment.members["run"].nunique()
    networks = NUMBERS.get(models, f"{models} networks")
    if "share" not in alignment.members:
        return f"{networks}, one map, and {len(alignment.regions)} regions of it that were chosen by hand"
    seen = shares(alignment).iloc[:COLUMNS]
    chance = alignment.regions.set_index("region")["chance"].loc[seen.index]
    agree = (seen.min(axis=1) >= 0.5) & (seen.min(axis=1) > 2 * chance)
    head = alignment.regions.iloc[0]
    clear, candidates = int(head["clear"]), int(head["candidates"])
    if not agree.all():
        return (
            f"{networks}, one map: in {int(agree.sum())} of {len(seen)} regions where they meet, most patches of every "
            "network show the same thing"
        )
    if 2 * clear >= candidates:
        return f"{networks}, one map: neurons that look for the same thing land in the same place"
    listed = ", ".join(alignment.regions["title"].head(COLUMNS))
    return f"{networks}, one map: in {clear} of {candidates} tight regions all look for one thing: {listed}"


def shares(alignment: Alignment) -> pd.DataFrame:
    """Share of patches that show what a region is named by: a row per region, a column per network."""
    return alignment.members.pivot_table(index="region", columns="run", values="share", sort=False)


@figure(
    "fig_alignment",
    title="Neurons of different models in one semantic space",
    reads=("map", "alignment"),
    says=alignment_finding,
    words=alignment_words,
    paper="ConceptEvo",
    shows="regions of one map where models meet, with example patches",
    place=10,
)
def alignment_figure(exhibits: Exhibits, about: About) -> Figure:
    """One map of all models with circled regions, and what excites their neurons there."""
    neurons, alignment = exhibit(exhibits, "map", NeuronMap).neurons, numbered(exhibits)
    rows = model_rows(neurons, alignment.members)
    strips = len(rows) * (NEURONS * (PATCH + BESIDE) - BESIDE + BETWEEN) - BETWEEN
    each = TITLES + strips + 0.12
    shown = alignment.regions.head(COLUMNS * max(int((TALLEST - 0.6) / each), 1))
    lines = max(-(-len(shown) // COLUMNS), 1)
    sheet = Sheet(PAGE, TOP + max(MAP + KEY, lines * each - 0.12) + 0.05)
    _map(sheet, TOP, rows, neurons, alignment)
    for place, letter in enumerate(shown["region"]):
        line, column = divmod(place, COLUMNS)
        left, low = REGIONS_LEFT + column * (STRIP + BETWEEN), TOP + line * each
        _title(sheet, left, low, alignment, str(letter))
        for number, row in enumerate(rows):
            top = low + TITLES + number * (NEURONS * (PATCH + BESIDE) - BESIDE + BETWEEN)
            members = _of(alignment.members, row)
            _neurons(sheet, left, top, members[members["region"] == letter], alignment.patches)
    if alignment.regions.empty:
        sheet.text(REGIONS_LEFT, TOP + TITLES, "no region found", room=STRIP, color=QUIET)
    if alignment.regions.empty or "share" not in alignment.members:
        return sheet.figure
    for line, words in enumerate(
        ("regions are found by nearness alone and named", "by their patches; shown: far apart")
    ):
        sheet.text(MARGIN, TOP + MAP + 0.27 + 0.12 * line, words, room=MAP, size=SMALL, color=QUIET)
    return sheet.figure


def numbered(exhibits: Exhibits) -> Alignment:
    """The exhibit with its members numbered as their patches are."""
    alignment = exhibit(exhibits, "alignment", Alignment)
    return replace(alignment, members=alignment.members.reset_index(drop=True))


def model_rows(neurons: pd.DataFrame, members: pd.DataFrame) -> list[Row]:
    """The base model, then every other model that has members, in the order of the exhibit."""
    pairs = [
        *base_of(neurons)[["run", "epoch"]].drop_duplicates().itertuples(index=False, name=None),
        *members[["run", "epoch"]].drop_duplicates().itertuples(index=False, name=None),
    ]
    return [(str(run), int(epoch)) for run, epoch in dict.fromkeys(pairs)]


def _of(frame: pd.DataFrame, row: Row) -> pd.DataFrame:
    return frame[(frame["run"] == row[0]) & (frame["epoch"] == row[1])]


def _map(sheet: Sheet, top: float, rows: list[Row], neurons: pd.DataFrame, alignment: Alignment) -> None:
    """All models' neurons with the regions and their members; the models' names below."""
    shown = pd.concat([_of(neurons, row) for row in rows])
    axes = map_panel(sheet, MARGIN, top, MAP, map_limits(doubles(shown["x"]), doubles(shown["y"])), base=None)
    for row in rows:
        own = _of(neurons, row)
        points(axes, doubles(own["x"]), doubles(own["y"]), colour_of(row[0]), alpha=0.4)
        members = _of(alignment.members, row)
        spots(axes, doubles(members["x"]), doubles(members["y"]), colour_of(row[0]))
    circles(axes, alignment.regions, LARGE + 2)
    if not placed(shown).any():
        message(axes, "\n".join(["no neuron placed:", *status_counts(shown)]))
    left, low = MARGIN, top + MAP + 0.08
    for row in rows:
        name = elide(label_of(row[0]), MAP - 0.3, NORMAL)
        if left + 0.14 + width_of(name, NORMAL) > MARGIN + MAP:
            left, low = MARGIN, low + 0.14
        sheet.swatch(left, low, colour_of(row[0]), marker="o")
        sheet.text(left + 0.13, low, name)
        left += 0.13 + width_of(name, NORMAL) + 0.14


def _title(sheet: Sheet, left: float, top: float, alignment: Alignment, letter: str) -> None:
    """Letter and name of a region, and in how many of the patches it is seen."""
    region = alignment.regions.set_index("region").loc[[letter]].iloc[0]
    title = str(region["title"])
    sheet.text(left, top - 0.02, letter, size=HUGE, bold=True)
    size = HUGE if width_of(title, HUGE, bold=True) <= STRIP - 0.19 else LARGE
    low = top - 0.02 + 0.8 * (HUGE - size) / 72
    sheet.text(left + 0.19, low, title, room=STRIP - 0.19, size=size, bold=True)
    if "share" in alignment.members:
        share = percent(float(shares(alignment).loc[[letter]].to_numpy().mean()))
        words = f"{share} of patches, chance {percent(float(region['chance']))}"
        sheet.text(left, top + 0.2, words, room=STRIP, size=SMALL, color=QUIET)


def _neurons(sheet: Sheet, left: float, top: float, members: pd.DataFrame, patches: Bytes) -> None:
    """Strips of one model's neurons in one region; ``members`` keeps the row numbers of the patches."""
    if members.empty:
        sheet.text(left, top + 0.2, "no neuron of this model here", room=STRIP, size=SMALL, color=QUIET)
    for place, number in enumerate(members.index.to_numpy(dtype=int)[:NEURONS]):
        shown = patches[number, :PATCHES]
        width = max(len(shown), 1) * (PATCH + BESIDE) - BESIDE
        axes = sheet.axes(left, top + place * (PATCH + BESIDE), width, PATCH)
        patch_grid(axes, shown, max(len(shown), 1), colour_of(members.iloc[place]["run"]))


# --- figure: discovery -----------------------------------------------------------------------------------------------

STORY = ("vgg16", "vgg16_large_lr", "vgg16_no_dropout")
EPOCHS = 4  # most that are shown
STAYS = 0.02  # change of accuracy that is none
FELL = 0.1  # loss of accuracy, and lead of the training images, that is told
ILL = 0.05  # share of neurons without a place that is told
FIXED = "\u00a0"  # a space at which no line is broken
# Inches.
PANEL, PANEL_GAP, PANEL_HEADING, PANEL_WORDS = 1.6, 0.15, 0.5, 0.31
ROW = PANEL_HEADING + PANEL + PANEL_WORDS + 0.12


def discovery_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    neurons = exhibit(exhibits, "map", NeuronMap)
    runs = story_runs(neurons.neurons)
    what = (
        "Each row is one run at some of its epochs: its neurons in colour over the base model's in grey "
        f"({neurons.method.upper()} fitted on the base model). Below, accuracy on test and training images, red where "
        f"it fell by more than {100 * FELL:.0f} points or lies as far below that on training images, and the neurons "
        "that are dead (never above zero), constant, non-finite, or unplaced because the base model covers none of "
        "their stimuli. Spread: root mean square distance of the placed neurons from their middle, of the base's."
    )
    sizes = [len(neurons.neurons[neurons.neurons["run"] == run].drop_duplicates(["layer", "channel"])) for run in runs]
    n = ", ".join(f"{size:,} neurons of {label_of(run)}" for run, size in zip(runs, sizes, strict=True))
    return caption(what, about, n=n or "no run", runs=runs)


def discovery_finding(exhibits: Exhibits, about: About) -> str:
    """Whether the neurons of a training that fails lie closer together than those of the others."""
    neurons = exhibit(exhibits, "map", NeuronMap).neurons
    curves = one_seed(exhibit(exhibits, "training", TrainingCurves).curves, about.seed)
    facts = [Story.of(neurons, curves, run) for run in story_runs(neurons)]
    known = sorted((each for each in facts if np.isfinite(each.test[-1])), key=lambda each: each.test[-1])
    listed = ", ".join(
        f"{label_of(each.run)} ({percent(each.test[-1])}) {np.nan_to_num(each.spreads[-1]):.2f}" for each in known[::-1]
    )
    if len(known) < 2:
        return f"Spread over the map after training, of the base's: {listed}" if known else ""
    least, *others = (float(np.nan_to_num(each.spreads[-1])) for each in known)
    closer = known[0].test[-1] < known[-1].test[-1] / 2 and all(spread > least for spread in others)
    fails = "The neurons of a training that fails lie closer together on the map"
    other = "How wide the neurons lie on the map does not follow accuracy here"
    return f"{fails if closer else other}; spread, of the base's: {listed}"


@dataclass(frozen=True)
class Story:
    """What became of a run over the epochs that are shown; not finite: not recorded or not placed."""

    run: str
    epochs: tuple[int, ...]
    test: tuple[float, ...]
    train: tuple[float, ...]
    spreads: tuple[float, ...]
    ill: tuple[float, ...]

    @classmethod
    def of(cls, neurons: pd.DataFrame, curves: pd.DataFrame, run: str) -> "Story":
        """Accuracies, spread over the map as a share of the base's, and share of neurons without a place."""
        epochs = shown_epochs(neurons, run)
        own = [neurons[(neurons["run"] == run) & (neurons["epoch"] == epoch)] for epoch in epochs]
        base = _spread(base_of(neurons))
        told = curves[curves["run"] == run].drop_duplicates("epoch").set_index("epoch").reindex(epochs)
        return cls(
            run,
            tuple(epochs),
            tuple(map(float, told["test_top1"])),
            tuple(map(float, told["train_top1"])),
            tuple(_spread(each) / base for each in own),
            tuple(float(1 - placed(each).mean()) for each in own),
        )

    def sentence(self) -> str:
        """How accuracy, spread and health went."""
        first, last, best = self.test[0], self.test[-1], max(self.test, default=float("nan"))
        if not np.isfinite(last):
            words = "Accuracy is not recorded"
        elif self.fell(len(self.test) - 1):
            at = epoch_name(self.epochs[self.test.index(best)])
            words = f"Test accuracy reaches {percent(best)} ({at}) and falls to {percent(last)}"
        else:
            stays = abs(last - first) < STAYS and best - first < FELL
            words = f"Test accuracy {f'goes from {percent(first)} to' if not stays else 'stays at'} {percent(last)}"
        lead = self.train[-1] - last
        if lead > FELL:
            words += f", {100 * lead:.0f} points below that on training images"
        if np.isfinite(self.spreads[-1]):
            words += f"; spread on the map {self.spreads[0]:.2f} → {self.spreads[-1]:.2f} of the base's"
        return words + (f"; {percent(self.ill[-1])} of the neurons have no place" if self.ill[-1] > ILL else "")

    def fell(self, place: int) -> bool:
        """Whether accuracy is far below an earlier one."""
        return bool(max(self.test[: place + 1]) - self.test[place] > FELL)

    def apart(self, place: int) -> bool:
        """Whether accuracy is far below that on the training images."""
        return bool(self.train[place] - self.test[place] > FELL)


def _spread(neurons: pd.DataFrame) -> float:
    """Root mean square distance of the placed neurons from their middle, in units of the map; NaN: none is placed."""
    places = neurons.loc[placed(neurons), ["x", "y"]].to_numpy(dtype=np.float64)
    if not len(places):
        return float("nan")
    return float(np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=1).mean()))


@figure(
    "fig_discovery",
    title="Concepts under three ways of training",
    reads=("map", "training"),
    says=discovery_finding,
    words=discovery_words,
    paper="ConceptEvo",
    shows="the map under three ways of training VGG16",
    place=20,
)
def discovery_figure(exhibits: Exhibits, about: About) -> Figure:
    """A row per run under a sentence, a panel per epoch, accuracies and the neurons' health under each."""
    neurons = exhibit(exhibits, "map", NeuronMap).neurons
    curves = one_seed(exhibit(exhibits, "training", TrainingCurves).curves, about.seed)
    runs = story_runs(neurons)
    sheet = Sheet(PAGE, max(len(runs), 1) * ROW)
    limits = map_limits(doubles(neurons["x"]), doubles(neurons["y"]))
    if not runs:
        sheet.text(MARGIN, 0.1, "the map holds no model besides the base", color=QUIET)
    for place, run in enumerate(runs):
        top, story = 0.05 + place * ROW, Story.of(neurons, curves, run)
        last = story.test[-1]
        name = full_name(look_of(run), run) + (f" ({percent(last)})" if np.isfinite(last) else "")
        sheet.swatch(MARGIN, top, colour_of(run), marker="o")
        sheet.text(MARGIN + 0.12, top, name, room=PAGE - 0.3, size=LARGE, bold=True)
        sheet.text(MARGIN, top + 0.17, story.sentence(), room=PAGE - 0.14, size=NORMAL)
        for column in range(len(story.epochs)):
            left = MARGIN + column * (PANEL + PANEL_GAP)
            axes = _panel(sheet, left, top, neurons, story, column, limits)
            if column:
                axes.annotate("", (-0.01, 0.5), (-0.085, 0.5), xycoords="axes fraction", arrowprops=ARROW)
    return sheet.figure


ARROW = {"arrowstyle": "-|>", "color": QUIET, "lw": 1.0, "shrinkA": 0, "shrinkB": 0}


def story_runs(neurons: pd.DataFrame) -> list[str]:
    """Return the three VGG16 runs; where the map has none of them, every run but the base."""
    return runs_shown(neurons, STORY)


def shown_epochs(neurons: pd.DataFrame, run: str) -> list[int]:
    """At most four epochs of a run."""
    return spread([int(epoch) for epoch in neurons.loc[neurons["run"] == run, "epoch"].unique()], EPOCHS)


def _panel(
    sheet: Sheet, left: float, top: float, neurons: pd.DataFrame, story: Story, column: int, limits: Limits
) -> Axes:
    epoch, run = story.epochs[column], story.run
    own = neurons[(neurons["run"] == run) & (neurons["epoch"] == epoch)]
    sheet.text(left, top + PANEL_HEADING - 0.14, epoch_name(epoch), room=PANEL, size=SMALL, color=QUIET)
    axes = map_panel(sheet, left, top + PANEL_HEADING, PANEL, limits, base_of(neurons))
    points(axes, doubles(own["x"]), doubles(own["y"]), colour_of(run))
    counts, low = status_counts(own), top + PANEL_HEADING + PANEL + 0.04
    if not placed(own).any():
        message(axes, "\n".join(["no neuron placed:", *counts]))
    test, train = story.test[column], story.train[column]
    if not np.isfinite(test):
        sheet.text(left, low, "accuracy not recorded", room=PANEL, color=QUIET)
    else:
        wrong = story.fell(column) or story.apart(column)
        sheet.text(left, low, f"test {percent(test)}", bold=True, color=WRONG if wrong else None)
        sheet.text(left + 0.62, low, f"training {percent(train)}", room=PANEL - 0.6, color=QUIET)
    state = wrap(f"{FIXED}· ".join(count.replace(" ", FIXED) for count in counts), PANEL, SMALL, lines=2)
    sheet.text(left, low + 0.13, state, size=SMALL, color=QUIET)
    return axes
