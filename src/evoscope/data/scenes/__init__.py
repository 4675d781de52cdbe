"""concept_scenes: generated images whose concepts, classes and per-pixel truth are known."""

from evoscope.data.scenes.source import (
    Confounder,
    SceneSource,
    concept_scenes,
    scene_source,
    stamp_disagrees,
)
from evoscope.data.scenes.vocabulary import (
    FAMILIES,
    concept_names,
    irrelevant_concepts,
    relevant_concepts,
    rules,
    stamp_names,
)

__all__ = [
    "FAMILIES",
    "Confounder",
    "SceneSource",
    "concept_names",
    "concept_scenes",
    "irrelevant_concepts",
    "relevant_concepts",
    "rules",
    "scene_source",
    "stamp_disagrees",
    "stamp_names",
]
