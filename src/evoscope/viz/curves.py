"""Accuracy over the epochs."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from evoscope.arrays import Doubles
from evoscope.viz.style import QUIET

DASHED = (0, (3, 1.6))
UNTRAINED = -1  # the epoch before the first


def epoch_name(epoch: int) -> str:
    """``epoch 3``, or ``before training``."""
    return "before training" if epoch == UNTRAINED else f"epoch {epoch}"


def accuracy_curves(axes: Axes, epochs: Doubles, train: Doubles, test: Doubles, colour: str) -> Axes:
    """Training accuracy dashed, test accuracy solid.

    Parameters
    ----------
    axes : gets percent on its vertical axis.
    epochs : [epochs], -1 before training.
    train, test : [seeds, epochs], shares between 0 and 1; several seeds are thin lines around their mean.
    colour : of the run.
    """
    dot = "o" if len(epochs) == 1 else ""  # a line of one point is invisible
    for values, dashes, fill in ((train, DASHED, "white"), (test, "-", colour)):
        if len(values) > 1:
            axes.plot(epochs, 100 * values.T, color=colour, lw=0.5, alpha=0.45, linestyle=dashes)
        mean = 100 * mean_over_seeds(values)
        axes.plot(epochs, mean, color=colour, lw=1.3, linestyle=dashes, marker=dot, mfc=fill)
    return axes


def mean_over_seeds(values: Doubles) -> Doubles:
    """Mean [epochs] of [seeds, epochs] over the seeds that have a value; NaN where none has."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def mark_points(axes: Axes, epochs: Doubles, values: Doubles, colour: str) -> Axes:
    """Crosses [points] where training diverged; where no accuracy is known they lie on the axis."""
    height = np.where(np.isfinite(values), 100 * values, 0.0)
    for line in axes.plot(epochs, height, linestyle="none", marker="X", markersize=5, color=colour, zorder=5):
        line.set(markeredgecolor="white", markeredgewidth=0.5, clip_on=False)
    return axes


def level_line(axes: Axes, level: float) -> Axes:
    """Dotted line across, for instance at chance (percent)."""
    axes.axhline(level, color=QUIET, lw=0.8, linestyle=(0, (1, 1.8)), zorder=0)
    return axes


def epoch_axis(axes: Axes, first: int, last: int) -> Axes:
    """Whole epochs from ``first`` to ``last``, a handful labelled; the one before training is ``init``."""
    step = next(
        step for step in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 10**9) if (last - first) / step <= 6
    )
    ticks = [epoch for epoch in range(max(first, 0), last + 1) if epoch % step == 0]
    if first == UNTRAINED:
        ticks = [UNTRAINED, *[tick for tick in ticks if tick + 1 > 0.18 * (last + 1)]]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda epoch, _: "init" if epoch == UNTRAINED else f"{epoch:.0f}")
    )
    room = max(0.04 * (last - first), 0.3)
    axes.set_xlim(first - room, last + room)
    return axes


def epochs_name(first: int, last: int) -> str:
    """``epochs 3 to 7``, or ``before training to epoch 7``."""
    if first == UNTRAINED:
        return f"{epoch_name(first)} to {epoch_name(last)}"
    return f"epochs {first} to {last}"
