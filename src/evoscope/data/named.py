"""Well-known sets of real images: Imagenette, ImageWoof, ImageNet, cue conflict and CIFAR-10, with readable names."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from evoscope.arrays import Array, Bytes, Ints
from evoscope.data.files import PLAIN, Reading, UndecodableError, decode, square
from evoscope.data.folder import Layout, find_layout, open_folder, open_layout
from evoscope.data.images import SQUASH, ConceptTable, Fit, ImageSet, ImageSource, digest
from evoscope.errors import EvoscopeError

IMAGENETTE = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
IMAGEWOOF = {
    "n02086240": "Shih-Tzu",
    "n02087394": "Rhodesian ridgeback",
    "n02088364": "beagle",
    "n02089973": "English foxhound",
    "n02093754": "Border terrier",
    "n02096294": "Australian terrier",
    "n02099601": "golden retriever",
    "n02105641": "Old English sheepdog",
    "n02111889": "Samoyed",
    "n02115641": "dingo",
}
CLASS_INDEX = "imagenet_class_index.json"
_ARCHIVES = "https://s3.amazonaws.com/fast-ai-imageclas"


def open_imagenette(root: Path, split: str, download: bool = False, reading: Reading = PLAIN) -> ImageSet:
    """Imagenette: ten easy classes of ImageNet.

    Reads ``root/imagenette2``, ``-320`` or ``-160``, the first there is; ``root`` may also be one of these
    itself. With ``download`` torchvision fetches the 160-pixel version into ``root`` when there is none. The
    test split is the folder ``val``. The other parameters are those of `evoscope.data.folder.open_folder`.

    Raises
    ------
    EvoscopeError : the set is missing or its download failed, or as `open_folder`.
    """
    if download and _version(root, "imagenette2") is None:
        _download_imagenette(root)
    return _open_version(root, split, "imagenette", IMAGENETTE, reading, ", or set download=true")


def open_imagewoof(root: Path, split: str, reading: Reading = PLAIN) -> ImageSet:
    """ImageWoof: ten breeds of dog, from ``root/imagewoof2``, ``-320`` or ``-160``; see `open_imagenette`."""
    return _open_version(root, split, "imagewoof", IMAGEWOOF, reading, "")


def open_imagenet(root: Path, split: str, unpack: bool = False, reading: Reading = PLAIN) -> ImageSet:
    """ILSVRC-2012 in torchvision's layout: ``root/train/<wnid>`` and, as the test split, ``root/val/<wnid>``.

    With ``unpack`` torchvision unpacks ILSVRC's archives found in ``root`` first. Class names are readable
    when ``root/imagenet_class_index.json`` exists (``{"0": ["n01440764", "tench"], ...}``), else WordNet ids;
    labels follow the order of the ids. The other parameters are those of `evoscope.data.folder.open_folder`.

    Raises
    ------
    EvoscopeError : the set is missing, the class index is not of that form, or as `open_folder`.
    """
    folder = root / ("train" if split == "train" else "val")
    if unpack and not folder.is_dir():
        _unpack_imagenet(root, folder.name)
    if not folder.is_dir():
        raise EvoscopeError(
            f"ImageNet's folder {folder} is missing",
            "get ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz from "
            f"image-net.org, put them in {root} and set data.download=true",
        )
    train, val = (part if part.is_dir() else None for part in (root / "train", root / "val"))
    layout = Layout(train, val)
    images = open_layout(root, layout, split, reading)
    return _named(images, "imagenet", _read_class_index(root / CLASS_INDEX))


def open_cue_conflict(root: Path, split: str, seed: int = 0, reading: Reading = PLAIN) -> ImageSet:
    """Photographs with the texture of another class (Geirhos et al. 2019): sixteen shapes, sixteen textures.

    Reads ``root/cue-conflict`` or ``-160``, or ``root`` itself: ``<shape>/<shape>N-<texture>M.jpg``. Classes are the
    shapes; half of each is the test split, by a seeded hash. Concepts: ``shape:cat``, ``texture:cat`` and so on. The
    other parameters are those of `evoscope.data.folder.open_folder`.

    Raises
    ------
    EvoscopeError : the set is missing, or a file is called otherwise.
    """
    folder = _version(root, "cue-conflict")
    if folder is None:
        raise EvoscopeError(
            f"cue_conflict is not in {root}",
            "put style-transfer-preprocessed-512 of github.com/rgeirhos/texture-vs-shape there, as cue-conflict",
        )
    images = open_folder(folder, split, 0.5, seed, reading)
    # The texture in the name of an image: elephant in cat/cat7-elephant3.jpg.
    textures = [Path(name).stem.rpartition("-")[2].rstrip("0123456789") for name in images.ids]
    kinds = sorted(set(images.class_names))
    strange = next((n for n, texture in enumerate(textures) if texture not in kinds), None)
    if strange is not None:
        raise EvoscopeError(
            f"{folder / images.ids[strange]} names no texture", "call it <shape>N-<texture>M, as in cat7-elephant3.jpg"
        )
    shapes = [images.class_names[label] for label in images.labels]
    present = np.hstack([np.array(shown)[:, None] == kinds for shown in (shapes, textures)])
    names = tuple(f"{family}:{kind}" for family in ("shape", "texture") for kind in kinds)
    marks = digest(images.fingerprint, *names)
    return replace(images, name="cue_conflict", concepts=ConceptTable(names, present), fingerprint=marks)


def _open_version(
    root: Path, split: str, name: str, readable: Mapping[str, str], reading: Reading, hint: str
) -> ImageSet:
    folder = _version(root, f"{name}2")
    if folder is None:
        raise EvoscopeError(
            f"{name} is not in {root}",
            f"fetch {_ARCHIVES}/{name}2-160.tgz and unpack it there, which makes {root / name}2-160{hint}",
        )
    return _named(open_layout(folder, find_layout(folder), split, reading), name, readable)


def _version(root: Path, name: str) -> Path | None:
    """Find the folder of the set in any of its sizes, in or at ``root``."""
    names = [name, f"{name}-320", f"{name}-160"]
    candidates = [root / each for each in names] + ([root] if root.resolve().name in names else [])
    return next((folder for folder in candidates if folder.is_dir()), None)


def _named(images: ImageSet, name: str, readable: Mapping[str, str]) -> ImageSet:
    """Name the set and, readably, its classes; two classes of one name keep their ids beside it."""
    names = [readable.get(wnid, wnid) for wnid in images.class_names]
    counts = Counter(names)
    unique = [
        f"{name} ({wnid})" if counts[name] > 1 else name for name, wnid in zip(names, images.class_names, strict=True)
    ]
    return replace(images, name=name, class_names=tuple(unique), fingerprint=digest(images.fingerprint, *unique))


def _read_class_index(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {wnid: name.replace("_", " ") for wnid, name in index.values()}
    except (ValueError, AttributeError, TypeError) as error:
        raise EvoscopeError(
            f"{path} is not a class index ({error})", 'its form is {"0": ["n01440764", "tench"], ...}'
        ) from error


def _download_imagenette(root: Path) -> None:
    from evoscope.torchvision_compat import torchvision

    try:
        root.mkdir(parents=True, exist_ok=True)
        torchvision.datasets.Imagenette(root, size="160px", download=True)
    except (OSError, RuntimeError) as error:
        raise EvoscopeError(
            f"Imagenette could not be downloaded into {root} ({error})",
            f"fetch {_ARCHIVES}/imagenette2-160.tgz by other means and unpack it there",
        ) from error


def _unpack_imagenet(root: Path, split: str) -> None:
    from evoscope.torchvision_compat import torchvision

    try:
        torchvision.datasets.ImageNet(root, split=split)
    except (OSError, RuntimeError) as error:
        raise EvoscopeError(
            f"ImageNet's archives in {root} could not be unpacked ({error})",
            "put ILSVRC2012_devkit_t12.tar.gz and the archive of the split there, whole",
        ) from error


OFFICIAL = "cifar-10-batches-py"
JPEG_COPY = "cifar10_jpeg.npz"
COPY_NOTE = "the images are JPEG copies of CIFAR-10, not the original pixels"


def open_cifar10(root: Path, split: str, download: bool = False) -> ImageSet:
    """CIFAR-10, ids ``train-00000`` ... in the official order.

    Read from ``cifar-10-batches-py`` or else ``cifar10_jpeg.npz``, in ``root`` or ``root/cifar10``; with
    ``download`` torchvision fetches the official files into ``root`` when they are not there. The copy's note
    says so.

    Raises
    ------
    EvoscopeError : the set is missing, damaged, or could not be downloaded.
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
                f"image {_id(self.split, index)} in {self.path} cannot be decoded ({error})", "fetch the file again"
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
    return EvoscopeError(f"{path} is not CIFAR-10 as JPEG copies ({why})", "fetch it again, or use torchvision's files")


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
