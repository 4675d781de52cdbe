"""How much of concept purity is coverage: protocols side by side while the pool and k vary."""

import copy
from itertools import product

from evoscope.store import Node
from experiments.carry_out import carry_out
from experiments.context import Context
from experiments.plan import Plan
from experiments.stages.coverage import Sight, coverage, together
from experiments.stages.stimuli import stimuli
from experiments.status import Status
from experiments.unified_space import COMPARED


def run(context: Context, status: Status) -> None:
    """Measure every cell of the sweep and draw."""
    carry_out(context, plan(context), status)


def plan(context: Context) -> Plan:
    """One node per protocol, pool size and k."""
    scale = context.config.scale
    sizes = sorted({_feasible(context, images) for images in scale.sweep_pools})
    cells = [
        _cell(context, name, pool, k)
        for name, pool, k in product(context.config.protocols, sizes, scale.sweep_ks)
    ]
    return Plan({"coverage": together(cells)}, ("fig_coverage", "table_protocols"))


def _feasible(context: Context, images: int) -> int:
    """Real data end with their training set; scenes can be drawn in any number."""
    return images if context.config.data.name == "concept_scenes" else min(images, len(context.data.train))


def _variant(context: Context, protocol: str, pool: int, k: int) -> Context:
    config = copy.deepcopy(context.config)
    config.protocol = copy.deepcopy(config.protocols[protocol])
    config.protocol.k, config.data.pool_images = k, pool
    return context.varied(config)


def _cell(context: Context, protocol: str, pool: int, k: int) -> Node:
    """One cell; its stimuli are those of the largest k, of which the first k count."""
    passes = _variant(context, protocol, pool, max(context.config.scale.sweep_ks))
    base = next(iter(passes.runs.values()))
    chosen = [base, *(passes.runs[name] for name in COMPARED if name in passes.runs)]
    sights = [Sight(run, stimuli(passes, run, run.last, base=run is base)) for run in chosen]
    return coverage(_variant(context, protocol, pool, k), sights)
