"""ConceptEvo's second contribution: the evolutions that matter for a class, and the proof by reverting them."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evoscope.evolution.importance import neuron_index
from evoscope.evolution.pair import MIB, fixed_batch, importance_bytes, make_pair
from evoscope.evolution.reversal import BinRule, Conditions, Reverser, batch_within
from evoscope.models.zoo import NoProducts, outline
from evoscope.space.protocol import SemanticSpace
from evoscope.store import Artefact
from experiments.base import base_look, base_space, checkpoint, look_at, patches, stimuli_of, training
from experiments.context import Context
from experiments.costs import importance_cost, reversal_cost, zeroed
from experiments.protocols import protocol_names, reversal_protocol
from experiments.reporting import complain, say, size
from experiments.runner import Exhibits, Plan
from experiments.runs import Run
from experiments.selection import chosen_classes, evolving_runs, judged_runs, pairs_of, require_outputs
from experiments.stages.explorer import Judged
from experiments.stages.importance import CheckpointPair, ClassImportance, EpochPair, ImportanceCase, importance, truth
from experiments.stages.importance_pictures import Pictured, important
from experiments.stages.reversal import ReversalCase, Trade, reversal, reversal_order, reversal_table, trade, trades
from experiments.stages.space import neuron_map

PICTURED = 4  # classes whose most important evolution is shown


@dataclass(frozen=True)
class Case:
    """A run between two epochs, and a class for which its evolutions are judged."""

    run: Run
    pair: EpochPair
    label: int


def plan(context: Context) -> Plan:
    """Importance and reversals for every run, pair, class and protocol."""
    config, data = context.config, context.data
    left = [run for run in judged_runs(context.runs) if run.recipe is None and len(run.epochs) < 2]
    for run in judged_runs(context.runs):
        if run not in left:
            require_outputs(run)
    told = [run.name for run in left if run not in evolving_runs(context.runs)]
    if told:
        complain(f"evoscope: left out, because they have one state only: {', '.join(told)}")
    print_memory(context)
    labels = chosen_classes(context, config.evolution.classes, "evolution.classes")
    cases = [
        Case(run, pair, label)
        for run in evolving_runs(context.runs)
        for pair in pairs_of(context, run)
        for label in labels
    ]
    reversals = [each for name in protocol_names(config) for each in revert_all(context, name, cases)]
    semantic = base_space(context)
    pictured = _pictured(context, semantic, cases)
    looks = [base_look(context, semantic), *[look for each in pictured for look in (each.before, each.after)]]
    places = neuron_map(semantic, looks, context.map_method, config.seed)
    exhibits: Exhibits = {
        "reversal": reversal_table(reversals, config.scale.bootstrap, config.seed),
        "order": reversal_order(reversals, config.scale.bootstrap, config.seed),
        "map": places,
        "important": important(places, pictured, data.pool, data.train, patches(context, 4), context.runtime),
    }
    drawn = ["fig_reversal", "table_reversal", "fig_important"]
    if config.evolution.trade:
        exhibits["trade"] = trades(_trades(context, cases))
        drawn.append("table_reversal_trade")
    if data.pool.concepts is not None and config.data.name == "concept_scenes":  # whose classes are rules
        found = [_with_stimuli(context, each) for each in cases]
        exhibits["truth"] = truth(found, len(data.train.class_names), config.seed)
        drawn.append("table_importance")
    return Plan(exhibits, drawn)


def print_memory(context: Context) -> None:
    """Say how many images run at a time in the memory there is.

    Raises
    ------
    EvoscopeError : the memory does not hold a batch.
    """
    config = context.config
    for run in evolving_runs(context.runs):
        needs = _bytes_per_image(context, run)
        random = reversal_protocol(config.protocol).random
        counts = [
            fixed_batch(config.memory_mb, needs[0], config.evolution.batch),
            batch_within(config.memory_mb, needs[1], random),
        ]
        words = [f"{count} images, {size(count * need)}" for count, need in zip(counts, needs, strict=True)]
        say(
            f"{run.name}: at a time, importance takes {words[0]}, and reversal {words[1]}, "
            f"of {size(config.memory_mb * MIB)} (memory_mb)"
        )


def _bytes_per_image(context: Context, run: Run) -> tuple[int, int]:
    """What importance and reversal take of memory for an image, whatever the weights."""
    scale = context.config.scale
    network = zeroed(outline(run.spec, len(context.data.train.class_names)), "cpu")
    with NoProducts():
        pair = make_pair(network, network)
        index = neuron_index(pair)
        bins = np.zeros((scale.importance_samples, len(index)), dtype=np.int32)
        conditions = Conditions(bins, index.layer, index.layers, BinRule(), scale.random_draws, "fixed", 0)
        return importance_bytes(pair), Reverser(pair, conditions).bytes_per_image


def judge(context: Context, case: Case) -> Artefact[ClassImportance]:
    """The importance of a run's evolutions for a class."""
    scale, train = context.config.scale, context.data.train
    node = importance(
        _checkpoints(context, case),
        train,
        case.label,
        scale.importance_images,
        scale.importance_samples,
        context.config.seed,
        context.config.evolution.batch,
        context.runtime,
    )
    return node.called(f"importance in {_words(context, case)}").costing(importance_cost(context, case.run))


