"""The store: ask for a node, get the folder with its artefact, computed once and checked before use.

What is checked when. `Store.has` and `Store.plan` compare the manifest with the key, and names and sizes of
all files. `Store.get` also compares every SHA-256, of the node itself or, when the node has to be computed,
of its inputs; inputs of a cached node are not touched. A file's digest is remembered for the life of the
process while its size, inode and times stay the same.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent
from evoscope.store.disk import disk_trouble, explained, is_full, locked, locked_if_free, publish, remove_folder
from evoscope.store.hashing import JSON, pretty
from evoscope.store.manifest import RESERVED, RUN, content_digest, inspect, payload_names, read_run, seal, write_run
from evoscope.store.node import Event, EventKind, Node, in_order, warn_of_damage


@dataclass(frozen=True, eq=False)
class PlanRow:
    """What `Store.get` would do about a node.

    ``cached``: it is in the store; ``needed``: it would be computed; ``resumes``: from what an interrupted
    call left; ``outdated``: stages made by other code that it is, or rests on, see `Store.outdated`.
    """

    node: Node
    cached: bool
    needed: bool
    resumes: bool
    outdated: tuple[str, ...] = ()


Stale: TypeAlias = Literal["warn", "recompute", "ignore"]


class Store:
    """Artefacts by content, in ``root/<stage>/<key>/``.

    Parameters
    ----------
    root : folder of the store; made on the first write, so reading a store needs no right to write.
    progress : handed to the builds.
    on_event : told what happens to which node; without it, damage becomes a Python warning.
    stale : what to do about an artefact that other code made: ``warn`` (an ``outdated`` event), ``recompute``, or
        ``ignore`` (use it without a word).
    """

    def __init__(
        self,
        root: Path,
        progress: Progress = silent,
        on_event: Callable[[Event], None] | None = None,
        stale: Stale = "warn",
    ) -> None:
        self.root = Path(root)
        self._progress = progress
        self._listener = on_event or warn_of_damage
        self._stale = stale
        self._told: set[str] = set()
        self._outdated: dict[str, tuple[str, ...]] = {}

    def path(self, node: Node) -> Path:
        """Folder of the node's artefact, there or not."""
        return self.root / node.stage.name / node.key

    def has(self, node: Node) -> bool:
        """Whether the artefact is there with all its files at their sizes (contents are checked by `get`)."""
        return inspect(self.path(node), contents=False).state == "ok"

    def free(self, node: Node) -> bool:
        """Whether nobody is computing the artefact right now."""
        with disk_trouble(self.root):
            self.path(node).parent.mkdir(parents=True, exist_ok=True)
        with locked_if_free(self._lock_path(node)) as free:
            return free

    def plan(self, targets: Iterable[Node]) -> list[PlanRow]:
        """All nodes behind ``targets``, inputs first, and what `get` would do about each."""
        targets = list(targets)
        nodes = in_order(targets)
        cached = {node.key: self.has(node) for node in nodes}
        if self._stale == "recompute":
            cached = {node.key: cached[node.key] and not self.outdated(node) for node in nodes}
        wanted = {node.key for node in targets}
        for node in reversed(nodes):
            if node.key in wanted and not cached[node.key]:
                wanted |= {parent.key for parent in node.inputs.values()}
        return [self._plan_row(node, cached[node.key], node.key in wanted) for node in nodes]

    def _plan_row(self, node: Node, cached: bool, wanted: bool) -> PlanRow:
        needed = wanted and not cached
        resumes = needed and node.resumable and self._partial(node).is_dir()
        return PlanRow(node, cached, needed, resumes, self.outdated(node))

    def outdated(self, node: Node) -> tuple[str, ...]:
        """Names of the stages whose artefact, among this node's and those it rests on, other code made.

        Code is compared by the digest that `evoscope.store.source` gives of what a stage reaches. An artefact made from
        other contents than its input has now counts too. Nothing is known of artefacts that are not there.
        """
        if node.key not in self._outdated:
            self._outdated[node.key] = tuple(sorted(self._outdated_stages(node)))
        return self._outdated[node.key]

    def _outdated_stages(self, node: Node) -> set[str]:
        stages = {stage for parent in node.inputs.values() for stage in self.outdated(parent)}
        if not self.path(node).is_dir():
            return stages
        record = read_run(self.path(node))
        made_from = record.get("made_from")
        others = made_from if isinstance(made_from, dict) else {}
        same_inputs = all(others.get(role, now) == now for role, now in self._contents(node).items())
        known, present = record.get("code"), node.code()
        same_code = not known or not present or known == present
        return stages if same_inputs and same_code else {*stages, node.stage.name}

    def _contents(self, node: Node) -> dict[str, JSON]:
        """Digests of what the inputs hold, by role; of those that are there."""
        paths = {role: self.path(parent) for role, parent in node.inputs.items()}
        return {role: content_digest(path) for role, path in paths.items() if path.is_dir()}

    def _made_by(self, node: Node) -> dict[str, JSON]:
        return {"code": node.code(), "made_from": self._contents(node)}

    def get(self, node: Node) -> Path:
        """Folder with the node's artefact, computed now if need be, together with what it needs.

        An artefact made by other code than the present is named by an ``outdated`` event and used, or computed again
        (``stale``).

        Two processes asking for the same node compute it once: the second waits, then reads. A damaged
        artefact is named by a ``damaged`` event, set aside, and computed again. The folder is not to be
        written to.

        Raises
        ------
        EvoscopeError : the store cannot be written, or the disk is full.
        Exception : whatever a build raises, with a note saying for which node.
        """
        final = self.path(node)
        if self._sound(node):
            self._tell_cached(node)
            return final
        inputs = {role: self.get(parent) for role, parent in node.inputs.items()}
        with disk_trouble(self.root):
            final.parent.mkdir(parents=True, exist_ok=True)
        with self._lock(node):
            if self._sound(node):
                self._tell_cached(node)
            else:
                self._set_aside(node)
                self._compute(node, inputs)
        return final

    def adopt(self, node: Node, old: Path) -> Path:
        """Take the artefact of another key over as the node's, without computing it; whoever asks knows that it fits.

        The files are linked, or copied where the disk cannot link, and ``old`` stays. The record of the computation
        is that of ``old``, with the present code, and ``adopted_from``: its key. A sound artefact of the node's own
        is left alone.

        Raises
        ------
        EvoscopeError : ``old`` is damaged, or the store cannot be written.
        """
        final = self.path(node)
        verdict = inspect(old, contents=True)
        if verdict.state != "ok":
            raise EvoscopeError(verdict.detail, "restore it from a copy, or compute the artefact again")
        with disk_trouble(self.root):
            final.parent.mkdir(parents=True, exist_ok=True)
        with self._lock(node):
            if inspect(final, contents=True).state != "ok":
                self._set_aside(node, "replaced")
                self._take_over(node, old)
        return final

    def _take_over(self, node: Node, old: Path) -> None:
        # Not the node's own partial folder, where an interrupted computation would go on from what lies there.
        partial = self.path(node).with_name(f".partial-adopted-{node.key}")
        with disk_trouble(partial):
            remove_folder(partial)
            for name in payload_names(old):
                _link(old / name, partial / name)
            seal(partial, node.identity)
            if content_digest(partial) != content_digest(old):
                raise EvoscopeError(f"'{old}' changed while it was read", "run the same command again")
            record = {**read_run(old), **self._made_by(node), "label": node.label, "adopted_from": old.name}
            (partial / RUN).write_bytes(pretty(record))
            publish(partial, self.path(node))

    def _sound(self, node: Node) -> bool:
        """Whether the artefact can be used as it is."""
        if self._stale == "recompute" and self.outdated(node):
            return False
        return inspect(self.path(node), contents=True).state == "ok"

    def _partial(self, node: Node) -> Path:
        return self.path(node).with_name(f".partial-{node.key}")

    def _lock_path(self, node: Node) -> Path:
        return self.path(node).with_name(f".lock-{node.key}")

    @contextmanager
    def _lock(self, node: Node) -> Iterator[None]:
        """Hold the key's lock; only the trouble of getting it is the disk's, not what happens inside."""
        path = self._lock_path(node)
        lock = locked(path, lambda: self._tell("waiting", node, "another process is computing it"))
        with disk_trouble(path):
            lock.__enter__()
            os.listdir(path.parent)  # makes a network file system look again for what the last holder left
        try:
            yield
        finally:
            lock.__exit__(None, None, None)

    def _set_aside(self, node: Node, then: str = "computed again") -> None:
        """Name a damaged artefact and move it out of the way; the one set aside before it goes."""
        folder = self.path(node)
        if not folder.exists():
            return
        fault = inspect(folder, contents=True).detail
        if fault:
            self._tell("damaged", node, f"{fault}; it is set aside and {then}")
        else:
            self._tell("outdated", node, f"made by other code; it is set aside and {then}")
        aside = folder.with_name(f".damaged-{node.key}")
        with disk_trouble(folder):
            remove_folder(aside)
            folder.rename(aside)
        # What is computed where nothing was changes nobody's verdict; what takes the place of something may.
        self._outdated.clear()

    def _compute(self, node: Node, inputs: Mapping[str, Path]) -> None:
        partial = self._partial(node)
        started = time.time()
        with disk_trouble(partial):
            if not node.resumable:
                remove_folder(partial)
            partial.mkdir(exist_ok=True)
            for name in RESERVED:
                (partial / name).unlink(missing_ok=True)
            resumed = any(partial.iterdir())
        self._tell("started", node, "goes on where it was interrupted" if resumed else "")
        with self._failure_told(node, started):
            node.build(partial, inputs, self._progress)
        seconds = time.time() - started
        with disk_trouble(partial):
            seal(partial, node.identity)
            made_by = self._made_by(node)
            write_run(partial, made_by, label=node.label, started=started, seconds=seconds, resumed=resumed)
            publish(partial, self.path(node))
        self._told.add(node.key)
        self._tell("finished", node, seconds=seconds)

    @contextmanager
    def _failure_told(self, node: Node, started: float) -> Iterator[None]:
        """Say which node failed, and leave nothing behind unless it can go on from there."""
        try:
            yield
        except BaseException as error:
            if not node.resumable:
                with suppress(OSError):  # the build's own error matters more; the next call clears up
                    remove_folder(self._partial(node))
            self._tell("failed", node, f"{type(error).__name__}: {error}", time.time() - started)
            error.add_note(f"while computing {node.label} ({node.stage.name}/{node.key[:12]})")
            if is_full(error):
                raise explained(error, self._partial(node)) from error
            raise

    def _tell_cached(self, node: Node) -> None:
        if node.key not in self._told:
            self._told.add(node.key)
            outdated = () if self._stale == "ignore" else self.outdated(node)
            if outdated:
                self._tell("outdated", node, f"made by other code than the present ({', '.join(outdated)})")
            self._tell("cached", node)

    def _tell(self, kind: EventKind, node: Node, detail: str = "", seconds: float = 0.0) -> None:
        self._listener(Event(kind, node, detail, seconds))


def _link(source: Path, target: Path) -> None:
    """Let a file appear under a second name, as a copy where the disk cannot link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copy2(source, target)
