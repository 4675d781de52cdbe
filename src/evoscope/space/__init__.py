"""The unified semantic space: pairs, skip-gram, image embedding, projection, 2-D map, alignment metrics."""

from evoscope.space.build import build_space
from evoscope.space.map2d import embed_2d
from evoscope.space.projection import project
from evoscope.space.protocol import SpaceProtocol, as_released, corrected, v1
from evoscope.space.semantic import Projection, SemanticSpace

__all__ = [
    "Projection",
    "SemanticSpace",
    "SpaceProtocol",
    "as_released",
    "build_space",
    "corrected",
    "embed_2d",
    "project",
    "v1",
]
