"""Example patches on axes."""

from math import ceil

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from evoscope.arrays import Bytes
from evoscope.viz.style import BACKDROP, QUIET, SMALL
from evoscope.viz.text import plain

GAP = 0.05  # between patches, as a share of a patch's side


def patch_grid(axes: Axes, patches: Bytes, columns: int, colour: str) -> Axes:
    """Patches row by row, each in a thin frame of the model's colour.

    Parameters
    ----------
    axes : emptied of ticks and frame; its limits become the grid's.
    patches : uint8 [patches, side, side, 3], most exciting first.
    columns : patches per row.
    colour : of the frames.
    """
    rows = max(ceil(len(patches) / columns), 1)
    for place, patch in enumerate(patches):
        row, column = divmod(place, columns)
        left, top = column * (1 + GAP), row * (1 + GAP)
        axes.imshow(patch, extent=(left, left + 1, top + 1, top), aspect="equal", zorder=1)
        axes.add_patch(
            Rectangle((left, top), 1, 1, fill=False, edgecolor=colour, lw=0.7, zorder=2, clip_on=False)
        )
    axes.set_xlim(0, columns * (1 + GAP) - GAP)
    axes.set_ylim(rows * (1 + GAP) - GAP, 0)
    return bare(axes)


def bare(axes: Axes) -> Axes:
    """Neither ticks nor frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    return axes


def message(axes: Axes, text: str) -> Axes:
    """Write a quiet remark where there is nothing to show."""
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(True)
        side.set_color(BACKDROP)
    return remark(axes, text)


def remark(axes: Axes, text: str) -> Axes:
    """Write a quiet remark across whatever is drawn."""
    note = axes.text(0.5, 0.5, plain(text), transform=axes.transAxes, ha="center", va="center", zorder=6)
    note.set(
        size=SMALL, color=QUIET, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 3}
    )
    return axes
