"""Stage ``stimuli``: one activation pass over the pool per checkpoint, and one over held-out images for the truth."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from evoscope.activations.scan import PassResult, activation_pass
from evoscope.activations.stimuli import NeuronConcepts, Stimuli, concept_auc, label_neurons
from evoscope.arrays import Ints
from evoscope.artefacts import load, save
from evoscope.data.images import ImageSet
from evoscope.models.network import Network
from evoscope.models.zoo import build
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.costs import pass_cost
from experiments.runs import Run
from experiments.stages.training import source

STAGE = Stage(
    "stimuli",
    version=1,
    modules=(
        "evoscope.activations",
        "evoscope.stats",
        "evoscope.models",
        "evoscope.data.loader",
        "experiments.stages.stimuli",
    ),
)
# A neuron has a concept only if it tells it apart this well on images it was not chosen on.
LABEL_AUC = 0.7


@dataclass(frozen=True)
class Looked:
    """What a pass found: ``stimuli``, ``concepts``, and top-1 accuracy over pool and held-out images."""

    stimuli: Stimuli
    concepts: NeuronConcepts
    pool_top1: float
    held_out_top1: float


def stimuli(context: Context, run: Run, epoch: int, *, base: bool = False) -> Node:
    """Node of one checkpoint's stimuli; the base's also record the neurons that respond to each image."""
    checkpoints, data, protocol = source(context, run, epoch), context.data, context.config.protocol
    responsive = protocol.responsive if base else 0

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        network = build(run.spec, len(data.train.class_names), context.config.seed)
        checkpoints.open(run, inputs).load(network.module, epoch)
        truth = data.pool.concepts is not None

        def look(images: ImageSet, responsive: int, what: str) -> PassResult:
            return activation_pass(
                network,
                images,
                k=protocol.k,
                responsive=responsive,
                responsive_rule="raw" if protocol.responsive_rule == "raw" else "standardised",
                keep_maxima=truth,
                memory_mb=context.config.memory_mb,
                workers=context.config.workers,
                device=context.device,
                progress=progress,
            )

        pool, held_out = look(data.pool, responsive, "pool"), look(data.test, 0, "held-out images")
        save(_looked(network, pool, held_out, data.pool, data.test), folder)

    return Node(
        STAGE,
        config={
            "spec": asdict(run.spec),
            "epoch": epoch,
            "k": protocol.k,
            "responsive": responsive,
            "rule": protocol.responsive_rule if responsive else None,
        },
        inputs=checkpoints.inputs,
        build=compute,
        seed=context.config.seed,
        data={**checkpoints.fingerprints, "pool": data.pool.fingerprint, "held_out": data.test.fingerprint},
        estimate=pass_cost(context, run),
        label=f"stimuli of {run.name}, epoch {epoch}",
    )


def looked(folder: Path) -> Looked:
    """Read back what a ``stimuli`` node left."""
    return load(Looked, folder)


def _looked(
    network: Network, pool: PassResult, held_out: PassResult, images: ImageSet, others: ImageSet
) -> Looked:
    concepts = NeuronConcepts.unknown(len(pool.stimuli.neurons))
    if images.concepts is not None and others.concepts is not None:
        assert pool.maxima is not None and held_out.maxima is not None  # noqa: PT018 - asked for above
        auc_pool = concept_auc(pool.maxima, images.concepts.present)
        auc_held_out = concept_auc(held_out.maxima, others.concepts.present)
        label = label_neurons(auc_pool, auc_held_out, threshold=LABEL_AUC)
        concepts = NeuronConcepts(images.concepts.names, auc_pool, auc_held_out, label)
    return Looked(pool.stimuli, concepts, _top1(pool, images.labels), _top1(held_out, others.labels))


def _top1(result: PassResult, labels: Ints) -> float:
    return float(np.mean(result.logits.argmax(axis=1) == labels))
