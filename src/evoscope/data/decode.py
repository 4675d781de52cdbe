"""Any image file that Pillow reads, turned into a square of RGB bytes, or refused with a reason."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps

from evoscope.arrays import Bytes, Doubles
from evoscope.data.images import SQUASH, Fit
from evoscope.errors import EvoscopeError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
MAX_PIXELS = 2**27  # A larger picture is a decompression bomb: decoded it would take over 400 MB.
_DRAFT_MARGIN = 2  # JPEGs may be decoded at 1/2, 1/4 or 1/8, but to no less than twice the wanted size.
_LISTED = 20


class UndecodableError(ValueError):
    """Why a file cannot become an image; callers turn it into an `EvoscopeError` that names the file."""


def decode(content: bytes, pixels: int, fit: Fit = SQUASH) -> Bytes:
    """Decode an encoded image to RGB uint8 [pixels, pixels, 3].

    EXIF orientation is applied. Transparent pixels are laid over white. Grey, palette, CMYK and YCbCr become
    RGB; 16-bit grey is scaled by 255 / 65535, never clipped. Of an animation the first frame is taken. Colour
    profiles are ignored, as torchvision does.

    Raises
    ------
    UndecodableError
        The content is empty, truncated, damaged, no image, larger than ``MAX_PIXELS``, or of a mode without a
        known range (32-bit and floating-point grey, LAB).
    """
    if not content:
        raise UndecodableError("empty")
    return _guarded(lambda: _open_square(io.BytesIO(content), pixels, fit))


def decode_file(path: Path, pixels: int, fit: Fit = SQUASH) -> Bytes:
    """`decode` of a file.

    Raises
    ------
    EvoscopeError
        The file cannot be read or decoded.
    """
    try:
        return decode(path.read_bytes(), pixels, fit)
    except (UndecodableError, OSError) as error:
        raise EvoscopeError(
            f"{path} cannot be decoded ({reason(error)})",
            "mend or remove the file, or open the data with check=True and on_error='skip'",
        ) from error


def fault(content: bytes) -> str | None:
    """Why the content cannot be decoded, or None; all of it is read, at the lowest resolution there is."""
    try:
        decode(content, 1)
    except UndecodableError as error:
        return str(error)
    return None


def reason(error: BaseException) -> str:
    """Message of an error without the path that an OSError repeats."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def offenders(faults: dict[str, str]) -> str:
    """Files and their faults, one a line: the first 20, then how many more.

    >>> print(offenders({"cat/1.jpg": "the file is empty"}))
      cat/1.jpg (the file is empty)
    """
    lines = [f"  {name if name.isprintable() else ascii(name)} ({why})" for name, why in faults.items()]
    more = [f"  and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "\n".join(lines[:_LISTED] + more)


def square(image: Image.Image, pixels: int, fit: Fit = SQUASH) -> Bytes:
    """RGB image as uint8 [pixels, pixels, 3]: `Fit`'s part of it, resized bilinearly with antialiasing."""
    if fit.mode == "squash":
        box = (0.0, 0.0, float(image.width), float(image.height))
    else:
        side = min(image.size) * fit.crop_fraction
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = (left, top, left + side, top + side)
    return np.asarray(image.resize((pixels, pixels), Image.Resampling.BILINEAR, box=box))


def to_rgb(image: Image.Image) -> Image.Image:
    """Image of any mode as RGB, transparency laid over white.

    Raises
    ------
    UndecodableError
        The mode has no known range.
    """
    if image.mode.startswith(("I", "F")):
        return _sixteen_bit(image)
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        return _over_white(image.convert("RGBA"))
    return image.convert("RGB")


def _open_square(stream: IO[bytes], pixels: int, fit: Fit) -> Bytes:
    with Image.open(stream) as image:
        if image.width * image.height > MAX_PIXELS:
            raise UndecodableError(f"{image.width} x {image.height} pixels exceed the {MAX_PIXELS:,} allowed")
        wanted = int(np.ceil(_DRAFT_MARGIN * pixels / (fit.crop_fraction if fit.mode == "crop" else 1.0)))
        image.draft(None, (wanted, wanted))  # Only JPEG heeds this.
        image.load()
        return square(to_rgb(ImageOps.exif_transpose(image)), pixels, fit)


def _guarded(work: Callable[[], Bytes]) -> Bytes:
    try:
        return work()
    except (UndecodableError, MemoryError):
        raise
    # A damaged file makes Pillow's readers fail in any way: struct, zlib, index, syntax errors and more.
    except Exception as error:
        raise UndecodableError(_why(error)) from error


def _why(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return "not an image" if text.startswith("cannot identify image file") else text


def _sixteen_bit(image: Image.Image) -> Image.Image:
    values: Doubles = np.asarray(image, dtype=np.float64)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise UndecodableError(f"grey values of mode {image.mode} beyond 16 bits have no known range")
    grey = np.rint(values / 257).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image).convert("RGB")
