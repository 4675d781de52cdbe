"""Evoscope: watch concepts form inside vision networks while they train.

The library follows what flows through it:
images -> a network at several epochs -> neurons and their stimuli -> a space -> evolutions -> evidence.
Nothing in here knows Hydra, prints, or picks a path by itself: paths and progress reporters come in as arguments.

`evoscope.api` has the methods on modules and folders of your own; its names are here too.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

API = (
    "ConceptVectors",
    "Space",
    "images",
    "importance",
    "nearest",
    "network",
    "reversal",
    "semantic_space",
    "stimuli",
    "stimuli_table",
)


def __getattr__(name: str) -> Any:
    """Names of `evoscope.api`, imported when they are first used: torch takes seconds."""
    if name in API:
        return getattr(import_module("evoscope.api"), name)
    raise AttributeError(f"module 'evoscope' has no attribute {name!r}")
