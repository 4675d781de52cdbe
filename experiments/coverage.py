"""How much of concept purity is coverage: protocols side by side while the pool and k vary."""

import copy
from itertools import product

from evoscope.figure_data import Table
from evoscope.store import Artefact
from experiments.base import stimuli_of
from experiments.context import Context
from experiments.runner import Exhibits, Plan
from experiments.runs import subjects
from experiments.stages.space_metrics import Sight, coverage_table, purity_cell
from experiments.unified_space import COMPARED


def plan(context: Context) -> Plan:
    """One cell per protocol, pool size and k."""
    scale = context.config.scale
    sizes = sorted({_feasible(context, images) for images in scale.sweep_pools})
    cells = [
        _cell(context, name, pool, k) for name, pool, k in product(context.config.protocols, sizes, scale.sweep_ks)
    ]
    exhibits: Exhibits = {"coverage": coverage_table(cells)}
    drawn = ["fig_coverage", "table_protocols"]
    if {RELEASED, CORRECTED} <= set(context.config.protocols):
        exhibits["space_switches"] = coverage_table(_switched_cells(context, sizes[-1], scale.sweep_ks[0]))
        drawn.append("table_space_switches")
    return Plan(exhibits, tuple(drawn))


RELEASED, CORRECTED = "as_released", "corrected"
SWITCHES = {
    "indirect": ("indirect", "indirect_lr", "indirect_epochs"),
    "projection": ("projection",),
    "unplaced": ("unplaced",),
    "responsive_rule": ("responsive_rule",),
    "skipgram": ("skipgram_lr", "skipgram_epochs", "skipgram_stop", "skipgram_threshold"),
}
"""Choices of the space's protocol that are one defect each, by the name that results know it by."""


def _switched_cells(context: Context, pool: int, k: int) -> list[Artefact[Table]]:
    """Where the base covers least: each defect alone mended in the released protocol, and alone put into the other."""
    found = []
    for (word, host, donor), (name, keys) in product(
        (("mended", RELEASED, CORRECTED), ("put back", CORRECTED, RELEASED)), SWITCHES.items()
    ):
        config = copy.deepcopy(context.config)
        own = copy.deepcopy(config.protocols[host])
        own.space.update({key: config.protocols[donor].space[key] for key in keys})
        config.protocols[f"{name}, {word}"] = own
        found.append(_cell(context.varied(config), f"{name}, {word}", pool, k))
    return found


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
    sights = [Sight(run.name, run.last, stimuli_of(passes, run, run.last, base=run is base)) for run in chosen]
    cell = _variant(context, protocol, pool, k)
    images = len(cell.data.pool)
    return purity_cell(sights, cell.space_protocol, protocol, images, cell.config.seed, cell.runtime)
