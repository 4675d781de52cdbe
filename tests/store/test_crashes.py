"""Real processes killed with SIGKILL: at random file operations, at random moments, while others wait."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evoscope.store import verify

PIPELINE = Path(__file__).with_name("pipeline.py")
SOURCE = Path(__file__).parents[2] / "src"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")


def start(root, pace=0.0, crash_at=-1):
    command = [sys.executable, PIPELINE, root, root.parent / f"{root.name}-counts", str(pace), str(crash_at)]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def finish(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), err.decode()
    return out.decode()


def contents(root):
    """Every file of the store by name, apart from run.json and the empty locks."""
    paths = [path for path in root.rglob("*") if path.is_file() and path.name != "run.json"]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths if not path.name.startswith(".lock-")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    root = tmp_path_factory.mktemp("undisturbed") / "store"
    return finish(start(root)).splitlines(), contents(root)


def assert_no_half_artefact(root):
    """Whatever has its final name is whole."""
    findings = verify(root)
    assert {finding.condition for finding in findings} <= {"ok", "partial"}, findings


def points(operations, rng):
    """Two operations anywhere, and four just before or just after something is renamed, as artefacts are."""
    renames = [number for number, operation in enumerate(operations) if operation.startswith("os.rename")]
    around = sorted({*renames, *(number + 1 for number in renames)} & set(range(len(operations))))
    return rng.sample(range(len(operations)), 2) + rng.sample(around, 4)


def test_a_kill_at_any_file_operation_leaves_no_trace(undisturbed, tmp_path):
    """Each store is killed at a first random operation, then again at another, then left to finish."""
    operations, expected = undisturbed
    assert len(operations) > 80
    rng = random.Random()
    for number, point in enumerate(points(operations, rng)):
        root = tmp_path / f"store-{number}"
        again = rng.randrange(len(operations) // 2)
        for crash_at in (point, again):
            finish(start(root, crash_at=crash_at))
            assert_no_half_artefact(root)
        finish(start(root))
        assert contents(root) == expected, (point, again)


def test_kills_at_random_moments_of_a_paced_run(undisturbed, tmp_path):
    _, expected = undisturbed
    rng = random.Random()
    root = tmp_path / "store"
    killed = []
    for _ in range(5):
        process = start(root, pace=0.05)
        time.sleep(rng.uniform(0.1, 0.6))
        process.kill()
        finish(process)
        killed.append(process.returncode)
        if root.exists():
            assert_no_half_artefact(root)
    assert -signal.SIGKILL in killed
    finish(start(root))
    assert contents(root) == expected


def test_a_resumable_build_keeps_its_epochs_over_a_kill(undisturbed, tmp_path):
    root = tmp_path / "store"
    process = start(root, pace=0.1)
    wait_for(lambda: list(root.glob("train/.partial-*/epoch-2.bin")))
    process.kill()
    finish(process)
    (partial,) = root.glob("train/.partial-*")
    epochs = {path.name: path.stat().st_ino for path in partial.glob("epoch-*")}
    finish(start(root))
    (final,) = root.glob("train/[0-9a-f]*")
    assert {name: (final / name).stat().st_ino for name in epochs} == epochs
    assert len(epochs) >= 3
    assert contents(root) == undisturbed[1]


def counts(root):
    return sorted((root.parent / f"{root.name}-counts").read_text().split())


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


def test_processes_that_ask_for_the_same_node_compute_it_once(undisturbed, tmp_path):
    root = tmp_path / "store"
    processes = [start(root, pace=0.03) for _ in range(3)]
    for process in processes:
        finish(process)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert counts(root) == ["draw", "look", "train"]
    assert contents(root) == undisturbed[1]


def test_who_waits_goes_on_when_the_holder_is_killed(undisturbed, tmp_path):
    root = tmp_path / "store"
    holder = start(root, pace=1.0)
    wait_for(lambda: list(root.glob("draw/.partial-*")))
    waiter = start(root, pace=0.0)
    time.sleep(0.5)
    assert waiter.poll() is None  # it waits for the lock
    holder.kill()
    finish(holder)
    finish(waiter)
    assert waiter.returncode == 0
    assert counts(root) == ["draw", "draw", "look", "train"]
    assert contents(root) == undisturbed[1]


def test_waiting_is_told_and_the_waiter_uses_what_the_other_made(toy):
    """In one process: two stores, two threads."""
    import threading

    entered, release = threading.Event(), threading.Event()

    def slow(folder, inputs, progress):
        toy.built["first"] += 1
        entered.set()
        assert release.wait(20)
        (folder / "x").write_bytes(b"x")

    node = toy.node("first", build=slow)
    other = toy.reopened()
    threads = [threading.Thread(target=toy.store.get, args=(node,)), threading.Thread(target=other.get, args=(node,))]
    threads[0].start()
    assert entered.wait(20)
    threads[1].start()
    wait_for(lambda: ("waiting", "first") in toy.kinds())
    release.set()
    for thread in threads:
        thread.join(20)
    assert toy.built["first"] == 1
    assert toy.kinds() == [("started", "first"), ("waiting", "first"), ("finished", "first"), ("cached", "first")]
