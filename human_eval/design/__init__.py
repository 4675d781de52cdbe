"""From a pool and a seed to a study: trials, blocks, the key to them, and the rules of exclusion."""

from human_eval.design.blocks import Plan, concurrences, incomplete_blocks, personal_plan
from human_eval.design.build import Blocking, Options, design
from human_eval.design.files import load_study, save_study
from human_eval.design.kinds import SETS, Alignability
from human_eval.design.pools import ConceptPool, NeuronPool, synthetic_concepts, synthetic_neurons
from human_eval.design.power import (
    Effect,
    critical_count,
    exact_power,
    participants_needed,
    power_table,
    simulated_power,
)
from human_eval.design.trial import (
    KINDS,
    Block,
    Contrast,
    Exclusion,
    Form,
    Kind,
    Protocol,
    Role,
    Study,
    Trial,
)

__all__ = [
    "KINDS",
    "SETS",
    "Alignability",
    "Block",
    "Blocking",
    "ConceptPool",
    "Contrast",
    "Effect",
    "Exclusion",
    "Form",
    "Kind",
    "NeuronPool",
    "Options",
    "Plan",
    "Protocol",
    "Role",
    "Study",
    "Trial",
    "concurrences",
    "critical_count",
    "design",
    "exact_power",
    "incomplete_blocks",
    "load_study",
    "participants_needed",
    "personal_plan",
    "power_table",
    "save_study",
    "simulated_power",
    "synthetic_concepts",
    "synthetic_neurons",
]
