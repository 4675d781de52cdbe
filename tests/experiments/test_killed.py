"""A run killed at any point goes on with the same command and ends in the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def command(store: Path, outputs: Path) -> list[str]:
    small = ["data.train_images=96", "data.test_images=48", "training.epochs=3"]
    arguments = ["experiment=unified_space", "scale=smoke", "model=vgg16", *small, "progress=false", "threads=1"]
    return [sys.executable, "run.py", *arguments, f"store={store}", f"outputs={outputs}"]


def payload(root: Path) -> dict[str, bytes]:
    """Files of a store or an output folder that must not differ between two runs."""
    passing = {"run.json", "status.json"}
    files = [path for path in root.rglob("*") if path.is_file() and path.name not in passing and path.name[0] != "."]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def kill_after(seconds: float, store: Path, outputs: Path) -> int | None:
    """Start the run, kill it and all it started after a while; its exit status if it ended by itself."""
    process = subprocess.Popen(
        command(store, outputs), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


@pytest.mark.slow
def test_killed_at_random_points_the_artefacts_are_the_same(tmp_path):
    started = time.perf_counter()
    undisturbed = subprocess.run(command(tmp_path / "a", tmp_path / "out-a"), cwd=ROOT, capture_output=True, text=True)
    assert undisturbed.returncode == 0, undisturbed.stderr
    whole = time.perf_counter() - started
    for _ in range(6):
        if kill_after(random.uniform(0.3, 0.95) * whole, tmp_path / "b", tmp_path / "out-b") is not None:
            break
    finished = subprocess.run(command(tmp_path / "b", tmp_path / "out-b"), cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert payload(tmp_path / "b") == payload(tmp_path / "a")
    assert payload(tmp_path / "out-b") == payload(tmp_path / "out-a")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_job_in_one_sentence_and_a_status(number, tmp_path):
    process = subprocess.Popen(
        [*command(tmp_path / "a", tmp_path / "out"), "training.epochs=500"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    began = time.perf_counter()
    while not list((tmp_path / "a").rglob("epoch-000*")) and time.perf_counter() - began < 100:
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said.count("\n") == 1
    assert "run the same command again" in said
    (status,) = (tmp_path / "out").rglob("status.json")
    assert json.loads(status.read_text())["state"] == "failed"
