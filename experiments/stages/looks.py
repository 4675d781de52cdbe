"""A look: one run at one epoch, with its stimuli and its projection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evoscope.artefacts import load
from evoscope.space.protocol import Projection
from evoscope.store import Node
from experiments.runs import Run
from experiments.stages.stimuli import Looked, looked


@dataclass(frozen=True)
class Look:
    """One run at one epoch, and the nodes of its stimuli and projection; ``base``: what the space was learned on."""

    run: Run
    epoch: int
    base: bool
    stimuli: Node
    projection: Node

    @property
    def name(self) -> str:
        """Role of the look among a node's inputs."""
        return f"{self.run.name}@{self.epoch}"


@dataclass(frozen=True)
class Found:
    """The artefacts of a look."""

    looked: Looked
    projection: Projection


def roles(looks: Sequence[Look]) -> dict[str, Node]:
    """Inputs of a node that reads all of ``looks``."""
    stimuli = {f"stimuli {look.name}": look.stimuli for look in looks}
    return {**stimuli, **{f"projection {look.name}": look.projection for look in looks}}


def read_looks(looks: Sequence[Look], inputs: Mapping[str, Path]) -> list[Found]:
    """The artefacts of ``looks``, in order."""
    return [
        Found(looked(inputs[f"stimuli {look.name}"]), load(Projection, inputs[f"projection {look.name}"]))
        for look in looks
    ]
