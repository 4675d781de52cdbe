import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from evoscope.store import manifest as runrecord
from evoscope.store.manifest import git_commit, library_versions, peak_memory_bytes, read_run, write_run


def test_the_record_says_when_what_and_with_which_libraries(tmp_path):
    write_run(tmp_path, {}, label="training vgg16", started=0.0, seconds=1.23456, resumed=True)
    record = read_run(tmp_path)
    assert record["label"] == "training vgg16"
    assert datetime.fromisoformat(record["started"]) == datetime(1970, 1, 1, tzinfo=UTC)
    assert record["seconds"] == 1.235
    assert record["resumed"] is True
    assert record["libraries"]["numpy"] == np.__version__
    assert record["libraries"]["python"] == ".".join(map(str, sys.version_info[:3]))


def test_absent_libraries_are_left_out(monkeypatch):
    monkeypatch.setattr(runrecord, "LIBRARIES", ("numpy", "no-such-library-at-all"))
    library_versions.cache_clear()
    try:
        assert set(library_versions()) == {"python", "evoscope", "numpy"}
    finally:
        library_versions.cache_clear()


def test_the_commit_is_the_checkouts(tmp_path, monkeypatch):
    def git(*command):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        result = subprocess.run(
            ["git", "-C", tmp_path, *identity, *command], capture_output=True, text=True, check=True
        )
        return result.stdout.strip()

    git("init", "-q")
    (tmp_path / "evoscope").mkdir()
    module = tmp_path / "evoscope" / "__init__.py"
    module.write_text("")
    git("add", ".")
    git("commit", "-qm", "x")
    monkeypatch.setattr(runrecord.evoscope, "__file__", str(module))
    git_commit.cache_clear()
    try:
        assert git_commit() == git("rev-parse", "HEAD")
        git_commit.cache_clear()
        module.write_text("x = 1\n")
        assert git_commit() == git("rev-parse", "HEAD") + "-dirty"
        git_commit.cache_clear()
        monkeypatch.setattr(runrecord.evoscope, "__file__", "/usr/lib/python3/site-packages/evoscope/__init__.py")
        assert git_commit() is None
    finally:
        git_commit.cache_clear()


def test_here_the_commit_is_a_hash_or_nothing():
    assert git_commit() is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", git_commit())


def test_peak_memory_grows_with_what_is_held():
    """In a process of its own: the peak of this one is whatever other tests have held."""
    lines = ["from evoscope.store.manifest import peak_memory_bytes as peak", "before = peak()"]
    code = "\n".join([*lines, "held = b'x' * 10**8", "print(before, peak())"])
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    before, after = map(int, told.stdout.split())
    assert 0.9e8 < after - before < 1.5e8
    assert peak_memory_bytes() > before / 2


def test_a_missing_or_damaged_record_is_an_empty_one(tmp_path):
    assert read_run(tmp_path) == {}
    for content in (b"", b"[1]", b"\xff\xfe", b'{"a": '):
        (tmp_path / "run.json").write_bytes(content)
        assert read_run(tmp_path) == {}
