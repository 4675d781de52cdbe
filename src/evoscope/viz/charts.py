"""Values that never appear without their interval and, where there is one, their null."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from evoscope.arrays import Bools, Doubles
from evoscope.figure_data import AS_IT_IS
from evoscope.viz.style import BACKDROP, FAINT, INK, QUIET, SMALL

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
        middle, (left, right) = null[0], bounded(*null)
        for place in np.flatnonzero(np.isfinite(middle)):
            ends = [place - THICK, place + THICK]
            axes.fill_betweenx(ends, left[place], right[place], color=BACKDROP, lw=0, zorder=1)
            axes.plot([middle[place]] * 2, ends, color=QUIET, lw=1.0, zorder=2, solid_capstyle="butt")
    low, high = bounded(value, low, high)
    for row, colour in enumerate(colours):
        axes.plot([low[row], high[row]], [row, row], color=colour, lw=1.5, zorder=3, solid_capstyle="butt")
        axes.plot(value[row], row, marker="o", markersize=3.6, color=colour, mew=0, zorder=4)
    axes.set_ylim(len(colours) - 0.5, -0.5)
    return axes


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


DASHED = (0, (3, 1.6))
UNTRAINED = -1  # the epoch before the first


def epoch_name(epoch: int) -> str:
    """``epoch 3``, ``before training``, or ``as it is`` where one state is all that is known."""
    return {UNTRAINED: "before training", AS_IT_IS: "as it is"}.get(epoch, f"epoch {epoch}")


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
    step = next(step for step in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 10**9) if (last - first) / step <= 6)
    ticks = [epoch for epoch in range(max(first, 0), last + 1) if epoch % step == 0]
    if first == UNTRAINED:
        ticks = [UNTRAINED, *[tick for tick in ticks if tick + 1 > 0.18 * (last + 1)]]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda epoch, _: "init" if epoch == UNTRAINED else f"{epoch:.0f}"))
    room = max(0.04 * (last - first), 0.3)
    axes.set_xlim(first - room, last + room)
    return axes


def epochs_name(first: int, last: int) -> str:
    """``epochs 3 to 7``, or ``before training to epoch 7``."""
    if first == UNTRAINED:
        return f"{epoch_name(first)} to {epoch_name(last)}"
    return f"epochs {first} to {last}"


DARK = 0.6  # absolute value from which a number in its cell is white
WORDY = 0.24  # inches that a number in its cell needs


def signed_cells(axes: Axes, value: Doubles, certain: Bools, inches: float) -> Axes:
    """One cell per value, red above zero and blue below; what is not ``certain`` is left pale with a grey number.

    Parameters
    ----------
    axes : its cells lie at 0, 1, ... from the top left.
    value : [rows, columns]; NaN: a dash.
    certain : bool [rows, columns].
    inches : width of a cell; narrow ones have no numbers.
    """
    known = np.where(certain & np.isfinite(value), value, 0.0)
    edges = [np.arange(count + 1) - 0.5 for count in value.shape[::-1]]
    axes.pcolormesh(*edges, known, cmap="RdBu_r", vmin=-1, vmax=1, edgecolors=FAINT, linewidth=0.3)
    axes.set_xlim(-0.5, value.shape[1] - 0.5)
    axes.set_ylim(value.shape[0] - 0.5, -0.5)
    for row, column in np.ndindex(*value.shape) if inches >= WORDY else ():
        number, sure = float(value[row, column]), bool(certain[row, column])
        colour = "#ffffff" if sure and abs(number) >= DARK else INK if sure else FAINT
        axes.text(column, row, number_words(number), size=SMALL, color=colour, ha="center", va="center")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def number_words(number: float) -> str:
    """``−.42``, ``1.00``, or a dash for what is not known."""
    if not np.isfinite(number):
        return "–"
    text = f"{abs(number):.2f}"
    short = text[1:] if text.startswith("0") else text
    return f"−{short}" if number < 0 and short != ".00" else short
