"""What the store says while it works; who listens decides where it goes."""

import warnings
from dataclasses import dataclass
from typing import Literal, TypeAlias

from evoscope.store.node import Node

EventKind: TypeAlias = Literal["cached", "waiting", "started", "finished", "damaged", "failed"]


@dataclass(frozen=True)
class Event:
    """Something that happened to a node.

    ``kind``: ``cached`` (found in the store; told once per store object), ``waiting`` (another process
    computes it), ``started``, ``finished``, ``damaged`` (found but not trusted; it is computed again),
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
