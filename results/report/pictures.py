"""Pictures inside the page: small enough to send, sharp enough to print."""

import base64
from io import BytesIO
from pathlib import Path

from PIL import Image

WIDEST = 1500  # pixels: 7 inches at some 210 dpi
COLOURS = 256
LARGE = 150_000  # bytes up to which the drawing is embedded as it is


def data_uri(path: Path) -> str:
    """The figure as ``data:``: its SVG where that is small (text stays sharp), else its PNG, made smaller."""
    drawing = path.with_suffix(".svg")
    if drawing.is_file() and drawing.stat().st_size <= LARGE:
        return _uri("image/svg+xml", drawing.read_bytes())
    return _uri("image/png", smaller(path))


def smaller(path: Path) -> bytes:
    """PNG of at most `WIDEST` pixels across, with a palette of its own; the file itself where that is smaller."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    height = round(picture.height * WIDEST / picture.width)
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, height), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    picture.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(buffer, "png")
    found, whole = buffer.getvalue(), path.read_bytes()
    return min(found, whole, key=len)


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
