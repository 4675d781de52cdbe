"""The last concept vectors of a run, sought at earlier epochs in the unified space."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Doubles, Ints, SmallInts
from evoscope.data.images import ImageSet
from evoscope.discovery.following import Following, Snapshot, follow
from evoscope.discovery.following_tables import (
    choose_shown,
    class_tops,
    detector_auc,
    energy_shares,
    steps_frame,
    summary_frame,
)
from evoscope.discovery.persistence import Epoch, persistence_rows
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import discover, layer_basis
from evoscope.discovery.virtual_neurons import Virtual, on_the_map, placer
from evoscope.figure_data import ConceptEvolution, NeuronMap, Table
from evoscope.seeds import derive
from evoscope.space.protocol import SemanticSpace, SpaceProtocol
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.concepts import LayerSpace
from experiments.stages.stimuli import Look, concepts_told

SHOWN, BOARD, PIXELS = 4, 4, 96
"""Concepts of a run that have boards, images on one, and their side."""


@stage(version=1)
def concept_evolution(
    spaces: Sequence[LayerSpace],
    semantic: Artefact[SemanticSpace],
    places: Artefact[NeuronMap],
    base: Look,
    images: ImageSet,
    others: ImageSet,
    discovery: DiscoveryProtocol,
    protocol: SpaceProtocol,
    draws: int,
    seed: int,
    runtime: Runtime,
) -> ConceptEvolution:
    """One run's concept vectors over epochs, followed back from the last of ``spaces`` and drawn on the base's map."""
    last = spaces[-1]
    snapshots = [_snapshot(space, discovery) for space in spaces]
    following = follow(
        snapshots,
        placer(semantic.load(), images.ids, protocol),
        protocol.k,
        seed=derive(seed, "concept evolution", last.run),
        draws=draws,
        progress=runtime.progress,
    )
    held_out = [space.held_out().rows("features") for space in spaces]
    steps = _steps(following, snapshots, held_out, images, others)
    steps[["x", "y"]] = _on_the_map(following, places.load(), base)
    summary = summary_frame(following, derive(seed, "shares"))
    steps, summary = (pd.concat([pd.DataFrame(last.head, index=each.index), each], axis=1) for each in (steps, summary))
    ways = np.stack([_stimuli(*pair) for pair in zip(following.virtual, following.partner, strict=True)], axis=1)
    wanted = ways.reshape(-1, BOARD)[steps["shown"].to_numpy(dtype=bool)]
    found = np.full((*wanted.shape, PIXELS, PIXELS, 3), 255, np.uint8)
    for place in zip(*np.nonzero(wanted >= 0), strict=True):
        found[place] = images.read(int(wanted[place]), PIXELS, last.checkpoint.spec.fit)
    return ConceptEvolution(steps, summary, found)


@stage(version=1, label="concept vectors over training")
def concept_evolutions(parts: Sequence[Artefact[ConceptEvolution]]) -> ConceptEvolution:
    """The concept vectors of several runs over epochs."""
    found = [part.load() for part in parts]
    steps, summary = (
        pd.concat([getattr(each, name) for each in found], ignore_index=True) for name in ("steps", "summary")
    )
    return ConceptEvolution(steps, summary, np.concatenate([each.boards for each in found]))


@stage(version=1, label="persistence of the directions of {run}")
def persistence(run: str, spaces: Sequence[LayerSpace], discovery: DiscoveryProtocol, seed: int) -> Table:
    """Whether the first directions of the last of ``spaces`` were there at the others, see `persistence_rows`."""
    epochs = [Epoch(layer_basis(space.pool(), discovery), space.held_out().rows("features")) for space in spaces]
    parts = [
        persistence_rows(early, epochs[-1], derive(seed, "persistence", run)).assign(
            **space.head, epoch=space.epoch, last=spaces[-1].epoch
        )
        for space, early in zip(spaces[:-1], epochs[:-1], strict=True)
    ]
    rows = pd.concat(parts, ignore_index=True)
    head = ["run", "layer", "epoch", "last"]
    return Table(rows[[*head, *(name for name in rows.columns if name not in head)]])


def _snapshot(space: LayerSpace, protocol: DiscoveryProtocol) -> Snapshot:
    layer = space.pool()
    found = discover(layer, space.spaces.load().pool.outcomes, protocol)
    return Snapshot(space.epoch, found, layer.rows("features"))


def _steps(
    following: Following, snapshots: Sequence[Snapshot], held_out: Sequence[Array], images: ImageSet, others: ImageSet
) -> pd.DataFrame:
    """Rows of the exhibit but for run, layer and places on the map."""
    last, snapshot = following.virtual[-1], snapshots[-1]
    told = concepts_told(snapshot.features @ last.vectors.T, held_out[-1] @ last.vectors.T, images, others)
    more: dict[str, Array | list[str]] = {
        "class_name": class_tops(snapshot.found.ranking, last, images.class_names),
        "concept": told.all_names(),
        "auc": np.full(following.partner.shape, np.nan)
        if others.concepts is None
        else detector_auc(following, held_out, others.concepts.present, told.label.astype(np.int64)),
        "energy_share": energy_shares(following, snapshots),
    }
    steps = steps_frame(following, more)
    final = steps[steps["epoch"] == following.epochs[-1]].reset_index(drop=True)
    shown = np.isin(np.arange(len(final)), choose_shown(final, SHOWN))
    return steps.assign(shown=np.repeat(shown, len(following.epochs)))


def _on_the_map(following: Following, neurons: NeuronMap, base: Look) -> Doubles:
    """Places of the steps on the neuron map, among the base's neurons: float64 [steps, 2]."""
    anchors = base.projection.load().vectors
    places = base.rows(neurons.neurons)[["x", "y"]].to_numpy(dtype=np.float64)
    found = [
        np.where(partner[:, None] >= 0, on_the_map(virtual.places, anchors, places)[partner], np.nan)
        for virtual, partner in zip(following.virtual, following.partner, strict=True)
    ]
    return np.stack(found, axis=1).reshape(-1, 2)


def _stimuli(virtual: Virtual, partner: Ints) -> SmallInts:
    """First images of every direction's partner at an epoch, int32 [f, BOARD], -1 beyond."""
    first = np.full((len(virtual), BOARD), -1, dtype=np.int32)
    first[:, : virtual.images.shape[1]] = virtual.images[:, :BOARD]
    return np.where(partner[:, None] >= 0, first[partner], -1).astype(np.int32)
