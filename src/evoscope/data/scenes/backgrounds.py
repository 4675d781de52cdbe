"""The backgrounds, painted over the whole frame."""

from collections.abc import Callable

import numpy as np

from evoscope.arrays import Floats
from evoscope.data.scenes.canvas import Canvas, Patch, centres, coverage, mix
from evoscope.data.scenes.scene import RGB, Backdrop, Pose

Vary = tuple[float, ...]
FOAM: RGB = (0.86, 0.95, 0.95)
WINDOW: RGB = (0.98, 0.84, 0.58)
STOREY = 0.09


def paint_background(canvas: Canvas, backdrop: Backdrop) -> None:
    """Fill the canvas with the background of a scene."""
    _PAINTERS[backdrop.kind](canvas, backdrop.horizon, backdrop.variations)


def _gradient(top: RGB, bottom: RGB, share: Floats) -> Floats:
    """Give colours [3, n, 1] from ``top`` (share 0) to ``bottom`` (share 1)."""
    a, b = np.array(top, np.float32), np.array(bottom, np.float32)
    return np.asarray(a[:, None] + (b - a)[:, None] * np.clip(share, 0, 1))[:, :, None]


def _sky(canvas: Canvas, top: RGB, bottom: RGB, horizon: float) -> None:
    canvas.colour[:] = _gradient(top, bottom, centres(canvas.pixels) / np.float32(horizon))


def _ridge(canvas: Canvas, height: Floats, top: RGB, bottom: RGB) -> None:
    """Paint ground below the line ``height`` [pixels] (in frames), lighter or darker towards the bottom."""
    first = min(canvas.pixels - 1, max(0, int(float(height.min()) * canvas.pixels) - 1))
    axis = centres(canvas.pixels)
    rows = axis[first:, None]
    patch = Patch(slice(first, None), slice(None), axis[None, :], rows, 1 / canvas.pixels)
    share = (rows[:, 0] - height.min()) * np.float32(1 / (1.05 - float(height.min())))
    canvas.paint(patch, coverage(height[None, :] - rows, patch.pixel), _gradient(top, bottom, share))


def _waves(canvas: Canvas, level: float, swell: float, turns: float, phase: float) -> Floats:
    """Give a wavy line around ``level``, float32 [pixels]."""
    turns_at = centres(canvas.pixels) * np.float32(turns) + np.float32(phase)
    return np.asarray(np.float32(level) + np.float32(swell) * np.sin(np.float32(2 * np.pi) * turns_at))


def _disc(canvas: Canvas, x: float, y: float, radius: float, colour: RGB) -> None:
    patch = canvas.patch(Pose(x, y, 0.0, radius), (-2.7, -2.7, 2.7, 2.7))
    distance = np.hypot(patch.u, patch.v) - np.float32(1)
    halo = np.clip(1 - distance * np.float32(0.6), 0, 1)
    alpha = np.maximum(coverage(distance, patch.pixel), np.float32(0.35) * halo * halo)
    canvas.paint(patch, alpha, colour)


def _specks(canvas: Canvas, places: list[tuple[float, float, float]], size: float, colour: RGB) -> None:
    """Paint small soft points (x, y, strength); each keeps its light where pixels are larger than it."""
    axis, xyb = centres(canvas.pixels), np.array(places, np.float32)
    wide = np.hypot(size, 0.45 / canvas.pixels)
    rows = np.exp(-(((axis[:, None] - xyb[:, 1]) / np.float32(wide)) ** 2))
    columns = np.exp(-(((axis[:, None] - xyb[:, 0]) / np.float32(wide)) ** 2))
    alpha = (rows * (xyb[:, 2] * np.float32((size / wide) ** 2))) @ columns.T
    canvas.paint(canvas.whole(), np.clip(alpha, 0, 1), colour)


def _golden(start: float, step: int) -> float:
    """Give member ``step`` of an evenly spread sequence in [0, 1)."""
    return (start + step * 0.6180339887) % 1.0


def _meadow(canvas: Canvas, horizon: float, vary: Vary) -> None:
    _sky(canvas, mix((0.5, 0.74, 0.92), (0.66, 0.8, 0.9), vary[0]), (0.9, 0.95, 0.94), horizon)
    far, near = (
        mix((0.56, 0.75, 0.48), (0.66, 0.78, 0.45), vary[1]),
        mix((0.4, 0.64, 0.36), (0.52, 0.68, 0.34), vary[1]),
    )
    _ridge(canvas, _waves(canvas, horizon, 0.05, 0.7 + vary[2], vary[3]), mix(far, (1.0, 1.0, 0.8), 0.2), far)
    _ridge(
        canvas,
        _waves(canvas, horizon + 0.17, 0.05, 0.6 + vary[4], vary[5]),
        near,
        mix(near, (0.12, 0.3, 0.2), 0.35),
    )
    places = [(_golden(vary[6], i), horizon + 0.22 + 0.5 * _golden(vary[7], 2 * i), 0.9) for i in range(14)]
    _specks(canvas, places, 0.009, (0.98, 0.95, 0.8))


def _sea(canvas: Canvas, horizon: float, vary: Vary) -> None:
    _sky(canvas, mix((0.6, 0.8, 0.9), (0.72, 0.82, 0.9), vary[0]), (0.97, 0.93, 0.86), horizon)
    near = mix((0.12, 0.42, 0.56), (0.18, 0.5, 0.56), vary[1])
    shore = np.full(canvas.pixels, horizon, np.float32)
    _ridge(canvas, shore, mix((0.38, 0.68, 0.74), (0.46, 0.7, 0.78), vary[2]), near)
    for step in range(4):
        level = horizon + 0.08 + 0.15 * step
        patch = canvas.patch(Pose(0.0, level, 0.0, 1.0), (0.0, -0.03, 1.0, 0.03))
        line = _waves(canvas, 0.0, 0.012, 2.2 - 0.3 * step, _golden(vary[3], step))
        crest = np.abs(patch.v - line[None, :]) - np.float32(0.006 + 0.002 * step)
        canvas.paint(patch, 0.5 * coverage(crest, patch.pixel), FOAM)


