"""concept_scenes: generated images whose concepts, classes and per-pixel truth are known."""

from evoscope.data.scenes.source import Confounder, concept_scenes, scene_source, stamp_disagrees
from evoscope.data.scenes.vocabulary import irrelevant_concepts, rules

__all__ = ["Confounder", "concept_scenes", "irrelevant_concepts", "rules", "scene_source", "stamp_disagrees"]
