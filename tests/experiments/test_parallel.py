"""Processes that share a job compute every stage once, and the same bytes as one alone."""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from evoscope.store import Artefact, stage
from evoscope.store.stage import STAGES
from experiments.base import training
from experiments.context import Context
from experiments.parallel import LOG, Crew, compute
from experiments.schema import Config
from tests.experiments.test_configuration import composed
from tests.experiments.test_killed import ROOT, command, payload


@dataclass(frozen=True)
class Number:
    value: float


@pytest.fixture
def slow_stages():
    """Eight stages that rest on nothing, and one that rests on all of them."""
    before = dict(STAGES)

    @stage(version=1, label="part {index}")
    def part(index: int) -> Number:
        time.sleep(0.3)
        return Number(float(index))

    @stage(version=1, label="sum")
    def total(parts: list[Artefact[Number]]) -> Number:
        return Number(sum(each.load().value for each in parts))

    yield total([part(index) for index in range(8)])
    STAGES.clear()
    STAGES.update(before)


def small(tmp_path, crew: Crew) -> Context:
    config: Config = composed("experiment=train", "scale=smoke", f"store={tmp_path}", f"outputs={tmp_path / 'out'}")
    return Context(config, crew)


def test_every_stage_is_computed_once_and_told_by_both(slow_stages, tmp_path, capfd):
    contexts = [small(tmp_path, Crew(helping=True)) for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda each: compute(each, [slow_stages]), contexts))
    assert slow_stages.at(contexts[0].store.path(slow_stages)).value == sum(range(8))
    labels = {"sum", *(f"part {index}" for index in range(8))}
    assert all(set(each.computed) == labels and len(each.computed) == 9 for each in contexts)
    said = capfd.readouterr().out
    assert said.count("by another process") == 9


def test_alone_where_little_is_to_do(slow_stages, tmp_path):
    crew = Crew(2, ["experiment=train"])
    compute(small(tmp_path, crew), [slow_stages])
    assert not crew.shares
    assert not (tmp_path / "out").exists()


def test_who_may_start_others_knows_how_long_a_single_experiment_takes(tmp_path):
    for crew, known in ((Crew(2), True), (Crew(1), False), (Crew(helping=True), False)):
        context = small(tmp_path, crew)
        assert (training(context, context.runs["vgg16"]).estimate is not None) == known


@pytest.mark.slow
def test_two_processes_leave_what_one_does(tmp_path):
    plain, shared = ((tmp_path / name, tmp_path / f"out-{name}") for name in ("plain", "shared"))
    for folders, processes in ((plain, 1), (shared, 2)):
        call = [each for each in command(*folders) if each != "model=vgg16"]  # all networks of the paper
        call += ["training.epochs=2", f"processes={processes}"]
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert ("by another process" in done.stdout) == (processes == 2)
    assert payload(shared[0]) == payload(plain[0])
    drawn = payload(shared[1])
    assert {name: drawn[name] for name in drawn if not name.endswith(LOG)} == payload(plain[1])


@pytest.mark.slow
@pytest.mark.parametrize("ended", ["first", "other"])
def test_a_process_that_is_killed(ended, tmp_path):
    """Without the other, the first goes on; without the first, the other ends."""
    store, outputs = tmp_path / "store", tmp_path / "out"
    call = [*command(store, outputs), "processes=2"]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(call, cwd=ROOT, stdout=said, stderr=said)
    began, others = time.perf_counter(), []
    while not others and time.perf_counter() - began < 100:
        time.sleep(0.1)
        found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
        others = [int(each) for each in found.stdout.split()]
    (other,) = others
    time.sleep(1)
    os.kill(process.pid if ended == "first" else other, signal.SIGKILL)
    assert process.wait(240) == (-signal.SIGKILL if ended == "first" else 0)
    began = time.perf_counter()
    while os.path.exists(f"/proc/{other}") and time.perf_counter() - began < 20:
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{other}")
