"""The stages: functions that turn configuration and input artefacts into one artefact of the store each."""

import pkgutil
from importlib import import_module

from evoscope.store import STAGES, Stage


def all_stages() -> tuple[Stage, ...]:
    """Every stage there is; imports their modules, which register them."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return tuple(stage for stage in STAGES.values())
