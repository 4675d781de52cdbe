"""How near directions lie to single neurons (CDISCO, step 6 and claim C8)."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Doubles, Ints
from evoscope.seeds import generator

ALIGNED = 0.6
"""The published line: a direction with a larger component is called aligned with that neuron."""


@dataclass(frozen=True)
class NeuronAlignment:
    """The largest component of each unit direction.

    ``neuron``: int64 [r], its channel; ``component``: float64 [r], with its sign.
    """

    neuron: Ints
    component: Doubles

    @property
    def aligned(self) -> float:
        """Share of the directions whose largest component reaches the published line."""
        return float((np.abs(self.component) >= ALIGNED).mean())


def neuron_alignment(directions: Doubles) -> NeuronAlignment:
    """Find the largest component by size (the first of equals) of unit rows [r, d]."""
    neuron = np.abs(directions).argmax(axis=1)
    return NeuronAlignment(neuron, directions[np.arange(len(directions)), neuron])


def random_alignment(width: int, count: int, seed: int) -> Doubles:
    """Draw what chance gives: largest sizes of components of ``count`` random unit vectors, float64 [count]."""
    drawn = generator(seed, "alignment null").standard_normal((count, width))
    return np.asarray(np.abs(drawn).max(axis=1) / np.linalg.norm(drawn, axis=1), dtype=np.float64)
