"""Main objects, their parts and the props of a scene: outlines as signed distances, and how they are painted.

Own units: a body fits the square from -1 to 1, v points down. Distances are negative inside and exact enough
outside for soft shadows: symmetry folds a polygon onto one edge, whose distance is elementary.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin, sqrt

import numpy as np

from evoscope.arrays import Bools, Floats
from evoscope.data.scenes.painting import Canvas, Patch, coverage, mix
from evoscope.data.scenes.scene import RGB, Pose, Prop

Distance = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class Shape:
    """An outline and its joints (side u > 0): foot of the hat, wheel centre, wing root, eye centre."""

    distance: Distance
    top: float
    wheel: tuple[float, float]
    wing: tuple[float, float]
    eyes: tuple[float, float]


def box(u: Floats, v: Floats, half_width: float, half_height: float) -> Floats:
    """Distance to a rectangle centred at the origin."""
    a, b = np.abs(u) - np.float32(half_width), np.abs(v) - np.float32(half_height)
    return np.asarray(np.hypot(np.maximum(a, 0), np.maximum(b, 0)) + np.minimum(np.maximum(a, b), 0))


def ellipse(u: Floats, v: Floats, half_width: float, half_height: float) -> Floats:
    """Near distance to an ellipse centred at the origin (exact for a circle)."""
    scaled = np.hypot(u * np.float32(1 / half_width), v * np.float32(1 / half_height))
    return np.asarray((scaled - 1) * np.float32(min(half_width, half_height)))


def segment(u: Floats, v: Floats, a: tuple[float, float], b: tuple[float, float]) -> Floats:
    """Unsigned distance to the segment from ``a`` to ``b``."""
    du, dv = b[0] - a[0], b[1] - a[1]
    pu, pv = u - np.float32(a[0]), v - np.float32(a[1])
    along = np.clip((pu * np.float32(du) + pv * np.float32(dv)) * np.float32(1 / (du * du + dv * dv)), 0, 1)
    return np.asarray(np.hypot(pu - along * np.float32(du), pv - along * np.float32(dv)))


def _edge_side(u: Floats, v: Floats, a: tuple[float, float], b: tuple[float, float]) -> Floats:
    """Tell the sides of the edge from ``a`` to ``b``: positive outside an outline walked clockwise."""
    du, dv = b[0] - a[0], b[1] - a[1]
    return (u - np.float32(a[0])) * np.float32(dv) - (v - np.float32(a[1])) * np.float32(du)


def _circle(u: Floats, v: Floats) -> Floats:
    return np.hypot(u, v) - np.float32(0.9)


def _square(u: Floats, v: Floats) -> Floats:
    return box(u, v, 0.68, 0.68) - np.float32(0.12)


def _triangle(u: Floats, v: Floats) -> Floats:
    side = np.abs(u)
    top, corner, foot = (0.0, -0.85), (0.86, 0.68), (0.0, 0.68)
    distance = np.minimum(segment(side, v, top, corner), segment(side, v, corner, foot))
    inside = (_edge_side(side, v, top, corner) < 0) & (v < np.float32(foot[1]))
    return np.where(inside, -distance, distance) - np.float32(0.12)


def _star(u: Floats, v: Floats) -> Floats:
    nu, nv = np.float32(cos(pi / 5)), np.float32(sin(pi / 5))
    side = np.abs(u)
    for _ in range(2):  # mirror all ten half points onto the one right of the upper tip
        beyond = 2 * np.maximum(side * nu + v * nv, 0)
        side, v = np.abs(side - beyond * nu), np.asarray(v - beyond * nv)
    tip, notch = (0.0, -0.95), (0.5 * sin(pi / 5), -0.5 * cos(pi / 5))
    return np.copysign(segment(side, v, tip, notch), _edge_side(side, v, tip, notch)) - np.float32(0.07)


def _heart(u: Floats, v: Floats) -> Floats:
    side, up = np.abs(u) * np.float32(0.62), (np.float32(0.86) - v) * np.float32(0.62)
    lobe = np.hypot(side - np.float32(0.25), up - np.float32(0.75)) - np.float32(sqrt(2) / 4)
    half = np.float32(0.5) * np.maximum(side + up, 0)
    below = np.minimum(np.hypot(side, up - 1), np.hypot(side - half, up - half)) * np.sign(side - up)
    return np.asarray(np.where(side + up > 1, lobe, below) * np.float32(1 / 0.62))


def _cross(u: Floats, v: Floats) -> Floats:
    a, b = np.abs(u), np.abs(v)
    return box(np.maximum(a, b), np.minimum(a, b), 0.86, 0.28) - np.float32(0.08)


SHAPE_TABLE: dict[str, Shape] = {
    "circle": Shape(_circle, top=-0.86, wheel=(0.48, 0.82), wing=(0.8, -0.05), eyes=(0.32, -0.15)),
    "square": Shape(_square, top=-0.8, wheel=(0.5, 0.86), wing=(0.76, -0.1), eyes=(0.34, -0.15)),
    "triangle": Shape(_triangle, top=-0.8, wheel=(0.55, 0.86), wing=(0.5, -0.02), eyes=(0.28, 0.22)),
    "star": Shape(_star, top=-0.86, wheel=(0.5, 0.86), wing=(0.6, 0.05), eyes=(0.26, -0.02)),
    "heart": Shape(_heart, top=-0.5, wheel=(0.4, 0.8), wing=(0.8, -0.1), eyes=(0.34, -0.2)),
    "cross": Shape(_cross, top=-0.9, wheel=(0.34, 0.95), wing=(0.85, -0.1), eyes=(0.25, -0.08)),
}


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
    lower = ellipse(along + np.float32(0.12), across - np.float32(0.24), WING_SIZE[0] * 0.66, WING_SIZE[1] * 0.7)
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


PART_PAINTERS: dict[str, Painter] = {"eyes": _eyes, "wheels": _wheels, "wings": _wings, "hat": _hat}
"""Paint a part of a body, given the body's patch and shape, and what varies the colours (0 to 1)."""


