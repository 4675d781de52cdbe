"""Evolutions that matter for a class: importance, reversal, and how both compare with the truth."""

from evoscope.evolution.importance import (
    EvolutionImportance,
    importance,
    sample_of_class,
    sensitivities,
    sensitivity_maps,
    significance,
)
from evoscope.evolution.pair import Pair, make_pair
from evoscope.evolution.reversal import (
    BinRule,
    Conditions,
    ReversalProtocol,
    Reverser,
    bins_of_layer,
    reversal,
)

__all__ = [
    "BinRule",
    "Conditions",
    "EvolutionImportance",
    "Pair",
    "ReversalProtocol",
    "Reverser",
    "bins_of_layer",
    "importance",
    "make_pair",
    "reversal",
    "sample_of_class",
    "sensitivities",
    "sensitivity_maps",
    "significance",
]
