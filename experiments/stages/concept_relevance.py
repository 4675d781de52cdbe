"""Whether the candidate concepts of classes matter to the network, and the boards of images that show them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from evoscope.arrays import Bytes, Doubles, Floats, Ints
from evoscope.data.images import Fit, ImageSet, at_most
from evoscope.data.loader import Batch, Loader
from evoscope.discovery.basis import ConceptBasis, Moments, neuron_alignment, svd_basis
from evoscope.discovery.latent import LayerLatents, Outcomes
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import sums_of_rows
from evoscope.discovery.relevance import Ablation, ablate, energy, equal_energy_directions, random_match, stability
from evoscope.discovery.truth import BOARD, SEGMENT, board, map_batches, predicted_board, segments
from evoscope.evolution.importance import of_class
from evoscope.figure_data import ConceptBoards, Table
from evoscope.models.network import Network
from evoscope.seeds import derive
from evoscope.stats import Interval, percentile_interval
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.concept_tables import bounds
from experiments.stages.concepts import (
    Candidate,
    LayerConcepts,
    LayerSpace,
    SpaceConcepts,
    best_concept_per_direction,
    first_candidates,
    turned,
)

RANDOM = 20
"""Random directions of equal variance beside each candidate."""
BATCH = 64
MEASURED = (
    *("z", "derivative", "positive_share", "logit_change", "logit_low", "logit_high"),
    *("random_change", "random_low", "random_high", "accuracy_change", "accuracy_low", "accuracy_high"),
    *("random_accuracy_change", "stability", "stability_null"),
)
SIDE, SMALL, PREDICTED = 112, 56, 10
"""Pixels of an image of a board and of one predicted as the class; how many of the latter."""


@stage(version=2)
def concept_relevance(
    space: LayerSpace,
    concepts: Artefact[LayerConcepts],
    protocol: DiscoveryProtocol,
    labels: Sequence[int],
    test: ImageSet,
    most: int,
    resamples: int,
    seed: int,
    runtime: Runtime,
) -> Table:
    """The first candidate of each class and how much it matters, NaN for a class that has none.

    Columns: ``run``, ``layer``, ``class_name``, ``direction``, ``side``; ``z``, positive for the candidate's side;
    ``derivative`` of the class logit along it and ``positive_share`` of the images predicted as the class that it
    helps; ``logit_change`` and ``accuracy_change`` when its coordinate is set to the mean's, with intervals over
    at most ``most`` held-out images of the class; ``random_change`` and ``random_accuracy_change``: means of random
    directions of equal variance, 95 % of these directions lying between ``random_low`` and ``random_high``;
    ``stability``: matched |cosine| after drawing the images anew, ``stability_null`` that of random bases.
    """
    layer, found = space.pool(), concepts.load()
    table = class_rows(found, layer, space.spaces.load().pool.outcomes, labels)
    stable = resampled(layer, protocol, seed, resamples)
    count, width = found.basis.directions.shape
    chance = float(random_match(width, count, seed, resamples).mean())
    network = space.checkpoint.open()
    for row in runtime.progress(table.index, total=len(table), what="ablation", unit="class"):
        candidate = Candidate(*(int(table.loc[row, name]) for name in ("label", "direction", "side")))
        if candidate.side:
            images = at_most(of_class(test, candidate.label), most, seed)
            device = space.checkpoint.machine.device
            loader = Loader(images, network.preprocessing, batch_size=BATCH, device=device)
            lost = ablated_row(network, loader.ordered(), layer.moments, found.basis, candidate, seed)
            values = {**lost, "stability": stable[candidate.direction], "stability_null": chance}
            table.loc[row, list(values)] = list(values.values())
    head = {**space.head, "class_name": [test.class_names[label] for label in table["label"]]}
    return Table(table.assign(**head)[[*head, "direction", "side", *MEASURED]])


def class_rows(found: LayerConcepts, layer: LayerLatents, outcomes: Outcomes, labels: Sequence[int]) -> pd.DataFrame:
    """Candidates of classes with z, derivative and positive share; `MEASURED` columns, NaN where not measured yet."""
    candidates = first_candidates(found.ranking, labels)
    table = pd.DataFrame([asdict(each) for each in candidates])
    table[list(MEASURED)] = np.nan
    there = [row for row, each in enumerate(candidates) if each.side]
    slopes = slopes_along(layer, outcomes, turned(found.basis, candidates))
    for row in there:
        for name, value in class_measures(found, slopes, candidates[row], row).items():
            table.loc[row, name] = value
    return table


def class_measures(
    found: LayerConcepts, slopes: tuple[Doubles, Doubles], candidate: Candidate, place: int
) -> dict[str, float]:
    """A candidate's z on its side, and from row ``place`` of `slopes_along` its derivative and positive share."""
    return {
        "z": candidate.side * float(found.ranking.z[candidate.label, candidate.direction]),
        "derivative": float(slopes[0][candidate.label, place]),
        "positive_share": float(slopes[1][candidate.label, place]),
    }


def slopes_along(layer: LayerLatents, outcomes: Outcomes, vectors: Doubles) -> tuple[Doubles, Doubles]:
    """Mean derivative of the predicted class's logit along vectors, and share of images that they help.

    Both float64 [classes, vectors], by predicted class; NaN for a class that is never predicted.
    """
    ones, width = np.ones(len(vectors)), vectors.shape[1]
    basis = ConceptBasis(layer.moments.layer, "candidates", vectors, ones, centred=False, centre=np.zeros(width))
    found = sums_of_rows(layer.rows("slope"), outcomes, basis)
    return found.means(), found.positive_share()


