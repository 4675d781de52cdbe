"""Pictures inside the page and beside the code: small enough to send, sharp enough to print."""

import base64
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

WIDEST = 1200  # pixels: 7 inches at some 170 dpi
COLOURS = 256
QUALITY = 75
LARGE = 150_000  # bytes up to which the drawing is embedded as it is


def data_uri(path: Path) -> str:
    """The figure as ``data:``: its SVG where that is small (text stays sharp), else its PNG as WebP."""
    drawing = path.with_suffix(".svg")
    if drawing.is_file() and drawing.stat().st_size <= LARGE:
        return _uri("image/svg+xml", drawing.read_bytes())
    return _uri("image/webp", smaller(path))


def smaller(path: Path) -> bytes:
    """WebP of at most `WIDEST` pixels across."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    height = round(picture.height * WIDEST / picture.width)
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, height), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    picture.save(buffer, "webp", quality=QUALITY)
    return buffer.getvalue()


def with_palette(path: Path) -> bytes:
    """PNG of the same size with a palette of its own, and the texts that say where it comes from."""
    with Image.open(path) as image:
        texts, picture = PngInfo(), image.convert("RGB")
        for name, text in image.info.items():
            if isinstance(name, str) and isinstance(text, str):
                texts.add_itxt(name, str(text))
        resolution = image.info.get("dpi", (200, 200))
    buffer = BytesIO()
    reduced = picture.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG)
    reduced.save(buffer, "png", pnginfo=texts, dpi=resolution, optimize=True)
    return buffer.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
