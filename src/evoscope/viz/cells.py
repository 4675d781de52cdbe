"""Matrices of signed values between -1 and 1 as coloured cells."""

import numpy as np
from matplotlib.axes import Axes

from evoscope.arrays import Bools, Doubles
from evoscope.viz.style import FAINT, INK, SMALL

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