def resampled(layer: LayerLatents, protocol: DiscoveryProtocol, seed: int, resamples: int) -> Doubles:
    """Mean matched |cosine| of each direction over resamples of the images, float64 [d]."""
    features, name = layer.rows("features"), layer.moments.layer

    def fit(rows: np.ndarray, seed: int) -> ConceptBasis:
        one = np.zeros(len(rows), dtype=np.int64)
        return svd_basis(Moments.of(name, features[rows], one, one, 1), centred=protocol.centred)

    return np.asarray(stability(fit, len(features), seed, resamples).mean(axis=0), dtype=np.float64)


def ablated_row(
    network: Network, batches: Iterator[Batch], moments: Moments, basis: ConceptBasis, candidate: Candidate, seed: int
) -> dict[str, float]:
    """What ablating a candidate to its mean changes on images of its class, beside random directions."""
    vector = turned(basis, [candidate])
    target = float(energy(vector, moments.covariance)[0])
    drawn = equal_energy_directions(moments.covariance, target, RANDOM, derive(seed, "ablation", candidate.label))
    found = ablate(network, batches, moments.layer, np.concatenate([vector, drawn]), around=moments.mean)
    lost, random = found.logit_change(0, seed), random_change(found)
    return {
        **bounds("logit_change", "logit_low", "logit_high", lost),
        **bounds("random_change", "random_low", "random_high", random),
        **bounds("accuracy_change", "accuracy_low", "accuracy_high", found.accuracy_change(0, seed)),
        "random_accuracy_change": float(found.correct[1:].mean() - found.intact.mean()),
    }


def random_change(found: Ablation) -> Interval:
    """Mean change of the logit over the random directions (all but the first), and where 95 % of them lie."""
    means = found.change[1:].mean(axis=1, dtype=np.float64)
    return percentile_interval(float(means.mean()), means, 0.95, len(means))


@stage(version=3, label="boards of concepts")
def concept_boards(
    found: Sequence[SpaceConcepts],
    labels: Sequence[int],
    images: ImageSet,
    others: ImageSet,
    seed: int,
    runtime: Runtime,
) -> ConceptBoards:
    """Of each run the first candidates of the classes, with the images that show them best."""
    counted = runtime.progress(found, total=len(found), what="boards of concepts", unit="run")
    parts = [_boards_of(each, labels, images, others, seed) for each in counted]
    head, names = ["run", "epoch", "layer", "class_name"], ("images", "heat", "segments", "predicted")
    frame = pd.concat([part.concepts for part in parts], ignore_index=True)
    return ConceptBoards(
        frame[[*head, *frame.columns.drop(head)]],
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names),
    )


def _boards_of(
    sought: SpaceConcepts, labels: Sequence[int], images: ImageSet, others: ImageSet, seed: int
) -> ConceptBoards:
    space, found, layer = sought.space, sought.own.load(), sought.space.pool()
    candidates = [each for each in first_candidates(found.ranking, labels) if each.side]
    vectors = turned(found.basis, candidates)
    scores = layer.rows("features") @ vectors.T
    held_out = space.held_out().rows("features") @ vectors.T
    names, auc = best_concept_per_direction(scores, held_out, images, others)
    best = board(scores)
    heat = heat_maps(space.checkpoint.open(), images, space.layer, vectors, best)
    fit, outcomes = space.checkpoint.spec.fit, space.spaces.load().pool.outcomes
    predictions = outcomes.predictions
    shown = [predicted_board(predictions, each.label, seed, PREDICTED) for each in candidates]
    slopes = slopes_along(layer, outcomes, vectors)
    frame = concept_frame(found, candidates, vectors, slopes).assign(
        **space.head,
        epoch=space.epoch,
        class_name=[images.class_names[each.label] for each in candidates],
        concept=list(names),
        auc=auc,
        predicted_count=np.array([len(rows) for rows in shown], dtype=np.int64),
        right=[_share_right(images.labels, predictions, each.label) for each in candidates],
    )
    return ConceptBoards(
        concepts=frame,
        images=pictures(images, list(best), SIDE, BOARD, fit),
        heat=heat,
        segments=segments(heat, SEGMENT) if len(heat) else np.zeros(heat.shape, dtype=np.bool_),
        predicted=pictures(images, shown, SMALL, PREDICTED, fit),
    )


def _share_right(labels: Ints, predictions: Ints, label: int) -> float:
    """Share of the images predicted as a class that are of it; NaN where none is."""
    own = labels[predictions == label]
    return float(np.mean(own == label)) if len(own) else float("nan")


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
            "aligned": float(neuron_alignment(vectors[[place]])[0]),
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
        for seen, maps in map_batches(network, loader.ordered(), layer, vectors[[concept]], SIDE):
            heat[concept, there[seen]] = maps[:, 0]
    return heat


def pictures(images: ImageSet, rows: Sequence[Ints], side: int, count: int, fit: Fit) -> Bytes:
    """Images by concept, uint8 [concepts, count, side, side, 3]; black where there is none."""
    drawn = np.zeros((len(rows), count, side, side, 3), dtype=np.uint8)
    for concept, own in enumerate(rows):
        for place, row in enumerate(own[own >= 0]):
            drawn[concept, place] = images.read(int(row), side, fit)
    return drawn
