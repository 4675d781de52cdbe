"""Parts attached to a body: where they are, and how they are painted."""

from collections.abc import Callable

import numpy as np

from evoscope.arrays import Bools, Floats
from evoscope.data.scenes.canvas import Canvas, Patch, coverage
from evoscope.data.scenes.scene import RGB
from evoscope.data.scenes.shapes import Shape, box, ellipse

INK: RGB = (0.16, 0.14, 0.2)
WHITE: RGB = (0.97, 0.97, 0.95)
WING: RGB = (0.93, 0.95, 1.0)
VEIN: RGB = (0.66, 0.72, 0.86)
TYRE: RGB = (0.2, 0.2, 0.24)
HUB: RGB = (0.78, 0.8, 0.82)
FELT: RGB = (0.52, 0.4, 0.47)
RIBBON: RGB = (0.93, 0.86, 0.74)
EYE, WHEEL, WING_SIZE = 0.25, 0.33, (0.62, 0.34)
LINE = 0.05
BEHIND = ("wings",)

Reach = tuple[float, float, float, float]
Painter = Callable[[Canvas, Patch, Shape], None]


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


def paint_part(canvas: Canvas, patch: Patch, part: str, shape: Shape) -> None:
    """Paint one part of a body whose patch is ``patch``."""
    _PAINTERS[part](canvas, patch, shape)


def _eyes(canvas: Canvas, patch: Patch, shape: Shape) -> None:
    u, v = np.abs(patch.u) - np.float32(shape.eyes[0]), patch.v - np.float32(shape.eyes[1])
    white = np.hypot(u, v) - np.float32(EYE)
    pupil = np.hypot(u + np.float32(0.05), v - np.float32(0.03)) - np.float32(EYE * 0.52)
    glint = np.hypot(u + np.float32(0.01), v + np.float32(0.04)) - np.float32(EYE * 0.16)
    for distance, colour in ((white - LINE, INK), (white, WHITE), (pupil, INK), (glint, WHITE)):
        canvas.paint(patch, coverage(distance, patch.pixel), colour, "part:eyes")


def _wheels(canvas: Canvas, patch: Patch, shape: Shape) -> None:
    radius = np.hypot(np.abs(patch.u) - np.float32(shape.wheel[0]), patch.v - np.float32(shape.wheel[1]))
    for size, colour in ((WHEEL, TYRE), (WHEEL * 0.58, HUB), (WHEEL * 0.2, TYRE)):
        canvas.paint(patch, coverage(radius - np.float32(size), patch.pixel), colour, "part:wheels")


def _wings(canvas: Canvas, patch: Patch, shape: Shape) -> None:
    centre = _wing_centre(shape)
    u, v = np.abs(patch.u) - np.float32(centre[0]), patch.v - np.float32(centre[1])
    c, s = np.float32(np.cos(0.5)), np.float32(np.sin(0.5))
    along, across = c * u - s * v, s * u + c * v
    outer = ellipse(along, across, *WING_SIZE)
    lower = ellipse(
        along + np.float32(0.12), across - np.float32(0.24), WING_SIZE[0] * 0.66, WING_SIZE[1] * 0.7
    )
    whole = np.minimum(outer, lower)
    canvas.paint(patch, coverage(whole, patch.pixel), VEIN, "part:wings")
    canvas.paint(patch, coverage(whole + np.float32(LINE), patch.pixel), WING, "part:wings")
    vein = np.abs(outer + np.float32(0.16)) - np.float32(LINE * 0.5)
    canvas.paint(patch, 0.7 * coverage(vein, patch.pixel), VEIN)


def _hat(canvas: Canvas, patch: Patch, shape: Shape) -> None:
    v = patch.v - np.float32(shape.top)
    crown = box(patch.u, v + np.float32(0.36), 0.33 - 0.04, 0.32 - 0.04) - np.float32(0.04)
    brim = box(patch.u, v + np.float32(0.04), 0.6 - 0.06, 0.02) - np.float32(0.06)
    whole = np.minimum(crown, brim)
    canvas.paint(patch, coverage(whole, patch.pixel), INK, "part:hat")
    canvas.paint(patch, coverage(whole + np.float32(LINE), patch.pixel), FELT, "part:hat")
    ribbon = box(patch.u, v + np.float32(0.2), 0.33 - LINE, 0.08)
    canvas.paint(patch, coverage(ribbon, patch.pixel), RIBBON, "part:hat")


_PAINTERS: dict[str, Painter] = {"eyes": _eyes, "wheels": _wheels, "wings": _wings, "hat": _hat}
