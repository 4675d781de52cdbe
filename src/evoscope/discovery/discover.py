"""From a pass over images to the concepts of every class, as a protocol has it (CDISCO, steps 2 to 4)."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Ints
from evoscope.discovery.basis import ConceptBasis, svd_basis
from evoscope.discovery.latent import LayerLatents, Outcomes
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import ClassRanking, rank_layer
from evoscope.discovery.refine import UniqueConcepts, refine


@dataclass(frozen=True)
class Discovery:
    """The directions of a layer, and how they rank for each class."""

    basis: ConceptBasis
    ranking: ClassRanking


def discover(layer: LayerLatents, outcomes: Outcomes, protocol: DiscoveryProtocol) -> Discovery:
    """Decompose a layer and rank its directions; the pass must have kept the protocol's evidence.

    Raises
    ------
    EvoscopeError : the evidence was not kept.
    """
    basis = svd_basis(layer.moments, centred=protocol.centred, signs=protocol.signs, side=protocol.side)
    return Discovery(basis, rank_layer(layer, outcomes, basis, protocol.evidence, protocol.candidates))


def class_concepts(
    layer: LayerLatents, found: Discovery, protocol: DiscoveryProtocol, places: int = 1, seed: int = 0
) -> UniqueConcepts:
    """Refine the first candidates of every class; each candidate once, whatever the number of its classes.

    Which classes a candidate is of is told by `ClassRanking.best`. The features must have been kept.
    """
    which, sides = candidates(found.ranking, places)
    return refine(
        layer.rows("features"),
        found.basis.directions,
        protocol.refine,
        which=which,
        sides=sides,
        layer=found.basis.layer,
        method=found.basis.method,
        seed=seed,
    )


def candidates(ranking: ClassRanking, places: int = 1) -> tuple[Ints, Ints]:
    """Directions and sides that are among the first ``places`` of any class, in order, int64 each."""
    best, side = ranking.best(places)
    pairs = np.stack([best[best >= 0], side[best >= 0]], axis=1)
    different = np.unique(pairs, axis=0)
    return different[:, 0], different[:, 1]