def revert(context: Context, case: Case) -> ReversalCase:
    """The reversal experiment for one run, pair of epochs and class, under the protocol of the job."""
    config, data = context.config, context.data
    node = reversal(
        _checkpoints(context, case),
        judge(context, case),
        data.train,
        data.test,
        reversal_protocol(config.protocol),
        config.scale.random_draws,
        config.scale.reversal_images,
        config.evolution.together,
        config.seed,
        context.runtime,
    )
    protocol = config.protocol.name
    called = node.called(f"reversal in {_words(context, case)} ({protocol})")
    return ReversalCase(case.run.name, case.pair, protocol, called.costing(reversal_cost(context, case.run)))


def judged_classes(
    context: Context, run: Run, asked: bool | None, pairs: Sequence[EpochPair] | None = None
) -> list[Judged]:
    """Importance of a run's evolutions and their reversals; unless they are ``asked`` for, those that the store has.

    ``pairs``: of epochs, those of the run unless given.
    """
    states = run.recipe is not None or len(run.epochs) > 1
    trained = run.recipe is None or context.store.has(training(context, run))
    if asked is False or run.problem or not states or not (asked or trained):
        return []
    labels = chosen_classes(context, context.config.evolution.classes, "evolution.classes")
    stretches = pairs_of(context, run) if pairs is None else pairs
    cases = [Case(run, pair, label) for pair in stretches for label in labels]
    rule, has = reversal_protocol(context.config.protocol).bins, context.store.has
    found = [Judged(judge(context, case), revert(context, case), rule) for case in cases]
    return [each for each in found if asked or (has(each.importance) and has(each.case.reversal))]


def _trades(context: Context, cases: Sequence[Case]) -> list[Trade]:
    """The reversals of each run and pair judged on all classes, under the protocol of the job."""
    config, groups = context.config, dict[tuple[str, str], list[Case]]()
    for case in cases:
        groups.setdefault((case.run.name, case.pair.label), []).append(case)
    return [
        Trade(
            own[0].run.name,
            own[0].pair,
            trade(
                _checkpoints(context, own[0]),
                [judge(context, case) for case in own],
                context.data.test,
                reversal_protocol(config.protocol),
                config.scale.random_draws,
                config.scale.reversal_images,
                config.seed,
                context.runtime,
            ).called(f"trade between classes of {own[0].run.name}, epochs {own[0].pair.label}"),
        )
        for own in groups.values()
    ]


def revert_all(context: Context, protocol: str, cases: Sequence[Case]) -> list[ReversalCase]:
    """Reversals of all cases under a protocol, whose layers may be others."""
    if protocol == context.config.protocol.name:
        return [revert(context, each) for each in cases]
    config = copy.deepcopy(context.config)
    config.protocol = copy.deepcopy(config.protocols[protocol])
    variant = context.varied(config)
    runs = {run.name: run for run in evolving_runs(variant.runs)}
    return [revert(variant, replace(each, run=runs[each.run.name])) for each in cases]


def _checkpoints(context: Context, case: Case) -> CheckpointPair:
    before, after = (checkpoint(context, case.run, each) for each in (case.pair.before, case.pair.after))
    return CheckpointPair(case.run.name, before, after)


def _words(context: Context, case: Case) -> str:
    name = context.data.train.class_names[case.label]
    return f"{case.run.name}, epochs {case.pair.label}, for {name}"


def _with_stimuli(context: Context, case: Case) -> ImportanceCase:
    found = stimuli_of(context, case.run, case.pair.after, listed=case.run.spec.listing)
    return ImportanceCase(case.run.name, case.pair, judge(context, case), found)


def _pictured(context: Context, semantic: Artefact[SemanticSpace], cases: Sequence[Case]) -> list[Pictured]:
    """The first pair of some runs and classes, another run for each class in turn; of every run one at least."""
    runs, labels = (
        list(dict.fromkeys(each)) for each in zip(*[(case.run.name, case.label) for case in cases], strict=True)
    )
    turns = range(max(len(runs), min(PICTURED, len(labels))))
    wanted = dict.fromkeys((runs[turn % len(runs)], labels[turn % len(labels)]) for turn in turns)
    first: dict[tuple[str, int], Case] = {}
    for case in cases:
        first.setdefault((case.run.name, case.label), case)
    found = []
    for case in (first[each] for each in wanted):
        run, epochs = case.run, (case.pair.before, case.pair.after)
        # Rows of the importance, so the layers that it has.
        stimuli = [stimuli_of(context, run, epoch, listed=run.spec.listing) for epoch in epochs]
        looks = [look_at(context, semantic, run, *each) for each in zip(epochs, stimuli, strict=True)]
        found.append(Pictured(judge(context, case), _checkpoints(context, case), *looks))
    return found
