"""Stage ``concept_truth``: how the directions of every method fare where the concepts are known."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Doubles
from evoscope.artefacts import save
from evoscope.data.images import ConceptTable, ImageSet, limit
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.latent import LayerLatents
from evoscope.discovery.methods import RandomRotation
from evoscope.discovery.truth import Recovery, distinctness, localisation_by_concept, localise, recovery
from evoscope.figure_data import Table
from evoscope.models.network import Network
from evoscope.progress import Progress
from evoscope.stats import Interval, bootstrap_interval
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.concept_methods import method_concepts
from experiments.stages.concept_rows import bounds
from experiments.stages.concept_spaces import Space, open_network, read_space
from experiments.stages.latents import concept_images
from experiments.stages.training import source

STAGE = Stage(
    "concept_truth",
    version=1,
    modules=(
        "evoscope.discovery.truth",
        "evoscope.discovery.truth",
        "evoscope.stats",
        "experiments.stages.concept_truth",
    ),
)
MAPS_MB = 128
"""MiB of concept maps that are held at a time."""


def concept_truth(context: Context, space: Space, methods: Node) -> Node:
    """Node of a table: recovery, distinctness and localisation of the true concepts by every method.

    One row per method and metric: ``run``, ``layer``, ``method``, ``metric``, ``value`` (mean over concepts; for
    ``distinctness`` over the directions that tell a concept best), ``low``, ``high`` (bootstrap over the same),
    ``null`` (as many random orthonormal directions; for ``pointing`` and ``iou`` a random place), ``concepts``.
    Directions are chosen on the pool and judged on held-out images.
    """
    config, shown, held_out = context.config, concept_images(context), context.data.test
    checkpoints, most = source(context, space.run, space.epoch), context.config.scale.ablated_images
    masked = limit(held_out, min(most, len(held_out)), None, config.seed)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        assert shown.concepts is not None
        assert held_out.concepts is not None
        spaces, pool = read_space(space, inputs["latents"])
        judge = Judge(pool, spaces.held_out.of(space.layer), shown.concepts, held_out.concepts, config.seed)
        bases = method_concepts(inputs["methods"]).bases
        found = [judge.recovered(basis) for basis in bases]
        rows = [row for pair in zip(bases, found, strict=True) for row in judge.rows(*pair)]
        network = open_network(context, space, inputs)
        rows += place_rows(network, masked, space.layer, bases, found, config.seed, progress)
        order = [basis.method for basis in bases]
        table = pd.DataFrame(rows).sort_values(
            "method", key=lambda names: names.map(order.index), kind="stable"
        )
        save(Table(table.assign(**space.head)[[*space.head, *table.columns]].reset_index(drop=True)), folder)

    return Node(
        STAGE,
        config={"images": most},
        inputs={"latents": space.node, "methods": methods, **checkpoints.inputs},
        build=compute,
        seed=config.seed,
        data={**checkpoints.fingerprints, "shown": shown.fingerprint, "held_out": held_out.fingerprint},
        label=f"concepts of {space.run.name}, epoch {space.epoch}, against the truth",
    )


class Judge:
    """Judges directions of one layer by what the images are known to show.

    Parameters
    ----------
    pool, held_out : features of both sets of images; ``shown``, ``others``: what they show.
    """

    def __init__(
        self,
        pool: LayerLatents,
        held_out: LayerLatents,
        shown: ConceptTable,
        others: ConceptTable,
        seed: int,
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
            row_of(basis.method, name, interval, null[name].value, len(found.names))
            for name, interval in own.items()
        ]

    def _metrics(self, directions: Doubles, scores: Doubles, found: Recovery) -> dict[str, Interval]:
        apart = distinctness(scores, self.others.present, directions, found).selectivity
        return {
            "recovery auc": found.mean_auc(self.seed),
            "matched correlation": found.mean_correlation(self.seed),
            "distinctness": bootstrap_interval(apart[np.unique(found.direction)], self.seed),
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
    vectors = [
        each.side[:, None] * basis.directions[each.direction]
        for basis, each in zip(bases, found, strict=True)
    ]
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
    method = method_of(table, len(bases))
    rows: list[dict[str, object]] = []
    for number, basis in enumerate(bases):
        places = localisation_by_concept(table[method == number], seed)
        for metric, score, chance in (("pointing", "hit", "share"), ("iou", "iou", "iou_chance")):
            mean = bootstrap_interval(places[score], seed)
            rows.append(row_of(basis.method, metric, mean, float(places[chance].mean()), len(places)))
    return rows


def method_of(table: pd.DataFrame, methods: int) -> pd.Series:
    """Which method each row of a localisation of several methods' directions belongs to.

    Every image has the same concepts for each method, one method after the other.
    """
    images = table.groupby("image")["concept"]
    return images.cumcount() // (images.transform("size") // methods)


def row_of(method: str, metric: str, found: Interval, null: float, concepts: int) -> dict[str, object]:
    """One row of the table."""
    values = bounds("value", "low", "high", found)
    return {"method": method, "metric": metric, **values, "null": null, "concepts": concepts}
