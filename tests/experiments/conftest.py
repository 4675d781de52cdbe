"""Running `run.py` as a user would, with one small store for the whole session."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments import jobs

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Finished:
    """What a call of run.py left: exit status, and all it said."""

    returncode: int
    stdout: str
    stderr: str


Runner = Callable[..., Finished]


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory):
    """One store for all tests and all xdist workers; its locks let every artefact be computed once."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "shared-store"


@pytest.fixture
def complete(tmp_path, shared_store):
    """Arguments of run.py with the folders of this test."""

    def add(arguments: tuple[str, ...], store: Path | None) -> list[str]:
        folders = [f"store={store or shared_store}", f"outputs={tmp_path / 'outputs'}"]
        return [*folders, "progress=false", "threads=1", *arguments]

    return add


@pytest.fixture
def run_py(complete, monkeypatch, capfd) -> Runner:
    """Call run.py in this process (importing torch anew takes seconds)."""

    def call(*arguments: str, store: Path | None = None) -> Finished:
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(sys, "argv", ["run.py", *complete(arguments, store)])
        jobs.FAILED.clear()
        capfd.readouterr()
        try:
            runpy.run_path("run.py", run_name="__main__")
        except SystemExit as end:
            return Finished(int(end.code or 0), *capfd.readouterr())
        raise AssertionError("run.py did not say how it ended")

    return call


@pytest.fixture
def run_py_apart(complete) -> Runner:
    """Call run.py in a process of its own, as from a shell."""

    def call(*arguments: str, store: Path | None = None, env: dict[str, str] | None = None) -> Finished:
        command = [sys.executable, "run.py", *complete(arguments, store)]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=240
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return call
