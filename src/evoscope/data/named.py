"""Well-known sets of real images: Imagenette, ImageWoof and ImageNet, each with readable class names."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evoscope.data.files import Check, Fingerprint, OnError, Reading
from evoscope.data.folder import Layout, find_layout, open_layout
from evoscope.data.images import ImageSet, digest
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent

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


def open_imagenette(
    root: Path,
    split: str,
    download: bool = False,
    on_error: OnError = "raise",
    fingerprint: Fingerprint = "auto",
    check: Check = "auto",
    progress: Progress = silent,
) -> ImageSet:
    """Imagenette: ten easy classes of ImageNet.

    Reads ``root/imagenette2``, ``-320`` or ``-160``, the first there is; ``root`` may also be one of these
    itself. With ``download`` torchvision fetches the 160-pixel version into ``root`` when there is none. The
    test split is the folder ``val``. The other parameters are those of `evoscope.data.folder.open_folder`.

    Raises
    ------
    EvoscopeError
        The set is missing or its download failed, or as `open_folder`.
    """
    if download and _version(root, "imagenette2") is None:
        _download_imagenette(root)
    reading = Reading(on_error, fingerprint, check, progress)
    return _open_version(root, split, "imagenette", IMAGENETTE, reading, ", or set download=true")


def open_imagewoof(
    root: Path,
    split: str,
    on_error: OnError = "raise",
    fingerprint: Fingerprint = "auto",
    check: Check = "auto",
    progress: Progress = silent,
) -> ImageSet:
    """ImageWoof: ten breeds of dog, from ``root/imagewoof2``, ``-320`` or ``-160``; see `open_imagenette`."""
    return _open_version(
        root, split, "imagewoof", IMAGEWOOF, Reading(on_error, fingerprint, check, progress), ""
    )


def open_imagenet(
    root: Path,
    split: str,
    unpack: bool = False,
    on_error: OnError = "raise",
    fingerprint: Fingerprint = "auto",
    check: Check = "auto",
    progress: Progress = silent,
) -> ImageSet:
    """ILSVRC-2012 in torchvision's layout: ``root/train/<wnid>`` and, as the test split, ``root/val/<wnid>``.

    With ``unpack`` torchvision unpacks ILSVRC's archives found in ``root`` first. Class names are readable
    when ``root/imagenet_class_index.json`` exists (``{"0": ["n01440764", "tench"], ...}``), else WordNet ids;
    labels follow the order of the ids. The other parameters are those of `evoscope.data.folder.open_folder`.

    Raises
    ------
    EvoscopeError
        The set is missing, the class index is not of that form, or as `open_folder`.
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
    layout = Layout(_existing(root / "train"), _existing(root / "val"))
    images = open_layout(root, layout, split, Reading(on_error, fingerprint, check, progress))
    return _named(images, "imagenet", _read_class_index(root / CLASS_INDEX))


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


def _existing(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None


def _named(images: ImageSet, name: str, readable: Mapping[str, str]) -> ImageSet:
    """Name the set and, readably, its classes; two classes of one name keep their ids beside it."""
    names = [readable.get(wnid, wnid) for wnid in images.class_names]
    counts = Counter(names)
    unique = [
        f"{name} ({wnid})" if counts[name] > 1 else name
        for name, wnid in zip(names, images.class_names, strict=True)
    ]
    return replace(
        images, name=name, class_names=tuple(unique), fingerprint=digest(images.fingerprint, *unique)
    )


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
