"""concept_scenes: generated images whose concepts, classes and per-pixel truth are known."""

from evoscope.data.scenes.scene import Body, Prop, Scene, Stamp
from evoscope.data.scenes.source import (
    GENERATOR_VERSION,
    SPLITS,
    Confounder,
    SceneSource,
    concept_scenes,
    scene_source,
    stamp_disagrees,
)
from evoscope.data.scenes.vocabulary import (
    FAMILIES,
    Rule,
    concept_names,
    irrelevant_concepts,
    relevant_concepts,
    rules,
    stamp_names,
)

__all__ = [
    "FAMILIES",
    "GENERATOR_VERSION",
    "SPLITS",
    "Body",
    "Confounder",
    "Prop",
    "Rule",
    "Scene",
    "SceneSource",
    "Stamp",
    "concept_names",
    "concept_scenes",
    "irrelevant_concepts",
    "relevant_concepts",
    "rules",
    "scene_source",
    "stamp_disagrees",
    "stamp_names",
]