def _buildings(canvas: Canvas, lefts: Floats, width: float, tops: Floats, colour: RGB, lit: Floats) -> None:
    """Paint blocks side by side, each with rows of windows of brightness ``lit``; all arrays [blocks]."""
    axis, pixel = centres(canvas.pixels), 1 / canvas.pixels
    across, down = axis - lefts[:, None], axis - tops[:, None]  # [blocks, pixels]
    walls = coverage(-down, pixel).T @ _between(across, 0, width, pixel)
    canvas.paint(canvas.whole(), walls, colour)
    if lit.any():
        panes = _between(across, 0.18 * width, 0.42 * width, pixel)
        panes += _between(across, 0.58 * width, 0.82 * width, pixel)
        canvas.paint(canvas.whole(), np.asarray((_storeys(down, pixel) * lit[:, None]).T @ panes), WINDOW)


def _between(axis: Floats, low: float, high: float, pixel: float) -> Floats:
    """Give the share of each pixel of an axis that lies between two ends."""
    return coverage(np.abs(axis - np.float32((low + high) / 2)) - np.float32((high - low) / 2), pixel)


def _storeys(down: Floats, pixel: float) -> Floats:
    """Give the share of each row that is window, ``down`` being the depth below the roof."""
    turns = (down - np.float32(0.03)) * np.float32(1 / STOREY)
    middle = np.abs(turns - np.floor(turns) - np.float32(0.35)) - np.float32(0.26)
    return np.asarray(coverage(middle * np.float32(STOREY), pixel) * (turns > 0))


def _golden_row(start: float, count: int, low: float, high: float) -> Floats:
    """Give ``count`` evenly spread numbers from ``low`` to ``high`` in an order fixed by ``start``."""
    return np.array([low + (high - low) * _golden(start, step) for step in range(count)], np.float32)


def _city(canvas: Canvas, horizon: float, vary: Vary) -> None:
    dusk, glow = mix((0.5, 0.48, 0.66), (0.56, 0.6, 0.76), vary[0]), (0.97, 0.8, 0.7)
    _sky(canvas, dusk, glow, horizon + 0.25)
    far = mix((0.6, 0.55, 0.68), (0.66, 0.6, 0.68), vary[1])
    near = mix((0.38, 0.36, 0.5), (0.44, 0.4, 0.5), vary[1])
    steps = np.arange(6, dtype=np.float32)
    lefts = 0.27 * steps[:5] - np.float32(0.2 * vary[3])
    roofs = _golden_row(vary[2], 5, horizon - 0.3, horizon)
    _buildings(canvas, lefts, 0.2, roofs, far, np.zeros(5, np.float32))
    lefts = 0.23 * steps - np.float32(0.22 * vary[5])
    roofs = _golden_row(vary[4], 6, horizon - 0.1, horizon + 0.18)
    _buildings(canvas, lefts, 0.19, roofs, near, _golden_row(vary[6], 6, 0.4, 0.9))
    street = np.full(canvas.pixels, 0.86, np.float32)
    _ridge(canvas, street, (0.34, 0.33, 0.42), (0.28, 0.27, 0.36))


def _night(canvas: Canvas, horizon: float, vary: Vary) -> None:
    _sky(
        canvas,
        mix((0.07, 0.08, 0.22), (0.1, 0.1, 0.28), vary[0]),
        mix((0.26, 0.22, 0.46), (0.2, 0.28, 0.5), vary[1]),
        horizon + 0.3,
    )
    places = [
        (_golden(vary[2], i), 0.9 * _golden(vary[3], 3 * i), 0.5 + 0.5 * _golden(vary[4], i))
        for i in range(24)
    ]
    _specks(canvas, places, 0.0085, (1.0, 0.97, 0.88))
    _disc(canvas, 0.12 + 0.76 * vary[5], 0.14, 0.055, (0.98, 0.95, 0.84))
    _ridge(
        canvas,
        _waves(canvas, horizon + 0.24, 0.05, 0.8 + vary[6], vary[7]),
        (0.13, 0.14, 0.3),
        (0.07, 0.08, 0.18),
    )


def _desert(canvas: Canvas, horizon: float, vary: Vary) -> None:
    _sky(canvas, mix((0.55, 0.76, 0.82), (0.72, 0.78, 0.8), vary[0]), (0.98, 0.88, 0.7), horizon)
    _disc(canvas, 0.12 + 0.76 * vary[1], horizon - 0.2, 0.06, (1.0, 0.96, 0.82))
    far, near = (
        mix((0.9, 0.76, 0.54), (0.93, 0.8, 0.6), vary[2]),
        mix((0.82, 0.64, 0.42), (0.87, 0.7, 0.5), vary[2]),
    )
    _ridge(
        canvas,
        _waves(canvas, horizon, 0.06, 0.6 + 0.6 * vary[3], vary[4]),
        mix(far, (1.0, 0.98, 0.9), 0.3),
        far,
    )
    _ridge(
        canvas,
        _waves(canvas, horizon + 0.2, 0.07, 0.5 + 0.6 * vary[5], vary[6]),
        near,
        mix(near, (0.6, 0.42, 0.3), 0.4),
    )


_PAINTERS: dict[str, Callable[[Canvas, float, Vary], None]] = {
    "meadow": _meadow,
    "sea": _sea,
    "city": _city,
    "night": _night,
    "desert": _desert,
}
