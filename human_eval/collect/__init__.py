"""A small server for a lab: assigns blocks, keeps every answer before it is acknowledged, shows nobody's to others."""

from human_eval.collect.database import Answers
from human_eval.collect.pages import Pages

__all__ = ["Answers", "Pages"]
