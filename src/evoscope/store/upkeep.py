"""Looking after a store: what is in it, whether it is sound, and what can go."""

import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent
from evoscope.store.disk import disk_trouble, locked_if_free, remove_folder
from evoscope.store.hashing import JSON, canonical, size_under
from evoscope.store.manifest import RUN, Manifest, inspect, read_manifest, read_run
from evoscope.store.node import Stage

Condition: TypeAlias = Literal["ok", "damaged", "unreadable", "foreign", "partial", "set aside", "unknown"]
LISTINGS = ".listings"
"""Folder beside the stages with listings of large sets of images; it holds nothing that a result rests on."""
_LEFTOVERS: dict[str, Condition] = {".partial-": "partial", ".damaged-": "set aside"}


@dataclass(frozen=True)
class Entry:
    """One artefact of the store.

    ``summary``: its label, or its configuration in a line; ``size``: bytes; ``seconds``: of computing (None:
    not recorded); ``age``: seconds since it was made; ``inputs``: keys by role.
    """

    stage: str
    key: str
    version: int
    config: dict[str, JSON]
    inputs: dict[str, str]
    summary: str
    size: int
    seconds: float | None
    age: float


@dataclass(frozen=True)
class Finding:
    """What `verify` found about one thing in the store; ``detail`` says what is wrong and where."""

    path: Path
    condition: Condition
    detail: str
    size: int


@dataclass(frozen=True)
class Removal:
    """Something that `prune` removed, or would remove: why, and the bytes it frees."""

    path: Path
    reason: str
    size: int


def entries(root: Path) -> list[Entry]:
    """All artefacts with a readable manifest, by stage, oldest first; contents are not checked.

    Raises
    ------
    EvoscopeError : the store is no folder.
    """
    found = [_entry(path, manifest) for path, manifest in _manifests(root)]
    return sorted(found, key=lambda entry: (entry.stage, -entry.age, entry.key))


def _entry(path: Path, manifest: Manifest) -> Entry:
    run = read_run(path)
    seconds = run.get("seconds")
    return Entry(
        stage=path.parent.name,
        key=path.name,
        version=manifest["version"],
        config=manifest["config"],
        inputs=manifest["inputs"],
        summary=str(run.get("label") or canonical(manifest["config"])[:100]),
        size=size_under(path),
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        age=_age(path),
    )


def _manifests(root: Path) -> Iterator[tuple[Path, Manifest]]:
    """Artefacts whose manifest fits their key."""
    for path in _contents(root):
        if not path.name.startswith(".") and inspect(path, contents=False).state in ("ok", "damaged"):
            try:
                manifest = read_manifest(path)
            except (OSError, ValueError):
                continue
            if {"version", "config", "inputs"} <= manifest.keys():
                yield path, manifest


def verify(root: Path, progress: Progress = silent) -> list[Finding]:
    """Check every file of every artefact against its checksum, and report whatever else lies in the store.

    Conditions: ``ok``; ``damaged`` (the detail names the file); ``unreadable`` (no readable manifest);
    ``foreign`` (another version's format); ``partial`` (an interrupted or running computation); ``set aside``
    (was found damaged before); ``unknown`` (not the store's).

    Raises
    ------
    EvoscopeError : the store is no folder.
    """
    paths = _contents(root)
    checked = progress(paths, total=len(paths), what="verify", unit="artefact")
    # a computation that ends meanwhile takes its folder away
    return [_finding(path) for path in checked if os.path.lexists(path)]


def _finding(path: Path) -> Finding:
    size = size_under(path)
    for prefix, condition in _LEFTOVERS.items():
        if path.name.startswith(prefix):
            return Finding(path, condition, f"'{path}' is {condition}", size)
    if not path.is_dir() or not re.fullmatch("[0-9a-f]{64}", path.name):
        return Finding(path, "unknown", f"'{path}' is not an artefact", size)
    verdict = inspect(path, contents=True)
    return Finding(path, verdict.state, verdict.detail, size)


def _contents(root: Path) -> list[Path]:
    """Everything in the stages but locks, and files beside the stages; nothing for a store not yet made."""
    if not root.exists():
        return []
    if not root.is_dir():
        raise EvoscopeError(f"'{root}' is not a folder", "give the folder of the store")
    found = []
    for stage in sorted(path for path in root.iterdir() if path.name != LISTINGS):
        found += sorted(stage.iterdir()) if stage.is_dir() else [stage]
    return [path for path in found if not path.name.startswith(".lock-")]


def _age(path: Path) -> float:
    """Seconds since the newest of an artefact's own files or of a leftover's files was written."""
    files = [path / RUN] if (path / RUN).exists() else [path, *path.rglob("*")]
    return time.time() - max((os.lstat(file).st_mtime for file in files if os.path.lexists(file)), default=0.0)


def prune(root: Path, *, stages: Iterable[Stage] = (), older_than: float = 0.0, dry_run: bool = False) -> list[Removal]:
    """Remove what no longer serves.

    Always: interrupted computations that nobody is running, what was set aside, damaged and unreadable
    artefacts. With ``stages`` (all there are): artefacts of a stage that is not among them or whose version
    differs, and what was made from such artefacts. Artefacts of another format and unknown files are never removed.

    Parameters
    ----------
    older_than : seconds; nothing younger is removed.
    dry_run : only tell what would be removed.

    Raises
    ------
    EvoscopeError : the store is no folder or cannot be written.
    """
    known = list(stages)
    stale = _stale(root, known) if known else {}
    reasons: dict[Path, str] = {}
    for finding in verify(root):
        if finding.condition in ("damaged", "unreadable", "partial", "set aside"):
            reasons[finding.path] = finding.detail
        elif finding.condition == "ok" and finding.path.name in stale:
            reasons[finding.path] = stale[finding.path.name]
    old = [path for path in reasons if _age(path) >= older_than]
    removals = [Removal(path, reasons[path], size_under(path)) for path in old]
    return [removal for removal in removals if dry_run or _remove(removal.path)]


def _stale(root: Path, stages: list[Stage]) -> dict[str, str]:
    """Reasons by key of artefacts that no present stage would make, or that rest on one."""
    versions = {stage.name: stage.version for stage in stages}
    manifests = {path.name: manifest for path, manifest in _manifests(root)}
    stale = {
        key: f"stage {manifest['stage']} is no longer at version {manifest['version']}"
        for key, manifest in manifests.items()
        if versions.get(manifest["stage"]) != manifest["version"]
    }
    while True:
        found = {
            key: "made from a stale artefact"
            for key, manifest in manifests.items()
            if key not in stale and not stale.keys().isdisjoint(manifest["inputs"].values())
        }
        if not found:
            return stale
        stale |= found


def _remove(path: Path) -> bool:
    """Remove a folder unless its key is in use; out of sight first, so a kill leaves no half artefact."""
    key = path.name.rpartition("-")[2]
    with disk_trouble(path), locked_if_free(path.with_name(f".lock-{key}")) as free:
        if free and os.path.lexists(path):
            doomed = path.with_name(f".damaged-{key}")
            if doomed != path:
                remove_folder(doomed)
                path.rename(doomed)
            remove_folder(doomed)
    return free
