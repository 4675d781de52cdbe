"""A sheet of paper measured in inches from its top left corner, so that nothing overlaps by accident."""

from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evoscope.viz.style import INK, NORMAL
from evoscope.viz.text import elide, plain

Dashes = Literal["-", "dashed", "dotted"]
PAGE = 7.2  # width of a full-width figure in inches
ASCENT, SPACING = 0.8, 1.2  # of a line of text, in units of its size


class Sheet:
    """A figure whose axes and texts are placed in inches, ``top`` counted downwards.

    Parameters
    ----------
    width, height : size of the paper in inches.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self.figure = Figure(figsize=(width, height))
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes whose frame (not its tick labels) covers the given rectangle."""
        bottom = self.height - top - height
        return self.figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height)
        )

    def text(
        self,
        left: float,
        top: float,
        text: str,
        *,
        room: float | None = None,
        size: float = NORMAL,
        bold: bool = False,
        across: Literal["left", "center", "right"] = "left",
        cut: str = "end",
        color: str | None = None,
    ) -> None:
        """Lines of text, the first below ``top``, cut to ``room`` inches (see `evoscope.viz.text.elide`)."""
        for number, line in enumerate(text.split("\n")):
            shown = line if room is None else elide(line, room, size, bold, cut)
            # On the baseline, so that words with and without tall letters stand level.
            baseline = top + (ASCENT + number * SPACING) * size / 72
            place = (left / self.width, 1 - baseline / self.height)
            weight = "bold" if bold else "normal"
            self.figure.text(*place, plain(shown), size=size, weight=weight, ha=across, color=color or INK)

    def swatch(
        self, left: float, top: float, colour: str, dashes: Dashes = "-", marker: str = "", wide: float = 0.2
    ) -> Line2D:
        """Short line (or marker) of a legend, ``top`` at the upper edge of the text that follows it."""
        left += 0.04 if marker else 0.0
        line = Line2D(
            [left / self.width, (left + wide) / self.width],
            [1 - (top + 0.05) / self.height] * 2,
            color=colour,
            lw=1.4,
            linestyle="none" if marker else dashes,
            marker=marker,
            markersize=4.5,
            markevery=[0],
            mec="white" if marker == "X" else None,
            mew=0.5,
        )
        self.figure.add_artist(line)
        return line
