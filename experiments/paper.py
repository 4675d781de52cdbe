"""The main job: what takes half an hour or so on two cores, then the ledger of claims, the audit and the report.

The other parts, and the released protocol beside the corrected one, are in ``experiment=results``.
"""

from experiments.context import Context
from experiments.parts import carry_out_parts, possible
from experiments.status import Status

# Reverting under the released protocol too would take as long again; following concept vectors needs every epoch.
PARTS = (
    "unified_space",
    "evolution_importance ~protocols.as_released",
    "concept_discovery discovery.evolution=false",
    "tabular_concepts",
    "human_eval",
)


def run(context: Context, status: Status) -> None:
    """The parts that fit, and what they say about the claims."""
    carry_out_parts(context, status, [name for name in PARTS if possible(name.split()[0], context.config)])
