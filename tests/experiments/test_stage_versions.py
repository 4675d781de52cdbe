"""A stage whose source changes must get a new version (`make lock` records both)."""

from evoscope.store import check_versions, read_lock
from experiments.stages.lock import LOCK
from experiments.stages.registry import STAGES


def test_sources_and_versions_are_recorded():
    assert check_versions(STAGES, read_lock(LOCK)) == []


def test_stage_names_are_unique():
    assert len({stage.name for stage in STAGES}) == len(STAGES)
