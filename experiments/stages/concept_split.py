"""One direction that holds several unique concepts: its scores, its clusters, and images with maps of each concept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Doubles, Ints
from evoscope.data.images import ImageSet
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.refine import UniqueConcepts, most_activating
from evoscope.discovery.truth import SEGMENT, segments
from evoscope.figure_data import ConceptSplit
from evoscope.store import stage
from experiments.stages.concept_relevance import SIDE, heat_maps, pictures
from experiments.stages.concepts import LayerConcepts, SpaceConcepts

MOST, IMAGES, BINS = 3, 5, 60
"""Unique concepts and images of each that are shown; bars of the histogram."""
HISTOGRAM, POINTS = ["left", "right", "images"], ["x", "y", "concept"]
CONCEPTS = ["concept", "size", "title", "share", "everywhere"]


@dataclass(frozen=True)
class Direction:
    """A direction of ``unique`` (position ``place`` there) of a space, and how far its clusters are apart."""

    space: int
    place: int
    apart: float


@stage(version=1, label="a direction and its unique concepts")
def concept_split(found: Sequence[SpaceConcepts], protocol: DiscoveryProtocol, images: ImageSet) -> ConceptSplit:
    """The direction whose two largest clusters are the farthest apart, of the first candidates of all classes."""
    loaded = [each.own.load() for each in found]
    several = [
        Direction(space, int(place), apart(each.unique, int(place), found[space].space.pool().rows("features")))
        for space, each in enumerate(loaded)
        for place in np.flatnonzero(each.unique.surviving > 1)
    ]
    sought = sum(len(each.unique.surviving) for each in loaded)
    if not several:
        return nothing(sought)
    best = max(several, key=lambda each: each.apart)
    return _split(found[best.space], best, (len(several), sought), protocol, images)


def nothing(sought: int) -> ConceptSplit:
    """No direction of those ``sought`` holds several unique concepts."""
    shape = (0, IMAGES, SIDE, SIDE)
    return ConceptSplit(
        facts=pd.DataFrame({"several": [0], "sought": [sought]}),
        histogram=pd.DataFrame(columns=HISTOGRAM),
        points=pd.DataFrame(columns=POINTS),
        concepts=pd.DataFrame(columns=CONCEPTS),
        images=np.zeros((*shape, 3), np.uint8),
        heat=np.zeros(shape, np.float32),
        segments=np.zeros(shape, np.bool_),
    )


def apart(unique: UniqueConcepts, place: int, features: Array) -> float:
    """Distance of the means of a direction's two largest clusters, in root mean squared distances of their images."""
    first, second = (features[members_of(unique, row)].astype(np.float64) for row in concepts_of(unique, place)[:2])
    spread = np.concatenate([each - each.mean(axis=0) for each in (first, second)])
    gap = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    return float(gap / max(np.sqrt((spread**2).sum(axis=1).mean()), 1e-12))


def concepts_of(unique: UniqueConcepts, place: int) -> Ints:
    """Unique concepts of a direction, that of most images first."""
    rows = np.flatnonzero(unique.source == place)
    return rows[np.argsort(-unique.sizes[rows], kind="stable")]


def members_of(unique: UniqueConcepts, concept: int) -> Ints:
    """Images of a unique concept, the most activating first."""
    members = unique.images[concept]
    return np.asarray(members[members >= 0], dtype=np.int64)


def _split(
    sought: SpaceConcepts, chosen: Direction, counts: tuple[int, int], protocol: DiscoveryProtocol, images: ImageSet
) -> ConceptSplit:
    space, found = sought.space, sought.own.load()
    features, unique = space.pool().rows("features"), found.unique
    direction, side = int(unique.directions[chosen.place]), int(unique.sides[chosen.place])
    scores = features @ (side * found.basis.directions[direction])
    shown = concepts_of(unique, chosen.place)[:MOST]
    top, clusters = (most_activating(scores, protocol.refine.images), [members_of(unique, row) for row in shown])
    edges = np.histogram_bin_edges(scores, BINS)
    histogram = pd.DataFrame({"left": edges[:-1], "right": edges[1:], "images": np.histogram(scores, edges)[0]})
    facts = pd.DataFrame(
        {
            **{name: [value] for name, value in space.head.items()},
            "epoch": [space.epoch],
            "classes": [", ".join(_classes(found, direction, side, images.class_names))],
            "direction": [direction],
            "side": [side],
            "from": [float(scores[top[-1]])],
            "several": [counts[0]],
            "sought": [counts[1]],
        }
    )
    best = np.full((len(clusters), IMAGES), -1, dtype=np.int64)
    for row, members in enumerate(clusters):
        best[row, : len(members[:IMAGES])] = members[:IMAGES]
    heat = heat_maps(space.checkpoint.open(), images, space.layer, unique.vectors[shown], best)
    return ConceptSplit(
        facts=facts,
        histogram=histogram,
        points=_points(features[top], top, clusters),
        concepts=_names(clusters, images),
        images=pictures(images, list(best), SIDE, IMAGES, space.checkpoint.spec.fit),
        heat=heat,
        segments=segments(heat, SEGMENT),
    )


def _points(features: Array, top: Ints, clusters: Sequence[Ints]) -> pd.DataFrame:
    """The most activating images along their first two principal axes, with the concept (from 1) that each is of."""
    centred: Doubles = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    places = centred @ axes[:2].T
    where = np.zeros(len(top), dtype=np.int64)
    for number, members in enumerate(clusters, start=1):
        where[np.isin(top, members)] = number
    padded = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    return pd.DataFrame({"x": padded[:, 0], "y": padded[:, 1], "concept": where})


def _names(clusters: Sequence[Ints], images: ImageSet) -> pd.DataFrame:
    """What each cluster shows more often than all images do: a known concept, or else a class."""
    if images.concepts is not None:
        names, shown = tuple(images.concepts.names), np.asarray(images.concepts.present, dtype=np.float64)
    else:
        names, shown = tuple(images.class_names), np.eye(len(images.class_names))[images.labels]
    everywhere, rows = shown.mean(axis=0), []
    for number, members in enumerate(clusters, start=1):
        own = shown[members].mean(axis=0)
        best = int((own - everywhere).argmax())
        title = names[best].rpartition(":")[2]
        rows.append((number, len(members), title, float(own[best]), float(everywhere[best])))
    return pd.DataFrame(rows, columns=CONCEPTS)


def _classes(found: LayerConcepts, direction: int, side: int, names: Sequence[str]) -> list[str]:
    """Classes whose first candidate the direction is."""
    best, sides = found.ranking.best(1)
    return [
        name for name, one, on in zip(names, best[:, 0], sides[:, 0], strict=False) if (one, on) == (direction, side)
    ]
