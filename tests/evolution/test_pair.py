from dataclasses import replace

import pytest
import torch

from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import blank, make_pair, overwritten_layers, refuse_non_finite
from evoscope.models.network import ModelSpec
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
