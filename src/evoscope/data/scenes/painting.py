"""The canvas of a scene: anti-aliased layers, colours, backgrounds and textures."""

from collections.abc import Callable
from colorsys import hsv_to_rgb
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evoscope.arrays import Bools, Bytes, Floats
from evoscope.data.scenes.scene import RGB, Backdrop, Pose, Texture
from evoscope.data.scenes.vocabulary import HUES

GRAIN_CELLS = 40
Paint = RGB | Floats


def coverage(distance: Floats, pixel: float) -> Floats:
    """Give the share of each pixel inside a shape, from its centre's signed distance (negative inside)."""
    return np.asarray(np.clip(0.5 - distance * np.float32(1 / pixel), 0, 1))


@dataclass(frozen=True)
class Patch:
    """The pixels a thing may touch, in its own coordinates.

    ``rows``, ``columns``: slices of the image; ``u``, ``v``: float32 [height, width], own units;
    ``pixel``: side of a pixel in own units.
    """

    rows: slice
    columns: slice
    u: Floats
    v: Floats
    pixel: float


@lru_cache(maxsize=8)
def centres(pixels: int) -> Floats:
    """Pixel centres in frames, float32 [pixels]."""
    return ((np.arange(pixels) + 0.5) / pixels).astype(np.float32)


@lru_cache(maxsize=8)
def _upsampling(pixels: int) -> Floats:
    """Matrix [pixels, GRAIN_CELLS] from lattice values to their linear interpolant, averaged over pixels."""
    fine = (np.arange(pixels * 8) + 0.5) / (pixels * 8) * (GRAIN_CELLS - 1)
    weights = np.maximum(0, 1 - np.abs(fine[:, None] - np.arange(GRAIN_CELLS)))
    return np.asarray(weights.reshape(pixels, 8, -1).mean(1), np.float32)


def grain(seed: int, pixels: int) -> Floats:
    """Smooth noise of unit size, float32 [3, pixels, pixels]: the same field at every drawing size."""
    lattice = np.random.default_rng(seed).standard_normal((3, GRAIN_CELLS, GRAIN_CELLS), np.float32)
    lattice = 0.8 * lattice[:1] + 0.5 * lattice
    matrix = _upsampling(pixels)
    return np.asarray(matrix @ lattice @ matrix.T)


def _span(low: float, high: float, pixels: int) -> slice:
    return slice(max(0, int(low * pixels)), min(pixels, int(high * pixels) + 2))


@dataclass
class Canvas:
    """An image being painted from back to front.

    ``colour``: float32 [3, pixels, pixels], 0 to 1; ``owner``: int8 [pixels, pixels], index into ``tags`` of
    the foremost thing at each pixel, kept only if asked for (``owner`` not None).
    """

    pixels: int
    colour: Floats
    owner: NDArray[np.int8] | None = None
    tags: list[str] = field(default_factory=lambda: [""])

    @classmethod
    def blank(cls, pixels: int, with_owner: bool) -> "Canvas":
        """Give a black canvas, which keeps track of what is where if ``with_owner``."""
        owner = np.zeros((pixels, pixels), np.int8) if with_owner else None
        return cls(pixels, np.zeros((3, pixels, pixels), np.float32), owner)

    def whole(self) -> Patch:
        """Patch of the whole frame; ``u`` [1, pixels] and ``v`` [pixels, 1] broadcast."""
        axis = centres(self.pixels)
        full = slice(0, self.pixels)
        return Patch(full, full, axis[None, :], axis[:, None], 1 / self.pixels)

    def patch(self, pose: Pose, reach: tuple[float, float, float, float]) -> Patch:
        """Give the pixels that hold a posed box ``reach`` (left, top, right, bottom; own units)."""
        cos, sin = np.cos(pose.angle), np.sin(pose.angle)
        left, top, right, bottom = (pose.scale * side for side in reach)
        xs = [cos * a - sin * b for a in (left, right) for b in (top, bottom)]
        ys = [sin * a + cos * b for a in (left, right) for b in (top, bottom)]
        rows = _span(pose.y + min(ys) - 0.5 / self.pixels, pose.y + max(ys) + 0.5 / self.pixels, self.pixels)
        columns = _span(pose.x + min(xs) - 0.5 / self.pixels, pose.x + max(xs) + 0.5 / self.pixels, self.pixels)
        axis = centres(self.pixels)
        dx = (axis[columns] - np.float32(pose.x)) * np.float32(1 / pose.scale)
        dy = (axis[rows, None] - np.float32(pose.y)) * np.float32(1 / pose.scale)
        c, s = np.float32(cos), np.float32(sin)
        return Patch(rows, columns, c * dx + s * dy, c * dy - s * dx, 1 / (self.pixels * pose.scale))

    def paint(self, patch: Patch, alpha: Floats, colour: Paint, tag: str | None = None) -> None:
        """Blend ``colour`` (one, or [3, height, width]) in; ``tag`` owns the pixels mostly covered."""
        region = self.colour[:, patch.rows, patch.columns]
        paint = colour if isinstance(colour, np.ndarray) else np.array(colour, np.float32)[:, None, None]
        region += alpha * (paint - region)
        if self.owner is not None and tag is not None:
            self._own(patch, alpha > 0.5, tag)

    def _own(self, patch: Patch, where: Bools, tag: str) -> None:
        if tag not in self.tags:
            self.tags.append(tag)
        assert self.owner is not None
        self.owner[patch.rows, patch.columns][where] = self.tags.index(tag)

    def owned(self) -> dict[str, Bools]:
        """Pixels where each tag is foremost; ``""`` is the background."""
        assert self.owner is not None
        return {tag: np.equal(self.owner, index) for index, tag in enumerate(self.tags)}

    def bytes(self) -> Bytes:
        """Give the image as uint8 [pixels, pixels, 3]."""
        levels = np.clip(self.colour * 255 + 0.5, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(levels.transpose(1, 2, 0))


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """Colour between ``a`` (share 0) and ``b`` (share 1)."""
    return (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2]))


