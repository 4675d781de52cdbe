"""Every stage on a pretended accelerator: nothing mixes devices, and the host waits for it no more than it must."""

from contextlib import nullcontext

import pytest
import torch

from benchmarks.timing import SPECS
from evoscope.activations.scan import Scan, scan_batches
from evoscope.data.loader import Batch
from evoscope.models.zoo import build
from evoscope.training.epochs import evaluate
from experiments import runner
from tests.accelerator import pretended


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_every_experiment_runs_on_an_accelerator(name, run_py, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_draw", lambda context, plan, origin: [])
    with pretended(monkeypatch, name) as operators:
        done = run_py("experiment=results", "scale=smoke", f"device={name}", store=tmp_path / "store")
    assert done.returncode == 0, done.stderr
    assert operators.count > 100_000


def test_the_host_waits_for_a_pass_a_few_times_per_batch_however_many_layers(monkeypatch):
    """Logits, responsive neurons, candidates, ties, and now and then the bars; nothing per layer."""
    network, batches = build(SPECS["vgg16_bn"], 5, seed=0), 12
    assert len(network.layers) == 13
    pixels = torch.rand((8 * batches, 3, 48, 48), generator=torch.Generator().manual_seed(0))
    ids = tuple(map(str, range(len(pixels))))
    with pretended(monkeypatch) as operators:
        scan = Scan(k=5, responsive=5, device="cuda")
        there = scan_batches(network, torch.split(pixels.to("cuda"), 8), ids, scan).stimuli
    assert sum(operators.waits.values()) <= 6 * batches + 20, operators.waits
    here = scan_batches(build(SPECS["vgg16_bn"], 5, seed=0), torch.split(pixels, 8), ids, Scan(k=5, responsive=5))
    assert (there.images == here.stimuli.images).mean() > 0.98
    assert (there.cells == here.stimuli.cells).mean() > 0.98


def test_the_host_waits_for_an_evaluation_as_a_whole(monkeypatch):
    def waits(batches, name):
        with pretended(monkeypatch, name) as operators:
            module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16, 4)).to(name)
            where = torch.arange(6).to(name)
            evaluate(module, [Batch(torch.rand(6, 3, 4, 4).to(name), where % 4, where)] * batches, nullcontext)
        return sum(operators.waits.values())

    assert waits(5, "cuda") == waits(1, "cuda") == 3
    # Apple's devices lack float64: logits and labels of every batch travel.
    assert waits(5, "mps") - waits(1, "mps") == 2 * 4
