"""Concepts of a table's networks (CDISCO): what they correlate with, and what a network loses without them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor

from evoscope.arrays import Doubles, Floats, Ints
from evoscope.data.loader import Batch
from evoscope.data.tables import Part, Table
from evoscope.discovery.basis import ConceptBasis, Moments
from evoscope.discovery.latent import Outcomes, scan_latents
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import ClassRanking, discover
from evoscope.discovery.relevance import Ablation, ablate, cut, energy, equal_energy_directions, gap, gap_change
from evoscope.figure_data import TabularConcepts
from evoscope.models.network import Network
from evoscope.seeds import derive, generator
from evoscope.stats import correlated, correlations
from evoscope.store import Artefact, Machine, Runtime, folder_stage, stage
from evoscope.training.loop import save_module
from evoscope.training.tabular import mlp, train_rows
from experiments.stages.concept_tables import bounds

WEIGHTS = "weights.safetensors"
CONCEPTS = 6  # of a layer
TURNED = 200  # random directions whose correlations with the inputs stand beside those of the concepts
RANDOM = 40  # directions of equal variance beside each concept
BATCH = 1024

Weights: TypeAlias = Mapping[str, Tensor]


def _weights(folder: Path) -> Weights:
    weights: Weights = load_file(folder / WEIGHTS)
    return weights


@folder_stage(version=1, read=_weights, label="training on {table.name}, seed {seed}")
def tabular_training(
    folder: Path,
    table: Table,
    hidden: Sequence[int],
    epochs: int,
    lr: float,
    batch_size: int,
    seed: int,
    machine: Machine,
    runtime: Runtime,
) -> None:
    """A network for a table; ``seed``: of its start and of the order of the rows."""
    module = mlp(len(table.columns), hidden, len(table.class_names), seed).module.to(machine.device)
    train_rows(
        module,
        table.scaled()[0],
        table.train.labels,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        seed=seed,
        progress=runtime.progress,
    )
    save_module(module, folder / WEIGHTS)


@dataclass(frozen=True)
class TableNetwork:
    """A trained network for a table; ``seed``: of its training; ``machine``: what it runs on, a CPU."""

    hidden: Sequence[int]
    training: Artefact[Weights]
    seed: int
    machine: Machine

    def open(self, table: Table) -> Network:
        """The network with its trained weights."""
        network = mlp(len(table.columns), self.hidden, len(table.class_names), self.seed)
        network.module.load_state_dict(self.training.load())
        return network


@stage(version=2)
def tabular(
    table: Table, networks: Sequence[TableNetwork], protocol: DiscoveryProtocol, draws: int, runtime: Runtime
) -> TabularConcepts:
    """Concepts of all layers of all networks, read against the inputs and taken out of the networks.

    Parameters
    ----------
    draws : resamples behind each interval, and shuffles behind the chance of a correlation.
    """
    found: list[HiddenLayer] = []
    parts: list[LayerRows] = []
    for each in runtime.progress(networks, total=len(networks), what="concepts of the table", unit="network"):
        network = each.open(table)
        layers = hidden_layers(network, table, protocol, each.seed)
        found += layers
        parts += [layer_rows(network, table, layer, draws) for layer in layers]
    concepts = pd.concat([part.concepts for part in parts], ignore_index=True)
    return TabularConcepts(
        data=table.name,
        columns=table.columns,
        protected=table.protected,
        shown=table.class_names[table.shown],
        networks=_networks(table, found),
        concepts=concepts.assign(again=np.concatenate([again(each, found) for each in found])),
        correlations=pd.concat([part.correlations for part in parts], ignore_index=True),
        gaps=pd.concat([part.gaps for part in parts], ignore_index=True),
        inputs=between(table),
    )


@dataclass(frozen=True)
class HiddenLayer:
    """Concepts of one hidden layer of one network.

    ``moments``: of the training rows; ``chosen``: int64 [concepts], positions in the basis; ``scores``: float64
    [test rows, concepts]; ``turned``: the same along `TURNED` random directions; ``train``, ``test``: what the network
    says.
    """

    seed: int
    layer: str
    moments: Moments
    basis: ConceptBasis
    ranking: ClassRanking
    chosen: Ints
    scores: Doubles
    turned: Doubles
    train: Outcomes
    test: Outcomes


@dataclass(frozen=True)
class LayerRows:
    """Rows of the exhibit `evoscope.figure_data.TabularConcepts` for one layer of one network."""

    concepts: pd.DataFrame
    correlations: pd.DataFrame
    gaps: pd.DataFrame


def hidden_layers(network: Network, table: Table, protocol: DiscoveryProtocol, seed: int) -> list[HiddenLayer]:
    """Decompose every hidden layer on the training rows, and score the test rows."""
    names, (train, test) = network.layers, table.scaled()
    seen = scan_latents(network, batches(train, table.train), len(train), names, (protocol.evidence,))
    unseen = scan_latents(network, batches(test, table.test), len(test), names)
    found = []
    for name in names:
        layer = seen.of(name)
        basis, ranking = (result := discover(layer, seen.outcomes, protocol)).basis, result.ranking
        chosen = strongest(ranking)
        features = np.asarray(unseen.of(name).rows("features"), dtype=np.float64)
        scores = basis.project(features)[:, chosen]
        stream = generator(seed, "random directions", name)
        turned = features @ stream.standard_normal((features.shape[1], TURNED))
        outcomes = (seen.outcomes, unseen.outcomes)
        found.append(HiddenLayer(seed, name, layer.moments, basis, ranking, chosen, scores, turned, *outcomes))
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


def layer_rows(network: Network, table: Table, found: HiddenLayer, draws: int) -> LayerRows:
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


def _ablated(network: Network, table: Table, found: HiddenLayer, seed: int) -> Ablation:
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


def _concept_rows(table: Table, found: HiddenLayer, without: Ablation, seed: int) -> list[dict[str, object]]:
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
                **bounds("accuracy_change", "low", "high", change),
                "random": random,
                "random_low": low,
                "random_high": high,
            }
        )
    return rows


def _correlation_rows(table: Table, found: HiddenLayer, draws: int, seed: int) -> list[dict[str, object]]:
    """Every concept with every input; ``random``: the median over random directions of their largest |correlation|."""
    result = correlated(found.scores, table.test.values, seed, draws)
    random = np.abs(correlations(found.turned, table.test.values)).max(axis=1)
    return [
        {
            "direction": int(direction),
            "column": column,
            "protected": column in table.protected,
            **{name: getattr(result, name)[place, number] for name in ("value", "low", "high", "p")},
            "chance": result.chance,
            "random": float(np.median(random)),
        }
        for place, direction in enumerate(found.chosen)
        for number, column in enumerate(table.columns)
    ]


def _gap_rows(
    table: Table, found: HiddenLayer, without: Ablation, draws: int, seed: int
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
                **bounds("change", "low", "high", change),
                "random_low": low,
                "random_high": high,
            }


def again(own: HiddenLayer, every: Sequence[HiddenLayer]) -> Doubles:
    """How well another network's concepts follow each of one's own: float64 [concepts], NaN for a single network.

    The largest |correlation| over the test rows with a concept of the same layer, mean over the other networks.
    """
    others = [each for each in every if each.layer == own.layer and each.seed != own.seed]
    if not others:
        return np.full(len(own.chosen), np.nan)
    best = [np.abs(correlations(own.scores, other.scores)).max(axis=1) for other in others]
    return np.asarray(np.mean(best, axis=0), dtype=np.float64)


def between(table: Table) -> pd.DataFrame:
    """For every protected column the other input that it correlates with most, over the test rows."""
    values = table.test.values
    r = correlations(values, values) - np.eye(values.shape[1])
    rows = []
    for name in table.protected if len(table.columns) > 1 else ():
        place = table.columns.index(name)
        r[place, place] = 0.0
        other = int(np.abs(r[place]).argmax())
        rows.append({"column": name, "other": table.columns[other], "value": r[place, other]})
    return pd.DataFrame(rows, columns=["column", "other", "value"]).astype({"value": np.float64})


def _networks(table: Table, found: Sequence[HiddenLayer]) -> pd.DataFrame:
    """One row per network: how often it is right."""
    firsts = {each.seed: each for each in reversed(found)}
    largest = np.bincount(table.test.labels).max() / len(table.test)
    rows = [
        {
            "seed": seed,
            "train_accuracy": each.train.accuracy,
            "test_accuracy": each.test.accuracy,
            "largest_class": float(largest),
            "shown_share": float((each.test.predictions == table.shown).mean()),
            "train_rows": len(table.train),
            "test_rows": len(table.test),
        }
        for seed, each in sorted(firsts.items())
    ]
    return pd.DataFrame(rows)
