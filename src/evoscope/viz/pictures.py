"""Rows of images of one size, and concept maps laid over them."""

from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from PIL import Image

from evoscope.arrays import Bools, Bytes, Doubles, Floats
from evoscope.viz.style import BACKDROP, INK, QUIET, SMALL, plain

PATCH_GAP = 0.05  # between patches, as a share of a patch's side


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
        left, top = column * (1 + PATCH_GAP), row * (1 + PATCH_GAP)
        axes.imshow(patch, extent=(left, left + 1, top + 1, top), aspect="equal", zorder=1)
        axes.add_patch(Rectangle((left, top), 1, 1, fill=False, edgecolor=colour, lw=0.7, zorder=2, clip_on=False))
    axes.set_xlim(0, columns * (1 + PATCH_GAP) - PATCH_GAP)
    axes.set_ylim(rows * (1 + PATCH_GAP) - PATCH_GAP, 0)
    return bare(axes)


def bare(axes: Axes) -> Axes:
    """Neither ticks nor frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    return axes


def framed(axes: Axes) -> Axes:
    """A thin frame without ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(True)
        side.set_color(BACKDROP)
    return axes


def message(axes: Axes, text: str) -> Axes:
    """Write a quiet remark where there is nothing to show."""
    return remark(framed(axes), text)


def remark(axes: Axes, text: str) -> Axes:
    """Write a quiet remark across whatever is drawn."""
    note = axes.text(0.5, 0.5, plain(text), transform=axes.transAxes, ha="center", va="center", zorder=6)
    note.set(size=SMALL, color=QUIET, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 3})
    return axes


GLOW = "#d55e00"  # Okabe and Ito's vermilion, which colour-blind readers tell from the greys below it
PALE = 0.45  # how far an image is blended towards white
STRONGEST, HEAT_STRONGEST = 0.85, 0.9  # opacity of the largest value of a glow, and of heat
TILE, RIM = 128, 3  # pixels of a tile, and half of those between two tiles of a mosaic
GAP = 2 * RIM


def mosaic(tiles: Bytes, columns: int) -> Bytes:
    """Images [images, side, side, 3] row by row as one image, each `TILE` pixels wide, white between them."""
    rows, step = max(ceil(len(tiles) / columns), 1), TILE + GAP
    whole = np.full((rows * step - GAP, columns * step - GAP, 3), 255, np.uint8)
    for place, tile in enumerate(tiles):
        top, left = (number * step for number in divmod(place, columns))
        shown = Image.fromarray(tile).resize((TILE, TILE))
        whole[top : top + TILE, left : left + TILE] = np.asarray(shown)
    return whole


def glow_over(images: Bytes, heat: Floats) -> Bytes:
    """Concept maps as an orange glow over images turned to pale grey; unknown values do not glow.

    Each map glows from its own median up to the largest value of all, so that the strongest image glows most.

    Parameters
    ----------
    images : uint8 [images, side, side, 3].
    heat : [images, side, side].

    Returns
    -------
    uint8 [images, side, side, 3].
    """
    known = np.where(np.isfinite(heat), heat.astype(np.float64), np.nan)
    middle = [np.nanmedian(each) if np.isfinite(each).any() else 0.0 for each in known]
    above = np.nan_to_num(np.clip(known - np.array(middle).reshape(-1, 1, 1), 0, None))
    opacity = STRONGEST * (above / (float(above.max(initial=0.0)) or 1.0))[..., None]
    return _over_grey(images, opacity, _rgb(GLOW))


def show_mosaic(axes: Axes, tiles: Bytes, columns: int) -> Axes:
    """Images [images, side, side, 3] on axes without ticks, from the top left corner."""
    axes.imshow(mosaic(tiles, columns), interpolation="antialiased")
    axes.set_anchor("NW")
    return bare(axes)


def show_concept(axes: Axes, images: Bytes, heat: Floats, segments: Bools) -> Axes:
    """Images in one row with their concept maps and the outline of their segments.

    Parameters
    ----------
    images : uint8 [images, side, side, 3].
    heat : [images, side, side]; an image whose map is unknown everywhere is only turned to pale grey.
    segments : bool, the same shape.
    """
    show_mosaic(axes, glow_over(images, heat), len(images))
    frame = axes.axis()
    outlines = np.concatenate([_smooth(segment) for segment in segments], axis=1)
    if outlines.any() and not outlines.all():
        down, across = (np.arange(size) - RIM for size in outlines.shape)
        lines = axes.contour(across, down, outlines, levels=[0.5], colors=[INK], linewidths=[0.7])
        lines.set_path_effects([withStroke(linewidth=1.7, foreground="white")])
        lines.set_clip_on(False)
        axes.axis(frame)
    return axes


def _smooth(segment: Bools) -> Doubles:
    """A segment [side, side] at the size of a tile, its steps rounded, half a gap around it so that outlines close.

    Nothing where the segment is the whole image.
    """
    shown = segment & ~segment.all()
    grey = Image.fromarray(shown.astype(np.uint8) * 255).resize((TILE, TILE), Image.Resampling.BICUBIC)
    return np.pad(np.asarray(grey, dtype=np.float64) / 255, RIM)


# Ends of ColorBrewer's RdBu, which colour-blind readers tell apart.
RAISES, LOWERS = "#b2182b", "#2166ac"


def heat_over(images: Bytes, heat: Floats) -> Bytes:
    """Signed heat over images that are turned to pale grey, so that only the heat has a colour.

    Red where the heat is positive, blue where it is negative, the more opaque the larger, up to the largest of all; not
    finite: none. Parameters and result are those of `glow_over`.
    """
    known = np.nan_to_num(heat.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    scale = float(np.abs(known).max(initial=0.0)) or 1.0
    opacity = HEAT_STRONGEST * np.clip(np.abs(known) / scale, 0, 1)[..., None]
    colour = np.where(known[..., None] > 0, _rgb(RAISES), _rgb(LOWERS))
    return _over_grey(images, opacity, colour)


def _over_grey(images: Bytes, opacity: Doubles, colour: Floats) -> Bytes:
    """A colour over images that are turned to grey, and blended towards white."""
    grey = images.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    pale = (grey * (1 - PALE) + 255 * PALE)[..., None]
    mixed: Bytes = np.round((1 - opacity) * pale + opacity * colour).astype(np.uint8)
    return mixed


def _rgb(colour: str) -> Floats:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], dtype=np.float32)
