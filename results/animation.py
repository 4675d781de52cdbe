"""The moving picture: neurons on the map over the epochs, of a good training and of one that fails."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from evoscope.activations.stimuli import Status
from evoscope.arrays import Bools, Bytes, Doubles
from evoscope.figure_data import NeuronMap, TrainingCurves
from evoscope.viz import Limits, Sheet, colour_of, map_limits
from evoscope.viz.pictures import bare
from evoscope.viz.style import BACKDROP, HUGE, INK, LARGE, QUIET, WRONG, look_of
from results.page_style import base_of, doubles, exhibit, full_name, map_panel, one_seed, percent, runs_shown
from results.registry import About, Exhibits, film

TITLE = "Every dot is a neuron; near dots are excited by the same images"
SHOWN = ("vgg16", "vgg16_large_lr")
STEPS = 8  # frames from an epoch to the next
# Milliseconds of a frame, of one at an epoch that is looked at, and of the last.
FRAME, LOOKED, END = 60, 240, 2200
DPI = 110
FELL = 0.1  # loss of accuracy from which on it is red
# Inches.
MARGIN, TOP, MAP, BAR, BETWEEN, WORDS = 0.1, 0.62, 2.62, 0.16, 0.5, 0.3
WIDE = MAP + 0.1 + BAR


@dataclass(frozen=True)
class Looks:
    """One run at the epochs that are looked at.

    ``epochs``: [looks]; ``places``: [looks, neurons, 2], NaN: unplaced; ``ill``: dead, constant or not finite, [looks];
    ``accuracy``: test accuracy, [all epochs], over ``recorded`` epochs.
    """

    run: str
    epochs: Doubles
    places: Doubles
    ill: Doubles
    recorded: Doubles
    accuracy: Doubles

    @classmethod
    def of(cls, run: str, neurons: pd.DataFrame, curves: pd.DataFrame) -> "Looks":
        """A run of the map with its own seed's curve."""
        own = neurons[neurons["run"] == run].sort_values("epoch", kind="stable")
        parts = [part for _, part in own.groupby("epoch", sort=True)]
        told = curves[curves["run"] == run].drop_duplicates("epoch").sort_values("epoch")
        return cls(
            run,
            np.array([float(part["epoch"].iloc[0]) for part in parts]),
            np.stack([part[["x", "y"]].to_numpy(dtype=np.float64) for part in parts]),
            np.array([float((part["status"] != Status.OK).sum()) for part in parts]),
            doubles(told["epoch"]),
            doubles(told["test_top1"]),
        )

    def at(self, epoch: float) -> tuple[Doubles, Bools]:
        """Places [neurons, 2] between two looks, on a straight line; and which neurons are shown.

        A neuron placed at one of the two only is shown in the half of the way that is nearer to it.
        """
        later = int(np.clip(np.searchsorted(self.epochs, epoch), 1, max(len(self.epochs) - 1, 1)))
        first, second = self.places[later - 1], self.places[min(later, len(self.places) - 1)]
        start, end = self.epochs[later - 1], self.epochs[min(later, len(self.epochs) - 1)]
        way = float(np.clip((epoch - start) / (end - start), 0, 1)) if end > start else 0.0
        near = second if way > 0.5 else first
        both = np.isfinite(first + second).all(axis=1)
        places = np.where(both[:, None], (1 - way) * first + way * second, near)
        return places, np.isfinite(places).all(axis=1)

    def accuracy_at(self, epoch: float) -> float:
        """Test accuracy on a straight line between the epochs; NaN where none is recorded."""
        return float(np.interp(epoch, self.recorded, self.accuracy)) if len(self.recorded) else float("nan")

    def ill_at(self, epoch: float) -> int:
        """Neurons that are dead, constant or not finite at the last look before."""
        return int(self.ill[max(int(np.searchsorted(self.epochs, epoch, side="right")) - 1, 0)])


