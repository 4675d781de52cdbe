"""Stages ``space``, ``projection`` and ``map``: from the base's stimuli to places for the neurons of every run."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pandas as pd

from evoscope.arrays import Floats
from evoscope.artefacts import load, save
from evoscope.figure_data import NeuronMap
from evoscope.progress import Progress
from evoscope.space.build import build_space, embed_2d, project
from evoscope.space.protocol import Projection, SemanticSpace, SpaceProtocol
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.schema import ProtocolConfig
from experiments.stages.looks import Look, read_looks, roles
from experiments.stages.stimuli import Looked, looked

SPACE = Stage(
    "space",
    version=1,
    modules=(
        "evoscope.space.build",
        "evoscope.space.skipgram",
        "evoscope.space.kernels",
        "evoscope.space.skipgram",
        "evoscope.space.image_embedding",
        "evoscope.space.image_embedding",
        "evoscope.space.protocol",
    ),
)
PROJECTION = Stage("projection", version=1, modules=("evoscope.space.build", "evoscope.space.protocol"))
MAP = Stage("map", version=2, modules=("evoscope.space.build", "evoscope.arrays", "experiments.stages.space"))


def space_protocol(config: ProtocolConfig) -> SpaceProtocol:
    """The library's protocol with the values of the ``protocol`` group."""
    return SpaceProtocol(**{field.name: getattr(config, field.name) for field in fields(SpaceProtocol)})


def space(context: Context, base: Node) -> Node:
    """Node of the semantic space that the base's stimuli span."""
    protocol = space_protocol(context.config.protocol)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        stimuli = looked(inputs["base"]).stimuli
        save(build_space(stimuli, protocol, context.config.seed, progress=progress), folder)

    return Node(
        SPACE,
        config=asdict(protocol),
        inputs={"base": base},
        build=compute,
        seed=context.config.seed,
        label=f"semantic space ({context.config.protocol.name})",
    )


def projection(context: Context, space: Node, stimuli: Node) -> Node:
    """Node of one checkpoint's neurons placed in the space."""
    protocol = space_protocol(context.config.protocol)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        semantic = load(SemanticSpace, inputs["space"])
        save(project(semantic, looked(inputs["stimuli"]).stimuli, protocol), folder)

    return Node(
        PROJECTION,
        config={
            "k": protocol.k,
            "projection": protocol.projection,
            "min_coverage": protocol.min_coverage,
            "unplaced": protocol.unplaced,
        },
        inputs={"space": space, "stimuli": stimuli},
        build=compute,
        seed=0,
        label=stimuli.label.replace("stimuli", "projection", 1),
    )


def neuron_map(context: Context, space: Node, looks: list[Look]) -> Node:
    """Node of the two-dimensional map of all ``looks``, fitted on the base's neurons only."""
    method = cast(Literal["umap", "pca"], context.config.scale.map)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        semantic = load(SemanticSpace, inputs["space"])
        found = read_looks(looks, inputs)
        places = embed_2d(
            semantic.base_vectors, [item.projection.vectors for item in found], method, context.config.seed
        )
        frames = [
            neuron_frame(look, item.looked, item.projection, places[row + 1])
            for row, (look, item) in enumerate(zip(looks, found, strict=True))
        ]
        save(NeuronMap(pd.concat(frames, ignore_index=True), method), folder)

    return Node(
        MAP,
        config={"method": method, "looks": [[look.run.name, look.epoch, look.base] for look in looks]},
        inputs={"space": space, **roles(looks)},
        build=compute,
        seed=context.config.seed,
        label=f"two-dimensional map of {len(looks)} checkpoints",
    )


def neuron_frame(look: Look, found: Looked, placed: Projection, places: Floats) -> pd.DataFrame:
    """Rows of the map for the neurons of one checkpoint."""
    index = found.stimuli.neurons
    return pd.DataFrame(
        {
            "run": look.run.name,
            "epoch": np.int64(look.epoch),
            "layer": np.array(index.layers, dtype=object)[index.layer],
            "channel": index.channel.astype(np.int64),
            "x": places[:, 0].astype(np.float32),
            "y": places[:, 1].astype(np.float32),
            "coverage": placed.coverage,
            "status": found.stimuli.status.astype(np.int64),
            "concept": found.concepts.all_names(),
            "base": look.base,
        }
    )
