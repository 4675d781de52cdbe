"""Stage ``concept_pool``: concepts for human studies, of the decomposition, of neurons and of chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evoscope.arrays import Doubles, Floats, Ints, unit_rows
from evoscope.artefacts import save
from evoscope.discovery.ranking import candidates
from evoscope.discovery.refine import top_images
from evoscope.progress import Progress
from evoscope.seeds import generator
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.concept_spaces import read_space, told_concepts
from experiments.stages.concepts import LayerConcepts, Sought, layer_concepts
from experiments.stages.latents import concept_images

STAGE = Stage(
    "concept_pool",
    version=1,
    modules=(
        "evoscope.activations.stimuli",
        "evoscope.discovery.ranking",
        "experiments.stages.concept_pool",
        "experiments.stages.concept_spaces",
    ),
)
CONCEPTS, IMAGES = 20, 12
"""Concepts per condition, and images of each."""


@dataclass(frozen=True)
class StudyConcepts:
    """Concepts with the images that show them best.

    ``ids`` [n]: unique; ``condition`` [n]: ``svd`` (first candidates of classes, on their side), ``neuron`` or
    ``random``; ``layer`` [n]; ``label`` [n]: the true concept it tells best, "" where none is known or clear;
    ``vectors``: float32 [n, d], unit; ``images``: int64 [n, k], positions in
    `experiments.stages.latents.concept_images`, the most activating first.
    """

    ids: tuple[str, ...]
    condition: tuple[str, ...]
    layer: tuple[str, ...]
    label: tuple[str, ...]
    vectors: Floats
    images: Ints


def concept_pool(context: Context, sought: Sought) -> Node:
    """Node of `StudyConcepts` of a run's layer, under the job's own protocol."""
    space, seed, shown, others = sought.space, context.config.seed, concept_images(context), context.data.test

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        spaces, layer = read_space(space, inputs["latents"])
        features, held_out = layer.rows("features"), spaces.held_out.of(space.layer).rows("features")
        drawn = study_vectors(layer_concepts(inputs["concepts"]), np.ptp(features, axis=0) > 0, seed)
        vectors = np.concatenate(list(drawn.values()))
        labels, _ = told_concepts(features @ vectors.T, held_out @ vectors.T, shown, others)
        conditions = [name for name, rows in drawn.items() for _ in rows]
        ids = [f"{name}-{number}" for name, rows in drawn.items() for number in range(len(rows))]
        images = np.stack(list(top_images(features, vectors, IMAGES)))
        layers = (space.layer,) * len(vectors)
        save(
            StudyConcepts(tuple(ids), tuple(conditions), layers, labels, vectors.astype(np.float32), images),
            folder,
        )

    return Node(
        STAGE,
        config={"concepts": CONCEPTS, "images": IMAGES},
        inputs={"latents": space.node, "concepts": sought.own},
        build=compute,
        seed=seed,
        data={"pool": shown.fingerprint, "held_out": others.fingerprint},
        label=f"concepts of {space.run.name}, epoch {space.epoch}, for studies",
    )


def study_vectors(found: LayerConcepts, alive: np.ndarray, seed: int) -> dict[str, Doubles]:
    """Unit vectors by condition, float64 [up to 20, d].

    Parameters
    ----------
    alive : bool [d], neurons that are not constant; others are not shown.
    """
    directions, sides = first_concepts(found, CONCEPTS)
    stream, width = generator(seed, "study concepts"), found.basis.directions.shape[1]
    some = np.sort(stream.permutation(len(directions))[:CONCEPTS])
    neurons = np.sort(stream.permutation(np.flatnonzero(alive))[:CONCEPTS])
    return {
        "svd": sides[some, None] * found.basis.directions[directions[some]],
        "neuron": np.eye(width)[neurons],
        "random": unit_rows(stream.standard_normal((CONCEPTS, width))),
    }


def first_concepts(found: LayerConcepts, count: int) -> tuple[Ints, Ints]:
    """Directions and sides among the first candidates of classes: of as few places as give ``count`` (or all)."""
    most = found.ranking.z.shape[1]
    for places in range(1, most):
        directions, sides = candidates(found.ranking, places)
        if len(directions) >= count:
            return directions, sides
    return candidates(found.ranking, most)
