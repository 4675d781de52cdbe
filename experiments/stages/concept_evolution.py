"""Stage ``concept_evolution``: the last concept vectors of a run, sought at earlier epochs in the unified space."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Bytes, Doubles, Ints, SmallInts
from evoscope.artefacts import load, save
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
from evoscope.discovery.ranking import discover
from evoscope.discovery.virtual_neurons import Virtual, on_the_map, placer
from evoscope.figure_data import ConceptEvolution, NeuronMap
from evoscope.progress import Progress
from evoscope.seeds import derive
from evoscope.space.protocol import Projection, SemanticSpace
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.discovery_protocol import discovery_protocol
from experiments.runs import Run
from experiments.stages.concept_spaces import Space, told_concepts
from experiments.stages.latents import LayerSpaces, concept_images, latents, layer_spaces
from experiments.stages.looks import Look
from experiments.stages.showing import rows_of
from experiments.stages.space import space_protocol

STAGE = Stage(
    "concept_evolution",
    version=1,
    modules=(
        "evoscope.discovery.following",
        "evoscope.discovery.basis",
        "evoscope.discovery.ranking",
        "evoscope.discovery.ranking",
        "evoscope.activations.stimuli",
        "evoscope.space.build",
        "evoscope.stats",
        "experiments.stages.concept_evolution",
    ),
)
TOGETHER = Stage("concept_evolutions", version=1, modules=("experiments.stages.concept_evolution",))
PROJECTED = ("k", "projection", "min_coverage", "unplaced")
SHOWN, BOARD, PIXELS = 4, 4, 96
"""Concepts of a run that have boards, images on one, and their side."""


@dataclass(frozen=True)
class Sources:
    """What concept vectors are placed in and drawn on: nodes of the space and of the map, and the base's look."""

    space: Node
    map: Node
    base: Look

    @property
    def roles(self) -> dict[str, Node]:
        """Inputs of a node that reads them."""
        return {"space": self.space, "map": self.map, "base": self.base.projection}


def concept_evolutions(context: Context, spaces: Sequence[Space], sources: Sources) -> Node:
    """Node of the exhibit ``concept_evolution`` of the runs of several spaces."""
    parts = {space.run.name: concept_evolution(context, space, sources) for space in spaces}

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        found = [load(ConceptEvolution, inputs[name]) for name in parts]
        steps, summary = (
            pd.concat([getattr(each, name) for each in found], ignore_index=True)
            for name in ("steps", "summary")
        )
        save(ConceptEvolution(steps, summary, np.concatenate([each.boards for each in found])), folder)

    return Node(
        TOGETHER,
        config={"runs": list(parts)},
        inputs=parts,
        build=compute,
        seed=0,
        label="concept vectors over training: " + ", ".join(parts),
    )


