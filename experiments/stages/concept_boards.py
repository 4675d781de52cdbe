"""Stage ``concept_boards``: the candidate concepts of the classes shown, with the images that show them best."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Bytes, Doubles, Floats, Ints
from evoscope.artefacts import save
from evoscope.data.images import Fit, ImageSet
from evoscope.data.loader import Loader
from evoscope.discovery.basis import neuron_alignment
from evoscope.discovery.truth import BOARD, SEGMENT, board, map_batches, predicted_board, segments
from evoscope.figure_data import ConceptBoards
from evoscope.models.network import Network
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.concept_relevance import class_measures, slopes_along
from experiments.stages.concept_spaces import (
    Candidate,
    first_candidates,
    open_network,
    read_space,
    told_concepts,
    turned,
)
from experiments.stages.concepts import LayerConcepts, Sought, layer_concepts
from experiments.stages.latents import concept_images
from experiments.stages.training import source

STAGE = Stage(
    "concept_boards",
    version=1,
    modules=(
        "evoscope.activations.stimuli",
        "evoscope.discovery.basis",
        "evoscope.discovery.truth",
        "experiments.stages.concept_boards",
        "experiments.stages.concept_spaces",
    ),
)
SIDE, SMALL, PREDICTED = 112, 56, 10
"""Pixels of an image of a board and of one predicted as the class; how many of the latter."""


def concept_boards(context: Context, sought: Sequence[Sought], labels: Sequence[int]) -> Node:
    """Node of the exhibit ``concepts``: of each run the first candidates of the classes, but for those without one."""
    sources = {each.space.name: source(context, each.space.run, each.space.epoch) for each in sought}

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        parts = [
            _of_run(context, each, inputs, labels)
            for each in progress(sought, total=len(sought), what="boards of concepts", unit="run")
        ]
        save(_joined(parts), folder)

    images = concept_images(context)
    return Node(
        STAGE,
        config={
            "labels": list(labels),
            "names": [images.class_names[label] for label in labels],
            "order": [[each.space.name, each.space.layer] for each in sought],
            "sizes": [SIDE, SMALL, PREDICTED, BOARD, SEGMENT],
        },
        inputs={
            **{f"latents {each.space.name}": each.space.node for each in sought},
            **{f"concepts {each.space.name}": each.own for each in sought},
            **{
                f"{role} {name}": node
                for name, found in sources.items()
                for role, node in found.inputs.items()
            },
        },
        build=compute,
        seed=context.config.seed,
        data={
            "pool": images.fingerprint,
            "held_out": context.data.test.fingerprint,
            **{
                f"{role} {name}": text
                for name, found in sources.items()
                for role, text in found.fingerprints.items()
            },
        },
        label="boards of concepts",
    )


def _of_run(
    context: Context, sought: Sought, inputs: Mapping[str, Path], labels: Sequence[int]
) -> ConceptBoards:
    space, images = sought.space, concept_images(context)
    spaces, layer = read_space(space, inputs[f"latents {space.name}"])
    found = layer_concepts(inputs[f"concepts {space.name}"])
    candidates = [each for each in first_candidates(found.ranking, labels) if each.side]
    vectors = turned(found.basis, candidates)
    held_out = spaces.held_out.of(space.layer).rows("features")
    scores = layer.rows("features") @ vectors.T
    names, auc = told_concepts(scores, held_out @ vectors.T, images, context.data.test)
    role = f"training {space.name}"
    network = open_network(context, space, {"training": inputs[role]} if role in inputs else {})
    best = board(scores)
    heat = heat_maps(network, images, space.layer, vectors, best)
    fit, outcomes = space.run.spec.fit, spaces.pool.outcomes
    shown = [predicted_board(outcomes.predictions, each.label, PREDICTED) for each in candidates]
    slopes = slopes_along(layer, outcomes, vectors)
    frame = concept_frame(found, candidates, vectors, slopes).assign(
        **space.head,
        epoch=space.epoch,
        class_name=[images.class_names[each.label] for each in candidates],
        concept=list(names),
        auc=auc,
        predicted_count=np.array([len(rows) for rows in shown], dtype=np.int64),
    )
    return ConceptBoards(
        concepts=frame,
        images=pictures(images, list(best), SIDE, BOARD, fit),
        heat=heat,
        segments=segments(heat, SEGMENT) if len(heat) else np.zeros(heat.shape, dtype=np.bool_),
        predicted=pictures(images, shown, SMALL, PREDICTED, fit),
    )


def concept_frame(
    found: LayerConcepts, candidates: Sequence[Candidate], vectors: Doubles, slopes: tuple[Doubles, Doubles]
) -> pd.DataFrame:
    """What is known of candidates without their images: columns of `evoscope.figure_data.ConceptBoards`."""
    basis, squares = found.basis, found.basis.strengths**2
    rows = [
        {
            "label": each.label,
            "direction": each.direction,
            "side": each.side,
            **class_measures(found, slopes, each, place),
            "singular_value": float(basis.strengths[each.direction]),
            "energy_share": float(squares[each.direction] / squares.sum()),
            "aligned": float(neuron_alignment(vectors[[place]]).component[0]),
            "clusters": clusters_of(found, each),
        }
        for place, each in enumerate(candidates)
    ]
    columns = ["label", "direction", "side", "z", "derivative", "positive_share"]
    return pd.DataFrame(rows, columns=[*columns, "singular_value", "energy_share", "aligned", "clusters"])


def clusters_of(found: LayerConcepts, candidate: Candidate) -> int:
    """Unique concepts that a candidate of a class holds."""
    unique = found.unique
    here = (unique.directions == candidate.direction) & (unique.sides == candidate.side)
    return int(unique.surviving[here][0])


def heat_maps(network: Network, images: ImageSet, layer: str, vectors: Doubles, best: Ints) -> Floats:
    """Concept maps on each concept's own images, float32 [concepts, count, side, side]; 0 where there is no image."""
    heat = np.zeros((*best.shape, SIDE, SIDE), dtype=np.float32)
    device = next(network.module.parameters()).device
    for concept, rows in enumerate(best):
        there = np.flatnonzero(rows >= 0)
        loader = Loader(images.subset(rows[there]), network.preprocessing, batch_size=BOARD, device=device)
        for batch in map_batches(network, loader.ordered(), layer, vectors[[concept]], SIDE):
            heat[concept, there[batch.rows]] = batch.maps[:, 0]
    return heat


def pictures(images: ImageSet, rows: Sequence[Ints], side: int, count: int, fit: Fit) -> Bytes:
    """Images by concept, uint8 [concepts, count, side, side, 3]; black where there is none."""
    drawn = np.zeros((len(rows), count, side, side, 3), dtype=np.uint8)
    for concept, own in enumerate(rows):
        for place, row in enumerate(own[own >= 0]):
            drawn[concept, place] = images.read(int(row), side, fit)
    return drawn


def _joined(parts: Sequence[ConceptBoards]) -> ConceptBoards:
    def stacked(name: str) -> Array:
        return np.concatenate([getattr(part, name) for part in parts])

    head = ["run", "epoch", "layer", "class_name"]
    frame = pd.concat([part.concepts for part in parts], ignore_index=True)
    return ConceptBoards(
        concepts=frame[[*head, *frame.columns.drop(head)]],
        images=stacked("images"),
        heat=stacked("heat"),
        segments=stacked("segments"),
        predicted=stacked("predicted"),
    )
