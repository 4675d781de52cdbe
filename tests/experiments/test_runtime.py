"""Memory, workers and progress decide how a result is computed, and not what it is."""

import sys
from dataclasses import fields

import pytest

from evoscope.store import Runtime
from evoscope.store.hashing import digest_file, files_under
from evoscope.store.manifest import RUN
from experiments import runner
from experiments.reporting import progress

# So little memory that images are streamed and batches shrink; the DataLoader's processes; bars.
VARIED = {"memory_mb": "memory_mb=4", "workers": "workers=1", "progress": "progress=true"}


def contents(store):
    """Digest of every file of every artefact, but for the record of how it was made."""
    names = [name for name in files_under(store) if not name.endswith((RUN, ".lock")) and "/." not in name]
    return {name: digest_file(store / name) for name in names}


def test_every_field_is_varied():
    assert {each.name for each in fields(Runtime)} == set(VARIED)


@pytest.mark.slow
def test_equal_bytes_whatever_the_runtime(run_py, tmp_path, monkeypatch):
    """All stages of all experiments, once as they are and once with every field of the runtime another."""
    monkeypatch.setattr(runner, "_draw", lambda context, plan, origin: [])
    plain, varied = tmp_path / "plain", tmp_path / "varied"
    for store, more in ((plain, ()), (varied, VARIED.values())):
        done = run_py("experiment=results", "scale=smoke", "evolution.batch=2", *more, store=store)
        assert done.returncode == 0, done.stderr
    expected = contents(plain)
    assert {name.partition("/")[0] for name in expected} >= {"training", "stimuli", "importance", "reversal"}
    assert contents(varied) == expected


@pytest.mark.parametrize(("wanted", "watched"), [(True, True), (True, False), (False, True)])
def test_bars_are_for_terminals_alone(wanted, watched, monkeypatch, capfd):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: watched)
    assert list(progress(wanted)(range(3), total=3, what="work")) == [0, 1, 2]
    assert ("work" in capfd.readouterr().err) == (wanted and watched)
