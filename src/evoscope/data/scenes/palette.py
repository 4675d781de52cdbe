"""From colour names to colours, with the spread that a name allows."""

from colorsys import hsv_to_rgb

from evoscope.data.scenes.canvas import mix
from evoscope.data.scenes.scene import RGB
from evoscope.data.scenes.vocabulary import HUES

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
    return hsv_to_rgb(
        ((h + hue * spread) % 360) / 360, min(1.0, s + 0.14 * saturation), min(1.0, v + 0.12 * value)
    )


def second_tone(rgb: RGB, contrast: float, light: bool) -> RGB:
    """Give the second tone on a body of colour ``rgb``: lighter or darker by ``contrast`` (0 to 1)."""
    return mix(rgb, CREAM, contrast) if light else mix(rgb, SHADE, 0.85 * contrast)


def stamp_rgb(colour: str) -> RGB:
    """Give the colour of a stamp, always the same for a name."""
    tone, _, hue = colour.rpartition("-")
    saturation, value = _STAMP_TONES.get(tone, (0.95, 0.95))
    return hsv_to_rgb(_STAMP_HUES[hue] / 360, saturation, value)
