"""Figures on disk: PNG, SVG and the caption, the same bytes every time, with their origin inside."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from evoscope.viz.style import use_style

# Photographs inside an SVG are kept at this resolution, the PNG at the style's 200 dpi.
SVG_DPI = 110


def save_figure(
    fig: Figure, folder: Path, stem: str, caption: str, metadata: Mapping[str, str]
) -> list[Path]:
    """Write ``stem.png``, ``stem.svg`` and ``stem.md`` (the caption) into ``folder``.

    Parameters
    ----------
    fig : drawn under `evoscope.viz.use_style`.
    folder : made if missing.
    stem : file name without ending.
    caption : Markdown; also stored inside both pictures.
    metadata : origin of the figure (commit, key, scale, data...), kept as text chunks of the PNG and Dublin Core
        terms of the SVG.

    Returns
    -------
    The three paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plain = " ".join(caption.split())
    files = {
        "png": _bytes(fig, "png", 200, png_metadata(stem, plain, metadata)),
        "svg": _bytes(fig, "svg", SVG_DPI, svg_metadata(stem, plain, metadata)),
        "md": (caption.strip() + "\n").encode(),
    }
    paths = [folder / f"{stem}.{ending}" for ending in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content)
    return paths


def png_metadata(stem: str, caption: str, origin: Mapping[str, str]) -> dict[str, str | None]:
    """Text chunks of a PNG; matplotlib's own version stamp is taken out."""
    return {"Software": None, "Title": stem, "Description": caption, **dict(sorted(origin.items()))}


def svg_metadata(stem: str, caption: str, origin: Mapping[str, str]) -> dict[str, object]:
    """Dublin Core terms of an SVG; no date."""
    source = "; ".join(f"{name}={value}" for name, value in sorted(origin.items()))
    return {"Date": None, "Creator": "Evoscope", "Title": stem, "Description": caption, "Source": source}


def _bytes(fig: Figure, kind: str, dpi: int, metadata: Mapping[str, object]) -> bytes:
    buffer = BytesIO()
    with use_style():
        fig.savefig(buffer, format=kind, dpi=dpi, metadata=dict(metadata))
    return buffer.getvalue()
