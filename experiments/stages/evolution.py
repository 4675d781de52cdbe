"""Stage ``evolution``: chosen neurons of some runs followed over the epochs, with their patches at each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Array
from evoscope.artefacts import load, save
from evoscope.figure_data import Evolution, NeuronMap
from evoscope.progress import Progress
from evoscope.space.metrics import choose_followed, concept_changes, steps_taken
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.looks import Found, Look, read_looks, roles
from experiments.stages.showing import patch_options, patches_of, rows_of

STAGE = Stage(
    "evolution",
    version=1,
    modules=("evoscope.space.metrics", "evoscope.activations.patches", "experiments.stages.evolution"),
)
PATCHES = 4


def evolution(context: Context, neuron_map: Node, followed: Mapping[str, int], looks: Sequence[Look]) -> Node:
    """Node of the evolution exhibit: ``followed`` says how many neurons of which run, ``looks`` at which epochs."""
    chosen = [look for look in looks if look.run.name in followed]

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        places, found = load(NeuronMap, inputs["map"]).neurons, read_looks(chosen, inputs)
        frames, patches = [], []
        for run, count in followed.items():
            rows = [row for row, look in enumerate(chosen) if look.run.name == run]
            frame, shown = _follow(
                context, [chosen[row] for row in rows], [found[row] for row in rows], places, count
            )
            frames.append(frame)
            patches.append(shown)
        save(Evolution(pd.concat(frames, ignore_index=True), np.concatenate(patches)), folder)

    return Node(
        STAGE,
        config={
            "followed": dict(followed),
            "looks": [look.name for look in chosen],
            "patches": asdict(patch_options(context, PATCHES)),
        },
        inputs={"map": neuron_map, **roles(chosen)},
        build=compute,
        seed=context.config.seed,
        data={"pool": context.data.pool.fingerprint},
        label="evolution of neurons of " + ", ".join(followed),
    )


def _follow(
    context: Context, looks: Sequence[Look], found: Sequence[Found], places: pd.DataFrame, count: int
) -> tuple[pd.DataFrame, Array]:
    """Steps of one run's neurons, neuron by neuron and epoch by epoch, and the patches of each step."""
    vectors = [item.projection.vectors for item in found]
    concepts = [item.looked.concepts for item in found]
    neurons = choose_followed(
        vectors, concepts, found[0].looked.stimuli.neurons.layer.astype(np.int64), count
    )
    _, aucs = concept_changes(concepts)
    moved, options = steps_taken(vectors), patch_options(context, PATCHES)
    frames = [
        rows_of(places, look)
        .iloc[neurons]
        .assign(auc=aucs[row, neurons], moved=moved[row, neurons], neuron=neurons)
        for row, look in enumerate(looks)
    ]
    steps = pd.concat(frames).assign(order=np.tile(np.arange(len(neurons)), len(looks)))
    patches = np.stack(
        [
            patches_of(context.data.pool, look, item, neurons, options)
            for look, item in zip(looks, found, strict=True)
        ],
        axis=1,
    )
    steps = steps.sort_values(["order", "epoch"], kind="stable").drop(
        columns=["order", "neuron", "base", "coverage"]
    )
    return steps.reset_index(drop=True), patches.reshape(-1, *patches.shape[2:])
