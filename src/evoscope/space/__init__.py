"""The unified semantic space: pairs, skip-gram, image embedding, projection, 2-D map, alignment metrics."""

from evoscope.space.map2d import embed_2d
from evoscope.space.protocol import SpaceProtocol

__all__ = ["SpaceProtocol", "embed_2d"]
