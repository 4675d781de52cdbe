"""Any class-folder tree: one folder per class, with or without train and test folders above."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from evoscope.data.files import SUFFIXES, Entry, OnError, Reading, file_set, is_utf8, listed
from evoscope.data.images import ImageSet
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent
from evoscope.seeds import derive

TEST_FOLDERS = ("test", "val", "valid", "validation")


def open_folder(
    root: Path,
    split: str,
    val_fraction: float = 0.2,
    seed: int = 0,
    on_error: OnError = "raise",
    progress: Progress = silent,
) -> ImageSet:
    """Images of ``root/{train,test|val|valid|validation}/<class>/**`` or of ``root/<class>/**``.

    Ids are paths below ``root`` with forward slashes, in Unicode normal form C; classes and images are sorted
    by code point. Without a test folder ``val_fraction`` of each class goes to the test split, chosen by a
    seeded hash of the id, so that adding a file moves few others. Of several test folders the first above
    that holds classes counts. Hidden entries are passed over; files without an image suffix and images
    outside class folders are counted in the notes. The test split has the class list of the train split and
    may lack some.

    Parameters
    ----------
    root : folder of the tree.
    split : ``train`` or ``test``.
    val_fraction : share of each class in the test split, in [0, 1); unused where there is a test folder.
    seed : of the split.
    on_error, progress : see `evoscope.data.files.Reading`.

    Raises
    ------
    EvoscopeError
        A folder is missing or holds no images, a train class is empty, a test class is unknown, or files
        cannot be decoded (all are listed).
    """
    _check_arguments(root, split, val_fraction)
    reading = Reading(on_error, progress)
    return open_layout(root, find_layout(root), split, reading, val_fraction, seed)


@dataclass(frozen=True)
class Layout:
    """Folders whose subfolders are the classes.

    Without ``test`` the train tree is divided; ``note`` is for the set.
    """

    train: Path | None
    test: Path | None
    note: str | None = None


def find_layout(root: Path) -> Layout:
    """Tell what the folders right below ``root`` mean."""
    names = _subfolders(root)
    tests = [name for name in TEST_FOLDERS if name in names and _subfolders(root / name)]
    note = (
        f"folders that were not read: {', '.join(f'{name}/' for name in tests[1:])}"
        if len(tests) > 1
        else None
    )
    if tests and "train" in names:
        return Layout(root / "train", root / tests[0], note)
    if tests and set(names) <= set(TEST_FOLDERS):
        return Layout(None, root / tests[0], note)
    if names == ["train"] and _subfolders(root / "train"):
        return Layout(root / "train", None)
    return Layout(root, None)


def open_layout(
    root: Path, layout: Layout, split: str, reading: Reading, val_fraction: float = 0.2, seed: int = 0
) -> ImageSet:
    """Images of one split of a tree whose layout is known; see `open_folder`."""
    tree = layout.test if split == "test" and layout.test is not None else layout.train
    if tree is None:
        raise EvoscopeError(f"{root} has no train folder", "add 'train' with one folder per class")
    scan = _scan(root, tree)
    classes = _class_names(tree, scan, layout)
    entries = scan.entries
    if layout.test is None:
        entries = _share(entries, split, val_fraction, seed)
    images = file_set(root, split, entries, classes, reading)
    if tree == layout.train and split == "train":
        counts = np.bincount(images.labels, minlength=len(classes))
        _refuse_empty(tree, [name for name, n in zip(classes, counts, strict=True) if n == 0])
    notes = [layout.note] if layout.note else []
    return replace(images, notes=(*images.notes, *notes, *scan.notes()))


@dataclass
class _Scan:
    """What lies in a class tree; ``ignored`` counts the suffixes of files that are no images."""

    entries: list[Entry] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    outside: int = 0

    def notes(self) -> list[str]:
        notes = []
        if self.ignored:
            files = "1 file" if self.ignored.total() == 1 else f"{self.ignored.total()} files"
            kinds = ", ".join(f"{suffix or 'no suffix'} {n}" for suffix, n in sorted(self.ignored.items()))
            notes.append(f"{files} without an image suffix left out ({kinds})")
        if self.outside:
            images = "1 image" if self.outside == 1 else f"{self.outside} images"
            notes.append(f"{images} outside class folders left out")
        return notes


def _scan(root: Path, tree: Path) -> _Scan:
    scan = _Scan()
    for path in _files(tree):
        below = path.relative_to(tree)
        if path.suffix.lower() not in SUFFIXES:
            scan.ignored[path.suffix.lower()] += 1
        elif len(below.parts) == 1:
            scan.outside += 1
        else:
            relative = path.relative_to(root).as_posix()
            scan.entries.append(Entry(_normal(relative), _normal(below.parts[0]), relative))
    _refuse_duplicates(tree, scan.entries)
    return scan


def _files(tree: Path) -> Iterator[Path]:
    """Visible files at any depth, through links, each folder at most once on its way down."""
    for parent, folders, files in os.walk(tree, followlinks=True):
        here = os.path.realpath(parent)
        folders[:] = [name for name in folders if not name.startswith(".") and not _loops(here, name)]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _loops(parent: str, name: str) -> bool:
    """Whether a folder is a link to one of those that lead to it."""
    return Path(parent).is_relative_to(os.path.realpath(os.path.join(parent, name)))


def _subfolders(folder: Path) -> list[str]:
    return sorted(
        entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )


def _normal(name: str) -> str:
    """Name in one Unicode form: file systems disagree on how to spell an accent."""
    return unicodedata.normalize("NFC", name)


def _class_names(tree: Path, scan: _Scan, layout: Layout) -> tuple[str, ...]:
    """Classes of the train tree (of the test tree, where there is no train tree), all with images."""
    present = {entry.label for entry in scan.entries}
    if not present:
        raise EvoscopeError(f"{tree} has no images in class folders", "put images in one folder per class")
    own = [_normal(name) for name in _subfolders(tree)]
    _refuse_odd_names(tree, own)
    if tree == layout.train or layout.train is None:
        _refuse_empty(tree, [name for name in own if name not in present])
        return tuple(sorted(own))
    known = {_normal(name) for name in _subfolders(layout.train)}
    unknown = sorted(present - known)
    if unknown:
        raise EvoscopeError(
            f"{tree} has classes that {layout.train} lacks ({listed(unknown)})",
            "rename or remove these folders, or add them to the train split",
        )
    return tuple(sorted(known))


def _share(entries: Sequence[Entry], split: str, val_fraction: float, seed: int) -> list[Entry]:
    """Part of a divided tree: of each class the first by seeded hash are tested, the others trained on."""
    by_class: dict[str, list[Entry]] = {}
    # Written in ASCII, as a name that is not valid UTF-8 is refused only later, with all others.
    for entry in sorted(entries, key=lambda entry: derive(seed, "split", ascii(entry.id))):
        by_class.setdefault(entry.label, []).append(entry)
    chosen = []
    for members in by_class.values():
        tested = min(len(members) - 1, int(np.ceil(len(members) * val_fraction - 1e-9)))
        chosen += members[:tested] if split == "test" else members[tested:]
    return chosen


def _refuse_empty(tree: Path, empty: Sequence[str]) -> None:
    if empty:
        raise EvoscopeError(
            f"{len(empty)} class folders of {tree} have no usable images for training ({listed(empty)})",
            "add images to them or remove them",
        )


def _refuse_odd_names(tree: Path, classes: Sequence[str]) -> None:
    odd = [ascii(name) for name in classes if not is_utf8(name)]
    if odd:
        raise EvoscopeError(
            f"{tree} has class folders whose names are not UTF-8 ({listed(odd)})", "rename them"
        )


def _refuse_duplicates(tree: Path, entries: Sequence[Entry]) -> None:
    twice = sorted(name for name, n in Counter(entry.id for entry in entries).items() if n > 1)
    if twice:
        raise EvoscopeError(
            f"{tree} has files whose names differ only in Unicode spelling ({listed(twice)})",
            "rename one of each",
        )


def _check_arguments(root: Path, split: str, val_fraction: float) -> None:
    if not root.is_dir():
        raise EvoscopeError(f"there is no folder {root}", "give the folder that holds one folder per class")
    if split not in ("train", "test"):
        raise EvoscopeError(f"split {split!r} is unknown", "choose 'train' or 'test'")
    if not 0 <= val_fraction < 1:
        raise EvoscopeError(f"val_fraction {val_fraction} is impossible", "give a share in [0, 1)")
