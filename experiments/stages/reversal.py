"""Stages ``reversal``, ``reversal_table`` and ``reversal_order``: what taking evolutions back costs a class."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from evoscope.artefacts import load, save
from evoscope.data.images import at_most
from evoscope.evolution.importance import of_class
from evoscope.evolution.reversal import (
    EVERY_LAYER,
    BinRule,
    Conditions,
    Cut,
    Draws,
    Ties,
    bins_of_all,
    reversal,
)
from evoscope.evolution.summary import drop_rows, order_rows
from evoscope.figure_data import Table
from evoscope.models.layers import default_layers
from evoscope.models.network import Network
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.costs import reversal_cost
from experiments.stages.importance import ClassImportance, Judged, found_importance, open_pair
from experiments.stages.training import both_sources

STAGE = Stage(
    "reversal",
    version=1,
    modules=(
        "evoscope.evolution",
        "evoscope.models",
        "evoscope.data.loader",
        "experiments.stages.reversal",
    ),
)
TABLE = Stage("reversal_table", version=1, modules=("evoscope.evolution.summary", "evoscope.stats"))
ORDER = Stage("reversal_order", version=1, modules=("evoscope.evolution.summary", "evoscope.stats"))


@dataclass(frozen=True)
class Reversals:
    """Counts of one class under every condition, for train and test images.

    ``counts``: rows of `evoscope.evolution.reversal.reversal` with ``label``; ``once``: the layers that count once
    each, without those that only repeat or pool another's map.
    """

    counts: pd.DataFrame
    once: tuple[str, ...]


@dataclass(frozen=True)
class Taken:
    """Reversals as a node, with what was judged and by which protocol."""

    judged: Judged
    protocol: str
    node: Node

    @property
    def name(self) -> str:
        """Role among a node's inputs."""
        return f"{self.protocol} {self.judged.name}"


def take_back(context: Context, judged: Judged) -> Taken:
    """The reversal experiment for one run, pair of epochs and class, as a node."""
    return Taken(judged, context.config.protocol.name, _node(context, judged))


def bin_rule(context: Context) -> BinRule:
    """How the protocol of the job cuts bins."""
    protocol = context.config.protocol
    return BinRule(cast(Ties, protocol.bin_ties), cast(Cut, protocol.bin_cut))


def conditions_of(context: Context, found: ClassImportance) -> Conditions:
    """The sets of channels that are reverted, by every sample's bins."""
    rule, config = bin_rule(context), context.config
    layer = found.neurons.layer
    bins = [bins_of_all(layer, sample.score, sample.mean, rule) for sample in found.samples]
    per_batch = config.protocol.random_sets == "per_batch"
    return Conditions(
        bins=np.stack(bins),
        layer=layer,
        layers=found.neurons.layers,
        rule=rule,
        draws=1 if per_batch else config.scale.random_draws,
        random=cast(Draws, config.protocol.random_sets),
        seed=config.seed,
    )


def _node(context: Context, judged: Judged) -> Node:
    run, pair, label, config = judged.run, judged.pair, judged.label, context.config
    checkpoints = both_sources(context, run, (pair.before, pair.after))

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        states = open_pair(context, run, pair, inputs)
        conditions = conditions_of(context, found_importance(inputs["importance"]))
        counts = [
            reversal(
                states,
                conditions,
                at_most(of_class(images, label), config.scale.reversal_images, config.seed),
                label,
                together=config.evolution.together,
                memory_mb=config.memory_mb,
                workers=config.workers,
                progress=progress,
            )
            for images in (context.data.train, context.data.test)
        ]
        rows = pd.concat(counts, ignore_index=True).assign(label=np.int64(label))
        save(Reversals(rows, once(states.after, run.spec.layers)), folder)

    return Node(
        STAGE,
        config={
            "rule": asdict(bin_rule(context)),
            "random": config.protocol.random_sets,
            "draws": config.scale.random_draws,
            "images": config.scale.reversal_images,
            "together": config.evolution.together,
        },
        inputs={"importance": judged.node, **checkpoints.inputs},
        build=compute,
        seed=config.seed,
        data={
            **checkpoints.fingerprints,
            "train": context.data.train.fingerprint,
            "test": context.data.test.fingerprint,
        },
        estimate=reversal_cost(context, run),
        label=f"reversal in {run.name}, epochs {pair.label}, for {context.data.train.class_names[label]}"
        f" ({config.protocol.name})",
    )


def once(network: Network, own: Sequence[str]) -> tuple[str, ...]:
    """Layers of a network without those that repeat or pool another's map; all of a user's own choice."""
    if own:
        return network.layers
    usual = set(default_layers(network.module, "once"))
    return tuple(layer for layer in network.layers if layer in usual)


def tables(context: Context, taken: Sequence[Taken]) -> dict[str, Node]:
    """Nodes of the exhibits ``reversal`` (every drop) and ``order`` (whether the published order holds)."""
    return {
        "reversal": _summary(context, taken, TABLE, drop_rows, "drops"),
        "order": _summary(context, taken, ORDER, order_rows, "order of the drops"),
    }


def _summary(
    context: Context, taken: Sequence[Taken], stage: Stage, summarise: Callable[..., pd.DataFrame], what: str
) -> Node:
    seed, resamples = context.config.seed, context.config.scale.bootstrap

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        frames = []
        for group in _groups(taken):
            found = [load(Reversals, inputs[each.name]) for each in group]
            counts = pd.concat([each.counts for each in found], ignore_index=True)
            rows = summarise(counts, _layers(counts, found[0].once), seed, resamples)
            frames.append(_headed(group[0], rows))
        save(Table(pd.concat(frames, ignore_index=True)), folder)

    return Node(
        stage,
        config={"resamples": resamples, "pairs": [[each.name, each.judged.pair.name] for each in taken]},
        inputs={each.name: each.node for each in taken},
        build=compute,
        seed=seed,
        label=f"{what} of {len(taken)} reversals",
    )


def _groups(taken: Sequence[Taken]) -> Iterator[list[Taken]]:
    """The classes of each run, pair and protocol."""
    groups: dict[tuple[str, str, str], list[Taken]] = {}
    for each in taken:
        key = (each.judged.run.name, each.judged.pair.label, each.protocol)
        groups.setdefault(key, []).append(each)
    yield from groups.values()


def _layers(counts: pd.DataFrame, unrepeated: Sequence[str]) -> dict[str, Sequence[str]]:
    listed = [layer for layer in pd.unique(counts["layer"]) if layer != EVERY_LAYER]
    together = {"together": [EVERY_LAYER]} if _has_together(counts) else {}
    return {"once": list(unrepeated), "listed": listed, **together}


def _has_together(counts: pd.DataFrame) -> bool:
    return bool(((counts["layer"] == EVERY_LAYER) & (counts["condition"] != "none")).any())


def _headed(taken: Taken, rows: pd.DataFrame) -> pd.DataFrame:
    pair = taken.judged.pair
    head = ["run", "pair", "from_epoch", "to_epoch", "protocol"]
    named = rows.assign(
        run=taken.judged.run.name,
        pair=pair.name,
        from_epoch=pair.before,
        to_epoch=pair.after,
        protocol=taken.protocol,
    )
    return named[[*head, *rows.columns]]
