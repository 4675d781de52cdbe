"""Values that never appear without their interval and, where there is one, their null."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from evoscope.arrays import Doubles
from evoscope.viz.style import BACKDROP, INK, QUIET

THICK = 0.34  # half the height of a null's band, in rows
BAR, ASIDE = 0.62, 0.2  # width of an upright bar, and how far beside its middle others' values stand


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


def interval_bars(axes: Axes, value: Doubles, low: Doubles, high: Doubles, colour: str) -> Axes:
    """Bars [bars] from zero at 0, 1, ... with their intervals as whiskers; NaN: no bar, no whisker."""
    place = np.arange(len(value))
    known = np.isfinite(value)
    axes.bar(place[known], value[known], width=BAR, color=colour, linewidth=0, zorder=2)
    axes.axhline(0, color=QUIET, lw=0.7, zorder=4)
    sure = known & np.isfinite(low) & np.isfinite(high)
    axes.vlines(place[sure], low[sure], high[sure], color=INK, lw=1.0, zorder=5)
    axes.set_xlim(-0.6, len(value) - 0.4)
    return axes


def level_band(axes: Axes, value: float, low: float, high: float) -> Axes:
    """Line across at ``value`` over a band from ``low`` to ``high`` (NaN: no band); nothing where no value is known."""
    if not np.isfinite(value):
        return axes
    if np.isfinite(low) and np.isfinite(high):
        axes.axhspan(low, high, color=QUIET, alpha=0.28, lw=0, zorder=3)
    axes.axhline(value, color=QUIET, lw=1.0, zorder=3)
    return axes


def reference_marks(axes: Axes, value: Doubles, level: float, doubtful: bool = False) -> Axes:
    """Others' values [bars] beside the bars and their baseline ``level`` as a dashed line.

    Call it when the vertical limits are set: what lies outside becomes a small triangle at the edge. NaN: nothing.

    Parameters
    ----------
    value : open diamonds at 0, 1, ...
    level : of the dashed line.
    doubtful : the diamonds are pale.
    """
    low, high = axes.get_ylim()
    places = [*np.flatnonzero(np.isfinite(value)) + ASIDE]
    for place, height in zip(places, value[np.isfinite(value)], strict=True):
        _reference(axes, float(place), float(height), "D", QUIET if doubtful else INK)
    if not low <= level <= high:
        _reference(axes, axes.get_xlim()[1] - 0.12, level, "", INK)
    elif np.isfinite(level):
        axes.axhline(level, color=INK, lw=0.8, linestyle=(0, (3, 1.6)), zorder=4)
    return axes


def _reference(axes: Axes, place: float, height: float, marker: str, colour: str) -> None:
    """One open mark; beyond the limits a triangle at the edge that points to where it would be."""
    if not np.isfinite(height):
        return
    low, high = axes.get_ylim()
    inside = low <= height <= high
    if not inside:
        marker = "v" if height < low else "^"
    for line in axes.plot(place, np.clip(height, low, high), marker=marker, markersize=3.0, zorder=6):
        pale = colour != INK
        line.set(mfc="#ffffff" if inside else colour, mec=colour, mew=0.7, alpha=0.6 if pale else 1.0)
        line.set_clip_on(False)
