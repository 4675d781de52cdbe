"""The pretended accelerator refuses what a real one refuses, and computes what the CPU computes."""

import pytest
import torch

from benchmarks.timing import SPECS
from evoscope.models.zoo import build
from tests.accelerator import Held, pretended


def test_devices_do_not_mix(monkeypatch):
    with pretended(monkeypatch) as operators:
        there = torch.ones(3, 4).to("cuda")
        assert isinstance(there, Held)
        assert there.device.type == "cuda"
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3, 4)
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()
        assert not operators.waits
        assert (there + 1).cpu().numpy().sum() == 24
        assert float((there * 2).sum()) == 24
        assert sum(operators.waits.values()) == 2
    with pytest.raises((RuntimeError, AssertionError)):
        torch.ones(3).to("cuda")


def test_a_device_without_float64(monkeypatch):
    with pretended(monkeypatch, "mps") as operators:
        there = torch.zeros(3, device="mps")
        there += 1
        with pytest.raises(TypeError, match="float64"):
            there.double()
        assert there.cpu().double().sum() == 3
    assert operators.count


def test_a_training_step_is_the_same(monkeypatch):
    def step(device):
        module = build(SPECS["convnext_tiny"], 5, seed=0).module.to(device).train(False)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
        pixels = torch.linspace(-1, 1, 2 * 3 * 48 * 48).reshape(2, 3, 48, 48).to(device)
        loss = torch.nn.functional.cross_entropy(module(pixels), torch.tensor([1, 3]).to(device))
        loss.backward()
        optimizer.step()
        return module(pixels).detach().cpu()

    with pretended(monkeypatch):
        there = step("cuda")
    assert torch.allclose(there, step("cpu"), atol=1e-5)
