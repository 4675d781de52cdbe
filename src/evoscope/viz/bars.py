"""Values that never appear without their interval and, where there is one, their null."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from evoscope.arrays import Doubles
from evoscope.viz.style import BACKDROP, QUIET

THICK = 0.34  # half the height of a null's band, in rows


def bounded(value: Doubles, low: Doubles, high: Doubles) -> tuple[Doubles, Doubles]:
    """``low`` and ``high`` with unknown bounds (NaN) drawn in to the value."""
    return np.where(np.isfinite(low), low, value), np.where(np.isfinite(high), high, value)


def interval_rows(
    axes: Axes,
    value: Doubles,
    low: Doubles,
    high: Doubles,
    colours: Sequence[str],
    null: tuple[Doubles, Doubles, Doubles] | None = None,
) -> Axes:
    """One row per value, from the top: dot and interval in colour, the null as a grey band with its own interval.

    Parameters
    ----------
    axes : its rows are at heights 0, 1, ...
    value, low, high : [rows]; NaN bounds: no interval known.
    colours : one per row.
    null : the null's value, low and high, each [rows], NaN where a row has none.
    """
    if null is not None:
        _null_bands(axes, *null)
    low, high = bounded(value, low, high)
    for row, colour in enumerate(colours):
        axes.plot([low[row], high[row]], [row, row], color=colour, lw=1.5, zorder=3, solid_capstyle="butt")
        axes.plot(value[row], row, marker="o", markersize=3.6, color=colour, mew=0, zorder=4)
    axes.set_ylim(len(colours) - 0.5, -0.5)
    return axes


def _null_bands(axes: Axes, value: Doubles, low: Doubles, high: Doubles) -> None:
    low, high = bounded(value, low, high)
    for row in np.flatnonzero(np.isfinite(value)):
        axes.fill_betweenx([row - THICK, row + THICK], low[row], high[row], color=BACKDROP, lw=0, zorder=1)
        axes.plot(
            [value[row]] * 2, [row - THICK, row + THICK], color=QUIET, lw=1.0, zorder=2, solid_capstyle="butt"
        )


def interval_curve(
    axes: Axes, x: Doubles, value: Doubles, low: Doubles, high: Doubles, colour: str, *, null: bool = False
) -> Axes:
    """Values [points] over ``x`` with a line and their intervals; a null is a dashed line in a pale band."""
    low, high = bounded(value, low, high)
    if null:
        axes.fill_between(x, low, high, color=colour, alpha=0.18, lw=0, zorder=1)
        axes.plot(x, value, color=colour, lw=0.9, linestyle=(0, (3, 1.6)), zorder=2)
        return axes
    axes.plot(x, value, color=colour, lw=1.1, marker="o", markersize=2.6, mew=0, zorder=4)
    axes.vlines(x, low, high, color=colour, lw=1.1, zorder=3)
    return axes
