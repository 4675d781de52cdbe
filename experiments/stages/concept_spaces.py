"""What the stages of concept discovery share: one layer of a run at an epoch, and what was found in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evoscope.activations.stimuli import concept_auc, label_neurons
from evoscope.arrays import Array, Doubles
from evoscope.data.images import ConceptTable, ImageSet
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.latent import LayerLatents
from evoscope.discovery.ranking import ClassRanking
from evoscope.models.network import Network
from evoscope.models.zoo import build
from evoscope.store import Node
from experiments.context import Context
from experiments.runs import Run
from experiments.selection import check_epoch, chosen_layer
from experiments.stages.latents import LayerSpaces, latents, layer_spaces
from experiments.stages.training import source


@dataclass(frozen=True)
class Space:
    """A layer of a run at an epoch, and the node of its latent space."""

    run: Run
    epoch: int
    layer: str
    node: Node

    @property
    def name(self) -> str:
        """Role among a node's inputs."""
        return f"{self.run.name}@{self.epoch}"

    @property
    def head(self) -> dict[str, str]:
        """First columns of every table."""
        return {"run": self.run.name, "layer": self.layer}


@dataclass(frozen=True)
class Candidate:
    """The first candidate of a class: index and side (+1, -1) of its direction; -1 and 0 where there is none."""

    label: int
    direction: int
    side: int


def latent_space(context: Context, run: Run) -> Space:
    """The layer and epoch of a run where the job seeks concepts.

    Raises
    ------
    EvoscopeError : there is no such layer or epoch.
    """
    asked = context.config.discovery.epoch
    epoch = run.last if asked is None else asked
    check_epoch(run, epoch)
    layer = chosen_layer(context, run)
    return Space(run, epoch, layer, latents(context, run, epoch, [layer]))


def open_network(context: Context, space: Space, inputs: Mapping[str, Path]) -> Network:
    """The run's network at the epoch, on the job's device; ``inputs`` hold its training, if there was one."""
    network = build(space.run.spec, len(context.data.train.class_names), context.config.seed)
    source(context, space.run, space.epoch).open(space.run, inputs).load(network.module, space.epoch)
    network.module.to(context.device)
    return network


def read_space(space: Space, folder: Path) -> tuple[LayerSpaces, LayerLatents]:
    """The latent space that a node left, and the layer's part over the pool."""
    found = layer_spaces(folder)
    return found, found.pool.of(space.layer)


def first_candidates(ranking: ClassRanking, labels: Sequence[int]) -> list[Candidate]:
    """The first candidate of each class."""
    best, side = ranking.best(1)
    return [Candidate(label, int(best[label, 0]), int(side[label, 0])) for label in labels]


def turned(basis: ConceptBasis, found: Sequence[Candidate]) -> Doubles:
    """Vectors of candidates on their sides, float64 [candidates, d]."""
    rows = [each.side * basis.directions[each.direction] for each in found]
    return np.array(rows).reshape(len(found), basis.directions.shape[1])


def told_concepts(
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
    if images.concepts is None or others.concepts is None:
        return ("",) * scores.shape[1], np.full(scores.shape[1], np.nan)
    return _told(scores, held_out, images.concepts, others.concepts)


def _told(
    scores: Array, held_out: Array, shown: ConceptTable, others: ConceptTable
) -> tuple[tuple[str, ...], Doubles]:
    judged = concept_auc(held_out, others.present)
    best = label_neurons(concept_auc(scores, shown.present), judged)
    auc = np.where(best >= 0, judged[np.arange(len(best)), best], np.nan)
    return tuple(shown.names[each] if each >= 0 else "" for each in best), auc.astype(np.float64)
