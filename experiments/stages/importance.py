"""Stage ``importance``: how much every neuron's evolution between two epochs matters for a class."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from evoscope.activations.stimuli import NeuronIndex
from evoscope.arrays import Doubles
from evoscope.artefacts import load, save
from evoscope.evolution.importance import EvolutionImportance, importance, sample_of_class
from evoscope.evolution.pair import Pair, make_pair
from evoscope.models.network import Network
from evoscope.models.zoo import build
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.costs import importance_cost
from experiments.runs import Run
from experiments.selection import EpochPair
from experiments.stages.training import both_sources

STAGE = Stage(
    "importance",
    version=1,
    modules=(
        "evoscope.evolution.importance",
        "evoscope.evolution.pair",
        "evoscope.evolution.importance",
        "evoscope.models",
        "evoscope.data.loader",
        "experiments.stages.importance",
    ),
)


@dataclass(frozen=True)
class ClassImportance:
    """Importance for one class between two epochs, by several independent samples of its images."""

    class_name: str
    before: int
    after: int
    samples: tuple[EvolutionImportance, ...]

    @property
    def neurons(self) -> NeuronIndex:
        """What each row is."""
        return self.samples[0].neurons

    @property
    def label(self) -> int:
        """The class."""
        return self.samples[0].label

    @property
    def score(self) -> Doubles:
        """Mean score over the samples, float64 [neurons]."""
        return np.asarray(np.mean([sample.score for sample in self.samples], axis=0))

    @property
    def mean(self) -> Doubles:
        """Mean sensitivity over the samples, float64 [neurons]."""
        return np.asarray(np.mean([sample.mean for sample in self.samples], axis=0))


@dataclass(frozen=True)
class Judged:
    """What is judged: a run between two epochs for a class, and the node of its importance."""

    run: Run
    pair: EpochPair
    label: int
    node: Node

    @property
    def name(self) -> str:
        """Role among a node's inputs."""
        return f"{self.run.name} {self.pair.label} class {self.label:04d}"


def judge(context: Context, run: Run, pair: EpochPair, label: int) -> Judged:
    """The importance of a run's evolutions for a class, as a node."""
    return Judged(run, pair, label, _node(context, run, pair, label))


def found_importance(folder: Path) -> ClassImportance:
    """Read back what an ``importance`` node left."""
    return load(ClassImportance, folder)


def open_pair(context: Context, run: Run, pair: EpochPair, inputs: Mapping[str, Path]) -> Pair:
    """A run's network at both epochs, on the job's device."""
    checkpoints = both_sources(context, run, (pair.before, pair.after)).open(run, inputs)
    networks = []
    for epoch in (pair.before, pair.after):
        network = build(run.spec, len(context.data.train.class_names), context.config.seed)
        checkpoints.load(network.module, epoch)
        networks.append(_settled(network, context.device))
    names = (f"{run.name} at epoch {pair.before}", f"{run.name} at epoch {pair.after}")
    return make_pair(networks[0], networks[1], names)


def _settled(network: Network, device: str) -> Network:
    """On its device; on a CPU with weights channels last, on which convolutions run faster."""
    layout = torch.channels_last if device == "cpu" else torch.contiguous_format
    network.module.to(device=device, memory_format=layout)  # type: ignore[call-overload]  # missing in the stubs
    return network


def _node(context: Context, run: Run, pair: EpochPair, label: int) -> Node:
    checkpoints, scale, train = (
        both_sources(context, run, (pair.before, pair.after)),
        context.config.scale,
        context.data.train,
    )

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        states = open_pair(context, run, pair, inputs)
        samples = [
            importance(
                states,
                sample_of_class(train, label, scale.importance_images, context.config.seed, number),
                label,
                memory_mb=context.config.memory_mb,
                workers=context.config.workers,
                progress=progress,
            )
            for number in range(scale.importance_samples)
        ]
        save(ClassImportance(train.class_names[label], pair.before, pair.after, tuple(samples)), folder)

    return Node(
        STAGE,
        config={
            "spec": asdict(run.spec),
            "epochs": [pair.before, pair.after],
            "label": label,
            "images": scale.importance_images,
            "samples": scale.importance_samples,
        },
        inputs=checkpoints.inputs,
        build=compute,
        seed=context.config.seed,
        data={**checkpoints.fingerprints, "train": train.fingerprint},
        estimate=importance_cost(context, run),
        label=f"importance in {run.name}, epochs {pair.label}, for {train.class_names[label]}",
    )
