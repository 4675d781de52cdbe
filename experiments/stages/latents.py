"""Stage ``latents``: the latent space of some layers over the pool and over held-out images, from two passes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evoscope.artefacts import load, save
from evoscope.data.images import ImageSet, at_most
from evoscope.discovery.gradients import QUANTITIES
from evoscope.discovery.latent import Latents, latent_pass
from evoscope.models.zoo import build
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.costs import pass_cost
from experiments.runs import Run
from experiments.stages.training import source

STAGE = Stage(
    "latents",
    version=1,
    modules=(
        "evoscope.discovery.latent",
        "evoscope.discovery.basis",
        "evoscope.discovery.gradients",
        "evoscope.discovery.gradients",
        "evoscope.models",
        "evoscope.data.loader",
        "experiments.stages.latents",
    ),
)


@dataclass(frozen=True)
class LayerSpaces:
    """Latent spaces over the images that concepts are sought on (``pool``) and over others (``held_out``).

    Rows of features and, over the pool, of every quantity are kept as far as the memory budget goes.
    """

    pool: Latents
    held_out: Latents


def latents(context: Context, run: Run, epoch: int, layers: Sequence[str]) -> Node:
    """Node of the latent spaces of ``layers`` of a run at an epoch."""
    checkpoints, config, data = source(context, run, epoch), context.config, context.data
    sought = concept_images(context)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        network = build(run.spec, len(data.train.class_names), config.seed)
        checkpoints.open(run, inputs).load(network.module, epoch)

        def look(images: ImageSet, *, evidence: bool) -> Latents:
            return latent_pass(
                network,
                images,
                layers,
                quantities=QUANTITIES if evidence else (),
                keep_mb=max(config.memory_mb, 1024),
                memory_mb=config.memory_mb,
                workers=config.workers,
                device=context.device,
                progress=progress,
            )

        save(LayerSpaces(look(sought, evidence=True), look(data.test, evidence=False)), folder)

    return Node(
        STAGE,
        config={"spec": asdict(run.spec), "epoch": epoch, "layers": list(layers)},
        inputs=checkpoints.inputs,
        build=compute,
        seed=config.seed,
        data={**checkpoints.fingerprints, "pool": sought.fingerprint, "held_out": data.test.fingerprint},
        estimate=pass_cost(context, run),
        label=f"latent space of {run.name}, epoch {epoch}, {', '.join(layers)}",
    )


def concept_images(context: Context) -> ImageSet:
    """The pool, or as much of it as the scale has concepts sought on (``scale.latent_images``)."""
    return at_most(context.data.pool, context.config.scale.latent_images, context.config.seed)


def layer_spaces(folder: Path) -> LayerSpaces:
    """Read back what a ``latents`` node left."""
    return load(LayerSpaces, folder)
