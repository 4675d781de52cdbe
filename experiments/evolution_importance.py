"""ConceptEvo's second contribution: the evolutions that matter for a class, and the proof by reverting them."""

import copy
from collections.abc import Sequence

import numpy as np

from evoscope.evolution.importance import neuron_index
from evoscope.evolution.pair import MIB, images_within, importance_bytes, make_pair
from evoscope.evolution.reversal import RELEASED_BATCH, BinRule, Conditions, Reverser
from evoscope.models.zoo import build
from evoscope.store import Node
from experiments.base import base_look, base_space
from experiments.context import Context
from experiments.reporting import say, size
from experiments.runner import Plan
from experiments.runs import Run
from experiments.selection import chosen_classes, judged_runs, pairs_of, protocol_names
from experiments.stages.importance import Judged, judge
from experiments.stages.important import Pictured, important
from experiments.stages.looks import Look
from experiments.stages.reversal import Taken, tables, take_back
from experiments.stages.space import neuron_map, projection
from experiments.stages.stimuli import stimuli
from experiments.stages.truth import place_of, truth
from experiments.status import Status

BATCH = 64


def run(context: Context, status: Status) -> None:
    """Measure importance, revert, compare with the truth, and draw."""
    print_memory(context)
    carry_out(context, plan(context), status)


def plan(context: Context) -> Plan:
    """Importance and reversals for every run, pair, class and protocol."""
    labels = chosen_classes(context, context.config.evolution.classes, "evolution.classes")
    judged = [
        judge(context, run, pair, label)
        for run in judged_runs(context)
        for pair in pairs_of(context, run)
        for label in labels
    ]
    exhibits = tables(
        context, [each for name in protocol_names(context) for each in _taken(context, name, judged)]
    )
    semantic = base_space(context)
    pictured = _pictured(context, semantic, judged)
    looks = [
        base_look(context, semantic),
        *[look for each in pictured for look in (each.before, each.after)],
    ]
    exhibits["map"] = neuron_map(context, semantic, looks)
    exhibits["important"] = important(context, exhibits["map"], pictured)
    if context.data.pool.concepts is not None:
        exhibits["truth"] = truth(context, judged, _later_stimuli(context, judged))
    return Plan(exhibits, drawn(exhibits))


def drawn(exhibits: dict[str, Node]) -> tuple[str, ...]:
    """Figures and tables of this experiment."""
    always = ("fig_reversal", "table_reversal", "fig_important")
    return (*always, "table_importance") if "truth" in exhibits else always


def print_memory(context: Context) -> None:
    """Say how many images run at a time in the memory there is."""
    config = context.config
    for run in judged_runs(context):
        networks = [build(run.spec, len(context.data.train.class_names), config.seed) for _ in range(2)]
        pair = make_pair(networks[0], networks[1])
        index = neuron_index(pair)
        bins = np.zeros((config.scale.importance_samples, len(index)), dtype=np.int32)
        conditions = Conditions(
            bins, index.layer, index.layers, BinRule(), config.scale.random_draws, "fixed", 0
        )
        needs = (importance_bytes(pair), Reverser(pair, conditions).bytes_per_image)
        counts = [
            images_within(config.memory_mb, need, most)
            for need, most in zip(needs, (BATCH, RELEASED_BATCH), strict=True)
        ]
        words = [f"{count} images, {size(count * need)}" for count, need in zip(counts, needs, strict=True)]
        say(
            f"{run.name}: at a time, importance takes {words[0]}, and reversal {words[1]}, "
            f"of {size(config.memory_mb * MIB)} (memory_mb)"
        )


def _taken(context: Context, protocol: str, judged: Sequence[Judged]) -> list[Taken]:
    """Reversals of everything judged, under a protocol (whose layers may be others)."""
    if protocol == context.config.protocol.name:
        return [take_back(context, each) for each in judged]
    config = copy.deepcopy(context.config)
    config.protocol = copy.deepcopy(config.protocols[protocol])
    variant = context.varied(config)
    runs = {run.name: run for run in judged_runs(variant)}
    return [take_back(variant, judge(variant, runs[each.run.name], each.pair, each.label)) for each in judged]


def _pictured(context: Context, semantic: Node, judged: Sequence[Judged]) -> list[Pictured]:
    """Of every run the first pair and class."""
    first = {each.run.name: each for each in reversed(judged)}
    return [
        Pictured(
            each,
            _look(context, semantic, each.run, each.pair.before),
            _look(context, semantic, each.run, each.pair.after),
        )
        for each in reversed(first.values())
    ]


def _look(context: Context, semantic: Node, run: Run, epoch: int) -> Look:
    found = stimuli(context, run, epoch)
    return Look(run, epoch, False, found, projection(context, semantic, found))


def _later_stimuli(context: Context, judged: Sequence[Judged]) -> dict[str, Node]:
    return {place_of(each): stimuli(context, each.run, each.pair.after) for each in judged}
