"""A stage whose source changes must get a new version (`make lock` records both)."""

import importlib
import pkgutil

from evoscope.store import Stage, check_versions, read_lock
from experiments import stages
from experiments.stages.lock import LOCK
from experiments.stages.registry import STAGES


def test_sources_and_versions_are_recorded():
    assert check_versions(STAGES, read_lock(LOCK)) == []


def test_stage_names_are_unique():
    assert len({stage.name for stage in STAGES}) == len(STAGES)


def test_every_stage_is_registered():
    """Pruning takes artefacts of an unregistered stage for stale ones."""
    modules = [
        importlib.import_module(f"{stages.__name__}.{found.name}")
        for found in pkgutil.iter_modules(stages.__path__)
    ]
    there = {value.name for module in modules for value in vars(module).values() if isinstance(value, Stage)}
    assert there == {stage.name for stage in STAGES}
