"""CIFAR-10 in its official order: torchvision's files, or one npz of JPEG copies."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from evoscope.arrays import Array, Bytes, Ints
from evoscope.data.decode import UndecodableError, decode, square
from evoscope.data.images import SQUASH, Fit, ImageSet, ImageSource, digest
from evoscope.errors import EvoscopeError

OFFICIAL = "cifar-10-batches-py"
JPEG_COPY = "cifar10_jpeg.npz"
COPY_NOTE = "pixels are JPEG copies of CIFAR-10, not the originals"


def open_cifar10(root: Path, split: str, download: bool = False) -> ImageSet:
    """CIFAR-10, ids ``train-00000`` ... in the official order.

    Read from ``cifar-10-batches-py`` or else ``cifar10_jpeg.npz``, in ``root`` or ``root/cifar10``; with
    ``download`` torchvision fetches the official files into ``root`` when they are not there. The copy's note
    says so.

    Raises
    ------
    EvoscopeError
        The set is missing, damaged, or could not be downloaded.
    """
    if split not in ("train", "test"):
        raise EvoscopeError(f"split {split!r} is unknown", "choose 'train' or 'test'")
    official = _find(root, OFFICIAL)
    copy = _find(root, JPEG_COPY)
    if official is not None or download:
        return _open_official(official.parent if official else root, split, download)
    if copy is None:
        raise EvoscopeError(
            f"CIFAR-10 is not in {root}",
            "fetch cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html and unpack it "
            f"there, which makes {root / OFFICIAL}, or set download=true",
        )
    return _open_copy(copy, split)


@dataclass(frozen=True)
class ArraySource:
    """`ImageSource` over pixels in memory: uint8 [images, side, side, 3]."""

    images: Bytes

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """Image ``index`` as uint8 [pixels, pixels, 3]."""
        return square(Image.fromarray(self.images[index]), pixels, fit)


@dataclass(frozen=True)
class JpegSource:
    """`ImageSource` over encoded images end to end: image i is ``content[offsets[i]:offsets[i + 1]]``."""

    path: Path
    split: str
    content: Bytes
    offsets: Ints

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """Image ``index`` as uint8 [pixels, pixels, 3]."""
        encoded = self.content[self.offsets[index] : self.offsets[index + 1]].tobytes()
        try:
            return decode(encoded, pixels, fit)
        except UndecodableError as error:
            raise EvoscopeError(
                f"image {_id(self.split, index)} in {self.path} cannot be decoded ({error})",
                "fetch the file again",
            ) from error


def _open_official(folder: Path, split: str, download: bool) -> ImageSet:
    from evoscope.torchvision_compat import torchvision

    # These files are pickles. torchvision compares the md5 of every one with the published values before it
    # unpickles any, so only the authors' own bytes are ever unpickled.
    try:
        data: Any = torchvision.datasets.CIFAR10(folder, train=split == "train", download=download)
    except (OSError, RuntimeError) as error:
        raise EvoscopeError(
            f"CIFAR-10 in {folder} is incomplete or damaged ({error})",
            f"remove {folder / OFFICIAL} and fetch cifar-10-python.tar.gz again, or set download=true",
        ) from error
    pixels = np.ascontiguousarray(data.data)
    return _image_set(split, tuple(data.classes), np.array(data.targets), ArraySource(pixels), pixels)


def _open_copy(path: Path, split: str) -> ImageSet:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            content, offsets, labels, names = (
                arrays[key] for key in (f"{split}_jpeg", f"{split}_offsets", f"{split}_labels", "class_names")
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise _damaged(path, str(error)) from error
    offsets, labels = offsets.astype(np.int64), labels.astype(np.int64)
    _check_copy(path, content, offsets, labels, len(names))
    source = JpegSource(path, split, content, offsets)
    images = _image_set(split, tuple(map(str, names)), labels, source, content, offsets)
    return replace(images, notes=(COPY_NOTE,))


def _check_copy(path: Path, content: Array, offsets: Ints, labels: Ints, classes: int) -> None:
    if content.dtype != np.uint8 or content.ndim != 1:
        raise _damaged(path, "its images are not one row of bytes")
    if offsets.shape != (len(labels) + 1,) or offsets[0] != 0 or offsets[-1] != len(content):
        raise _damaged(path, "its offsets do not fit its images and labels")
    if (np.diff(offsets) <= 0).any():
        raise _damaged(path, "its offsets do not increase")
    if labels.min() < 0 or labels.max() >= classes:
        raise _damaged(path, f"its labels are not below {classes}")


def _damaged(path: Path, why: str) -> EvoscopeError:
    return EvoscopeError(
        f"{path} is not CIFAR-10 as JPEG copies ({why})", "fetch it again, or use torchvision's files"
    )


def _image_set(
    split: str, class_names: tuple[str, ...], labels: Ints, source: ImageSource, *content: Array
) -> ImageSet:
    stamps = [hashlib.sha256(np.ascontiguousarray(part).data).hexdigest() for part in (*content, labels)]
    return ImageSet(
        name="cifar10",
        split=split,
        class_names=class_names,
        ids=tuple(_id(split, index) for index in range(len(labels))),
        labels=labels.astype(np.int64),
        rows=np.arange(len(labels), dtype=np.int64),
        source=source,
        fingerprint=digest("cifar10", split, *class_names, *stamps),
    )


def _id(split: str, index: int) -> str:
    return f"{split}-{index:05d}"


def _find(root: Path, name: str) -> Path | None:
    return next((path for path in (root / name, root / "cifar10" / name) if path.exists()), None)
