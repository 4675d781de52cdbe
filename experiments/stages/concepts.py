"""Stage ``concepts``: the directions of a layer, how they rank for every class, and the unique concepts among them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from evoscope.artefacts import load, save
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import ClassRanking, class_concepts, discover, rank_layer
from evoscope.discovery.refine import UniqueConcepts
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.concept_spaces import Space, read_space

STAGE = Stage(
    "concepts",
    version=2,
    modules=(
        "evoscope.discovery.basis",
        "evoscope.discovery.ranking",
        "evoscope.discovery.ranking",
        "evoscope.discovery.refine",
        "experiments.stages.concepts",
    ),
)


# Singular values, as a share of the largest, that are rounding: features have no part along these directions.
EMPTY = 1e-6


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


@dataclass(frozen=True)
class Sought:
    """A latent space and, by the name of the protocol, the nodes of what was found in it; the job's own first."""

    space: Space
    found: Mapping[str, Node]

    @property
    def own(self) -> Node:
        """Under the job's own protocol."""
        return next(iter(self.found.values()))

    def role(self, protocol: str) -> str:
        """Role of one of them among a node's inputs."""
        return f"{self.space.name} {protocol}"

    @property
    def roles(self) -> dict[str, Node]:
        """All of them as a node's inputs."""
        return {self.role(name): node for name, node in self.found.items()}


def seek(context: Context, space: Space, protocols: Mapping[str, DiscoveryProtocol]) -> Sought:
    """Seek concepts in a space under every protocol."""
    return Sought(space, {name: concepts(context, space, name, each) for name, each in protocols.items()})


def concepts(context: Context, space: Space, name: str, protocol: DiscoveryProtocol) -> Node:
    """Node of the concepts of a space under a protocol called ``name``."""
    seed = context.config.seed

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        spaces, layer = read_space(space, inputs["latents"])
        found = discover(layer, spaces.pool.outcomes, protocol)
        if protocol.side == "rows":
            found = replace(found, ranking=with_energy(found.ranking, found.basis))
        shown = replace(found.basis, side="rows")
        ranking = rank_layer(layer, spaces.pool.outcomes, shown, protocol.evidence, protocol.candidates)
        unique = class_concepts(layer, found, protocol, seed=seed)
        save(LayerConcepts(found.basis, found.ranking, ranking, unique), folder)

    return Node(
        STAGE,
        config={"protocol": asdict(protocol)},
        inputs={"latents": space.node},
        build=compute,
        seed=seed,
        label=f"concepts of {space.run.name}, epoch {space.epoch} ({name})",
    )


def with_energy(ranking: ClassRanking, basis: ConceptBasis) -> ClassRanking:
    """The ranking without directions that no image has a part along (z becomes NaN).

    With fewer images than channels there are such directions; evidence varies along them, but they cannot be shown.
    """
    there = basis.strengths > EMPTY * basis.strengths.max()
    return replace(ranking, z=np.where(there, ranking.z, np.nan))


def layer_concepts(folder: Path) -> LayerConcepts:
    """Read back what a ``concepts`` node left."""
    return load(LayerConcepts, folder)
