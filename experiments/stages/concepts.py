"""The latent space of a layer, and the concepts in it: directions, how they rank for every class, unique concepts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evoscope.arrays import Array, Doubles
from evoscope.data.images import ImageSet
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.gradients import Quantity
from evoscope.discovery.latent import Latents, LayerLatents, latent_pass, require_memory, width
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import ClassRanking, class_concepts, discover, rank_layer
from evoscope.discovery.refine import UniqueConcepts
from evoscope.models.network import Network
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.networks import Checkpoint
from experiments.stages.stimuli import concepts_told

# Singular values, as a share of the largest, that are rounding: features have no part along these directions.
EMPTY = 1e-6


@dataclass(frozen=True)
class LayerSpaces:
    """Latent spaces over the images that concepts are sought on (``pool``) and over others (``held_out``).

    Rows of features and, over the pool, of the quantities asked for are kept.
    """

    pool: Latents
    held_out: Latents


@stage(version=2)
def latents(
    checkpoint: Checkpoint,
    layers: Sequence[str],
    quantities: Sequence[Quantity],
    pool: ImageSet,
    held_out: ImageSet,
    runtime: Runtime,
) -> LayerSpaces:
    """The latent spaces of some layers over two sets of images, from a pass over each.

    Parameters
    ----------
    quantities : what is kept of each image of the pool beside its features.

    Raises
    ------
    EvoscopeError : both passes together keep more than fits the memory, which decides nothing else.
    """
    network = checkpoint.open()
    require_memory(rows_kept(pool, held_out, quantities), width(network, layers), runtime.memory_mb)
    device = checkpoint.machine.device
    kept = looked_at(network, pool, layers, quantities, device, runtime)
    return LayerSpaces(kept, looked_at(network, held_out, layers, (), device, runtime))


def looked_at(
    network: Network, images: ImageSet, layers: Sequence[str], quantities: Sequence[Quantity], device: str,
    runtime: Runtime,
) -> Latents:  # fmt: skip
    """Layers over some images, from one pass."""
    return latent_pass(network, images, layers, quantities=quantities, device=device, **vars(runtime))


def rows_kept(pool: ImageSet, held_out: ImageSet, quantities: Sequence[Quantity]) -> int:
    """Rows of every channel that `LayerSpaces` hold."""
    return len(pool) * (1 + len(quantities)) + len(held_out)


@dataclass(frozen=True)
class LayerSpace:
    """A layer of a run at an epoch, and its latent spaces."""

    run: str
    layer: str
    checkpoint: Checkpoint
    spaces: Artefact[LayerSpaces]

    @property
    def epoch(self) -> int:
        """The epoch that is looked at."""
        return self.checkpoint.epoch

    @property
    def head(self) -> dict[str, str]:
        """First columns of every table."""
        return {"run": self.run, "layer": self.layer}

    def pool(self) -> LayerLatents:
        """The layer over the images that concepts are sought on."""
        return self.spaces.load().pool.of(self.layer)

    def held_out(self) -> LayerLatents:
        """The layer over the other images."""
        return self.spaces.load().held_out.of(self.layer)


@dataclass(frozen=True)
class LayerConcepts:
    """What a protocol finds in a layer.

    ``ranking``: as the protocol scores images; ``along_rows``: by the same evidence along the directions that are
    shown as the concepts, from which the released code's side differs; ``unique``: unique concepts of the first
    candidate of every class.
    """

    basis: ConceptBasis
    ranking: ClassRanking
    along_rows: ClassRanking
    unique: UniqueConcepts


@stage(version=2)
def concepts(space: LayerSpace, protocol: DiscoveryProtocol, seed: int) -> LayerConcepts:
    """The concepts of a space under a protocol."""
    layer, outcomes = space.pool(), space.spaces.load().pool.outcomes
    found = discover(layer, outcomes, protocol)
    if protocol.side == "rows":
        found = replace(found, ranking=with_energy(found.ranking, found.basis))
    shown = replace(found.basis, side="rows")
    ranking = rank_layer(layer, outcomes, shown, protocol)
    unique = class_concepts(layer, found, protocol, seed=seed)
    return LayerConcepts(found.basis, found.ranking, ranking, unique)


@dataclass(frozen=True)
class SpaceConcepts:
    """A latent space and what was found in it by the name of the protocol, the job's own first."""

    space: LayerSpace
    found: Mapping[str, Artefact[LayerConcepts]]

    @property
    def own(self) -> Artefact[LayerConcepts]:
        """What was found under the job's own protocol."""
        return next(iter(self.found.values()))


def with_energy(ranking: ClassRanking, basis: ConceptBasis) -> ClassRanking:
    """The ranking without directions that no image has a part along (z becomes NaN).

    With fewer images than channels there are such directions; evidence varies along them, but they cannot be shown.
    """
    there = basis.strengths > EMPTY * basis.strengths.max()
    return replace(ranking, z=np.where(there, ranking.z, np.nan))


@dataclass(frozen=True)
class Candidate:
    """The first candidate of a class: index and side (+1, -1) of its direction; -1 and 0 where there is none."""

    label: int
    direction: int
    side: int


def first_candidates(ranking: ClassRanking, labels: Sequence[int]) -> list[Candidate]:
    """The first candidate of each class."""
    best, side = ranking.best(1)
    return [Candidate(label, int(best[label, 0]), int(side[label, 0])) for label in labels]


def turned(basis: ConceptBasis, found: Sequence[Candidate]) -> Doubles:
    """Vectors of candidates on their sides, float64 [candidates, d]."""
    rows = [each.side * basis.directions[each.direction] for each in found]
    return np.array(rows).reshape(len(found), basis.directions.shape[1])


def best_concept_per_direction(
    scores: Array, held_out: Array, images: ImageSet, others: ImageSet
) -> tuple[tuple[str, ...], Doubles]:
    """The true concept that each direction tells best, and its AUC on held-out images.

    Parameters
    ----------
    scores, held_out : [images, directions], projections of ``images`` and of ``others``.

    Returns
    -------
    Names, "" where none is known or clear; AUC, float64, NaN there.
    """
    told = concepts_told(scores, held_out, images, others)
    auc, clear = np.full(len(told.label), np.nan), np.flatnonzero(told.label >= 0)
    auc[clear] = told.auc_held_out[clear, told.label[clear]]
    return tuple(told.all_names()), auc
