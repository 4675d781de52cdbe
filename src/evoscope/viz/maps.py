"""Neurons as points of the two-dimensional map."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from evoscope.arrays import Doubles
from evoscope.viz.pictures import framed
from evoscope.viz.style import BACKDROP, INK, LARGE, QUIET, plain


@dataclass(frozen=True)
class Limits:
    """The square of the map that is shown: its centre and half its side, in map units."""

    x: float
    y: float
    half: float


MARGIN = 0.04
"""Room on each side of a map, as a share of it."""


def map_limits(x: Doubles, y: Doubles) -> Limits:
    """Smallest square around all placed neurons, with a margin; the unit square where none is placed.

    Parameters
    ----------
    x, y : [neurons], map units; not finite: unplaced.
    """
    placed = np.isfinite(x) & np.isfinite(y)
    if not placed.any():
        return Limits(0.0, 0.0, 0.5)
    low = np.array([x[placed].min(), y[placed].min()])
    high = np.array([x[placed].max(), y[placed].max()])
    centre = (low + high) / 2
    half = float((high - low).max()) / 2 or 0.5
    return Limits(float(centre[0]), float(centre[1]), half / (1 - 2 * MARGIN))


def map_frame(axes: Axes, limits: Limits) -> Axes:
    """Make the axes a square window on the map: equal units, thin frame, no ticks (units mean nothing)."""
    axes.set_xlim(limits.x - limits.half, limits.x + limits.half)
    axes.set_ylim(limits.y - limits.half, limits.y + limits.half)
    axes.set_aspect("equal", adjustable="box")
    return framed(axes)


def point_area(neurons: int) -> float:
    """Area of a point in square points: smaller in a crowd, never invisible."""
    return float(np.clip(2500 / max(neurons, 1), 0.5, 3.0))


def points(axes: Axes, x: Doubles, y: Doubles, colour: str, alpha: float = 0.5) -> Axes:
    """Placed neurons as points [neurons], as pixels also in vector files (they may be tens of thousands)."""
    placed = np.isfinite(x) & np.isfinite(y)
    area = point_area(int(placed.sum()))
    axes.scatter(x[placed], y[placed], s=area, c=colour, alpha=alpha, linewidths=0, rasterized=True, zorder=2)
    return axes


def background(axes: Axes, x: Doubles, y: Doubles) -> Axes:
    """Draw the base model's neurons [neurons] in light grey, behind everything else."""
    placed = np.isfinite(x) & np.isfinite(y)
    area = max(0.8 * point_area(int(placed.sum())), 1.0)
    axes.scatter(x[placed], y[placed], s=area, c=BACKDROP, linewidths=0, rasterized=True, zorder=1)
    return axes


def circles(axes: Axes, regions: pd.DataFrame, size: float = LARGE) -> Axes:
    """Circle each region and write its letter beside it, in ``size`` points.

    ``regions`` has ``region`` (the letter), ``x``, ``y`` and ``radius`` in map units.
    """
    low, high = axes.get_ylim()
    least = 0.04 * (high - low)
    for letter, x, y, wide in regions[["region", "x", "y", "radius"]].itertuples(index=False, name=None):
        radius = max(wide, least)
        axes.add_patch(Circle((x, y), radius, fill=False, color=INK, lw=0.9, zorder=4))
        _letter(axes, str(letter), x, y, radius, size)
    return axes


def _letter(axes: Axes, letter: str, x: float, y: float, radius: float, size: float) -> None:
    """Letter beside a circle, on the side where the map has room."""
    left, right = axes.get_xlim()
    side = -1 if x > right - 0.15 * (right - left) - radius else 1
    axes.annotate(
        plain(letter),
        (x + side * radius * 0.75, y + radius * 0.75),
        xytext=(side * 1.5, 0.5),
        textcoords="offset points",
        size=size,
        weight="bold",
        color=INK,
        ha="left" if side > 0 else "right",
        va="bottom",
        zorder=5,
        clip_on=False,
        path_effects=[withStroke(linewidth=1.8, foreground="white")],
    )


def spots(axes: Axes, x: Doubles, y: Doubles, colour: str) -> Axes:
    """Chosen neurons [neurons] as dots with a dark rim."""
    axes.scatter(x, y, s=9, c=colour, edgecolors=INK, linewidths=0.5, zorder=4)
    return axes


def path(axes: Axes, x: Doubles, y: Doubles, colour: str) -> Axes:
    """Way of one neuron [epochs], open ring at the first and full dot at the last; unplaced epochs are skipped."""
    placed = np.isfinite(x) & np.isfinite(y)
    if not placed.any():
        axes.text(0.5, 0.5, "unplaced", transform=axes.transAxes, ha="center", va="center", color=QUIET, size=6.2)
        return axes
    way = np.column_stack([x[placed], y[placed]])
    for step, alpha in enumerate(np.linspace(0.45, 1.0, len(way) - 1)):
        start, end = way[step], way[step + 1]
        axes.plot([start[0], end[0]], [start[1], end[1]], color=colour, alpha=float(alpha), lw=1.1, zorder=3)
    axes.scatter(way[1:-1, 0], way[1:-1, 1], s=4, c=colour, linewidths=0, zorder=4)
    axes.scatter(way[0, 0], way[0, 1], s=14, c="white", edgecolors=colour, linewidths=1.0, zorder=5)
    axes.scatter(way[-1, 0], way[-1, 1], s=16, c=colour, edgecolors=INK, linewidths=0.5, zorder=6)
    return axes
