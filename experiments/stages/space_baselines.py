"""The measures of alignment in the learned space, beside random image vectors, shared stimuli and separate spaces."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd

from evoscope.arrays import Bools, Doubles, Ints, unit_rows
from evoscope.figure_data import Table
from evoscope.seeds import derive
from evoscope.space.baselines import Rows, neighbour_hits, random_vectors, reciprocal_ranks, stacked, stimulus_rows
from evoscope.space.metrics import placed_rows
from evoscope.space.protocol import SemanticSpace, SpaceProtocol
from evoscope.space.purity import agreement, stimulus_agreement
from evoscope.space.skipgram import counted_stimuli
from evoscope.stats import Interval, bootstrap_interval, summary
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.concept_tables import bounds
from experiments.stages.stimuli import Look

LEARNED, RANDOM, SHARED, SEPARATE = ("learned", "random vectors", "shared stimuli", "separate spaces")
DRAWS = 10
COLUMNS = (
    *("metric", "run", "epoch", "space", "value", "low", "high"),
    *("learned_less", "less_low", "less_high", "n"),
)  # fmt: skip


@dataclass(frozen=True)
class Separate:
    """A look and the space that its own neurons span, by the same skip-gram, without any other model."""

    look: Look
    space: Artefact[SemanticSpace]


@dataclass(frozen=True)
class _Neurons:
    """A look's neurons with rows by the name of the space, one list entry per draw."""

    look: Look
    space: SemanticSpace
    protocol: SpaceProtocol
    seed: int
    separate: Artefact[SemanticSpace] | None

    @cached_property
    def learned(self) -> Doubles:
        return self.look.projection.load().vectors.astype(np.float64)

    @cached_property
    def placed(self) -> Bools:
        """Neurons that have a place, the same in every space: bool [neurons]."""
        there = placed_rows(self.learned)
        return there & placed_rows(self.separate.load().base_vectors) if self.separate else there

    @cached_property
    def concept(self) -> Ints:
        return self.look.stimuli.load().concepts.label.astype(np.int64)

    def rows(self, name: str, chosen: Bools) -> Iterator[Rows]:
        """Rows of length 1 of the chosen neurons, for every draw of the space of that name."""
        stimuli = self.look.stimuli.load().stimuli
        if name == LEARNED:
            yield unit_rows(self.learned[chosen])
        elif name == SHARED:
            images = counted_stimuli(stimuli, self.protocol)[chosen]
            yield stimulus_rows(images, len(stimuli.image_ids))
        elif name == SEPARATE:
            assert self.separate is not None
            yield unit_rows(self.separate.load().base_vectors[chosen])
        else:
            for draw in range(DRAWS):
                seed = derive(self.seed, "random space", draw)
                yield unit_rows(random_vectors(self.space, stimuli, self.protocol, seed)[chosen])


@stage(version=1, label="alignment without a learned space")
def space_baselines(
    space: Artefact[SemanticSpace],
    looks: Sequence[Look],
    compared: Sequence[Look],
    separate: Sequence[Separate],
    protocol: SpaceProtocol,
    seed: int,
    runtime: Runtime,
) -> Table:
    """Agreement, retrieval and purity as they are in the learned space and without it.

    One row per metric, run, epoch and ``space``: ``value`` with ``low`` and ``high`` (bootstrap over neurons; of random
    vectors the range of 95 % of the draws), ``learned_less`` (learned minus this, on the same neurons) with
    ``less_low`` and ``less_high`` (bootstrap over neurons), ``n`` neurons. Random vectors are the mean of ten draws.
    """
    own = {(each.look.run, each.look.epoch): each.space for each in separate}
    semantic = space.load()

    def neurons(look: Look) -> _Neurons:
        return _Neurons(look, semantic, protocol, seed, own.get((look.run, look.epoch)))

    last = list({look.run: look for look in looks}.values())
    rows = [
        row
        for look in runtime.progress(last, total=len(last), what="alignment without a space", unit="run")
        for row in _agreements(neurons(look), seed)
    ]
    rows += [
        row
        for before, after in pairwise(looks)
        if before.run == after.run
        for row in _retrievals(neurons(before), neurons(after), seed)
    ]
    if any(look.stimuli.load().concepts.names for look in looks):
        rows += _purities([neurons(look) for look in compared], seed)
    return Table(pd.DataFrame(rows, columns=list(COLUMNS)))