# (darkest, lightest) of each thing; muted, so that no colour concept is shown by a distractor.
TONES: dict[str, tuple[RGB, RGB]] = {
    "balloon": ((0.78, 0.5, 0.56), (0.93, 0.72, 0.74)),
    "tree": ((0.26, 0.36, 0.3), (0.42, 0.5, 0.38)),
    "cloud": ((0.84, 0.87, 0.9), (0.98, 0.98, 0.98)),
    "mushroom": ((0.55, 0.42, 0.36), (0.72, 0.58, 0.48)),
    "post": ((0.45, 0.33, 0.26), (0.64, 0.5, 0.4)),
    "leaf": ((0.2, 0.3, 0.24), (0.36, 0.44, 0.32)),
}
TRUNK: RGB = (0.42, 0.32, 0.27)
STEM: RGB = (0.9, 0.86, 0.78)
Layers = list[tuple[Floats, RGB]]


def tone(prop: Prop) -> RGB:
    """Colour of the largest part of a prop."""
    return mix(*TONES[prop.kind], prop.shade)


def _balloon(u: Floats, v: Floats, colour: RGB) -> Layers:
    string = segment(u, v, (0.0, 0.5), (0.0, 1.0)) - np.float32(0.03)
    skin = ellipse(u, v + np.float32(0.3), 0.6, 0.72)
    knot = ellipse(u, v - np.float32(0.45), 0.1, 0.08)
    shine = ellipse(u + np.float32(0.22), v + np.float32(0.55), 0.12, 0.2)
    return [(string, TRUNK), (np.minimum(skin, knot), colour), (shine, mix(colour, (1.0, 1.0, 1.0), 0.6))]


def _tree(u: Floats, v: Floats, colour: RGB) -> Layers:
    trunk = box(u, v - np.float32(0.6), 0.12, 0.4)
    sides = np.abs(u)
    crown = np.minimum(np.hypot(sides - np.float32(0.34), v - np.float32(0.02)), np.hypot(u, v + np.float32(0.42)))
    light = np.hypot(u + np.float32(0.14), v + np.float32(0.5)) - np.float32(0.26)
    return [(trunk, TRUNK), (crown - np.float32(0.46), colour), (light, mix(colour, (1.0, 1.0, 0.8), 0.25))]


