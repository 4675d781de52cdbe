"""Listings of large folders of images, kept so that a million files need not be looked at for every command.

A listing counts while each folder that was walked has its time of change, and a sample of the files its size and
time: files that come, go or are renamed change their folder. It is kept for sets that are so large that their files
are told by name and size alone (`evoscope.data.files`); of smaller ones every byte is read anyway.
"""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from evoscope.arrays import Bytes, Ints
from evoscope.data.images import digest
from evoscope.seeds import generator

VERSION = 1
PROBES = 500
# File systems stamp with a granularity of up to two seconds, so what changed just now may change again unseen.
_SETTLED = 2.0


@dataclass(frozen=True)
class Listing:
    """What was found: ids, paths below the root, labels (int64), names of the classes, fingerprint and notes."""

    ids: tuple[str, ...]
    files: tuple[str, ...]
    labels: Ints
    class_names: tuple[str, ...]
    fingerprint: str
    notes: tuple[str, ...]


def recall(kept: Path, where: Sequence[str], root: Path) -> Listing | None:
    """The listing kept for ``where``, or None where there is none, it cannot be read, or something changed since."""
    try:
        with np.load(_file(kept, where), allow_pickle=False) as arrays:
            told = json.loads(bytes(arrays["told"]))
            if told["version"] != VERSION or told["where"] != list(where) or not _holds(told, root):
                return None
            ids, files = _texts(arrays["ids"]), _texts(arrays["files"])
            labels = arrays["labels"].astype(np.int64)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    names = tuple(told["class_names"])
    return Listing(ids, files or ids, labels, names, told["fingerprint"], tuple(told["notes"]))


def remember(kept: Path, where: Sequence[str], root: Path, folders: Sequence[str], found: Listing) -> None:
    """Keep a listing; not where a folder changed just now, or the place cannot be written."""
    try:
        times = {folder: os.stat(folder).st_mtime_ns for folder in folders}
        probes = {name: _stamp(root / name) for name in probed(found.files)}
        if max(times.values()) / 1e9 > time.time() - _SETTLED:
            return
        told = {
            **{"version": VERSION, "where": list(where), "folders": times, "probes": probes},
            **{"class_names": found.class_names, "fingerprint": found.fingerprint, "notes": found.notes},
        }
        _write(_file(kept, where), told, found)
    except (OSError, UnicodeEncodeError):
        return


def probed(files: Sequence[str]) -> list[str]:
    """The sampled files."""
    chosen = generator(0, "probes").choice(len(files), min(PROBES, len(files)), replace=False)
    return [files[index] for index in chosen]


def _write(path: Path, told: dict[str, object], found: Listing) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    with open(partial, "wb") as file:
        np.savez(
            file,
            told=np.frombuffer(json.dumps(told).encode(), dtype=np.uint8),
            ids=_packed(found.ids),
            files=_packed(() if found.files == found.ids else found.files),
            labels=found.labels.astype(np.int32),
        )
    os.replace(partial, path)


def _file(kept: Path, where: Sequence[str]) -> Path:
    return kept / f"{digest(*where)}.npz"


def _holds(told: dict[str, dict[str, object]], root: Path) -> bool:
    """Whether all folders and the sampled files are as they were."""
    folders = all(os.stat(folder).st_mtime_ns == changed for folder, changed in told["folders"].items())
    return folders and all(_stamp(root / name) == stamp for name, stamp in told["probes"].items())


def _stamp(path: Path) -> list[int]:
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]


def _packed(names: Sequence[str]) -> Bytes:
    """Names end to end; no file's name holds a NUL."""
    return np.frombuffer("\0".join(names).encode(), dtype=np.uint8)


def _texts(packed: Bytes) -> tuple[str, ...]:
    return tuple(packed.tobytes().decode().split("\0")) if len(packed) else ()
