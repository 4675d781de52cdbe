"""The unified semantic space: pairs, skip-gram, image embedding, projection, 2-D map, alignment metrics."""

from evoscope.space.build import build_space, project
from evoscope.space.map2d import embed_2d
from evoscope.space.protocol import Projection, SemanticSpace, SpaceProtocol

__all__ = [
    "Projection",
    "SemanticSpace",
    "SpaceProtocol",
    "build_space",
    "embed_2d",
    "project",
]
