"""Stage ``study``: one human study, designed from the neurons or concepts of networks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from evoscope.data.images import ImageSet
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.concept_study_pool import concept_study_pool
from experiments.stages.looks import Look, read_looks, roles
from experiments.stages.neuron_pool import cutter, neuron_pool
from experiments.stages.showing import PATCH_SIDE, PatchOptions, patch_options
from human_eval.design import Alignability, Blocking, Options, design, save_study
from human_eval.design.trial import Kind, Protocol

STAGE = Stage(
    "study",
    version=2,
    modules=(
        "human_eval.design",
        "evoscope.activations.patches",
        "experiments.stages.concept_study_pool",
        "experiments.stages.neuron_pool",
        "experiments.stages.studies",
    ),
)
PATCHES, PATCH_PIXELS = 9, 80
# Main trials of one participant, who answers them in about a quarter of an hour.
SIZES: Mapping[Kind, int] = {
    "alignability": 22,
    "evolution_label": 20,
    "image_intruder": 30,
    "label_agreement": 30,
    "concept_naming": 20,
    "pairwise_coherence": 25,
}


def study_protocol(context: Context) -> Protocol:
    """Sampling as released for the released protocols, else corrected."""
    return "corrected" if context.config.protocol.name == "corrected" else "as_released"


def study_of_neurons(context: Context, kind: Kind, looks: Sequence[Look], images: ImageSet) -> Node:
    """Node of a study of the neurons of ``looks``, whose patches are cut from ``images`` (the pool)."""
    protocol, seed, options = study_protocol(context), context.config.seed, options_of(kind)
    patches = study_patches(context)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        found = read_looks(looks, inputs)
        pool = neuron_pool(looks, found, patches.count)
        cut = cutter(images, looks, found, patches)
        save_study(design(kind, pool, seed, protocol, options, cut=cut), folder)

    return Node(
        STAGE,
        config={
            "kind": kind,
            "protocol": protocol,
            "options": asdict(options),
            "looks": [look.name for look in looks],
            "patches": asdict(patches),
        },
        inputs=roles(looks),
        build=compute,
        seed=seed,
        data={"pool": images.fingerprint},
        label=study_label(kind),
    )


def study_of_concepts(context: Context, kind: Kind, concepts: Node) -> Node:
    """Node of a study of ``concepts``."""
    protocol, seed, options = study_protocol(context), context.config.seed, options_of(kind)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        pool = concept_study_pool(context, inputs["concepts"], options.pictures)
        save_study(design(kind, pool, seed, protocol, options), folder)

    return Node(
        STAGE,
        config={"kind": kind, "protocol": protocol, "options": asdict(options)},
        inputs={"concepts": concepts},
        build=compute,
        seed=seed,
        data={"pool": context.data.pool.fingerprint},
        label=study_label(kind),
    )


def study_label(kind: Kind) -> str:
    """What messages call a study."""
    return f"human study, {kind.replace('_', ' ')}"


def options_of(kind: Kind) -> Options:
    """Sizes of a study."""
    return Options(Alignability(patches=PATCHES), pictures=PATCHES, blocking=Blocking(None, SIZES[kind]))


def study_patches(context: Context) -> PatchOptions:
    """How the patches of neurons are cut; smaller than in figures, as hundreds are shown on a page."""
    centre = patch_options(context, PATCHES).centre
    return PatchOptions(PATCHES, PATCH_SIDE, PATCH_PIXELS, centre)


def widest(patches: PatchOptions) -> int:
    """Pixels of the images that patches are cut from."""
    return round(patches.pixels / patches.side)
