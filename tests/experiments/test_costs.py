"""Estimates: what a training step keeps, outlines instead of networks, and batches that are halved."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from evoscope.data.loader import HALVED, Loader
from evoscope.data.scenes import concept_scenes
from evoscope.evolution.pair import blank, importance_bytes, make_pair
from evoscope.evolution.suffix import find_suffixes
from evoscope.models.network import Network, Preprocessing
from evoscope.models.spec import ModelSpec
from evoscope.models.zoo import NoProducts, build, outline
from experiments import costs
from experiments.costs import saved_bytes, zeroed


def test_a_step_keeps_what_the_backward_pass_reads():
    """By hand: the input (3 x 64), the convolution's output (4 x 64, of the ReLU once) and the mean (4), floats."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(4, 2))
    found = saved_bytes(Network("toy", module, ("0",), Preprocessing(8)))
    assert found == 4 * (3 * 64 + 4 * 64 + 4)


@pytest.mark.parametrize("name", ["vgg16_bn", "inception_v3", "convnext_tiny", "resnet18"])
def test_an_outline_has_the_layers_and_sizes_of_the_network(name):
    spec = ModelSpec(name, width=1.0 if name == "resnet18" else 0.125, pixels=75)
    drawn, built = outline(spec, 7), build(spec, 7, 0)
    assert drawn.layers == built.layers
    shapes = [{key: tuple(value.shape) for key, value in each.module.state_dict().items()} for each in (drawn, built)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", ["vgg16_bn", "inception_v3", "convnext_tiny"])
def test_memory_is_that_of_the_network_with_its_arithmetic(name):
    drawn = zeroed(outline(ModelSpec(name, width=0.125, pixels=75), 7), "cpu")
    found = []
    for mode in (NoProducts(), nullcontext()):
        with mode:
            pair = make_pair(drawn, drawn)
            suffixes = find_suffixes(drawn.module, pair.layers, blank(drawn))
            found.append((importance_bytes(pair), {name: each.live for name, each in suffixes.items()}))
    assert found[0] == found[1]


def test_networks_that_compute_the_same_are_timed_once(monkeypatch):
    times = iter((1.0, 2.0))
    monkeypatch.setattr(costs, "_seconds_per_image", lambda network: next(times))
    monkeypatch.setattr(costs, "_SECONDS", {})
    monkeypatch.setattr(costs, "_SIZES", {})
    monkeypatch.setattr(costs, "_SAVED", {})
    context = SimpleNamespace(data=SimpleNamespace(train=concept_scenes("train", 20, 4, 0)), device="cpu")
    plain = ModelSpec("vgg16_bn", width=0.125, pixels=32)
    specs = [plain, replace(plain, dropout=0.0), replace(plain, listing="convolutions"), replace(plain, pixels=48)]
    found = [costs.measured(context, SimpleNamespace(spec=spec)) for spec in specs]
    assert [each.seconds for each in found] == [1.0, 1.0, 1.0, 2.0]
    assert found[0].saved > found[1].saved  # the mask of a dropout


def test_a_full_device_halves_batches_but_not_those_that_decide_results(monkeypatch):
    images = concept_scenes("train", 20, 4, 0)
    monkeypatch.setattr(HALVED, "times", 2)
    half = Loader(images, Preprocessing(8), batch_size=8)
    assert [len(batch.rows) for batch in half.ordered()] == [2] * 10
    assert Loader(images, Preprocessing(8), batch_size=8, fixed=True).batch_size == 8
    whole = torch.cat([batch.pixels for batch in Loader(images, Preprocessing(8), batch_size=8, fixed=True).ordered()])
    assert torch.equal(torch.cat([batch.pixels for batch in half.ordered()]), whole)
