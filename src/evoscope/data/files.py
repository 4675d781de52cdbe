"""Image files: decoded to squares of RGB bytes, inspected together, and refused or left out with a reason."""

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, ClassVar, Literal, TypeVar

import numpy as np
from PIL import Image, ImageOps

from evoscope.arrays import Bytes, Doubles
from evoscope.data.images import SQUASH, Fit, ImageSet, digest
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
MAX_PIXELS = 2**27  # A larger picture is a decompression bomb: decoded it would take over 400 MB.
_DRAFT_MARGIN = 2  # JPEGs may be decoded at 1/2, 1/4 or 1/8, but to no less than twice the wanted size.
_LISTED = 20
_AHEAD = 4096


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
    try:
        return _open_square(io.BytesIO(content), pixels, fit)
    except (UndecodableError, MemoryError):
        raise
    # A damaged file makes Pillow's readers fail in any way: struct, zlib, index, syntax errors and more.
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        unknown = text.startswith("cannot identify image file")
        raise UndecodableError("not an image" if unknown else text) from error


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
    UndecodableError : the mode has no known range.
    """
    if image.mode.startswith(("I", "F")):
        return _sixteen_bit(image)
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _open_square(stream: IO[bytes], pixels: int, fit: Fit) -> Bytes:
    with Image.open(stream) as image:
        if image.width * image.height > MAX_PIXELS:
            raise UndecodableError(f"{image.width} x {image.height} pixels exceed the {MAX_PIXELS:,} allowed")
        wanted = int(np.ceil(_DRAFT_MARGIN * pixels / (fit.crop_fraction if fit.mode == "crop" else 1.0)))
        image.draft(None, (wanted, wanted))  # Only JPEG heeds this.
        image.load()
        return square(to_rgb(ImageOps.exif_transpose(image)), pixels, fit)


def _sixteen_bit(image: Image.Image) -> Image.Image:
    values: Doubles = np.asarray(image, dtype=np.float64)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise UndecodableError(f"grey values of mode {image.mode} beyond 16 bits have no known range")
    grey = np.rint(values / 257).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Cores that this process may use, which in a container or a cluster job are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results of ``work`` in the order of the items; the first error is raised and cancels what is left."""
    executor, waiting = ThreadPoolExecutor(max_workers=min(16, max(2, cores()))), iter(items)
    try:
        # Not all at once: a million waiting items would take gigabytes.
        while some := list(islice(waiting, _AHEAD)):
            yield from executor.map(work, some)
    finally:
        executor.shutdown(cancel_futures=True)


OnError = Literal["raise", "skip"]

