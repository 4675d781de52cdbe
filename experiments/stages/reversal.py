"""Accuracy that classes lose when evolutions are reverted: counts, drops, and whether the drops are in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evoscope.data.images import ImageSet, at_most
from evoscope.evolution.importance import of_class
from evoscope.evolution.reversal import EVERY_LAYER, Conditions, ReversalProtocol, bins_of_all
from evoscope.evolution.reversal import reversal as count_correct
from evoscope.evolution.summary import drop_rows, order_rows
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
            memory_mb=runtime.memory_mb,
            workers=runtime.workers,
            progress=runtime.progress,
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


def _summary(
    cases: Sequence[ReversalCase], summarise: Callable[..., pd.DataFrame], resamples: int, seed: int
) -> Table:
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
