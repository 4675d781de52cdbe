"""A sheet of paper measured in inches from its top left corner, so that nothing overlaps by accident."""

from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image

from evoscope.arrays import Bytes
from evoscope.viz.style import INK, LARGE, NORMAL, elide, plain, use_style, wrap

Dashes = Literal["-", "dashed", "dotted"]
# Inches: the widths of a figure across a page and in a column of two, and the height of a page.
PAGE, COLUMN, TALLEST = 7.0, 3.33, 8.5
ASCENT, SPACING = 0.8, 1.2  # of a line of text, in units of its size
EDGE, BELOW = 0.07, 0.09  # inches beside and below a figure's sentence


class Sheet:
    """A figure whose axes and texts are placed in inches, ``top`` counted downwards.

    Parameters
    ----------
    width, height : size of the paper in inches.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self.figure = Figure(figsize=(width, height))
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes whose frame (not its tick labels) covers the given rectangle."""
        bottom = self.height - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def text(
        self,
        left: float,
        top: float,
        text: str,
        *,
        room: float | None = None,
        size: float = NORMAL,
        bold: bool = False,
        across: Literal["left", "center", "right"] = "left",
        cut: str = "end",
        color: str | None = None,
    ) -> list[Text]:
        """Lines of text, the first below ``top``, cut to ``room`` inches (see `evoscope.viz.style.elide`)."""
        written = []
        for number, line in enumerate(text.split("\n")):
            shown = line if room is None else elide(line, room, size, bold, cut)
            # On the baseline, so that words with and without tall letters stand level.
            baseline = top + (ASCENT + number * SPACING) * size / 72
            place = (left / self.width, 1 - baseline / self.height)
            weight = "bold" if bold else "normal"
            written.append(
                self.figure.text(*place, plain(shown), size=size, weight=weight, ha=across, color=color or INK)
            )
        return written

    def swatch(self, left: float, top: float, colour: str, dashes: Dashes = "-", marker: str = "") -> Line2D:
        """Short line (or marker) of a legend, ``top`` at the upper edge of the text that follows it."""
        left += 0.04 if marker else 0.0
        line = Line2D(
            [left / self.width, (left + 0.2) / self.width],
            [1 - (top + 0.05) / self.height] * 2,
            color=colour,
            lw=1.4,
            linestyle="none" if marker else dashes,
            marker=marker,
            markersize=4.5,
            markevery=[0],
            mec="white" if marker == "X" else None,
            mew=0.5,
        )
        self.figure.add_artist(line)
        return line


def headed(figure: Figure, sentence: str) -> Figure:
    """Write a sentence above all that a `Sheet` shows; the paper grows by its lines, and nothing else changes place.

    Parameters
    ----------
    figure : of a sheet; it is changed and returned.
    sentence : what the figure shows; empty: nothing is done.
    """
    if not sentence:
        return figure
    width, height = map(float, figure.get_size_inches())
    lines = wrap(sentence, width - 2 * EDGE, LARGE, 4, bold=True).split("\n")
    lead = len(lines) * SPACING * LARGE / 72 + BELOW
    share = height / (height + lead)
    for axes in figure.axes:
        left, bottom, wide, high = axes.get_position(original=True).bounds
        axes.set_position((left, bottom * share, wide, high * share))
    for text in figure.texts:
        text.set_y(text.get_position()[1] * share)
    for mark in figure.artists:
        if isinstance(mark, Line2D):  # others are placed in inches from below
            mark.set_ydata([float(y) * share for y in np.asarray(mark.get_ydata())])
    figure.set_size_inches(width, height + lead)
    for number, line in enumerate(lines):
        baseline = 0.05 + (ASCENT + number * SPACING) * LARGE / 72
        place = EDGE / width, 1 - baseline / (height + lead)
        figure.text(*place, plain(line), size=LARGE, weight="bold", color=INK)
    return figure


# Photographs inside a vector file are kept at this resolution, the PNG at the style's 200 dpi.
VECTOR_DPI = 160


def save_figure(fig: Figure, folder: Path, stem: str, caption: str, metadata: Mapping[str, str]) -> list[Path]:
    """Write ``stem.png``, ``stem.svg``, ``stem.pdf`` and ``stem.md`` (the caption) into ``folder``.

    Parameters
    ----------
    fig : drawn under `evoscope.viz.use_style`.
    folder : made if missing.
    stem : file name without ending.
    caption : Markdown; also stored inside the pictures.
    metadata : origin of the figure (commit, key, scale, data...), kept as text chunks of the PNG, Dublin Core
        terms of the SVG and keywords of the PDF.

    Returns
    -------
    The four paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    origin, words = origin_line(metadata), " ".join(caption.split())
    # Without dates, and without matplotlib's own version: the same figure has the same bytes.
    png = {"Software": None, "Title": stem, "Description": words, **dict(sorted(metadata.items()))}
    svg = {"Date": None, "Creator": "Evoscope", "Title": stem, "Description": words, "Source": origin}
    pdf = {"CreationDate": None, "Title": stem, "Subject": words, "Keywords": origin}
    files = {
        "png": _bytes(fig, "png", 200, png),
        "svg": _bytes(fig, "svg", VECTOR_DPI, svg),
        "pdf": _bytes(fig, "pdf", VECTOR_DPI, pdf),
        "md": (caption.strip() + "\n").encode(),
    }
    paths = [folder / f"{stem}.{ending}" for ending in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content)
    return paths


FILM_BYTES = 1_500_000  # a page with a moving picture above it opens slowly
QUALITIES = (80, 65, 50, 35, 20)


def save_film(frames: Iterable[tuple[Bytes, int]], folder: Path, stem: str, metadata: Mapping[str, str]) -> Path:
    """Write ``stem.webp``, which repeats for ever, in the best quality that stays below `FILM_BYTES`.

    Parameters
    ----------
    frames : uint8 [height, width, 3] each, and the milliseconds that it is shown.
    folder, stem, metadata : as for `save_figure`; the origin is kept as an XMP description.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shown = [(Image.fromarray(pixels), milliseconds) for pixels, milliseconds in frames]
    origin = origin_line(metadata)
    first, *rest = (image for image, _ in shown)
    for quality in QUALITIES:
        buffer = BytesIO()
        first.save(
            buffer, "WEBP", save_all=True, append_images=rest, duration=[each for _, each in shown], loop=0,
            quality=quality, method=4, xmp=origin.encode(),
        )  # fmt: skip
        if buffer.tell() < FILM_BYTES:
            break
    path = folder / f"{stem}.webp"
    path.write_bytes(buffer.getvalue())
    return path


def origin_line(origin: Mapping[str, str]) -> str:
    """``Data=cifar10; Scale=laptop``: where a file comes from, by name."""
    return "; ".join(f"{name}={value}" for name, value in sorted(origin.items()))


def _bytes(fig: Figure, kind: str, dpi: int, metadata: Mapping[str, object]) -> bytes:
    buffer = BytesIO()
    with use_style():
        fig.savefig(buffer, format=kind, dpi=dpi, metadata=dict(metadata))
    return buffer.getvalue()
