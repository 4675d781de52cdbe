import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import (
    MIB,
    blank,
    fixed_batch,
    images_within,
    importance_bytes,
    largest_output,
    make_pair,
    overwritten_layers,
    refuse_non_finite,
    reversal_bytes,
)
from evoscope.models.spec import ModelSpec
from tests.evolution.small import SPECS, double_pair, noise, state_of, toy


def test_a_pair_knows_its_layers_and_is_in_eval_mode():
    networks = toy(1), toy(2)
    for network in networks:
        network.module.train()
    pair = make_pair(*networks, ("a", "b"))
    assert pair.shapes == {"first": (6, 4, 4), "second": (5, 2, 2)}
    assert pair.layers == ("first", "second")
    assert pair.modules == tuple(network.module for network in networks)
    for module in pair.modules:
        assert not module.training
        assert not any(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"layers": ("second",)}, "neuron layers"),
        ({"preprocessing": replace(toy(0).preprocessing, pixels=9)}, "preprocessing"),
        ({"preprocessing": replace(toy(0).preprocessing, std=(1.0, 2.0, 1.0))}, "preprocessing"),
    ],
)
def test_states_that_see_or_show_something_else_are_refused(change, what):
    with pytest.raises(EvoscopeError, match=f"epoch 1 and epoch 2 differ in their {what}"):
        make_pair(toy(1), replace(toy(2), **change), ("epoch 1", "epoch 2"))


@pytest.mark.parametrize(
    "other", [ModelSpec("vgg16", width=1 / 4, pixels=32), ModelSpec("vgg19", width=1 / 8, pixels=32)]
)
def test_other_architectures_are_refused(other):
    with pytest.raises(EvoscopeError, match="before and after differ in their parameters"):
        make_pair(state_of(SPECS["vgg16"], 1), state_of(other, 1))


@pytest.mark.parametrize(
    ("name", "overwritten"),
    [
        ("vgg16", set()),
        ("vgg16-released", set()),
        ("inception_v3", set()),
        ("convnext-inner", {"features.5.1.stochastic_depth"}),
        ("resnet18", set()),
        ("resnet18-inner", {"bn1", "layer1.0.bn1", "layer1.0.bn2"}),
        ("resnet18-inside", {"layer3.0.bn1"}),
    ],
)
def test_layers_changed_in_place_are_known(name, overwritten):
    pair = double_pair(name)
    assert pair.overwritten == overwritten_layers(pair.before) == overwritten


def test_blank_images_suit_the_network():
    pair = double_pair("inception_v3")
    images = blank(pair.after, 2)
    assert images.shape == (2, 3, 75, 75)
    assert images.dtype == torch.float64
    assert not images.any()


@pytest.mark.parametrize("state", [0, 1])
def test_the_first_layer_that_is_not_finite_is_named(state):
    networks = [toy(1), toy(2)]
    networks[state].module.first.bias.data[2] = torch.inf
    pair = make_pair(*networks, ("epoch 3", "epoch 9"))
    # One of six channels, 4 x 4 cells, 5 images.
    with pytest.raises(
        EvoscopeError, match=f"epoch {(3, 9)[state]} has 80 NaN or infinite activations in layer 'first'"
    ):
        refuse_non_finite(pair, torch.rand(5, 3, 8, 8))


def test_finite_activations_pass():
    pair = double_pair("vgg16")
    refuse_non_finite(pair, noise(pair, 2))


ROOT = Path(__file__).parents[2]
DECODED = 3 * 64**2 / MIB
SLACK = 6
"""MiB for what any program keeps: buffers of libraries, one more list of results."""


@pytest.mark.parametrize(
    ("memory_mb", "each", "most", "expected"),
    [(10, MIB, 64, 10), (10, MIB, 4, 4), (10, MIB + 1, 64, 9), (1, MIB, 64, 1), (1, 0, 7, 7), (3, 1, 64, 64)],
)
def test_as_many_images_as_fit(memory_mb, each, most, expected):
    assert images_within(memory_mb, each, most) == expected


@pytest.mark.parametrize(("each", "needed"), [(3 * MIB, 3), (2 * MIB + 1, 3), (20 * MIB - 1, 20)])
def test_a_budget_below_one_image_is_refused_with_what_is_needed(each, needed):
    with pytest.raises(EvoscopeError, match=f"memory_mb=2 is too little.* at least {needed}"):
        images_within(2, each, 64)
    assert images_within(needed, each, 64) == 1


@pytest.mark.parametrize(
    ("each", "batch", "expected"), [(MIB, None, 64), (33 * MIB, None, 32), (4096 * MIB, None, 1), (MIB, 7, 7)]
)
def test_a_fixed_batch_follows_the_network_and_not_the_memory(each, batch, expected):
    needed = -(-expected * each // MIB)
    assert {fixed_batch(memory_mb, each, batch) for memory_mb in (needed, 10 * needed)} == {expected}
    with pytest.raises(EvoscopeError, match=f"give memory_mb={needed} or more"):
        fixed_batch(needed - 1, each, batch)


def test_the_largest_output_is_found_inside_the_module():
    module = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1), nn.Flatten())
    assert largest_output(module, torch.zeros(1, 3, 5, 5)) == 8 * 25 * 4
    assert largest_output(nn.Sequential(nn.Conv2d(3, 1, 1)), torch.zeros(1, 3, 5, 5)) == 3 * 25 * 4
    assert not any(part._forward_hooks for part in module.modules())


def test_importance_needs_at_least_both_networks_maps(pair):
    maps = 8 * sum(channels * height * width for channels, height, width in pair.shapes.values())
    assert importance_bytes(pair) > 1.5 * maps


def test_parameters_are_not_counted_for_every_image():
    pair = double_pair("vgg16_bn")
    weights = sum(parameter.nbytes for parameter in pair.after.module.parameters())
    assert importance_bytes(pair) < weights / 2


def test_reversal_needs_more_for_more_conditions_and_more_kept():
    pair = double_pair("resnet18-inner")
    assert reversal_bytes(pair, 10, 0) < reversal_bytes(pair, 11, 0) < reversal_bytes(pair, 11, 10**6)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's account of the peak")
@pytest.mark.parametrize(("what", "images"), [("importance", 60), ("reversal", 20)])
def test_the_budget_bounds_the_memory_whatever_the_number_of_images(what, images):
    budget = 24
    # Freed memory goes back at once, so that the peak is what was in use.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.evolution.peak", what, str(budget), str(images)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    start, few, many = json.loads(done.stdout)
    assert budget / 4 < few - start < budget + images * DECODED + SLACK
    assert many - few < 7 * images * DECODED + SLACK
