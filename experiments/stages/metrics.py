"""Stage ``metrics``: how well the looks of a job are aligned in the space, each number with interval and null."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Floats
from evoscope.artefacts import load, save
from evoscope.errors import EvoscopeError
from evoscope.figure_data import Table
from evoscope.progress import Progress
from evoscope.space.metrics import (
    Measure,
    as_frame,
    coverage,
    placed_rows,
    same_neuron_retrieval,
    self_projection,
)
from evoscope.space.protocol import SemanticSpace, SpaceProtocol
from evoscope.space.purity import LabelledNeurons, concept_purity, stimulus_agreement
from evoscope.space.skipgram import counted_stimuli
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.looks import Found, Look, read_looks, roles
from experiments.stages.space import space_protocol
from experiments.stages.stimuli import Looked

NAN = float("nan")
STAGE = Stage(
    "metrics",
    version=1,
    modules=(
        "evoscope.space.metrics",
        "evoscope.space.purity",
        "evoscope.space.purity",
        "evoscope.space.metrics",
        "evoscope.arrays",
        "evoscope.stats",
        "experiments.stages.metrics",
    ),
)


def metrics(context: Context, space: Node, looks: Sequence[Look], compared: Sequence[Look]) -> Node:
    """Node of all alignment metrics of ``looks``; concept purity is measured across ``compared``."""
    protocol, seed = space_protocol(context.config.protocol), context.config.seed

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        semantic = load(SemanticSpace, inputs["space"])
        found = dict(zip([look.name for look in looks], read_looks(looks, inputs), strict=True))
        last = {look.run.name: look for look in looks}.values()
        frames = [_coverage(look, found[look.name], semantic, protocol, seed) for look in looks]
        frames += [
            _agreement(look, found[look.name], semantic, protocol, seed)
            for look in progress(last, total=len(last), what="alignment metrics", unit="run")
        ]
        frames.append(_between_epochs(looks, found, seed))
        if any(item.looked.concepts.names for item in found.values()):
            frames.append(purity([_labelled(look, found[look.name]) for look in compared], seed))
        rows = pd.concat(frames, ignore_index=True).rename(columns={"model": "run"})
        save(Table(rows), folder)

    return Node(
        STAGE,
        config={
            "protocol": asdict(protocol),
            "looks": [[look.run.name, look.epoch, look.base] for look in looks],
            "compared": [look.name for look in compared],
        },
        inputs={"space": space, **roles(looks)},
        build=compute,
        seed=seed,
        label=f"alignment metrics of {len(looks)} checkpoints",
    )


def measured(work: Callable[[], Sequence[Measure]], metric: str, run: str, epoch: int) -> pd.DataFrame:
    """Rows of ``work``, or one row without a value that says why it could not be measured."""
    try:
        return as_frame(work()).assign(note="")
    except EvoscopeError as problem:
        return as_frame([bare(metric, run, epoch, NAN, 0)]).assign(note=str(problem))


def bare(metric: str, run: str, epoch: int, value: float, n: int) -> Measure:
    """A value that has neither interval nor null."""
    return Measure(metric, run, epoch, value, NAN, NAN, NAN, NAN, NAN, n)


def _coverage(
    look: Look, found: Found, space: SemanticSpace, protocol: SpaceProtocol, seed: int
) -> pd.DataFrame:
    """How much of a checkpoint's stimuli the base covers."""
    name, epoch = look.run.name, look.epoch
    return measured(
        lambda: coverage(found.projection, space, protocol.k, model=name, epoch=epoch, seed=seed),
        "coverage",
        name,
        epoch,
    )


def _agreement(
    look: Look, found: Found, space: SemanticSpace, protocol: SpaceProtocol, seed: int
) -> pd.DataFrame:
    """Whether neurons that share stimuli lie together, and whether the base's own neurons land where they were."""
    name, epoch, projection = look.run.name, look.epoch, found.projection
    images = counted_stimuli(found.looked.stimuli, protocol)
    rows = measured(
        lambda: [stimulus_agreement(projection.vectors, images, model=name, epoch=epoch, seed=seed)],
        "stimulus_agreement",
        name,
        epoch,
    )
    if not look.base:
        return rows
    own = measured(
        lambda: self_projection(space, projection, model=name, epoch=epoch, seed=seed),
        "self_projection_rmse",
        name,
        epoch,
    )
    return pd.concat([rows, own], ignore_index=True)


def _between_epochs(looks: Sequence[Look], found: Mapping[str, Found], seed: int) -> pd.DataFrame:
    """Same-neuron retrieval between the adjacent epochs of every run."""
    pairs = [(a, b) for a, b in pairwise(looks) if a.run.name == b.run.name]
    frames = [_retrieval(b, found[a.name], found[b.name], seed) for a, b in pairs]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _retrieval(look: Look, before: Found, after: Found, seed: int) -> pd.DataFrame:
    name, epoch = look.run.name, look.epoch
    layer = after.looked.stimuli.neurons.layer
    return measured(
        lambda: [
            same_neuron_retrieval(
                before.projection, after.projection, model=name, epoch=epoch, seed=seed, layer=layer
            )
        ],
        "same_neuron_mrr",
        name,
        epoch,
    )


def purity(models: Sequence[LabelledNeurons], seed: int) -> pd.DataFrame:
    """Concept purity of each model and of all, and the shares that are left out of it."""
    rows = measured(lambda: concept_purity(models, seed=seed).measures, "concept_purity@10", "all", -1)
    return pd.concat([rows, *[_left_out(model) for model in models]], ignore_index=True)


def labelled(name: str, epoch: int, vectors: Floats, found: Looked) -> LabelledNeurons:
    """Neurons of a run with their places and the concepts they tell apart."""
    concept = found.concepts.label.astype(np.int64)
    return LabelledNeurons(name, epoch, vectors, concept, found.stimuli.neurons.layer)


def _labelled(look: Look, found: Found) -> LabelledNeurons:
    return labelled(look.run.name, look.epoch, found.projection.vectors, found.looked)


def _left_out(model: LabelledNeurons) -> pd.DataFrame:
    """Shares of the neurons without a place, and of the placed ones without a concept."""
    placed = placed_rows(model.vectors)
    unlabelled = float((model.concept[placed] < 0).mean()) if placed.any() else float("nan")
    shares = [
        bare("unplaced", model.model, model.epoch, float((~placed).mean()), len(model.vectors)),
        bare("unlabelled", model.model, model.epoch, unlabelled, int(placed.sum())),
    ]
    return as_frame(shares).assign(note="")