def concept_evolution(context: Context, last: Space, sources: Sources) -> Node:
    """Node of one run's concept vectors over the epochs that are looked at, up to ``last``, where they are sought."""
    spaces, config, run, layer = spaces_up_to(context, last), context.config, last.run, last.layer
    protocol, images = space_protocol(config.protocol), concept_images(context)
    # A draw of a null seeks partners for all directions anew: a tenth as many as resamples of a mean.
    draws = max(config.scale.bootstrap // 10, 20)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        found = [layer_spaces(inputs[space.name]) for space in spaces]
        snapshots = [_snapshot(context, *pair) for pair in zip(spaces, found, strict=True)]
        following = follow(
            snapshots,
            placer(load(SemanticSpace, inputs["space"]), images.ids, protocol),
            protocol.k,
            seed=derive(config.seed, "concept evolution", run.name),
            draws=draws,
            progress=progress,
        )
        held_out = [each.held_out.of(layer).rows("features") for each in found]
        steps = _steps(context, following, snapshots, held_out)
        steps[["x", "y"]] = _on_the_map(following, inputs, sources.base)
        summary = summary_frame(following, derive(config.seed, "shares"))
        head = {"run": run.name, "layer": layer}
        steps, summary = (
            pd.concat([pd.DataFrame(head, index=each.index), each], axis=1) for each in (steps, summary)
        )
        save(ConceptEvolution(steps, summary, _boards(images, run, following, steps)), folder)

    return Node(
        STAGE,
        config={
            "draws": draws,
            "discovery": asdict(discovery_protocol(config.protocol)),
            "projection": {name: getattr(protocol, name) for name in PROJECTED},
        },
        inputs={**{space.name: space.node for space in spaces}, **sources.roles},
        build=compute,
        seed=config.seed,
        data={"pool": images.fingerprint, "held_out": context.data.test.fingerprint},
        label=f"evolution of the concept vectors of {run.name}",
    )


def earlier_epochs(last: Space) -> list[int]:
    """Epochs that are looked at before the one where concepts are sought."""
    return [epoch for epoch in last.run.epochs if epoch < last.epoch]


def spaces_up_to(context: Context, last: Space) -> list[Space]:
    """The same layer at every epoch looked at up to the one where concepts are sought, in order."""
    run, layer = last.run, last.layer
    nodes = [(epoch, latents(context, run, epoch, [layer])) for epoch in earlier_epochs(last)]
    return [*(Space(run, epoch, layer, node) for epoch, node in nodes), last]


def _snapshot(context: Context, space: Space, found: LayerSpaces) -> Snapshot:
    layer = found.pool.of(space.layer)
    sought = discover(layer, found.pool.outcomes, discovery_protocol(context.config.protocol))
    return Snapshot(space.epoch, sought, layer.rows("features"))


def _steps(
    context: Context, following: Following, snapshots: Sequence[Snapshot], held_out: Sequence[Array]
) -> pd.DataFrame:
    """Rows of the exhibit but for run, layer and places on the map."""
    images, others = concept_images(context), context.data.test
    last, snapshot = following.virtual[-1], snapshots[-1]
    names, _ = told_concepts(
        snapshot.features @ last.vectors.T, held_out[-1] @ last.vectors.T, images, others
    )
    more: dict[str, Array | list[str]] = {
        "class_name": class_tops(snapshot.found.ranking, last, images.class_names),
        "concept": list(names),
        "auc": _auc(following, held_out, names, others),
        "energy_share": energy_shares(following, snapshots),
    }
    steps = steps_frame(following, more)
    final = steps[steps["epoch"] == following.epochs[-1]].reset_index(drop=True)
    shown = np.isin(np.arange(len(final)), choose_shown(final, SHOWN))
    return steps.assign(shown=np.repeat(shown, len(following.epochs)))


def _auc(following: Following, held_out: Sequence[Array], names: Sequence[str], others: ImageSet) -> Doubles:
    """Held-out AUC of every partner for the concept of its direction; NaN where no truth is known."""
    if others.concepts is None:
        return np.full(following.partner.shape, np.nan)
    known = others.concepts.names
    concept = np.array([known.index(name) if name else -1 for name in names], dtype=np.int64)
    return detector_auc(following, held_out, others.concepts.present, concept)


def _on_the_map(following: Following, inputs: Mapping[str, Path], base: Look) -> Doubles:
    """Places of the steps on the neuron map, among the base's neurons: float64 [steps, 2]."""
    anchors = load(Projection, inputs["base"]).vectors
    places = rows_of(load(NeuronMap, inputs["map"]).neurons, base)[["x", "y"]].to_numpy(dtype=np.float64)
    found = [
        np.where(partner[:, None] >= 0, on_the_map(virtual.places, anchors, places)[partner], np.nan)
        for virtual, partner in zip(following.virtual, following.partner, strict=True)
    ]
    return np.stack(found, axis=1).reshape(-1, 2)


def _boards(images: ImageSet, run: Run, following: Following, steps: pd.DataFrame) -> Bytes:
    """Pictures of the shown steps, uint8 [steps shown, BOARD, PIXELS, PIXELS, 3], white where nothing was matched."""
    ways = np.stack(
        [_stimuli(*pair) for pair in zip(following.virtual, following.partner, strict=True)], axis=1
    )
    wanted = ways.reshape(-1, BOARD)[steps["shown"].to_numpy(dtype=bool)]
    found = np.full((*wanted.shape, PIXELS, PIXELS, 3), 255, np.uint8)
    for place in zip(*np.nonzero(wanted >= 0), strict=True):
        found[place] = images.read(int(wanted[place]), PIXELS, run.spec.fit)
    return found


def _stimuli(virtual: Virtual, partner: Ints) -> SmallInts:
    """First images of every direction's partner at an epoch, int32 [f, BOARD], -1 beyond."""
    first = np.full((len(virtual), BOARD), -1, dtype=np.int32)
    first[:, : virtual.images.shape[1]] = virtual.images[:, :BOARD]
    return np.where(partner[:, None] >= 0, first[partner], -1).astype(np.int32)
