"""What the store computes: a stage with its configuration, inputs and seed, and the key that these decide."""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from evoscope.progress import Progress
from evoscope.store.hashing import JSON, canonical_digest, plain

FORMAT = 1
Build: TypeAlias = Callable[[Path, Mapping[str, Path], Progress], None]


@dataclass(frozen=True)
class Stage:
    """A kind of computation.

    ``name``: names its folder in the store; ``version``: raised whenever its results change for the same
    configuration.
    """

    name: str
    version: int

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", self.name):
            raise ValueError(f"{self.name!r} cannot name a stage: use lower-case letters, digits, - and _")


@dataclass(frozen=True)
class Estimate:
    """What a computation is expected to need: seconds, bytes left on disk, bytes of memory at its peak.

    ``reading``: the part of the seconds in which the networks wait for images.
    """

    seconds: float = 0.0
    disk_bytes: int = 0
    memory_bytes: int = 0
    reading: float = 0.0


@dataclass(frozen=True, eq=False)
class Node:
    """One artefact to be: a pure function of a stage, its configuration, its inputs, its data and its seed.

    ``config``: plain JSON values or dataclasses of them, copied on construction; ``inputs``: other nodes by
    role; ``build``: ``build(folder, inputs, progress)`` writes the payload into ``folder``, reading the
    folders of ``inputs`` by role; ``data``: fingerprints of the data sets it reads, by role; ``resumable``:
    ``build`` finds what an interrupted call left in ``folder`` and goes on from there, ending in the same
    bytes (others start from an empty folder); ``estimate``, ``label``: for plans and messages, without any
    influence on the key; ``code``: gives a digest of the source that decides the result ("" where it is not known),
    which is no part of the key either: the store says where it has changed.
    """

    stage: Stage
    config: Mapping[str, JSON]
    inputs: Mapping[str, "Node"]
    build: Build
    seed: int
    data: Mapping[str, str] = field(default_factory=dict)
    resumable: bool = False
    estimate: Estimate | None = None
    label: str = ""
    code: Callable[[], str] = lambda: ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", plain(self.config, f"config of {self.stage.name}"))
        object.__setattr__(self, "inputs", dict(self.inputs))
        object.__setattr__(self, "data", dict(self.data))
        object.__setattr__(self, "label", self.label or self.stage.name)

    @cached_property
    def identity(self) -> dict[str, JSON]:
        """All that decides the key."""
        inputs: dict[str, JSON] = {role: node.key for role, node in self.inputs.items()}
        return {
            "format": FORMAT,
            "stage": self.stage.name,
            "version": self.stage.version,
            "config": plain(self.config),
            "inputs": inputs,
            "data": plain(self.data),
            "seed": self.seed,
        }

    @cached_property
    def key(self) -> str:
        """Hex SHA-256 of `identity`."""
        return canonical_digest(self.identity)


def in_order(targets: Iterable[Node]) -> list[Node]:
    """All nodes that ``targets`` rest on, and themselves, inputs first, one per key."""
    ordered: dict[str, Node] = {}

    def visit(node: Node) -> None:
        if node.key not in ordered:
            for parent in node.inputs.values():
                visit(parent)
            ordered[node.key] = node

    for target in targets:
        visit(target)
    return list(ordered.values())


EventKind: TypeAlias = Literal["cached", "outdated", "waiting", "started", "finished", "damaged", "failed"]


@dataclass(frozen=True)
class Event:
    """Something that happened to a node.

    ``kind``: ``cached`` (found in the store; told once per store object), ``outdated`` (found in the store,
    but made by other code than the present; told once), ``waiting`` (another process computes it),
    ``started``, ``finished``, ``damaged`` (found but not trusted; it is computed again),
    ``failed``; ``detail``: what else there is to say, in words; ``seconds``: of computing, for ``finished``
    and ``failed``.
    """

    kind: EventKind
    node: Node
    detail: str = ""
    seconds: float = 0.0


def warn_of_damage(event: Event) -> None:
    """Listen for a store that was given nobody else: damage is never silent."""
    if event.kind == "damaged":
        warnings.warn(f"{event.node.label}: {event.detail}", stacklevel=2)
