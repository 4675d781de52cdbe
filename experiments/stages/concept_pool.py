"""Concepts for human studies: of the decomposition, of neurons and of chance, with the images that show them best."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Doubles, Floats, Ints, unit_rows
from evoscope.data.images import ImageSet
from evoscope.discovery.ranking import candidates
from evoscope.discovery.refine import top_images
from evoscope.seeds import generator
from evoscope.store import Artefact, stage
from experiments.stages.concepts import LayerConcepts, LayerSpace, best_concept_per_direction

CONCEPTS, IMAGES = 20, 12
"""Concepts per condition, and images of each."""


@dataclass(frozen=True)
class StudyConcepts:
    """Concepts with the images that show them best.

    ``ids`` [n]: unique; ``condition`` [n]: ``svd`` (first candidates of classes, on their side), ``neuron`` or
    ``random``; ``layer`` [n]; ``label`` [n]: the true concept it tells best, "" where none is known or clear;
    ``vectors``: float32 [n, d], unit; ``images``: int64 [n, k], positions in
    the images that concepts are sought on, the most activating first.
    """

    ids: tuple[str, ...]
    condition: tuple[str, ...]
    layer: tuple[str, ...]
    label: tuple[str, ...]
    vectors: Floats
    images: Ints


@stage(version=1)
def concept_pool(
    space: LayerSpace, concepts: Artefact[LayerConcepts], shown: ImageSet, others: ImageSet, seed: int
) -> StudyConcepts:
    """Concepts of a run's layer for human studies."""
    features, held_out = space.pool().rows("features"), space.held_out().rows("features")
    drawn = study_vectors(concepts.load(), np.ptp(features, axis=0) > 0, seed)
    vectors = np.concatenate(list(drawn.values()))
    labels, _ = best_concept_per_direction(features @ vectors.T, held_out @ vectors.T, shown, others)
    return StudyConcepts(
        ids=tuple(f"{name}-{number}" for name, rows in drawn.items() for number in range(len(rows))),
        condition=tuple(name for name, rows in drawn.items() for _ in rows),
        layer=(space.layer,) * len(vectors),
        label=labels,
        vectors=vectors.astype(np.float32),
        images=np.stack(list(top_images(features, vectors, IMAGES))),
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
