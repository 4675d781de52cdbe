"""Distractors behind the main object and occluders before it."""

from collections.abc import Callable

import numpy as np

from evoscope.arrays import Bools, Floats
from evoscope.data.scenes.canvas import Canvas, coverage, mix
from evoscope.data.scenes.scene import RGB, Pose, Prop
from evoscope.data.scenes.shapes import box, ellipse, segment

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
    crown = np.minimum(
        np.hypot(sides - np.float32(0.34), v - np.float32(0.02)), np.hypot(u, v + np.float32(0.42))
    )
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


_PAINTERS: dict[str, Callable[[Floats, Floats, RGB], Layers]] = {
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
    for distance, colour in _PAINTERS[prop.kind](patch.u, patch.v, tone(prop)):
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
    layers = _PAINTERS[prop.kind](*to_own(points, prop.pose), tone(prop))
    return np.asarray(np.any([distance < 0 for distance, _ in layers], axis=0))
