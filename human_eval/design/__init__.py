"""From a pool and a seed to a study: trials, blocks, the key to them, and the rules of exclusion."""

from human_eval.design.blocks import Plan, personal_plan
from human_eval.design.build import Blocking, Options, design
from human_eval.design.files import load_study, save_study
from human_eval.design.kinds import SETS, Alignability
from human_eval.design.pools import ConceptPool, NeuronPool, synthetic_concepts, synthetic_neurons
from human_eval.design.power import Effect, participants_needed, power_table, simulated_power
from human_eval.design.trial import KINDS, Kind, Protocol, Study

__all__ = [
    "KINDS",
    "SETS",
    "Alignability",
    "Blocking",
    "ConceptPool",
    "Effect",
    "Kind",
    "NeuronPool",
    "Options",
    "Plan",
    "Protocol",
    "Study",
    "design",
    "load_study",
    "participants_needed",
    "personal_plan",
    "power_table",
    "save_study",
    "simulated_power",
    "synthetic_concepts",
    "synthetic_neurons",
]
