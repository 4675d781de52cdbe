"""A study for other platforms, each with the way back of what was exported."""

from human_eval.export.platforms import PLATFORMS

__all__ = ["PLATFORMS"]
