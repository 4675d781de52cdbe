"""Concepts for human studies: those of the ``concept_pool`` stage with the images that show them best."""

from pathlib import Path

import numpy as np

from evoscope.artefacts import load
from experiments.context import Context
from experiments.stages.concept_pool import StudyConcepts
from experiments.stages.latents import concept_images
from human_eval.design.pools import ConceptPool

IMAGE_PIXELS = 160


def concept_study_pool(context: Context, folder: Path, count: int) -> ConceptPool:
    """The concepts left in ``folder``, each with at most ``count`` images, read anew at the size they are shown in."""
    concepts = load(StudyConcepts, folder)
    images = concept_images(context)
    rows = concepts.images[:, :count]
    shown = {int(row): images.read(int(row), IMAGE_PIXELS) for row in np.unique(rows)}
    pictures = [[shown[int(row)] for row in each] for each in rows]
    return ConceptPool(
        ids=concepts.ids,
        condition=concepts.condition,
        layer=concepts.layer,
        label=tuple(spoken(label) for label in concepts.label),
        vectors=concepts.vectors,
        images=np.array(pictures, dtype=np.uint8),
    )


def spoken(label: str) -> str:
    """A true concept as participants read it: ``red (colour)`` for ``colour:red``, other labels as they are."""
    family, colon, value = label.partition(":")
    return f"{value} ({family})" if colon and value else label
