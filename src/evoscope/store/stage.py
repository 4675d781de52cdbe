"""Stages: functions whose result is computed once, and named by everything that decides it.

A stage is a function with a decorator. Called, it computes nothing: it returns an `Artefact`, a node whose key is
the digest of the function's name and version and of every argument: other artefacts by their keys, images and
checkpoints by their fingerprints, the rest as plain JSON. What does not change the result (`Runtime`) does not
count. Nothing is listed by hand, so no argument can be forgotten; one without a canonical form raises.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, get_type_hints

from evoscope import artefacts
from evoscope.progress import Progress, silent
from evoscope.store.hashing import JSON
from evoscope.store.node import Estimate, Node, Stage
from evoscope.store.source import source_digest

P = ParamSpec("P")
T = TypeVar("T")
Reader: TypeAlias = Callable[[Path], T]
Write: TypeAlias = Callable[[Path, inspect.BoundArguments], None]

STAGES: dict[str, Stage] = {}
"""All stages whose modules are imported, by name."""


@dataclass(frozen=True)
class Runtime:
    """How, not what, is computed: it may differ between two calls that give the same artefact."""

    memory_mb: int = 2048
    workers: int = 0
    progress: Progress = silent


@dataclass(frozen=True)
class Machine:
    """What a network runs on; its bits differ between devices and, on a CPU, between numbers of threads.

    ``device``: as torch names it; ``threads``: of a CPU, 0 on any other device, whose results they do not change.
    """

    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True, eq=False)
class Artefact(Node, Generic[T]):
    """A node that knows how to read what it holds."""

    read: Reader[T] | None = None

    def load(self) -> T:
        """What the node holds, read once per computation.

        Raises
        ------
        LookupError : no computation is under way whose input the node is; a program error.
        """
        inputs = _INPUTS.get()
        if inputs is None or self.key not in inputs.folders:
            raise LookupError(f"{self.label} is read outside of a computation that has it as an input")
        if self.key not in inputs.loaded:
            inputs.loaded[self.key] = self.at(inputs.folders[self.key])
        loaded: T = inputs.loaded[self.key]
        return loaded

    def at(self, folder: Path) -> T:
        """What ``folder`` holds, read as this node's kind."""
        assert self.read is not None
        return self.read(folder)

    def called(self, label: str) -> "Artefact[T]":
        """The same node under another name in messages and plans."""
        return replace(self, label=label)

    def costing(self, estimate: Estimate | None) -> "Artefact[T]":
        """The same node with an estimate of its costs, for plans."""
        return replace(self, estimate=estimate)


@dataclass
class _Inputs:
    """Folders of a computation's inputs by key, and what was read from them."""

    folders: dict[str, Path]
    loaded: dict[str, Any] = field(default_factory=dict)


_INPUTS: ContextVar[_Inputs | None] = ContextVar("inputs of the computation under way", default=None)


@contextmanager
def reading(folders: Mapping[str, Path]) -> Iterator[None]:
    """Let artefacts be loaded from ``folders``, by key, while the context lasts."""
    token = _INPUTS.set(_Inputs(dict(folders)))
    try:
        yield
    finally:
        _INPUTS.reset(token)


def stage(version: int, label: str = "") -> Callable[[Callable[P, T]], Callable[P, Artefact[T]]]:
    """Make a function that returns a dataclass (see `evoscope.artefacts`) a stage.

    Parameters
    ----------
    version : raised when results change on purpose for equal arguments.
    label : format string over the arguments, for messages.

    Raises
    ------
    ValueError : another stage has the function's name.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, Artefact[T]]:
        @functools.cache
        def read() -> Reader[T]:
            kind: type[T] = get_type_hints(function)["return"]
            return partial(artefacts.load, kind)

        def write(folder: Path, bound: inspect.BoundArguments) -> None:
            artefacts.save(function(*bound.args, **bound.kwargs), folder)

        return _staged(function, inspect.signature(function), version, label, write, read)

    return decorate


def folder_stage(
    version: int, read: Reader[T], label: str = "", resumable: bool = False
) -> Callable[[Callable[Concatenate[Path, P], None]], Callable[P, Artefact[T]]]:
    """Make a function that writes files into the folder it is given first a stage.

    Parameters
    ----------
    version, label : as in `stage`.
    read : reads what the folder holds.
    resumable : the function finds what an interrupted call left in the folder and goes on from there.
    """

    def decorate(function: Callable[Concatenate[Path, P], None]) -> Callable[P, Artefact[T]]:
        def write(folder: Path, bound: inspect.BoundArguments) -> None:
            function(folder, *bound.args, **bound.kwargs)

        signature = inspect.signature(function)
        shown = signature.replace(parameters=list(signature.parameters.values())[1:])
        return _staged(function, shown, version, label, write, lambda: read, resumable)

    return decorate


def _staged(
    function: Callable[..., object],
    shown: inspect.Signature,
    version: int,
    label: str,
    write: Write,
    read: Callable[[], Reader[T]],
    resumable: bool = False,
) -> Callable[..., Artefact[T]]:
    """The function that gives a node for arguments as ``shown``."""
    name = function.__name__
    if name in STAGES:
        raise ValueError(f"two stages are called {name!r}: their artefacts would lie in one folder")
    kept = STAGES[name] = Stage(name, version)

    @functools.wraps(function)
    def node(*args: Any, **kwargs: Any) -> Artefact[T]:
        return _artefact(kept, function, shown.bind(*args, **kwargs), label, write, read(), resumable)

    return node


def _artefact(
    kept: Stage,
    function: Callable[..., object],
    bound: inspect.BoundArguments,
    label: str,
    write: Write,
    read: Reader[T],
    resumable: bool,
) -> Artefact[T]:
    bound.apply_defaults()
    parts = _Parts()
    config = {
        name: parts.plain(value, name) for name, value in bound.arguments.items() if not isinstance(value, Runtime)
    }
    seed = config.pop("seed", 0)
    if not isinstance(seed, int):
        raise TypeError(f"seed of {kept.name} is {seed!r}: give a whole number")

    def build(folder: Path, found: Mapping[str, Path], progress: Progress) -> None:
        with reading({node.key: found[role] for role, node in parts.inputs.items()}):
            write(folder, bound)

    return Artefact(
        kept,
        config=config,
        inputs=parts.inputs,
        build=build,
        seed=seed,
        data=parts.data,
        resumable=resumable,
        label=label.format(**bound.arguments),
        code=partial(source_digest, function, list(bound.arguments.values())),
        read=read,
    )


@dataclass
class _Parts:
    """What the arguments of a stage hold: other nodes and fingerprints, by their place in the arguments."""

    inputs: dict[str, Node] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)

    def plain(self, value: Any, place: str) -> JSON:
        """The value as plain JSON, with nodes and data by their places; others are left to the node to refuse."""
        if isinstance(value, Node):
            self.inputs[place] = value
            return {"input": place}
        if isinstance(getattr(value, "fingerprint", None), str):
            self.data[place] = value.fingerprint
            return {"data": place}
        if is_dataclass(value) and not isinstance(value, type):
            members = {each.name: getattr(value, each.name) for each in fields(value)}
            kept = {name: each for name, each in members.items() if not isinstance(each, Runtime)}
            return {name: self.plain(each, f"{place}.{name}") for name, each in kept.items()}
        if isinstance(value, Mapping):
            # Pairs, because the order of a mapping may decide the order of a table's rows.
            return [[name, self.plain(each, f"{place}.{name}")] for name, each in value.items()]
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return [self.plain(each, f"{place}.{number}") for number, each in enumerate(value)]
        plain: JSON = value
        return plain
