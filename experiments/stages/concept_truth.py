"""How well directions tell what is known of images, and as many random directions and neurons beside them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evoscope.arrays import Doubles
from evoscope.data.images import ConceptTable, ImageSet, Located, limit
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.equal_rank import Truth, equal_rank_rows, known_truth, method_rank_rows
from evoscope.discovery.latent import LayerLatents
from evoscope.discovery.methods import RandomRotation
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.truth import Recovery, localisation_by_concept, localise, recovery, selectivity
from evoscope.figure_data import Table
from evoscope.models.network import Network
from evoscope.progress import Progress
from evoscope.stats import Interval, mean_interval
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.concept_methods import MethodConcepts
from experiments.stages.concept_tables import bounds, headed, table_of
from experiments.stages.concepts import LayerSpace, SpaceConcepts

MAPS_MB = 128
"""MiB of concept maps that are held at a time."""


@stage(version=2)
def concept_truth(
    space: LayerSpace,
    methods: Artefact[MethodConcepts],
    shown: ImageSet,
    held_out: ImageSet,
    most: int,
    seed: int,
    runtime: Runtime,
) -> Table:
    """Recovery, distinctness and localisation of the true concepts by every method.

    One row per method and metric: ``run``, ``layer``, ``method``, ``metric``, ``value`` (mean over concepts; for
    ``distinctness`` over the directions that tell a concept best), ``low``, ``high`` (bootstrap over the same),
    ``null`` (as many random orthonormal directions; for ``pointing`` and ``iou`` a random place), ``concepts``.
    Directions are chosen on the pool and judged on held-out images, the places of at most ``most``; without masks there
    are no places.
    """
    assert shown.concepts is not None  # asked for only where the truth is known
    assert held_out.concepts is not None
    judge = Judge(space.pool(), space.held_out(), shown.concepts, held_out.concepts, seed)
    bases = methods.load().bases
    found = [judge.recovered(basis) for basis in bases]
    rows = [row for pair in zip(bases, found, strict=True) for row in judge.rows(*pair)]
    if isinstance(held_out.source, Located):
        masked = limit(held_out, min(most, len(held_out)), None, seed)
        rows += place_rows(space.checkpoint.open(), masked, space.layer, bases, found, seed, runtime.progress)
    order = [basis.method for basis in bases]
    table = pd.DataFrame(rows).sort_values("method", key=lambda names: names.map(order.index), kind="stable")
    return Table(headed(space, None, table).reset_index(drop=True))


@stage(version=1, label="table of concepts: equal rank")
def equal_rank(
    found: Sequence[SpaceConcepts], protocol: DiscoveryProtocol, shown: ImageSet, held_out: ImageSet, seed: int
) -> Table:
    """The decomposition against as many random directions and neurons, see `equal_rank_rows`.

    ``truth`` says what directions should tell: the known ``concepts`` of the images, or else their ``classes``.
    """
    truth = Truth.of(known_truth(shown), known_truth(held_out))
    kind = "classes" if shown.concepts is None else "concepts"
    parts = []
    for space in (each.space for each in found):
        rows = equal_rank_rows(space.pool(), space.held_out(), truth, protocol, seed)
        parts.append((space, None, rows.assign(truth=kind)))
    return table_of(parts)


@stage(version=1, label="table of concepts: every method at equal rank")
def method_ranks(
    directions: Sequence[tuple[LayerSpace, Artefact[MethodConcepts]]],
    protocol: DiscoveryProtocol,
    shown: ImageSet,
    held_out: ImageSet,
    seed: int,
) -> Table:
    """Every method's directions at equal numbers, see `method_rank_rows`; without the probes, which know the truth."""
    known, labels = (known_truth(shown), known_truth(held_out)), (shown.labels, held_out.labels)
    parts = []
    for space, methods in directions:
        bases = [basis for basis in methods.load().bases if basis.method != "probes"]
        layers = space.pool(), space.held_out()
        parts.append((space, None, method_rank_rows(bases, layers, known, labels, protocol, seed)))
    return table_of(parts)


class Judge:
    """Judges directions of one layer by what the images are known to show.

    Parameters
    ----------
    pool, held_out : features of both sets of images; ``shown``, ``others``: what they show.
    """

    def __init__(
        self, pool: LayerLatents, held_out: LayerLatents, shown: ConceptTable, others: ConceptTable, seed: int
    ) -> None:
        self.pool, self.held_out = pool.rows("features"), held_out.rows("features")
        self.shown, self.others, self.seed = shown, others, seed
        self.random = RandomRotation().fit(self.pool, seed)

    def recovered(self, basis: ConceptBasis) -> Recovery:
        """Look for the true concepts among the directions."""
        return recovery(basis.project(self.pool), self.shown, basis.project(self.held_out), self.others)

    def rows(self, basis: ConceptBasis, found: Recovery) -> list[dict[str, object]]:
        """Metrics of a method, beside those of as many random directions."""
        own = self._metrics(basis.directions, basis.project(self.held_out), found)
        few = self.random.directions[: len(basis)]
        chance = ConceptBasis("", "", few, self.random.strengths[: len(few)], False, self.random.centre)
        null = self._metrics(few, chance.project(self.held_out), self.recovered(chance))
        return [
            row_of(basis.method, name, interval, null[name].value, len(found.names)) for name, interval in own.items()
        ]

    def _metrics(self, directions: Doubles, scores: Doubles, found: Recovery) -> dict[str, Interval]:
        apart = selectivity(scores, self.others.present[:, found.columns])
        return {
            "recovery auc": found.mean_auc(self.seed),
            "matched correlation": found.mean_correlation(self.seed),
            "distinctness": mean_interval(apart[np.unique(found.direction)], self.seed),
        }


def place_rows(
    network: Network,
    images: ImageSet,
    layer: str,
    bases: Sequence[ConceptBasis],
    found: Sequence[Recovery],
    seed: int,
    progress: Progress,
) -> list[dict[str, object]]:
    """Pointing game and IoU of each concept's best direction by every method, with one pass for all of them."""
    concepts = found[0].columns
    vectors = [each.side[:, None] * basis.directions[each.direction] for basis, each in zip(bases, found, strict=True)]
    directions = np.concatenate(vectors)
    each_image = 8 * len(directions) * network.preprocessing.pixels**2
    table = localise(
        network,
        images,
        layer,
        directions,
        np.tile(concepts, len(bases)),
        batch_size=max(1, min(64, MAPS_MB * 2**20 // each_image)),
        progress=progress,
    )
    # Every image has the same concepts for each method, one method after the other.
    shown = table.groupby("image")["concept"]
    method = shown.cumcount() // (shown.transform("size") // len(bases))
    rows: list[dict[str, object]] = []
    for number, basis in enumerate(bases):
        places = localisation_by_concept(table[method == number], seed)
        for metric, score, chance in (("pointing", "hit", "share"), ("iou", "iou", "iou_chance")):
            mean = mean_interval(places[score].to_numpy(), seed)
            rows.append(row_of(basis.method, metric, mean, float(places[chance].mean()), len(places)))
    return rows


def row_of(method: str, metric: str, found: Interval, null: float, concepts: int) -> dict[str, object]:
    """One row of the table."""
    values = bounds("value", "low", "high", found)
    return {"method": method, "metric": metric, **values, "null": null, "concepts": concepts}
