"""The part of concept discovery that ConceptEvo's space adds: concept vectors over training."""

from collections.abc import Sequence
from dataclasses import replace

from evoscope.store import Node
from experiments.context import Context
from experiments.runs import Run
from experiments.stages.concept_evolution import Sources, concept_evolutions, spaces_of
from experiments.stages.looks import Look
from experiments.stages.space import neuron_map, projection, space
from experiments.stages.stimuli import stimuli

DRAWN = ("fig_concept_evolution", "table_concept_evolution")


def evolution_exhibits(context: Context, runs: Sequence[Run]) -> dict[str, Node]:
    """Exhibits ``map`` and ``concept_evolution`` of the runs that are looked at more than once.

    None where the job does not want them (``discovery.evolution=false``) or no run has earlier epochs.
    """
    followed = [run for run in runs if len(spaces_of(context, run)) > 1]
    if not context.config.discovery.evolution or not followed:
        return {}
    sources = _sources(context)
    return {"map": sources.map, "concept_evolution": concept_evolutions(context, followed, sources)}


def _sources(context: Context) -> Sources:
    """The space that the base's last epoch spans, and the map of its neurons."""
    base = next(iter(context.runs.values()))
    found = stimuli(context, base, base.last, base=True)
    semantic = space(context, found)
    run = replace(base, epochs=(base.last,))
    look = Look(run, base.last, True, found, projection(context, semantic, found))
    return Sources(semantic, neuron_map(context, semantic, [look]), look)
