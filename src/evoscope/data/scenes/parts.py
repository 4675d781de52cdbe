"""Parts attached to a body: where they are, and how they are painted."""

from collections.abc import Callable

import numpy as np

from evoscope.arrays import Bools, Floats
from evoscope.data.scenes.canvas import Canvas, Patch, coverage, mix
from evoscope.data.scenes.scene import RGB
from evoscope.data.scenes.shapes import Shape, box, ellipse

Range = tuple[RGB, RGB]
INK: RGB = (0.16, 0.14, 0.2)
# Ends between which the colour of each material varies from body to body.
WHITE: Range = ((0.86, 0.84, 0.76), (0.98, 0.98, 0.98))
WING: Range = ((0.98, 0.9, 0.86), (0.86, 0.92, 1.0))
VEIN: Range = ((0.82, 0.68, 0.66), (0.6, 0.7, 0.86))
TYRE: Range = ((0.13, 0.12, 0.18), (0.36, 0.31, 0.32))
HUB: Range = ((0.92, 0.88, 0.76), (0.6, 0.66, 0.74))
FELT: Range = ((0.58, 0.42, 0.4), (0.42, 0.44, 0.56))
RIBBON: Range = ((0.95, 0.88, 0.74), (0.78, 0.8, 0.88))
EYE, WHEEL, WING_SIZE = 0.25, 0.33, (0.62, 0.34)
LINE = 0.05
BEHIND = ("wings",)

Reach = tuple[float, float, float, float]
Painter = Callable[[Canvas, Patch, Shape, float], None]


def _extent(part: str, shape: Shape) -> tuple[float, float, float, float]:
    """Give the centre (u, v) and half the size of a part, or of its right one of two."""
    if part == "eyes":
        return (*shape.eyes, EYE, EYE)
    if part == "wheels":
        return (*shape.wheel, WHEEL, WHEEL)
    if part == "wings":
        return (*_wing_centre(shape), *WING_SIZE)
    return (0.2, shape.top - 0.32, 0.24, 0.36)


def part_points(part: str, shape: Shape) -> Floats:
    """Spread points over a part, float32 [points, 2] in the body's units, to decide whether it is visible."""
    u, v, wide, high = _extent(part, shape)
    spots = [(0.0, 0.0), (0.6, 0.0), (-0.6, 0.0), (0.0, 0.6), (0.0, -0.6)]
    return np.array([(side * (u + a * wide), v + b * high) for side in (-1, 1) for a, b in spots], np.float32)


def part_covers(part: str, shape: Shape, u: Floats, v: Floats) -> Bools:
    """Tell which points (u, v) of the body's units lie on a part, taken as one or two ellipses."""
    right, down, wide, high = _extent(part, shape)
    distance = np.hypot((np.abs(u) - np.float32(right)) / wide, (v - np.float32(down)) / high)
    return np.asarray(distance < 1)


def reach(parts: tuple[str, ...], shape: Shape) -> Reach:
    """Give the box (left, top, right, bottom) that holds a body and its parts, own units."""
    width = _wing_centre(shape)[0] + WING_SIZE[0] if "wings" in parts else 1.0
    top = shape.top - 0.72 if "hat" in parts else -1.0
    bottom = shape.wheel[1] + WHEEL if "wheels" in parts else 1.0
    return (-width, min(top, -1.0), width, bottom)


def _wing_centre(shape: Shape) -> tuple[float, float]:
    return (shape.wing[0] + 0.3, shape.wing[1] - 0.14)


def paint_part(canvas: Canvas, patch: Patch, part: str, shape: Shape, trim: float) -> None:
    """Paint one part of a body whose patch is ``patch``; ``trim`` (0 to 1) varies its colours."""
    _PAINTERS[part](canvas, patch, shape, trim)


def _eyes(canvas: Canvas, patch: Patch, shape: Shape, trim: float) -> None:
    u, v = np.abs(patch.u) - np.float32(shape.eyes[0]), patch.v - np.float32(shape.eyes[1])
    white = np.hypot(u, v) - np.float32(EYE)
    pupil = np.hypot(u + np.float32(0.05), v - np.float32(0.03)) - np.float32(EYE * 0.52)
    glint = np.hypot(u + np.float32(0.01), v + np.float32(0.04)) - np.float32(EYE * 0.16)
    ball = mix(*WHITE, trim)
    for distance, colour in ((white - LINE, INK), (white, ball), (pupil, INK), (glint, ball)):
        canvas.paint(patch, coverage(distance, patch.pixel), colour, "part:eyes")


def _wheels(canvas: Canvas, patch: Patch, shape: Shape, trim: float) -> None:
    radius = np.hypot(np.abs(patch.u) - np.float32(shape.wheel[0]), patch.v - np.float32(shape.wheel[1]))
    tyre, hub = mix(*TYRE, trim), mix(*HUB, trim)
    for size, colour in ((WHEEL, tyre), (WHEEL * 0.58, hub), (WHEEL * 0.2, tyre)):
        canvas.paint(patch, coverage(radius - np.float32(size), patch.pixel), colour, "part:wheels")


def _wings(canvas: Canvas, patch: Patch, shape: Shape, trim: float) -> None:
    centre = _wing_centre(shape)
    u, v = np.abs(patch.u) - np.float32(centre[0]), patch.v - np.float32(centre[1])
    c, s = np.float32(np.cos(0.5)), np.float32(np.sin(0.5))
    along, across = c * u - s * v, s * u + c * v
    outer = ellipse(along, across, *WING_SIZE)
    lower = ellipse(
        along + np.float32(0.12), across - np.float32(0.24), WING_SIZE[0] * 0.66, WING_SIZE[1] * 0.7
    )
    whole = np.minimum(outer, lower)
    canvas.paint(patch, coverage(whole, patch.pixel), mix(*VEIN, trim), "part:wings")
    canvas.paint(patch, coverage(whole + np.float32(LINE), patch.pixel), mix(*WING, trim), "part:wings")
    vein = np.abs(outer + np.float32(0.16)) - np.float32(LINE * 0.5)
    canvas.paint(patch, 0.7 * coverage(vein, patch.pixel), mix(*VEIN, trim))


def _hat(canvas: Canvas, patch: Patch, shape: Shape, trim: float) -> None:
    v = patch.v - np.float32(shape.top)
    crown = box(patch.u, v + np.float32(0.36), 0.33 - 0.04, 0.32 - 0.04) - np.float32(0.04)
    brim = box(patch.u, v + np.float32(0.04), 0.6 - 0.06, 0.02) - np.float32(0.06)
    whole = np.minimum(crown, brim)
    canvas.paint(patch, coverage(whole, patch.pixel), INK, "part:hat")
    canvas.paint(patch, coverage(whole + np.float32(LINE), patch.pixel), mix(*FELT, trim), "part:hat")
    ribbon = box(patch.u, v + np.float32(0.2), 0.33 - LINE, 0.08)
    canvas.paint(patch, coverage(ribbon, patch.pixel), mix(*RIBBON, trim), "part:hat")


_PAINTERS: dict[str, Painter] = {"eyes": _eyes, "wheels": _wheels, "wings": _wings, "hat": _hat}
