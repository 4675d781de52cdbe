"""Painting anti-aliased layers into the part of an image they touch."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evoscope.arrays import Bools, Bytes, Floats
from evoscope.data.scenes.scene import RGB, Pose

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
        columns = _span(
            pose.x + min(xs) - 0.5 / self.pixels, pose.x + max(xs) + 0.5 / self.pixels, self.pixels
        )
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
    return (
        a[0] + share * (b[0] - a[0]),
        a[1] + share * (b[1] - a[1]),
        a[2] + share * (b[2] - a[2]),
    )
