"""The true concept that each neuron tells apart, where the truth is known."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Floats, SmallInts


@dataclass(frozen=True)
class NeuronConcepts:
    """How well each neuron's maximum tells each true concept, over the pool and over held-out images.

    ``names``: of the concepts, or empty where no truth is known; ``auc_pool``, ``auc_held_out``: float32
    [neurons, concepts];
    ``label``: int32 [neurons], the concept with the best AUC over the pool if its AUC on held-out images is
    high enough, or -1.
    """

    names: tuple[str, ...]
    auc_pool: Floats
    auc_held_out: Floats
    label: SmallInts

    @classmethod
    def unknown(cls, neurons: int) -> "NeuronConcepts":
        """No truth is known (photographs)."""
        nothing = np.zeros((neurons, 0), dtype=np.float32)
        return cls((), nothing, nothing, np.full(neurons, -1, dtype=np.int32))

    def name(self, neuron: int) -> str:
        """Concept of a neuron, or "" for none."""
        return self.names[self.label[neuron]] if self.label[neuron] >= 0 else ""

    def all_names(self) -> list[str]:
        """Concept of every neuron, "" for none."""
        return [self.name(neuron) for neuron in range(len(self.label))]