def _agreements(own: _Neurons, seed: int) -> list[dict[str, object]]:
    """Shared stimuli agree with themselves, so they are left out here."""
    images = counted_stimuli(own.look.stimuli.load().stimuli, own.protocol)
    chosen = own.placed & (images >= 0).any(axis=1)
    if chosen.sum() < 3:
        return []
    head = {"metric": "stimulus_agreement", "run": own.look.run, "epoch": own.look.epoch}
    n = int(chosen.sum())

    def measured(vectors: Doubles) -> Interval:
        found = stimulus_agreement(
            vectors.astype(np.float32), images[chosen], model=own.look.run, epoch=own.look.epoch, seed=seed
        )
        return Interval(found.value, found.low, found.high, n)

    learned = measured(own.learned[chosen])
    rows = [_row(head, LEARNED, learned, None)]
    draws = [agreement(np.asarray(each), images[chosen], seed) for each in own.rows(RANDOM, chosen)]
    others = {RANDOM: summary(draws)}
    if own.separate:
        others[SEPARATE] = measured(own.separate.load().base_vectors[chosen].astype(np.float64))
    for name, found in others.items():
        less = Interval(learned.value - found.value, learned.low - found.value, learned.high - found.value, n)
        rows.append(_row(head, name, Interval(found.value, found.low, found.high, n), less))
    return rows


def _retrievals(before: _Neurons, after: _Neurons, seed: int) -> list[dict[str, object]]:
    there, both = after.placed, before.placed & after.placed
    if not both.any():
        return []
    place = (np.cumsum(there) - 1)[both].astype(np.int64)

    def single(name: str) -> Iterator[Doubles]:
        for queries, candidates in zip(before.rows(name, both), after.rows(name, there), strict=True):
            yield reciprocal_ranks(queries, candidates, place)

    head = {"metric": "same_neuron_mrr", "run": after.look.run, "epoch": after.look.epoch}
    separate = before.separate is not None and after.separate is not None
    return _beside(head, _means(single, separate), seed)


def _purities(models: Sequence[_Neurons], seed: int) -> list[dict[str, object]]:
    """Of each model and of all; none where a model has no neuron with a concept."""
    chosen = [each.placed & (each.concept >= 0) for each in models]
    if len(models) < 2 or not all(each.any() for each in chosen):
        return []
    concept = np.concatenate([each.concept[rows] for each, rows in zip(models, chosen, strict=True)])
    model = np.repeat(np.arange(len(models)), [int(rows.sum()) for rows in chosen])

    def single(name: str) -> Iterator[Doubles]:
        every = (each.rows(name, rows) for each, rows in zip(models, chosen, strict=True))
        for parts in zip(*every, strict=True):
            yield neighbour_hits(stacked(parts), concept, model, seed)

    means = _means(single, all(each.separate for each in models))
    rows: list[dict[str, object]] = []
    for number, each in enumerate(models):
        head = {"metric": "concept_purity@10", "run": each.look.run, "epoch": each.look.epoch}
        rows += _beside(head, {name: values[:, model == number] for name, values in means.items()}, seed)
    return rows + _beside({"metric": "concept_purity@10", "run": "all", "epoch": -1}, means, seed)


def _means(single: Callable[[str], Iterator[Doubles]], separate: bool) -> dict[str, Doubles]:
    """Values per neuron in every space, float64 [draws, neurons]."""
    names = (LEARNED, RANDOM, SHARED, *((SEPARATE,) if separate else ()))
    return {name: np.stack(list(single(name))) for name in names}


def _beside(head: Mapping[str, object], values: Mapping[str, Doubles], seed: int) -> list[dict[str, object]]:
    learned, rows = values[LEARNED][0], []
    for name, draws in values.items():
        own = draws.mean(axis=0)
        found = bootstrap_interval(own, derive(seed, "baseline"))
        if name == RANDOM:
            spread = summary(draws.mean(axis=1))
            found = Interval(spread.value, spread.low, spread.high, len(own))
        less = bootstrap_interval(learned - own, derive(seed, "baseline")) if name != LEARNED else None
        rows.append(_row(head, name, found, less))
    return rows


def _row(head: Mapping[str, object], name: str, found: Interval, less: Interval | None) -> dict[str, object]:
    own = {"space": name, **bounds("value", "low", "high", found), "n": found.n}
    return {**head, **own, **bounds("learned_less", "less_low", "less_high", less)}