# name: hue in degrees, saturation, value, and how far the hue may stray.
_COLOURS: dict[str, tuple[float, float, float, float]] = {
    "red": (356, 0.78, 0.86, 8),
    "orange": (27, 0.8, 0.95, 6),
    "yellow": (51, 0.72, 0.97, 5),
    "green": (135, 0.58, 0.7, 18),
    "blue": (216, 0.72, 0.86, 12),
    "purple": (283, 0.55, 0.74, 14),
}
_STAMP_HUES = dict(zip(HUES, (0, 30, 56, 125, 180, 225, 275, 325), strict=True))
_STAMP_TONES = {"dark": (0.9, 0.5), "pale": (0.4, 1.0)}
CREAM: RGB = (0.99, 0.96, 0.88)
SHADE: RGB = (0.12, 0.08, 0.16)


def shade_of(colour: str, hue: float, saturation: float, value: float) -> RGB:
    """Give a colour that goes by the name ``colour``; the three offsets run from -1 to 1."""
    h, s, v, spread = _COLOURS[colour]
    return hsv_to_rgb(((h + hue * spread) % 360) / 360, min(1.0, s + 0.14 * saturation), min(1.0, v + 0.12 * value))


def second_tone(rgb: RGB, contrast: float, light: bool) -> RGB:
    """Give the second tone on a body of colour ``rgb``: lighter or darker by ``contrast`` (0 to 1)."""
    return mix(rgb, CREAM, contrast) if light else mix(rgb, SHADE, 0.85 * contrast)


def stamp_rgb(colour: str) -> RGB:
    """Give the colour of a stamp, always the same for a name."""
    tone, _, hue = colour.rpartition("-")
    saturation, value = _STAMP_TONES.get(tone, (0.95, 0.95))
    return hsv_to_rgb(_STAMP_HUES[hue] / 360, saturation, value)


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


def _hills(canvas: Canvas, wave: tuple[float, float, float, float], top: RGB, bottom: RGB) -> None:
    """Paint ground below the line of `_waves`."""
    _ridge(canvas, _waves(canvas, *wave), top, bottom)


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
    far = mix((0.56, 0.75, 0.48), (0.66, 0.78, 0.45), vary[1])
    near = mix((0.4, 0.64, 0.36), (0.52, 0.68, 0.34), vary[1])
    _hills(canvas, (horizon, 0.05, 0.7 + vary[2], vary[3]), mix(far, (1.0, 1.0, 0.8), 0.2), far)
    wave = (horizon + 0.17, 0.05, 0.6 + vary[4], vary[5])
    _hills(canvas, wave, near, mix(near, (0.12, 0.3, 0.2), 0.35))
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
    zenith = mix((0.07, 0.08, 0.22), (0.1, 0.1, 0.28), vary[0])
    _sky(canvas, zenith, mix((0.26, 0.22, 0.46), (0.2, 0.28, 0.5), vary[1]), horizon + 0.3)
    places = [(_golden(vary[2], i), 0.9 * _golden(vary[3], 3 * i), 0.5 + 0.5 * _golden(vary[4], i)) for i in range(24)]
    _specks(canvas, places, 0.0085, (1.0, 0.97, 0.88))
    _disc(canvas, 0.12 + 0.76 * vary[5], 0.14, 0.055, (0.98, 0.95, 0.84))
    wave = (horizon + 0.24, 0.05, 0.8 + vary[6], vary[7])
    _hills(canvas, wave, (0.13, 0.14, 0.3), (0.07, 0.08, 0.18))


def _desert(canvas: Canvas, horizon: float, vary: Vary) -> None:
    _sky(canvas, mix((0.55, 0.76, 0.82), (0.72, 0.78, 0.8), vary[0]), (0.98, 0.88, 0.7), horizon)
    _disc(canvas, 0.12 + 0.76 * vary[1], horizon - 0.2, 0.06, (1.0, 0.96, 0.82))
    far = mix((0.9, 0.76, 0.54), (0.93, 0.8, 0.6), vary[2])
    near = mix((0.82, 0.64, 0.42), (0.87, 0.7, 0.5), vary[2])
    _hills(canvas, (horizon, 0.06, 0.6 + 0.6 * vary[3], vary[4]), mix(far, (1.0, 0.98, 0.9), 0.3), far)
    wave = (horizon + 0.2, 0.07, 0.5 + 0.6 * vary[5], vary[6])
    _hills(canvas, wave, near, mix(near, (0.6, 0.42, 0.3), 0.4))


_PAINTERS: dict[str, Callable[[Canvas, float, Vary], None]] = {
    "meadow": _meadow,
    "sea": _sea,
    "city": _city,
    "night": _night,
    "desert": _desert,
}


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
