"""Concept labels of somebody's own photographs: a CSV file with an image per row and a concept per column."""

import csv
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evoscope.arrays import Bools
from evoscope.data.files import listed
from evoscope.data.images import ConceptTable, ImageSet, digest
from evoscope.errors import EvoscopeError

CLASSES = "classes"
"""In ``data.concepts``: what photographs are known to show is their class."""
PRESENT, ABSENT = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no", "-1"})
_NAMED = 5
_FORM = "the first column names the image, every other is a concept, and its cells are 0 or 1"


@dataclass(frozen=True)
class ConceptLabels:
    """What a file says.

    ``path``: of the file; ``names``: of the concepts; ``images``: as the rows name them; ``present``: bool [rows,
    concepts].
    """

    path: Path
    names: tuple[str, ...]
    images: tuple[str, ...]
    present: Bools

    def of(self, *sets: ImageSet) -> "MatchedLabels":
        """Find the images that the rows are about: by id, by the end of one (``cat/1.jpg``), or by a whole path.

        Raises
        ------
        EvoscopeError : a row fits several images, several rows are about one, or no row is about any.
        """
        ids = [name for images in sets for name in images.ids]
        found, strangers = _matched(self, ids)
        if not found:
            raise EvoscopeError(
                f"no image in {self.path} is one of {sets[0].name} ({listed(strangers, 3)})",
                f"name them as they lie below the data's folder, as in {ids[0]}",
            )
        return MatchedLabels(self, found, tuple(strangers))


@dataclass(frozen=True)
class MatchedLabels:
    """Labels with the images they are about: ``rows``: id to row of the file; ``strangers``: rows about no image."""

    labels: ConceptLabels
    rows: dict[str, int]
    strangers: tuple[str, ...]

    def on(self, images: ImageSet) -> ImageSet:
        """The set with its concepts, in the order of its images; its fingerprint covers the labels.

        Raises
        ------
        EvoscopeError : an image has no row.
        """
        bare = [name for name in images.ids if name not in self.rows]
        if bare:
            raise EvoscopeError(
                f"{len(bare)} of {len(images)} {images.split} images have no row in {self.labels.path} "
                f"({listed(bare, _NAMED)})",
                "add their rows, or leave these images out",
            )
        at = np.array([self.rows[name] for name in images.ids], dtype=np.int64)
        names, present = self.labels.names, self.labels.present[at]
        marks = digest(images.fingerprint, "concepts", *names, np.packbits(present).tobytes().hex())
        table = ConceptTable(names, present)
        return replace(images, concepts=table, fingerprint=marks, notes=(*images.notes, *self._notes()))

    def _notes(self) -> tuple[str, ...]:
        if not self.strangers:
            return ()
        rows = "1 row" if len(self.strangers) == 1 else f"{len(self.strangers)} rows"
        are = "is" if len(self.strangers) == 1 else "are"
        named = listed(self.strangers, _NAMED)
        return (f"{rows} of {self.labels.path.name} {are} about no image: {named}",)


def with_classes(images: ImageSet) -> ImageSet:
    """The set with its classes as concepts, unless it says more of its images already."""
    if images.concepts is not None:
        return images
    present = images.labels[:, None] == np.arange(len(images.class_names))
    table = ConceptTable(images.class_names, present)
    return replace(images, concepts=table, fingerprint=digest(images.fingerprint, CLASSES))


def read_labels(path: Path) -> ConceptLabels:
    """Read a file of labels, separated by comma, semicolon or tab.

    Cells are 0 or 1; true and false, yes and no, and -1 for 0 (as CelebA has it) are understood.

    Raises
    ------
    EvoscopeError : the file cannot be read, has no concept or no row, names twice, or a cell that is neither 0 nor 1.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            mark = max(",;\t", key=first.count)
            rows = [row for row in csv.reader(file, delimiter=mark) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvoscopeError(f"data.concepts={path} cannot be read ({error})", "give a CSV file in UTF-8") from error
    if len(rows) < 2 or len(rows[0]) < 2:
        raise EvoscopeError(f"data.concepts={path} has no concepts or no images", _FORM)
    names = tuple(name.strip() for name in rows[0][1:])
    _refuse_names(path, names)
    present = np.zeros((len(rows) - 1, len(names)), dtype=bool)
    for number, row in enumerate(rows[1:]):
        if len(row) != len(rows[0]):
            raise EvoscopeError(
                f"row {number + 2} of {path} has {len(row)} cells, but there are {len(rows[0])} columns", _FORM
            )
        present[number] = [_flag(path, row[0], *cell) for cell in zip(names, row[1:], strict=True)]
    return ConceptLabels(path, names, tuple(row[0] for row in rows[1:]), present)


def _flag(path: Path, image: str, concept: str, cell: str) -> bool:
    value = cell.strip().lower()
    if value not in PRESENT | ABSENT:
        raise EvoscopeError(f"{path} says {cell!r} of {image!r} and concept {concept!r}", "write 0 or 1")
    return value in PRESENT


def _refuse_names(path: Path, names: Sequence[str]) -> None:
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice or "" in names:
        what = f"concept {twice[0]!r} twice" if twice and twice[0] else "a concept without a name"
        raise EvoscopeError(f"{path} has {what}", _FORM)


def _matched(labels: ConceptLabels, ids: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Row of each image that has one, and the rows' names that are no image's."""
    known, ends = set(ids), _ends(ids, {name.count("/") for name in map(_spelled, labels.images)})
    rows: dict[str, int] = {}
    strangers = []
    for row, name in enumerate(labels.images):
        fits = [spelled] if (spelled := _spelled(name)) in known else ends.get(spelled) or _parents(spelled, known)
        if not fits:
            strangers.append(name)
            continue
        if len(fits) > 1:
            raise EvoscopeError(
                f"{name!r} in {labels.path} may be {listed(fits, 3)}", "write the path below the data's folder"
            )
        if fits[0] in rows:
            raise EvoscopeError(f"{labels.path} has two rows for {fits[0]}", "leave one out")
        rows[fits[0]] = row
    return rows, strangers


def _ends(ids: Iterable[str], depths: set[int]) -> dict[str, list[str]]:
    """Ids by the last parts of their paths, for paths of these depths."""
    found: dict[str, list[str]] = {}
    for name in ids:
        parts = name.split("/")
        for depth in depths:
            if depth + 1 < len(parts):
                found.setdefault("/".join(parts[-depth - 1 :]), []).append(name)
    return found


def _parents(name: str, known: set[str]) -> list[str]:
    """The id that a longer path ends with (``/home/me/photos/train/cat/1.jpg``)."""
    parts = name.split("/")
    ends = ("/".join(parts[start:]) for start in range(1, len(parts)))
    return [end for end in ends if end in known][:1]


def _spelled(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip().replace("\\", "/").removeprefix("./"))
