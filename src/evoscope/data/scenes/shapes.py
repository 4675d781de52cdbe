"""Outlines of the main objects as signed distances, and where parts are attached to them.

Own units: a body fits the square from -1 to 1, v points down. Distances are negative inside and exact enough
outside for soft shadows: symmetry folds a polygon onto one edge, whose distance is elementary.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin, sqrt

import numpy as np

from evoscope.arrays import Floats

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