Inspection = tuple[str, str | None]  # a file's stamp, and what is wrong with it
_CHECKED_AT_MOST = 20_000
_HASHED_BELOW = 2**30
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One image file: its id, the name of its class, and its path below the root."""

    id: str
    label: str
    path: str


@dataclass(frozen=True)
class Reading:
    """How files are opened.

    ``on_error``: ``raise`` one error that lists every undecodable file, or ``skip`` them with a note.

    The fingerprint covers the files' content below 1 GiB in all, else their names and sizes. Every file is decoded
    at once up to 20,000 files and whenever files are to be skipped; a file that was not and turns out bad raises
    when it is read. ``listings``: folder where listings of large sets are kept (None: nowhere).
    """

    on_error: OnError = "raise"
    progress: Progress = silent
    listings: Path | None = None


PLAIN = Reading()


@dataclass(frozen=True)
class FileSource:
    """`ImageSource` over files below a folder.

    Reading it from several threads is safe and, as decoding releases the interpreter's lock, worth while.
    """

    root: Path
    files: tuple[str, ...]
    thread_safe: ClassVar[bool] = True

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """File ``index`` as uint8 [pixels, pixels, 3]; `EvoscopeError` when it cannot be read or decoded."""
        path = self.root / self.files[index]
        try:
            return decode(path.read_bytes(), pixels, fit)
        except (UndecodableError, OSError) as error:
            raise EvoscopeError(
                f"{path} cannot be decoded ({reason(error)})",
                "fix or remove the file, or leave it out with data.on_error=skip",
            ) from error


def file_set(
    root: Path, split: str, entries: Sequence[Entry], class_names: tuple[str, ...], reading: Reading
) -> ImageSet:
    """Files as an `ImageSet` in the order of their ids.

    Raises
    ------
    EvoscopeError : an option is unknown, files cannot be decoded and are not to be skipped, or none is left.
    """
    if reading.on_error not in ("raise", "skip"):
        raise EvoscopeError(f"on_error={reading.on_error!r} is unknown", "choose 'raise' or 'skip'")
    ordered = sorted(entries, key=lambda entry: entry.id)
    hashes = is_hashed(root, ordered)
    checks = len(ordered) <= _CHECKED_AT_MOST or reading.on_error == "skip"
    inspect = partial(_inspection, root=root, hashes=hashes, checks=checks)
    inspected = in_threads(inspect, ordered) if hashes or checks else map(inspect, ordered)
    what = f"checking {root.resolve().name} {split}"
    found = list(reading.progress(inspected, total=len(ordered), what=what, unit="file"))
    pairs = [(entry, *seen) for entry, seen in zip(ordered, found, strict=True)]
    kept = [entry for entry, _, wrong in pairs if wrong is None]
    faults = {entry.id: wrong for entry, _, wrong in pairs if wrong is not None}
    told = (text for entry, stamp, wrong in pairs if wrong is None for text in (entry.id, entry.label, stamp))
    _refuse(root, split, faults, len(kept), reading)
    label = {name: index for index, name in enumerate(class_names)}
    return ImageSet(
        name=root.resolve().name,
        split=split,
        class_names=class_names,
        ids=tuple(entry.id for entry in kept),
        labels=np.array([label[entry.label] for entry in kept], dtype=np.int64),
        rows=np.arange(len(kept), dtype=np.int64),
        source=FileSource(root, tuple(entry.path for entry in kept)),
        fingerprint=digest("files", str(len(class_names)), *class_names, *told),
        notes=_notes(faults, len(found), checks),
    )


def _inspection(entry: Entry, root: Path, hashes: bool, checks: bool) -> Inspection:
    path = os.path.join(root, entry.path)
    if not is_utf8(entry.id):
        return "", "its name is not valid UTF-8"
    size = _size(path)
    if size is None:
        return "", "neither a file nor a link to one"
    try:
        content = Path(path).read_bytes() if hashes or checks else b""
        stamp = hashlib.sha256(content).hexdigest() if hashes else str(size)
    except OSError as error:
        return "", reason(error)
    return stamp, fault(content) if checks else None


def is_utf8(name: str) -> bool:
    """Whether a file name can be written as text; on Linux any bytes may be a name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_hashed(root: Path, entries: Iterable[Entry]) -> bool:
    """Whether the files are so small together that their content is what tells them, and not their sizes."""
    total = 0
    for entry in entries:
        total += _size(os.path.join(root, entry.path)) or 0
        if total >= _HASHED_BELOW:
            return False
    return True


def _size(path: str) -> int | None:
    """Bytes of a file or of what a link leads to; None for anything else."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _refuse(root: Path, split: str, faults: dict[str, str], kept: int, reading: Reading) -> None:
    if faults and reading.on_error == "raise":
        raise EvoscopeError(
            f"{len(faults)} of {len(faults) + kept} {split} images in {root} cannot be decoded",
            f"fix or remove them, or leave them out with data.on_error=skip\n{offenders(faults)}",
        )
    if not kept:
        why = f"\n{offenders(faults)}" if faults else ""
        raise EvoscopeError(f"the {split} split in {root} has no images", f"add images to its class folders{why}")


def _notes(faults: dict[str, str], total: int, checked: bool) -> tuple[str, ...]:
    notes = [] if checked else [f"the {total:,} files were not decoded beforehand"]
    if faults:
        names = [name if name.isprintable() else ascii(name) for name in faults]
        notes.append(f"{len(faults)} of {total} files left out, undecodable: {listed(names, _NAMED)}")
    return tuple(notes)


def listed(names: Sequence[str], most: int = 10) -> str:
    """Write the first ``most`` names, then how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
