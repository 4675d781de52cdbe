"""Concept vectors of a layer as virtual neurons: by several methods, placed by their stimuli on the neuron map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evoscope.activations.stimuli import NeuronConcepts, NeuronIndex
from evoscope.arrays import Array, SmallInts
from evoscope.data.images import ImageSet
from evoscope.discovery.following import FIRST, Snapshot, virtual_neurons
from evoscope.discovery.following_tables import class_tops
from evoscope.discovery.ranking import Discovery
from evoscope.discovery.virtual_neurons import Virtual, as_stimuli, on_the_map, placer, top_images
from evoscope.figure_data import NeuronMap
from evoscope.space.build import project
from evoscope.space.protocol import Projection, SemanticSpace, SpaceProtocol
from evoscope.store import Artefact, stage
from experiments.stages.concept_methods import MethodConcepts
from experiments.stages.concepts import LayerConcepts, LayerSpace
from experiments.stages.stimuli import Look, concepts_told

REFINED, DICTIONARY = "refined", "sparse autoencoder"
DICTIONARIES = {"sae": DICTIONARY}


@dataclass(frozen=True)
class ConceptPlaces:
    """Concept vectors of a layer in the unified space.

    ``run``, ``epoch``: of the layer; ``index``: a kind of vectors for each layer of it, and their numbers; ``frame``: a
    row per vector: ``x``, ``y`` (NaN: unplaced), ``coverage`` (share of its stimuli that the base covers), ``concept``
    (true concept it tells best, "" none known or clear), ``classes`` (whose first candidate it is, or was refined
    from); ``images``: int32 [vectors, k], positions in the pool (-1: none); ``concepts``: how well it tells each true
    concept; ``projection``: its place.
    """

    run: str
    epoch: int
    index: NeuronIndex
    frame: pd.DataFrame
    images: SmallInts
    concepts: NeuronConcepts
    projection: Projection


@stage(version=1, label="places of the concept vectors of {space.run}")
def concept_places(
    space: LayerSpace,
    concepts: Artefact[LayerConcepts],
    methods: Artefact[MethodConcepts] | None,
    semantic: Artefact[SemanticSpace],
    places: Artefact[NeuronMap],
    base: Look,
    images: ImageSet,
    others: ImageSet,
    pool: ImageSet,
    protocol: SpaceProtocol,
) -> ConceptPlaces:
    """The vectors of a layer that were found on ``images``, part of the ``pool``, and are judged on ``others``.

    ``methods``: has those of a sparse autoencoder, if it was among them.
    """
    found, features = concepts.load(), space.pool().rows("features")
    snapshot = Snapshot(space.epoch, Discovery(found.basis, found.ranking), features)
    svd = virtual_neurons(snapshot, placer(semantic.load(), images.ids, protocol), protocol.k)
    unique = found.unique.vectors
    # Directions as concept evolution follows them, side by side, and unique concepts.
    kinds = {
        "SVD +": svd.take(svd.side > 0),
        "SVD −": svd.take(svd.side < 0),
        REFINED: _virtual(np.arange(len(unique)), unique, features, protocol.k),
    }
    for basis in methods.load().bases if methods else ():
        if basis.method in DICTIONARIES:
            strong = np.argsort(-basis.strengths, kind="stable")[:FIRST]
            vectors = basis.directions[strong]
            kinds[DICTIONARIES[basis.method]] = _virtual(strong, vectors, features, protocol.k)
    kinds = {kind: each for kind, each in kinds.items() if len(each)}
    turned, best = (np.concatenate([getattr(x, name) for x in kinds.values()]) for name in ("vectors", "images"))
    projection = project(semantic.load(), as_stimuli(best, images.ids), protocol)
    anchors = base.rows(places.load().neurons)[["x", "y"]].to_numpy(float)
    xy = on_the_map(projection.vectors.astype(float), base.projection.load().vectors, anchors)
    held_out = space.held_out().rows("features")
    told = concepts_told(features @ turned.T, held_out @ turned.T, images, others)
    frame = pd.DataFrame(xy, columns=["x", "y"]).assign(
        coverage=projection.coverage, concept=told.all_names(), classes=_classes(found, kinds, images.class_names)
    )
    where = {name: row for row, name in enumerate(pool.ids)}
    positions = np.array([*(where[name] for name in images.ids), -1], dtype=np.int32)[best]
    return ConceptPlaces(space.run, space.epoch, _index(space.layer, kinds), frame, positions, told, projection)


def _virtual(number: Array, vectors: Array, features: Array, k: int) -> Virtual:
    """Vectors on their positive side; their places are still unknown."""
    ones, nowhere = np.ones(len(number), np.int64), np.full((len(number), 0), np.nan)
    return Virtual(number.astype(np.int64), ones, vectors, top_images(features, vectors, k), nowhere)


def _classes(found: LayerConcepts, kinds: Mapping[str, Virtual], names: Sequence[str]) -> list[str]:
    """The classes whose first candidate each vector is, or was refined from; "" for none."""
    unique, told = found.unique, list[str]()
    for kind, each in kinds.items():
        source = each
        if kind == REFINED:
            own = unique.source
            source = replace(each, direction=unique.directions[own], side=unique.sides[own])
        dictionary = kind in DICTIONARIES.values()
        told += [""] * len(each) if dictionary else class_tops(found.ranking, source, names)
    return told


def _index(layer: str, kinds: Mapping[str, Virtual]) -> NeuronIndex:
    counts = [len(each) for each in kinds.values()]
    return NeuronIndex(
        layers=tuple(f"{layer}, {kind}" for kind in kinds),
        layer=np.repeat(np.arange(len(kinds)), counts).astype(np.int32),
        channel=np.concatenate([each.direction for each in kinds.values()]).astype(np.int32),
        grid=np.ones((len(kinds), 2), np.int32),
    )
