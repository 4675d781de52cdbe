"""Image files on disk as an `ImageSet`: inspected, fingerprinted, and read when they are needed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from evoscope.arrays import Bytes
from evoscope.data.decode import decode_file, fault, offenders, reason
from evoscope.data.images import SQUASH, Fit, ImageSet, digest
from evoscope.data.threads import in_threads
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent

OnError = Literal["raise", "skip"]
Fingerprint = Literal["auto", "content", "sizes"]
Check = Literal["auto"] | bool

_CHECKED_AT_MOST = 20_000
_HASHED_BELOW = 2**30


@dataclass(frozen=True)
class Entry:
    """One image file: its id, the name of its class, and its path below the root."""

    id: str
    label: str
    path: str


@dataclass(frozen=True)
class Reading:
    """How files are opened.

    ``on_error``: ``raise`` one error that lists every undecodable file, or ``skip`` them with a note.
    ``fingerprint``: of ``content``, or of names and ``sizes``; ``auto`` is content below 1 GiB in all.
    ``check``: decode every file at once; ``auto`` does so up to 20,000 files and whenever files are to be
    skipped. A file that was not checked and turns out bad raises when it is read.
    """

    on_error: OnError = "raise"
    fingerprint: Fingerprint = "auto"
    check: Check = "auto"
    progress: Progress = silent


@dataclass(frozen=True)
class FileSource:
    """`ImageSource` over files below a folder.

    Reading it from several threads is safe and, as decoding releases the interpreter's lock, worth while.
    """

    root: Path
    files: tuple[str, ...]
    thread_safe: ClassVar[bool] = True

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """File ``index`` as uint8 [pixels, pixels, 3]; `EvoscopeError` when it cannot be decoded."""
        return decode_file(self.root / self.files[index], pixels, fit)


def file_set(
    root: Path, split: str, entries: Sequence[Entry], class_names: tuple[str, ...], reading: Reading
) -> ImageSet:
    """Files as an `ImageSet` in the order of their ids.

    Raises
    ------
    EvoscopeError
        An option is unknown, files cannot be decoded and are not to be skipped, or none is left.
    """
    _check_options(reading)
    ordered = sorted(entries, key=lambda entry: entry.id)
    found = _inspect(root, split, ordered, reading)
    kept = [entry for entry, seen in zip(ordered, found, strict=True) if seen.fault is None]
    stamps = [seen.stamp for seen in found if seen.fault is None]
    faults = {
        entry.id: seen.fault for entry, seen in zip(ordered, found, strict=True) if seen.fault is not None
    }
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
        fingerprint=_fingerprint(class_names, kept, stamps),
        notes=_notes(faults, len(found), _checks(len(found), reading)),
    )


@dataclass(frozen=True)
class _Inspection:
    stamp: str
    fault: str | None


def _inspect(root: Path, split: str, entries: Sequence[Entry], reading: Reading) -> list[_Inspection]:
    hashes = _hashes([root / entry.path for entry in entries], reading)
    inspect = partial(_inspection, root=root, hashes=hashes, checks=_checks(len(entries), reading))
    what = f"checking {root.resolve().name} {split}"
    return list(reading.progress(in_threads(inspect, entries), total=len(entries), what=what, unit="file"))


def _inspection(entry: Entry, root: Path, hashes: bool, checks: bool) -> _Inspection:
    path = root / entry.path
    if not is_utf8(entry.id):
        return _Inspection("", "its name is not valid UTF-8")
    if not path.is_file():
        return _Inspection("", "neither a file nor a link to one")
    try:
        content = path.read_bytes() if hashes or checks else b""
        stamp = hashlib.sha256(content).hexdigest() if hashes else str(path.stat().st_size)
    except OSError as error:
        return _Inspection("", reason(error))
    return _Inspection(stamp, fault(content) if checks else None)


def is_utf8(name: str) -> bool:
    """Whether a file name can be written as text; on Linux any bytes may be a name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _hashes(paths: Sequence[Path], reading: Reading) -> bool:
    if reading.fingerprint != "auto":
        return reading.fingerprint == "content"
    return sum(path.stat().st_size for path in paths if path.is_file()) < _HASHED_BELOW


def _checks(count: int, reading: Reading) -> bool:
    if reading.check != "auto":
        return reading.check
    return count <= _CHECKED_AT_MOST or reading.on_error == "skip"


def _fingerprint(class_names: tuple[str, ...], entries: Sequence[Entry], stamps: Sequence[str]) -> str:
    lines = (
        text for entry, stamp in zip(entries, stamps, strict=True) for text in (entry.id, entry.label, stamp)
    )
    return digest("files", str(len(class_names)), *class_names, *lines)


def _refuse(root: Path, split: str, faults: dict[str, str], kept: int, reading: Reading) -> None:
    if faults and reading.on_error == "raise":
        raise EvoscopeError(
            f"{len(faults)} of {len(faults) + kept} {split} images in {root} cannot be decoded",
            f"mend or remove them, or open the data with on_error='skip'\n{offenders(faults)}",
        )
    if not kept:
        why = f"\n{offenders(faults)}" if faults else ""
        raise EvoscopeError(
            f"the {split} split in {root} has no images", f"add images to its class folders{why}"
        )


def _notes(faults: dict[str, str], total: int, checked: bool) -> tuple[str, ...]:
    notes = [] if checked else [f"the {total} files were not decoded beforehand"]
    if faults:
        notes.append(f"{len(faults)} of {total} files dropped, undecodable:\n{offenders(faults)}")
    return tuple(notes)


def _check_options(reading: Reading) -> None:
    options = (
        ("on_error", reading.on_error, ("raise", "skip")),
        ("fingerprint", reading.fingerprint, ("auto", "content", "sizes")),
        ("check", reading.check, ("auto", True, False)),
    )
    for name, value, allowed in options:
        if value not in allowed:
            raise EvoscopeError(
                f"{name}={value!r} is unknown", f"choose one of {', '.join(map(repr, allowed))}"
            )
