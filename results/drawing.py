"""What figures share: a module becomes files, and a map gets its frame with the base model's neurons in grey."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.viz import Limits, Sheet, background, map_frame, save_figure, use_style
from results.about import About
from results.reading import Exhibits, doubles


@runtime_checkable
class FigureModule(Protocol):
    """What a module of a figure offers."""

    ID: str
    TITLE: str
    READS: tuple[str, ...]

    def figure(self, exhibits: Exhibits, about: About) -> Figure:
        """The figure, not yet on disk."""
        ...

    def words(self, exhibits: Exhibits, about: About) -> str:
        """Its caption."""
        ...


def draw_figure(module: FigureModule, exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write a figure and its caption into ``folder`` and return the files."""
    with use_style():
        figure, words = module.figure(exhibits, about), module.words(exhibits, about)
        return save_figure(figure, folder, module.ID, words, about.origin())


def base_of(neurons: pd.DataFrame) -> pd.DataFrame:
    """Rows of the map that are the base model's."""
    return neurons[neurons["base"]]


def map_panel(
    sheet: Sheet, left: float, top: float, side: float, limits: Limits, base: pd.DataFrame | None
) -> Axes:
    """Square of ``side`` inches for a map; ``base``: the neurons that are its background, if any."""
    axes = map_frame(sheet.axes(left, top, side, side), limits)
    return axes if base is None else background(axes, doubles(base["x"]), doubles(base["y"]))
