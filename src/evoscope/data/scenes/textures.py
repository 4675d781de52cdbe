"""Patterns on a body: the share of its second tone at each point, anti-aliased."""

import numpy as np

from evoscope.arrays import Floats
from evoscope.data.scenes.canvas import coverage
from evoscope.data.scenes.scene import Texture


def _bands(along: Floats, period: float, pixel: float) -> Floats:
    """Every second half period, from 0 to 1."""
    turns = along * np.float32(1 / period)
    return coverage((np.abs(turns - np.floor(turns) - np.float32(0.5)) - np.float32(0.25)) * period, pixel)


def _dots(a: Floats, b: Floats, period: float, pixel: float) -> Floats:
    """Round dots on a square lattice."""
    p = np.float32(period)
    return coverage(np.hypot(a - p * np.round(a / p), b - p * np.round(b / p)) - p * np.float32(0.3), pixel)


def pattern(texture: Texture, u: Floats, v: Floats, pixel: float) -> Floats | None:
    """Share of the second tone, float32 like ``u``; None for a plain body."""
    if texture.kind == "plain":
        return None
    c, s = np.float32(np.cos(texture.angle)), np.float32(np.sin(texture.angle))
    a = c * u + s * v + np.float32(texture.phase[0] * texture.period)
    b = c * v - s * u + np.float32(texture.phase[1] * texture.period)
    if texture.kind == "stripes":
        return _bands(b, texture.period, pixel)
    if texture.kind == "dots":
        return _dots(a, b, texture.period * 0.8, pixel)
    if texture.kind == "rings":
        return _bands(np.hypot(a, b), texture.period, pixel)
    first, second = _bands(a, texture.period * 1.2, pixel), _bands(b, texture.period * 1.2, pixel)
    return first + second - 2 * first * second
