"""Stage ``concept_relevance``: whether the candidate concepts of classes matter to the network, beyond z."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Doubles
from evoscope.artefacts import save
from evoscope.data.images import at_most
from evoscope.data.loader import Batch, Loader
from evoscope.discovery.basis import ConceptBasis, Moments, svd_basis
from evoscope.discovery.latent import LayerLatents, Outcomes
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import sums_of_rows
from evoscope.discovery.relevance import (
    Ablation,
    ablate,
    directional_derivative,
    energy,
    equal_energy_directions,
    random_match,
    stability,
)
from evoscope.evolution.importance import of_class
from evoscope.figure_data import Table
from evoscope.models.network import Network
from evoscope.progress import Progress
from evoscope.seeds import derive
from evoscope.stats import Interval, percentile_interval
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.concept_rows import bounds
from experiments.stages.concept_spaces import Candidate, first_candidates, open_network, read_space, turned
from experiments.stages.concepts import LayerConcepts, Sought, layer_concepts
from experiments.stages.training import source

STAGE = Stage(
    "concept_relevance",
    version=1,
    modules=(
        "evoscope.discovery.relevance",
        "evoscope.discovery.ranking",
        "evoscope.evolution.suffix",
        "evoscope.stats",
        "experiments.stages.concept_relevance",
    ),
)
RANDOM = 20
"""Random directions of equal variance beside each candidate."""
BATCH = 64
MEASURED = (
    *("z", "derivative", "positive_share", "logit_change", "logit_low", "logit_high"),
    *("random_change", "random_low", "random_high", "accuracy_change", "accuracy_low", "accuracy_high"),
    *("random_accuracy_change", "stability", "stability_null"),
)


def concept_relevance(
    context: Context, sought: Sought, protocol: DiscoveryProtocol, labels: Sequence[int]
) -> Node:
    """Node of a table: the first candidate of each class, NaN for a class that has none.

    Columns: ``run``, ``layer``, ``class_name``, ``direction``, ``side``; ``z``, positive for the candidate's side;
    ``derivative`` of the class logit along it and ``positive_share`` of the images predicted as the class that it
    helps; ``logit_change`` and ``accuracy_change`` when its coordinate is set to the mean's, with intervals over
    held-out images of the class; ``random_change`` and ``random_accuracy_change``: means of random directions of equal
    variance, 95 % of these directions lying between ``random_low`` and ``random_high``; ``stability``: matched |cosine|
    after drawing the images anew, ``stability_null`` that of random bases.
    """
    space, config = sought.space, context.config
    checkpoints, test = source(context, space.run, space.epoch), context.data.test
    most = max(1, config.scale.ablated_images // len(labels))

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        spaces, layer = read_space(space, inputs["latents"])
        found = layer_concepts(inputs["concepts"])
        table = class_rows(found, layer, spaces.pool.outcomes, labels)
        stable = resampled(layer, protocol, config.seed, config.scale.resamples)
        count, width = found.basis.directions.shape
        chance = float(random_match(width, count, config.seed, config.scale.resamples).mean())
        network = open_network(context, space, inputs)
        for row in progress(table.index, total=len(table), what="ablation", unit="class"):
            candidate = Candidate(*(int(table.loc[row, name]) for name in ("label", "direction", "side")))
            if candidate.side:
                images = at_most(of_class(test, candidate.label), most, config.seed)
                loader = Loader(images, network.preprocessing, batch_size=BATCH, device=context.device)
                lost = ablated_row(
                    network, loader.ordered(), layer.moments, found.basis, candidate, config.seed
                )
                values = {**lost, "stability": stable[candidate.direction], "stability_null": chance}
                table.loc[row, list(values)] = list(values.values())
        names = [context.data.train.class_names[label] for label in table["label"]]
        head = {**space.head, "class_name": names}
        save(Table(table.assign(**head)[[*head, "direction", "side", *MEASURED]]), folder)

    return Node(
        STAGE,
        config={
            "labels": list(labels),
            "names": [context.data.train.class_names[label] for label in labels],
            "images": most,
            "random": RANDOM,
            "resamples": config.scale.resamples,
            "protocol": asdict(protocol),
        },
        inputs={"latents": space.node, "concepts": sought.own, **checkpoints.inputs},
        build=compute,
        seed=config.seed,
        data={**checkpoints.fingerprints, "test": test.fingerprint},
        label=f"relevance of concepts of {space.run.name}, epoch {space.epoch}",
    )


def class_rows(
    found: LayerConcepts, layer: LayerLatents, outcomes: Outcomes, labels: Sequence[int]
) -> pd.DataFrame:
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
    basis = ConceptBasis(
        layer.moments.layer, "candidates", vectors, ones, centred=False, centre=np.zeros(width)
    )
    found = directional_derivative(sums_of_rows(layer.rows("slope"), outcomes, basis))
    return found.mean, found.positive


def resampled(layer: LayerLatents, protocol: DiscoveryProtocol, seed: int, resamples: int) -> Doubles:
    """Mean matched |cosine| of each direction over resamples of the images, float64 [d]."""
    features, name = layer.rows("features"), layer.moments.layer

    def fit(rows: np.ndarray, seed: int) -> ConceptBasis:
        one = np.zeros(len(rows), dtype=np.int64)
        return svd_basis(Moments.of(name, features[rows], one, one, 1), centred=protocol.centred)

    return np.asarray(stability(fit, len(features), seed, resamples).mean(axis=0), dtype=np.float64)


def ablated_row(
    network: Network,
    batches: Iterator[Batch],
    moments: Moments,
    basis: ConceptBasis,
    candidate: Candidate,
    seed: int,
) -> dict[str, float]:
    """What ablating a candidate to its mean changes on images of its class, beside random directions."""
    vector = turned(basis, [candidate])
    target = float(energy(vector, moments.covariance)[0])
    drawn = equal_energy_directions(
        moments.covariance, target, RANDOM, derive(seed, "ablation", candidate.label)
    )
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
