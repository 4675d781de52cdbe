"""Any class-folder tree: one folder per class, with or without train and test folders above."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from evoscope.data.files import PLAIN, SUFFIXES, Entry, FileSource, Reading, file_set, is_hashed, is_utf8, listed
from evoscope.data.images import ImageSet
from evoscope.data.listing import Listing, recall, remember
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive

# Left behind by tools and systems; hidden entries are passed over anyway.
JUNK = frozenset({"__macosx", "__pycache__", "@eadir", "lost+found", "$recycle.bin", "system volume information"})
TRAIN_WORDS = ("train", "training")
# In the order in which they are preferred.
TEST_WORDS = ("test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation", "holdout")
# Words that may stand beside them: train_set, TestImages, seg_train.
_AFFIXES = frozenset({"set", "data", "dataset", "split", "image", "images", "img", "imgs", "seg"})


def open_folder(root: Path, split: str, val_fraction: float = 0.2, seed: int = 0, reading: Reading = PLAIN) -> ImageSet:
    """Images of ``root/{train,test}/<class>/**`` or of ``root/<class>/**``.

    The folders of the splits are found by `find_layout`. Ids are paths below ``root`` with forward slashes, in
    Unicode normal form C; classes and images are sorted by code point. Without a test folder that has class
    folders ``val_fraction`` of each class goes to the test split, chosen by a seeded hash of the id, so that
    adding a file moves few others. Hidden entries and what systems leave behind (`JUNK`) are passed over; files
    without an image suffix, images outside class folders and folders that are not read are told in the notes.
    The test split has the class list of the train split and may lack some.

    Parameters
    ----------
    root : folder of the tree.
    split : ``train`` or ``test``.
    val_fraction : share of each class in the test split, in [0, 1); unused where there is a test folder.
    seed : of the split.
    reading : how files are opened.

    Raises
    ------
    EvoscopeError
        A folder is missing or holds no images, a train class is empty, a test class is unknown, it is not clear
        which folders are splits and which classes, or files cannot be decoded (all are listed).
    """
    if not root.is_dir():
        raise EvoscopeError(f"there is no folder {root}", "give the folder that holds one folder per class")
    if split not in ("train", "test"):
        raise EvoscopeError(f"split {split!r} is unknown", "choose 'train' or 'test'")
    if not 0 <= val_fraction < 1:
        raise EvoscopeError(f"val_fraction {val_fraction} is impossible", "give a share in [0, 1)")
    return open_layout(root, find_layout(root), split, reading, val_fraction, seed)


@dataclass(frozen=True)
class Layout:
    """Folders whose subfolders are the classes.

    Without ``test`` the train tree is divided; ``aside``: subfolders of the train tree that are no classes;
    ``notes`` are for the set.
    """

    train: Path | None
    test: Path | None
    aside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def find_layout(root: Path) -> Layout:
    """Tell what the folders right below ``root`` mean.

    Train and test folders are known by `TRAIN_WORDS` and `TEST_WORDS` in any case, with a word such as ``set`` or
    ``images`` beside them, or in a pair (``flowers_train``, ``flowers_test``). A test folder without class folders,
    or with one of no known class (Kaggle's ``test/test``), is left aside and never is a class. A lone folder around
    all others is entered.

    Raises
    ------
    EvoscopeError : train and test folders without class folders, several train folders, or a folder that may be a
        split as well as a class.
    """
    top = _entered(root)
    names = _subfolders(top)
    roles = {name: role for name in names if (role := _role(name, names)) is not None}
    trains = [name for name in roles if roles[name] in TRAIN_WORDS and _subfolders(top / name)]
    tests = sorted(
        (name for name in roles if roles[name] in TEST_WORDS), key=lambda name: TEST_WORDS.index(roles[name])
    )
    others = [name for name in names if name not in trains and name not in tests]
    if len(trains) > 1:
        raise EvoscopeError(f"{top} has several train folders ({listed(trains)})", "keep one, or give it as data.root")
    _refuse_flat(top, trains, tests, others, roles)
    if tests and not trains and not others:
        inner = [top / name for name in tests if _subfolders(top / name)]
        unread = [name for name in tests if top / name != inner[0]]
        return Layout(None, _within(inner[0]), notes=_unread(unread))
    train = _within(top / trains[0]) if trains else top
    classes = {_normal(name) for name in _subfolders(train)} - (set() if trains else set(tests))
    test = next((place for name in tests if (place := _test_tree(top / name, classes)) is not None), None)
    left = [name for name in tests if test is None or not test.is_relative_to(top / name)]
    aside = () if trains else tuple(tests)
    return Layout(train, test, aside, _unread(left + (others if trains else [])))


def _unread(names: Sequence[str]) -> tuple[str, ...]:
    return (f"folders that were not read: {', '.join(f'{name}/' for name in names)}",) if names else ()


def _role(name: str, siblings: Sequence[str]) -> str | None:
    """The split that a folder's name speaks of, as a word of `TRAIN_WORDS` or `TEST_WORDS`."""
    word, rest = _split_word(name)
    if word is None or rest <= _AFFIXES:
        return word
    train = word in TRAIN_WORDS
    for sibling in siblings:
        other, beside = _split_word(sibling)
        if other is not None and beside == rest and (other in TRAIN_WORDS) != train:
            return word
    return None


def _split_word(name: str) -> tuple[str | None, frozenset[str]]:
    """The one word of a name that speaks of a split, and its other words."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.findall(r"[^\W\d_]+", spaced.lower())
    found = [word for word in words if word in (*TRAIN_WORDS, *TEST_WORDS)]
    return (found[0] if len(found) == 1 else None), frozenset(words) - frozenset(found)


def _entered(root: Path) -> Path:
    """The folder that holds the splits or classes: the root, or where a chain of lone folders (``archive/``) ends."""
    folder = root
    while len(names := _subfolders(folder)) == 1 and _role(names[0], ()) is None and not _images_in(folder):
        folder = folder / names[0]
    several = len(names) > 1 and not _images_in(folder)
    return folder if several or any(_role(name, names) for name in names) else root


def _within(split: Path) -> Path:
    """The folder of a split, or the lone one in it of its name (``seg_train/seg_train/``) or called ``images``."""
    names = _subfolders(split)
    if len(names) != 1 or _images_in(split):
        return split
    word, rest = _split_word(names[0])
    same = names[0] == split.name or (word is not None and word == _role(split.name, ()))
    inner = split / names[0]
    return inner if (same or (word is None and rest <= _AFFIXES)) and _subfolders(inner) else split


def _images_in(folder: Path) -> bool:
    """Whether images lie right in the folder."""
    with os.scandir(folder) as entries:
        return any(os.path.splitext(entry.name)[1].lower() in SUFFIXES for entry in entries if entry.is_file())


def _test_tree(folder: Path, classes: set[str]) -> Path | None:
    """The folder whose subfolders are classes, or None where it has none, or a single one that is unknown."""
    tree = _within(folder)
    own = {_normal(name) for name in _subfolders(tree)}
    return tree if own & classes or len(own) > 1 else None


def _refuse_flat(
    top: Path, trains: Sequence[str], tests: Sequence[str], others: Sequence[str], roles: Mapping[str, str]
) -> None:
    """Refuse splits without classes, and a folder that may be a split as well as a class."""
    with_classes = [name for name in tests if _subfolders(top / name)]
    flat = [name for name in roles if name not in trains and name not in with_classes]
    splits = not trains and all(name in roles for name in others) and (others or not with_classes)
    if splits and any(_images_in(top / name) for name in flat):
        raise EvoscopeError(
            f"the images in {', '.join(f'{name}/' for name in flat)} of {top} are in no class folders",
            "put them in one folder per class, as in train/cat/1.jpg",
        )
    strangers = [name for name in others if name not in roles and _images_in(top / name)]
    if trains and not tests and strangers:
        raise EvoscopeError(
            f"{top} has class folders in {trains[0]}/ and images in {listed(strangers)}/ beside it",
            f"give {top / trains[0]} as data.root, or put all classes in one place",
        )


def open_layout(
    root: Path, layout: Layout, split: str, reading: Reading, val_fraction: float = 0.2, seed: int = 0
) -> ImageSet:
    """Images of one split of a tree whose layout is known; see `open_folder`."""
    tree = layout.test if split == "test" and layout.test is not None else layout.train
    if tree is None:
        raise EvoscopeError(f"{root} has no train folder", "add 'train' with one folder per class")
    where = listing_name(root, layout, split, reading, val_fraction, seed)
    kept = recall(reading.listings, where, root) if reading.listings else None
    if kept is not None:
        source, rows = FileSource(root, kept.files), np.arange(len(kept.ids), dtype=np.int64)
        told = (kept.class_names, kept.ids, kept.labels, rows, source, kept.fingerprint, None, kept.notes)
        return ImageSet(root.resolve().name, split, *told)
    scan = _scan(root, tree, layout.aside if tree == layout.train else ())
    classes = _class_names(tree, scan, layout)
    entries = scan.entries
    if layout.test is None:
        entries = _share(entries, split, val_fraction, seed)
    images = file_set(root, split, entries, classes, reading)
    if tree == layout.train and split == "train":
        counts = np.bincount(images.labels, minlength=len(classes))
        _refuse_empty(tree, [name for name, n in zip(classes, counts, strict=True) if n == 0])
    alone = (f"all images are of one class ({classes[0]})",) if len(classes) == 1 else ()
    images = replace(images, notes=(*images.notes, *alone, *layout.notes, *scan.notes()))
    if reading.listings and not is_hashed(root, entries):
        folders = [str(root), *scan.folders, *([str(layout.train)] if layout.train else [])]
        assert isinstance(images.source, FileSource)
        files, names = images.source.files, images.class_names
        found = Listing(images.ids, files, images.labels, names, images.fingerprint, images.notes)
        remember(reading.listings, where, root, folders, found)
    return images


def listing_name(
    root: Path, layout: Layout, split: str, reading: Reading, val_fraction: float = 0.2, seed: int = 0
) -> list[str]:
    """What decides a listing, besides what lies in the folders."""
    return [str(root.resolve()), repr(layout), split, str(val_fraction), str(seed), reading.on_error]


@dataclass
class _Scan:
    """What lies in a class tree; ``ignored`` counts the suffixes of files that are no images; ``folders``: walked."""

    entries: list[Entry] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
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


def _scan(root: Path, tree: Path, aside: Sequence[str]) -> _Scan:
    scan = _Scan()
    for folder, names in _walked(tree, aside):
        scan.folders.append(folder)
        inside, below = Path(folder).relative_to(root).as_posix(), Path(folder).relative_to(tree).parts
        label = _normal(below[0]) if below else None
        for name in names:
            suffix = os.path.splitext(name)[1].lower()
            if suffix not in SUFFIXES:
                scan.ignored[suffix] += 1
            elif label is None:
                scan.outside += 1
            else:
                relative = f"{inside}/{name}"
                scan.entries.append(Entry(_normal(relative), label, relative))
    twice = sorted(name for name, n in Counter(entry.id for entry in scan.entries).items() if n > 1)
    if twice:
        raise EvoscopeError(
            f"{tree} has files whose names differ only in Unicode spelling ({listed(twice)})", "rename one of each"
        )
    return scan


def _walked(tree: Path, aside: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Folders at any depth with their visible files, through links, each folder at most once on its way down."""
    for parent, folders, files in os.walk(tree, followlinks=True):
        here = os.path.realpath(parent)
        left = aside if Path(parent) == tree else ()
        folders[:] = [name for name in folders if _visible(name) and name not in left and not _loops(here, name)]
        yield parent, [name for name in files if not name.startswith(".")]


def _loops(parent: str, name: str) -> bool:
    """Whether a folder is a link to one of those that lead to it."""
    return Path(parent).is_relative_to(os.path.realpath(os.path.join(parent, name)))


def _subfolders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and _visible(entry.name))


def _visible(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in JUNK


def _normal(name: str) -> str:
    """Name in one Unicode form: file systems disagree on how to spell an accent."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _class_names(tree: Path, scan: _Scan, layout: Layout) -> tuple[str, ...]:
    """Classes of the train tree (of the test tree, where there is no train tree), all with images."""
    present = {entry.label for entry in scan.entries}
    if not present:
        raise EvoscopeError(f"{tree} has no images in class folders", "put images in one folder per class")
    own = [_normal(name) for name in _subfolders(tree) if tree != layout.train or name not in layout.aside]
    odd = [ascii(name) for name in own if not is_utf8(name)]
    if odd:
        raise EvoscopeError(f"{tree} has class folders whose names are not UTF-8 ({listed(odd)})", "rename them")
    if tree == layout.train or layout.train is None:
        _refuse_empty(tree, [name for name in own if name not in present])
        return tuple(sorted(own))
    known = {_normal(name) for name in _subfolders(layout.train) if name not in layout.aside}
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