def _cloud(u: Floats, v: Floats, colour: RGB) -> Layers:
    puffs = np.minimum(
        np.hypot(u + np.float32(0.2), v + np.float32(0.12)) - np.float32(0.44),
        box(u, v - np.float32(0.2), 0.7, 0.02) - np.float32(0.24),
    )
    puffs = np.minimum(puffs, np.hypot(u - np.float32(0.35), v) - np.float32(0.34))
    return [(puffs, mix(colour, (0.6, 0.66, 0.76), 0.35)), (np.maximum(puffs, v - np.float32(0.2)), colour)]


def _mushroom(u: Floats, v: Floats, colour: RGB) -> Layers:
    stem = box(u, v - np.float32(0.5), 0.2, 0.36) - np.float32(0.06)
    cap = np.maximum(ellipse(u, v - np.float32(0.1), 0.86, 0.86), v - np.float32(0.16))
    spots = np.hypot(np.abs(u) - np.float32(0.38), v + np.float32(0.16)) - np.float32(0.15)
    return [(stem, STEM), (cap, colour), (np.maximum(spots, cap), mix(colour, STEM, 0.7))]


def _post(u: Floats, v: Floats, colour: RGB) -> Layers:
    plank = box(u, v, 0.1, 3.0)
    return [(plank, mix(colour, (0.1, 0.05, 0.05), 0.45)), (plank + np.float32(0.022), colour)]


def _leaf(u: Floats, v: Floats, colour: RGB) -> Layers:
    blade = np.hypot(np.abs(u) + np.float32(0.55), v) - np.float32(1.1)
    vein = np.maximum(np.abs(u) - np.float32(0.03), blade)
    return [
        (blade, mix(colour, (0.05, 0.08, 0.05), 0.35)),
        (blade + np.float32(0.05), colour),
        (vein, mix(colour, (1.0, 1.0, 0.8), 0.3)),
    ]


_PROP_PAINTERS: dict[str, Callable[[Floats, Floats, RGB], Layers]] = {
    "balloon": _balloon,
    "tree": _tree,
    "cloud": _cloud,
    "mushroom": _mushroom,
    "post": _post,
    "leaf": _leaf,
}


def paint_prop(canvas: Canvas, prop: Prop, family: str) -> None:
    """Paint a distractor or an occluder."""
    tall = 3.0 if prop.kind == "post" else 1.05
    patch = canvas.patch(prop.pose, (-1.05, -tall, 1.05, tall))
    if patch.u.size == 0:
        return
    for distance, colour in _PROP_PAINTERS[prop.kind](patch.u, patch.v, tone(prop)):
        canvas.paint(patch, coverage(distance, patch.pixel), colour, f"{family}:{prop.kind}")


def to_own(points: Floats, pose: Pose) -> tuple[Floats, Floats]:
    """Points [n, 2] of the frame in a thing's own units, as (u, v)."""
    c, s = np.float32(np.cos(pose.angle) / pose.scale), np.float32(np.sin(pose.angle) / pose.scale)
    x, y = points[:, 0] - np.float32(pose.x), points[:, 1] - np.float32(pose.y)
    return c * x + s * y, c * y - s * x


def to_frame(points: Floats, pose: Pose) -> Floats:
    """Points [n, 2] in a thing's own units, in the frame."""
    c, s = np.cos(pose.angle) * pose.scale, np.sin(pose.angle) * pose.scale
    turn = np.array([[c, s], [-s, c]], np.float32)
    return np.asarray(points @ turn + np.array([pose.x, pose.y], np.float32))


def covers(prop: Prop, points: Floats) -> Bools:
    """Which points [n, 2] of the frame lie on the prop."""
    layers = _PROP_PAINTERS[prop.kind](*to_own(points, prop.pose), tone(prop))
    return np.asarray(np.any([distance < 0 for distance, _ in layers], axis=0))
