"""One layer of a table's network: its concepts, what they correlate with, and what the network loses without them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from evoscope.arrays import Doubles, Floats, Ints
from evoscope.data.loader import Batch
from evoscope.data.tables import Part, Table
from evoscope.discovery.basis import ConceptBasis, Moments
from evoscope.discovery.latent import Outcomes, scan_latents
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import ClassRanking, discover
from evoscope.discovery.relevance import (
    Ablation,
    ablate,
    cut,
    energy,
    equal_energy_directions,
    gap,
    gap_change,
)
from evoscope.models.network import Network
from evoscope.seeds import derive
from evoscope.stats import correlated

CONCEPTS = 6  # of a layer
RANDOM = 40  # directions of equal variance beside each concept
BATCH = 1024


@dataclass(frozen=True)
class Found:
    """Concepts of one layer of one network.

    ``moments``: of the training rows; ``chosen``: int64 [concepts], positions in the basis; ``scores``: float64
    [test rows, concepts]; ``train``, ``test``: what the network says.
    """

    seed: int
    layer: str
    moments: Moments
    basis: ConceptBasis
    ranking: ClassRanking
    chosen: Ints
    scores: Doubles
    train: Outcomes
    test: Outcomes


@dataclass(frozen=True)
class LayerRows:
    """Rows of the exhibit `evoscope.figure_data.TabularConcepts` for one layer of one network."""

    concepts: pd.DataFrame
    correlations: pd.DataFrame
    gaps: pd.DataFrame


def find(network: Network, table: Table, protocol: DiscoveryProtocol, seed: int) -> list[Found]:
    """Decompose every hidden layer on the training rows, and score the test rows."""
    names, (train, test) = network.layers, table.scaled()
    seen = scan_latents(network, batches(train, table.train), len(train), names, (protocol.evidence,))
    unseen = scan_latents(network, batches(test, table.test), len(test), names)
    found = []
    for name in names:
        layer = seen.of(name)
        basis, ranking = (result := discover(layer, seen.outcomes, protocol)).basis, result.ranking
        chosen = strongest(ranking)
        scores = basis.project(unseen.of(name).rows("features"))[:, chosen]
        found.append(
            Found(seed, name, layer.moments, basis, ranking, chosen, scores, seen.outcomes, unseen.outcomes)
        )
    return found


def strongest(ranking: ClassRanking, count: int = CONCEPTS) -> Ints:
    """Directions that are looked at: half of them by the largest z for any class, the others by singular value.

    Both, because z compares a direction with its own scatter, so that the largest may have next to no variance.
    """
    z = np.abs(ranking.z) if ranking.candidates == "both" else ranking.z
    best = np.where(np.isnan(z), -np.inf, z).max(axis=0)
    order = [*np.argsort(-best, kind="stable")[: (count + 1) // 2], *range(len(best))]
    return np.array(list(dict.fromkeys(order))[:count], dtype=np.int64)


def batches(values: Floats, part: Part) -> Iterator[Batch]:
    """Rows as a network sees them."""
    rows = torch.arange(len(values))
    tensors = (torch.from_numpy(values), torch.from_numpy(part.labels), rows)
    for pixels, labels, own in zip(*(torch.split(each, BATCH) for each in tensors), strict=True):
        yield Batch(pixels, labels, own)


def layer_rows(network: Network, table: Table, found: Found, draws: int) -> LayerRows:
    """Correlate the scores with the inputs, and take the concepts out one at a time."""
    seed = derive(found.seed, "table", found.layer)
    without = _ablated(network, table, found, seed)

    def framed(rows: Iterable[dict[str, object]], columns: list[str] | None = None) -> pd.DataFrame:
        return pd.DataFrame(rows, columns=columns).assign(seed=found.seed, layer=found.layer)

    return LayerRows(
        concepts=framed(_concept_rows(table, found, without, seed)),
        correlations=framed(_correlation_rows(table, found, draws, seed)),
        gaps=framed(_gap_rows(table, found, without, draws, seed), GAPS),
    )


GAPS = [
    *("direction", "column", "cut", "gap", "gap_without", "change", "low", "high", "random_low", "random_high"),
]  # fmt: skip


def _ablated(network: Network, table: Table, found: Found, seed: int) -> Ablation:
    """The concepts taken out, then as many times `RANDOM` directions of the same variance."""
    directions, covariance = found.basis.directions[found.chosen], found.moments.covariance
    targets = energy(directions, covariance)
    random = [
        equal_energy_directions(covariance, float(target), RANDOM, derive(seed, place))
        for place, target in enumerate(targets)
    ]
    rows = batches(table.scaled()[1], table.test)
    taken = np.concatenate([directions, *random])
    return ablate(network, rows, found.layer, taken, around=found.moments.mean)


def _random(values: Doubles, place: int, concepts: int) -> tuple[float, float, float]:
    """Mean, and the middle 95 %, of one value per ablated direction over those that stand beside one concept."""
    own = values[concepts + place * RANDOM : concepts + (place + 1) * RANDOM]
    low, high = np.quantile(own, [0.025, 0.975])
    return float(own.mean()), float(low), float(high)


def _concept_rows(table: Table, found: Found, without: Ablation, seed: int) -> list[dict[str, object]]:
    lost = without.correct.mean(axis=1) - without.intact.mean()
    share = energy(found.basis.directions[found.chosen], found.moments.covariance)
    total = float(np.trace(found.moments.covariance))
    rows = []
    for place, direction in enumerate(found.chosen):
        z = found.ranking.z[:, direction]
        label = int(np.abs(np.nan_to_num(z)).argmax())
        change = without.accuracy_change(place, seed)
        random, low, high = _random(lost, place, len(found.chosen))
        rows.append(
            {
                "direction": int(direction),
                "class_name": table.class_names[label] if np.isfinite(z[label]) else "",
                "z": float(z[label]),
                "share": float(share[place] / total) if total > 0 else float("nan"),
                "accuracy_change": change.value,
                "low": change.low,
                "high": change.high,
                "random": random,
                "random_low": low,
                "random_high": high,
            }
        )
    return rows


def _correlation_rows(table: Table, found: Found, draws: int, seed: int) -> list[dict[str, object]]:
    result = correlated(found.scores, table.test.values, seed, draws)
    return [
        {
            "direction": int(direction),
            "column": column,
            "protected": column in table.protected,
            "value": result.value[place, number],
            "low": result.low[place, number],
            "high": result.high[place, number],
            "p": result.p[place, number],
            "chance": result.chance,
        }
        for place, direction in enumerate(found.chosen)
        for number, column in enumerate(table.columns)
    ]


def _gap_rows(
    table: Table, found: Found, without: Ablation, draws: int, seed: int
) -> Iterator[dict[str, object]]:
    before, after = without.before == table.shown, without.predictions == table.shown
    for column in table.protected:
        number = table.columns.index(column)
        group, border = cut(table.test.values[:, number], table.train.values[:, number])
        first, every = float(gap(before, group)), gap(after, group)
        for place, direction in enumerate(found.chosen):
            change = gap_change(before, after[place], group, seed, draws)
            _, low, high = _random(every - first, place, len(found.chosen))
            yield {
                "direction": int(direction),
                "column": column,
                "cut": border,
                "gap": first,
                "gap_without": float(every[place]),
                "change": change.value,
                "low": change.low,
                "high": change.high,
                "random_low": low,
                "random_high": high,
            }