@film(
    "animation",
    title="Neurons on the map over training",
    reads=("map", "training"),
    paper="Evoscope",
    shows="the map over the epochs of a good training and of one that fails",
    place=15,
)
def animation(exhibits: Exhibits, about: About) -> Iterator[tuple[Bytes, int]]:
    """Frames from the first epoch to the last, the runs side by side."""
    neurons = exhibit(exhibits, "map", NeuronMap).neurons
    curves = one_seed(exhibit(exhibits, "training", TrainingCurves).curves, about.seed)
    runs = [Looks.of(run, neurons, curves) for run in runs_shown(neurons, SHOWN)[: len(SHOWN)]]
    sheet = Sheet(max(len(runs), 1) * (WIDE + BETWEEN) - BETWEEN + 0.5 + MARGIN, TOP + MAP + WORDS)
    [clock] = sheet.text(sheet.width - MARGIN, 0.1, "", size=HUGE, bold=True, across="right")
    sheet.text(MARGIN, 0.1, TITLE, size=LARGE, bold=True)
    limits = map_limits(doubles(neurons["x"]), doubles(neurons["y"]))
    scenes = [_Scene.on(sheet, place, each, base_of(neurons), limits) for place, each in enumerate(runs)]
    looked = sorted({float(epoch) for each in runs for epoch in each.epochs} or {0.0})
    count = round((looked[-1] - looked[0]) * STEPS)
    for number in range(count + 1):
        epoch = looked[0] + number / STEPS
        clock.set_text("before training" if epoch < -0.5 else f"epoch {round(epoch)}")
        for scene in scenes:
            scene.show(epoch)
        lasting = END if number == count else LOOKED if epoch in looked else FRAME
        sheet.figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(sheet.figure)
        canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib's stub
        shown: Bytes = np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
        yield shown, lasting


@dataclass(frozen=True)
class _Scene:
    """What changes of one run from frame to frame."""

    looks: Looks
    dots: PathCollection
    bar: Rectangle
    share: Text
    words: Text

    @classmethod
    def on(cls, sheet: Sheet, place: int, looks: Looks, base: pd.DataFrame, limits: Limits) -> "_Scene":
        left = MARGIN + place * (WIDE + BETWEEN)
        name = full_name(look_of(looks.run), looks.run)
        colour = colour_of(looks.run)
        sheet.text(left, TOP - 0.22, name, room=MAP, size=LARGE, bold=True, color=colour)
        axes = map_panel(sheet, left, TOP, MAP, limits, base)
        dots = axes.scatter([], [], s=5, c=colour, alpha=0.7, linewidths=0, zorder=2)
        beside = sheet.axes(left + MAP + 0.1, TOP, BAR, MAP)
        bar = _bar(beside, colour)
        share = beside.text(1.15, 0, "", size=LARGE, weight="bold", va="center", zorder=6)
        [words] = sheet.text(left, TOP + MAP + 0.05, "", size=LARGE, color=QUIET)
        return cls(looks, dots, bar, share, words)

    def show(self, epoch: float) -> None:
        """Move everything to a time between epochs."""
        places, seen = self.looks.at(epoch)
        self.dots.set_offsets(places[seen])
        accuracy = self.looks.accuracy_at(epoch)
        best = max([*self.looks.accuracy[self.looks.recorded <= epoch], 0.0])
        self.bar.set_height(0.0 if np.isnan(accuracy) else accuracy)
        self.share.set(text=percent(accuracy), y=0.0 if np.isnan(accuracy) else accuracy)
        self.share.set_color(WRONG if best - accuracy > FELL else INK)
        ill = self.looks.ill_at(epoch)
        self.words.set_text(f"{ill:,} of {len(places):,} neurons dead or constant" if ill else "")


def _bar(axes: Axes, colour: str) -> Rectangle:
    """An empty bar of accuracy from 0 to 1."""
    bare(axes).set(xlim=(0, 1), ylim=(0, 1))
    axes.add_patch(Rectangle((0, 0), 1, 1, facecolor=BACKDROP, alpha=0.5, linewidth=0))
    bar = Rectangle((0, 0), 1, 0, facecolor=colour, linewidth=0)
    axes.add_patch(bar)
    return bar
