"""Stimuli of a network's neurons, and the looks that most figures are made of: a run at an epoch, in the space."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from evoscope.activations.patches import example_patches
from evoscope.activations.scan import PassResult, activation_pass
from evoscope.activations.stimuli import NeuronConcepts, Stimuli, concept_auc, label_neurons
from evoscope.arrays import Array, Bytes, Ints
from evoscope.data.images import ImageSet
from evoscope.models.network import Network
from evoscope.models.spec import ModelSpec
from evoscope.space.protocol import Projection
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.networks import Checkpoint


@dataclass(frozen=True)
class Looked:
    """What a pass found: ``stimuli``, ``concepts``, and top-1 accuracy over pool and held-out images."""

    stimuli: Stimuli
    concepts: NeuronConcepts
    pool_top1: float
    held_out_top1: float


@dataclass(frozen=True)
class Responsive:
    """How many neurons that respond to each image are recorded, and what a response is compared with."""

    count: int
    rule: Literal["raw", "standardised"]


@stage(version=2)
def stimuli(
    checkpoint: Checkpoint, pool: ImageSet, held_out: ImageSet, k: int, responsive: Responsive | None, runtime: Runtime
) -> Looked:
    """Stimuli of a checkpoint's neurons, from one pass over the pool, and one over held-out images for the truth."""
    network, device = checkpoint.open(), checkpoint.machine.device
    known = pool.concepts is not None
    seen = _pass(network, pool, k, device, runtime, responsive, maxima=known)
    others = _pass(network, held_out, k, device, runtime, maxima=known)
    accuracies = _top1(seen, pool), _top1(others, held_out)
    return Looked(seen.stimuli, _concepts(seen, others, pool, held_out), *accuracies)


@stage(version=1)
def held_out_stimuli(checkpoint: Checkpoint, images: ImageSet, k: int, runtime: Runtime) -> Stimuli:
    """The images that excite a checkpoint's neurons most among ``images``, on which nothing was placed or chosen."""
    return _pass(checkpoint.open(), images, k, checkpoint.machine.device, runtime).stimuli


def _pass(
    network: Network, images: ImageSet, k: int, device: str, runtime: Runtime,
    responsive: Responsive | None = None, maxima: bool = False,
) -> PassResult:  # fmt: skip
    return activation_pass(
        network,
        images,
        k=k,
        responsive=responsive.count if responsive else 0,
        responsive_rule=responsive.rule if responsive else "standardised",
        keep_maxima=maxima,
        device=device,
        **vars(runtime),
    )


def _concepts(seen: PassResult, others: PassResult, pool: ImageSet, held_out: ImageSet) -> NeuronConcepts:
    """The true concept that each neuron tells apart, where the images say what they show."""
    if seen.maxima is None or others.maxima is None:
        return NeuronConcepts.unknown(len(seen.stimuli.neurons))
    return concepts_told(seen.maxima, others.maxima, pool, held_out)


def concepts_told(scores: Array, held_out: Array, images: ImageSet, others: ImageSet) -> NeuronConcepts:
    """How well each neuron or direction tells each true concept, by scores [images, n] of both sets of images."""
    if images.concepts is None or others.concepts is None:
        return NeuronConcepts.unknown(scores.shape[1])
    here, there = concept_auc(scores, images.concepts.present), concept_auc(held_out, others.concepts.present)
    return NeuronConcepts(images.concepts.names, here, there, label_neurons(here, there))


def _top1(result: PassResult, images: ImageSet) -> float:
    """Accuracy; NaN where it is unknown which output is which class."""
    if result.logits.shape[1] != len(images.class_names):
        return float("nan")
    return float(np.mean(result.logits.argmax(axis=1) == images.labels))


@dataclass(frozen=True)
class Patches:
    """How example patches are cut; see `evoscope.activations.patches.example_patches`."""

    count: int
    centre: Literal["centre", "corner"]
    side: float = 0.3
    pixels: int = 96


@dataclass(frozen=True)
class Look:
    """A run at an epoch, with its stimuli and its projection; ``base``: what the space was learned on."""

    run: str
    spec: ModelSpec
    epoch: int
    base: bool
    stimuli: Artefact[Looked]
    projection: Artefact[Projection]

    def rows(self, places: pd.DataFrame) -> pd.DataFrame:
        """Rows of the map that belong to it, one per neuron, in the order of its stimuli."""
        chosen = (places["run"] == self.run) & (places["epoch"] == self.epoch)
        return places[chosen].reset_index(drop=True)

    def patches(self, pool: ImageSet, neurons: Ints, options: Patches) -> Bytes:
        """Example patches of some of its neurons: uint8 [neurons, count, pixels, pixels, 3]."""
        return example_patches(
            pool,
            self.stimuli.load().stimuli,
            neurons,
            options.count,
            side=options.side,
            pixels=options.pixels,
            centre=options.centre,
            fit=self.spec.fit,
        )
