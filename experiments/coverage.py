"""How much of concept purity is coverage: protocols side by side while the pool and k vary."""

import copy
from itertools import product

from evoscope.figure_data import Table
from evoscope.store import Artefact
from experiments.base import stimuli_of
from experiments.context import Context
from experiments.runner import Plan
from experiments.runs import subjects
from experiments.stages.space_metrics import Sight, coverage_table, purity_cell
from experiments.unified_space import COMPARED


def plan(context: Context) -> Plan:
    """One cell per protocol, pool size and k."""
    scale = context.config.scale
    sizes = sorted({_feasible(context, images) for images in scale.sweep_pools})
    cells = [
        _cell(context, name, pool, k)
        for name, pool, k in product(context.config.protocols, sizes, scale.sweep_ks)
    ]
    return Plan({"coverage": coverage_table(cells)}, ("fig_coverage", "table_protocols"))


def _feasible(context: Context, images: int) -> int:
    """Real data end with their training set; scenes can be drawn in any number."""
    return images if context.config.data.name == "concept_scenes" else min(images, len(context.data.train))


def _variant(context: Context, protocol: str, pool: int, k: int) -> Context:
    config = copy.deepcopy(context.config)
    config.protocol = copy.deepcopy(config.protocols[protocol])
    config.protocol.space["k"], config.data.pool_images = k, pool
    return context.varied(config)


def _cell(context: Context, protocol: str, pool: int, k: int) -> Artefact[Table]:
    """One cell; its stimuli are those of the largest k, of which the first k count."""
    passes = _variant(context, protocol, pool, max(context.config.scale.sweep_ks))
    base = next(iter(passes.runs.values()))
    chosen = [base, *(run for run in subjects(passes.runs, COMPARED) if run is not base)]
    sights = [
        Sight(run.name, run.last, stimuli_of(passes, run, run.last, base=run is base)) for run in chosen
    ]
    cell = _variant(context, protocol, pool, k)
    images = len(cell.data.pool)
    return purity_cell(sights, cell.space_protocol, protocol, images, cell.config.seed, cell.runtime)
