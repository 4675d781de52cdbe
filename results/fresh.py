"""Which figures and tables of a folder are still those that would be drawn now.

A result is decided by the keys of its exhibits (which name their content), what captions say about the job, and the
source of this package and of the drawing functions. `Drawn` keeps a digest of these for every result, with checksums
of its files, in ``drawn.json``; a result whose digest or file differs is drawn again, the others are left alone.
The commit of the code is stamped into the files but not part of the digest: it alone changes no picture.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path

import evoscope
from results.about import About
from results.manifest import Entry

RECORD = "drawn.json"
HERE = Path(__file__).resolve().parent
# What decides a picture besides its exhibits: this package, the published numbers, the drawing functions.
SOURCES = (
    (HERE, "*.py"),
    (HERE / "reference", "*"),
    (Path(evoscope.__file__).parent / "viz", "*"),
)
LIBRARIES = ("matplotlib", "pandas", "pillow")


@cache
def sources() -> str:
    """Digest of the code that draws and of the versions of the libraries it draws with."""
    digest = hashlib.sha256(",".join(metadata.version(name) for name in LIBRARIES).encode())
    for folder, pattern in SOURCES:
        for path in sorted(path for path in folder.glob(pattern) if path.is_file()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def stamp(entry: Entry, keys: Mapping[str, str], about: About) -> str:
    """Digest of all that decides a result.

    Parameters
    ----------
    entry : the result; keys : key of the artefact behind every exhibit it reads; about : what its caption says.
    """
    facts = {name: value for name, value in asdict(about).items() if name != "commit"}
    exhibits = {name: keys[name] for name in entry.reads}
    text = json.dumps([entry.id, exhibits, facts, sources()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Drawn:
    """What is known about the results in ``folder``; an unreadable record counts as none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = _record(folder / RECORD)

    def fresh(self, entry: Entry, stamp: str) -> bool:
        """Whether all files of the result are there, unchanged, and were drawn under ``stamp``."""
        known = self._known.get(entry.id)
        if not isinstance(known, dict) or known.get("stamp") != stamp:
            return False
        return known.get("files") == {name: _digest(self._folder / name) for name in entry.outputs}

    def note(self, entry: Entry, stamp: str, paths: Sequence[Path]) -> None:
        """Remember that the result was drawn just now."""
        files = {path.name: _digest(path) for path in paths}
        self._known[entry.id] = {"stamp": stamp, "files": files}
        text = json.dumps(self._known, indent=1, sort_keys=True)
        (self._folder / RECORD).write_text(text + "\n", encoding="utf-8")


def _record(path: Path) -> dict[str, object]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
