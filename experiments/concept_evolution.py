"""The part of concept discovery that ConceptEvo's space adds: concept vectors over training."""

from collections.abc import Sequence

from evoscope.store import Node
from experiments.base import base_look, base_space
from experiments.context import Context
from experiments.stages.concept_evolution import Sources, concept_evolutions, earlier_epochs
from experiments.stages.concept_spaces import Space
from experiments.stages.space import neuron_map

DRAWN = ("fig_concept_evolution", "table_concept_evolution")


def evolution_exhibits(context: Context, spaces: Sequence[Space]) -> dict[str, Node]:
    """Exhibits ``map`` and ``concept_evolution`` of the runs that are looked at more than once.

    None where the job does not want them (``discovery.evolution=false``) or no run has earlier epochs.
    """
    followed = [each for each in spaces if earlier_epochs(each)]
    if not context.config.discovery.evolution or not followed:
        return {}
    sources = _sources(context)
    return {"map": sources.map, "concept_evolution": concept_evolutions(context, followed, sources)}


def _sources(context: Context) -> Sources:
    """The space that the base's last epoch spans, and the map of its neurons."""
    semantic = base_space(context)
    look = base_look(context, semantic)
    return Sources(semantic, neuron_map(context, semantic, [look]), look)
