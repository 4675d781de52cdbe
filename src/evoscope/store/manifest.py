"""The manifest of an artefact: what it was made from and the checksums of what was made."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import evoscope
from evoscope.store.hashing import JSON, canonical_digest, digest_file, files_under, pretty
from evoscope.store.node import FORMAT

MANIFEST = "manifest.json"
RUN = "run.json"
RESERVED = frozenset({MANIFEST, RUN})
IDENTITY = ("format", "stage", "version", "config", "inputs", "data", "seed")

Manifest: TypeAlias = dict[str, Any]
State: TypeAlias = Literal["ok", "damaged", "unreadable", "foreign"]


class Verdict(NamedTuple):
    """State of an artefact and, unless it is ok, what is wrong and where."""

    state: State
    detail: str = ""


def seal(folder: Path, identity: dict[str, JSON]) -> None:
    """Write the manifest of the payload in ``folder``.

    Raises
    ------
    ValueError : the payload has a link or something else that is no plain file; a program error of the build.
    """
    names = payload_names(folder)
    for name in names:
        if (folder / name).is_symlink() or not (folder / name).is_file():
            raise ValueError(f"'{folder / name}' is not a plain file; a payload must hold its own bytes")
    checksums = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": digest_file(folder / name)} for name in names
    }
    (folder / MANIFEST).write_bytes(pretty({**identity, "files": checksums}))


def payload_names(folder: Path) -> list[str]:
    """Relative names of the files that checksums cover."""
    return [name for name in files_under(folder) if name not in RESERVED]


def read_manifest(folder: Path) -> Manifest:
    """Manifest of an artefact, as it stands.

    Raises
    ------
    OSError : there is none. ValueError : it is no JSON object, or not spelled as this library spells it
    (truncated, edited).
    """
    content = (folder / MANIFEST).read_bytes()
    document = json.loads(content)
    if not isinstance(document, dict) or pretty(document) != content:
        raise ValueError("not as it was written")
    return document


def content_digest(folder: Path) -> str:
    """Hex SHA-256 of the names and checksums of an artefact's files; "" where there is no readable manifest."""
    try:
        return canonical_digest(read_manifest(folder).get("files"))
    except (OSError, ValueError, RecursionError):
        return ""


def inspect(folder: Path, *, contents: bool) -> Verdict:
    """Whether an artefact is what its folder name (the key) promises.

    Always compares the manifest with the key and the names and sizes of the files with the manifest; with
    ``contents`` also every SHA-256. Files this manifest does not know are damage too: a reader that lists the
    folder would take them for part of the artefact.
    """
    try:
        manifest = read_manifest(folder)
    except (OSError, ValueError, RecursionError) as error:
        return Verdict("unreadable", f"'{folder / MANIFEST}' cannot be read ({error})")
    if manifest.get("format") != FORMAT:
        return Verdict("foreign", f"'{folder}' has format {manifest.get('format')}; this version writes {FORMAT}")
    identity = {name: manifest[name] for name in IDENTITY if name in manifest}
    if canonical_digest(identity) != folder.name or identity["stage"] != folder.parent.name:
        return Verdict("damaged", f"'{folder / MANIFEST}' does not belong to this key")
    wrong = _wrong_file(folder, manifest.get("files"), contents)
    return Verdict("damaged", wrong) if wrong else Verdict("ok")


def _wrong_file(folder: Path, files: object, contents: bool) -> str:
    """First file that differs from the manifest, in words; empty when there is none."""
    if not isinstance(files, dict):
        return f"'{folder / MANIFEST}' lists no files"
    present = set(payload_names(folder))
    for name in sorted(files.keys() | present):
        fault = _fault(folder / name, files.get(name), name in present, contents)
        if fault:
            return f"'{folder / name}' {fault}"
    return ""


def _fault(path: Path, expected: object, present: bool, contents: bool) -> str:
    if not isinstance(expected, dict):
        return "is not in the manifest"
    if not present:
        return "is missing"
    try:
        if path.stat().st_size != expected.get("bytes"):
            return f"has {path.stat().st_size} bytes instead of {expected.get('bytes')}"
        if contents and digest_file(path) != expected.get("sha256"):
            return "has other contents than were written (checksum differs)"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""


LIBRARIES = ("numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "torch", "torchvision", "numba", "umap-learn")


@cache
def library_versions() -> dict[str, str]:
    """Versions of Python, of this package and of the libraries that compute; absent ones are left out."""
    found = {"python": platform.python_version(), "evoscope": evoscope.__version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def git_commit() -> str | None:
    """Commit of the checkout this package lies in, ``-dirty`` when files differ; None outside one."""
    folder = Path(evoscope.__file__).parent
    if {"site-packages", "dist-packages"} & set(folder.parts):
        return None
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def peak_memory_bytes() -> int | None:
    """Most memory this process has held so far, whatever it did; None where the system does not tell."""
    status = Path("/proc/self/status")  # Linux; its getrusage would count the parent process too
    if status.exists():
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        return int(line.split()[1]) * 1024 if line else None
    if sys.platform == "win32":
        return None
    import resource  # absent on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def write_run(
    folder: Path, made_by: Mapping[str, JSON], *, label: str, started: float, seconds: float, resumed: bool
) -> None:
    """Write run.json.

    Parameters
    ----------
    made_by : ``code``, digest of the source; ``made_from``, digests of the inputs' contents by role.
    started : seconds since 1970; seconds : of computing, interrupted calls left out.
    """
    versions: dict[str, JSON] = dict(library_versions())
    record: dict[str, JSON] = {
        **made_by,
        "label": label,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "resumed": resumed,
        "process_peak_memory_bytes": peak_memory_bytes(),
        "git_commit": git_commit(),
        "libraries": versions,
    }
    (folder / RUN).write_bytes(pretty(record))


def read_run(folder: Path) -> dict[str, JSON]:
    """Read the record of an artefact; an empty one if it is damaged, for nothing depends on it."""
    try:
        record = json.loads((folder / RUN).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
