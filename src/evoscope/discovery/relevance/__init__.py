"""Whether directions matter to the network, beyond z: derivatives, ablation against chance, stability."""

from evoscope.discovery.relevance.ablation import Ablation, ablate, project_out
from evoscope.discovery.relevance.derivative import DirectionalDerivative, directional_derivative
from evoscope.discovery.relevance.energy import equal_energy_directions
from evoscope.discovery.relevance.stability import Match, matched, random_match, stability

__all__ = [
    "Ablation",
    "DirectionalDerivative",
    "Match",
    "ablate",
    "directional_derivative",
    "equal_energy_directions",
    "matched",
    "project_out",
    "random_match",
    "stability",
]
