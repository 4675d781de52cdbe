"""Accuracy that classes lose when evolutions are reverted: counts, drops, and whether the drops are in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evoscope.data.images import ImageSet, at_most, limit
from evoscope.evolution.importance import of_class
from evoscope.evolution.reversal import EVERY_LAYER, Conditions, ReversalProtocol, bins_of_all
from evoscope.evolution.reversal import reversal as count_correct
from evoscope.evolution.summary import drop_rows, order_rows
from evoscope.evolution.trade import predictions, trade_rows
from evoscope.figure_data import Table
from evoscope.models.listing import default_layers
from evoscope.models.network import Network
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.importance import CheckpointPair, ClassImportance, EpochPair


@dataclass(frozen=True)
class Reversals:
    """Counts of one class under every condition, for train and test images.

    ``counts``: rows of `evoscope.evolution.reversal.reversal` with ``label``; ``once``: the layers that count once
    each, without those that only repeat or pool another's map.
    """

    counts: pd.DataFrame
    once: tuple[str, ...]


@stage(version=1)
def reversal(
    pair: CheckpointPair,
    importance: Artefact[ClassImportance],
    train: ImageSet,
    test: ImageSet,
    protocol: ReversalProtocol,
    draws: int,
    images: int | None,
    together: bool,
    seed: int,
    runtime: Runtime,
) -> Reversals:
    """Correct predictions for a class under every condition, on at most ``images`` of its images of each split.

    Parameters
    ----------
    draws : random sets of channels, where they are the same for all images.
    together : whether every condition is also reverted in all layers at once.
    """
    states, found = pair.open(), importance.load()
    conditions = conditions_of(found, protocol, draws, seed)
    counts = [
        count_correct(
            states,
            conditions,
            at_most(of_class(split, found.label), images, seed),
            found.label,
            together=together,
            **vars(runtime),
        )
        for split in (train, test)
    ]
    rows = pd.concat(counts, ignore_index=True).assign(label=np.int64(found.label))
    return Reversals(rows, _once(states.after, pair.after.spec.layers))


def conditions_of(found: ClassImportance, protocol: ReversalProtocol, draws: int, seed: int) -> Conditions:
    """The sets of channels that are reverted, by every sample's bins."""
    layer = found.neurons.layer
    bins = [bins_of_all(layer, sample.score, sample.mean, protocol.bins) for sample in found.samples]
    return Conditions(
        bins=np.stack(bins),
        layer=layer,
        layers=found.neurons.layers,
        rule=protocol.bins,
        draws=1 if protocol.random == "per_batch" else draws,
        random=protocol.random,
        seed=seed,
    )


def _once(network: Network, own: Sequence[str]) -> tuple[str, ...]:
    """Layers of a network without those that repeat or pool another's map; all of a user's own choice."""
    if own:
        return network.layers
    usual = set(default_layers(network.module, "once"))
    return tuple(layer for layer in network.layers if layer in usual) or network.layers


@dataclass(frozen=True)
class Trade:
    """Reversals of a run's evolutions for several classes, judged on images of all: rows of `trade_rows`."""

    run: str
    pair: EpochPair
    rows: Artefact[Table]


@stage(version=1, label="trade of {pair.run} between epochs")
def trade(
    pair: CheckpointPair,
    importances: Sequence[Artefact[ClassImportance]],
    test: ImageSet,
    protocol: ReversalProtocol,
    draws: int,
    images: int | None,
    seed: int,
    runtime: Runtime,
) -> Table:
    """Every class's bins reverted, judged on at most ``images`` test images of each of all classes.

    The bins are those of each class's first sample.
    """
    states, found = pair.open(), [each.load() for each in importances]
    each_class = [conditions_of(own, protocol, draws, seed) for own in found]
    conditions = replace(each_class[0], bins=np.stack([own.bins[0] for own in each_class]), everything=False)
    shown = limit(test, None, images, seed)
    said = predictions(states, conditions, shown, **vars(runtime))
    layers = _once(states.after, pair.after.spec.layers)
    return Table(trade_rows(said, shown.labels, [own.label for own in found], layers, seed))


@stage(version=1, label="reversals judged on all classes")
def trades(cases: Sequence[Trade]) -> Table:
    """One table of all runs and pairs."""
    parts = [each.rows.load().rows.assign(**each.pair.columns(each.run)) for each in cases]
    rows = pd.concat(parts, ignore_index=True)
    head = list(cases[0].pair.columns(cases[0].run))
    return Table(rows[[*head, *(name for name in rows.columns if name not in head)]])


@dataclass(frozen=True)
class ReversalCase:
    """Reversals of a run's evolutions for a class, under the protocol of that name."""

    run: str
    pair: EpochPair
    protocol: str
    reversal: Artefact[Reversals]


@stage(version=2, label="drops of all reversals")
def reversal_table(cases: Sequence[ReversalCase], resamples: int, seed: int) -> Table:
    """Every drop of accuracy, with its interval over the classes."""
    return _summary(cases, drop_rows, resamples, seed)


@stage(version=2, label="order of the drops of all reversals")
def reversal_order(cases: Sequence[ReversalCase], resamples: int, seed: int) -> Table:
    """Whether the published order of the drops holds."""
    return _summary(cases, order_rows, resamples, seed)


def _summary(cases: Sequence[ReversalCase], summarise: Callable[..., pd.DataFrame], resamples: int, seed: int) -> Table:
    """Rows of ``summarise`` for the classes of each run, pair and protocol."""
    groups: dict[tuple[str, str, str], list[ReversalCase]] = {}
    for case in cases:
        groups.setdefault((case.run, case.pair.label, case.protocol), []).append(case)
    frames = []
    for group in groups.values():
        found = [case.reversal.load() for case in group]
        counts = pd.concat([each.counts for each in found], ignore_index=True)
        rows = summarise(counts, _layers(counts, found[0].once), seed, resamples)
        head = {**group[0].pair.columns(group[0].run), "protocol": group[0].protocol}
        frames.append(rows.assign(**head)[[*head, *rows.columns]])
    return Table(pd.concat(frames, ignore_index=True))


def _layers(counts: pd.DataFrame, once: Sequence[str]) -> dict[str, Sequence[str]]:
    """What drops are averaged over, by name."""
    listed = [layer for layer in pd.unique(counts["layer"]) if layer != EVERY_LAYER]
    at_once = (counts["layer"] == EVERY_LAYER) & (counts["condition"] != "none")
    return {"once": list(once), "listed": listed, **({"together": [EVERY_LAYER]} if at_once.any() else {})}
