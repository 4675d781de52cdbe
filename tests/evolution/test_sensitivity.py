import copy
import gc
from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks.importance import released_sensitivities
from evoscope.errors import EvoscopeError
from evoscope.evolution.importance import sensitivities, sensitivity_maps
from evoscope.evolution.pair import make_pair
from evoscope.models.network import Network, Preprocessing
from tests.evolution.small import CLASSES, double_pair, noise, toy


def hooks(module):
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


def assert_close(found, expected, relative):
    largest = expected.abs().max()
    assert largest > 0
    assert (found - expected).abs().max() <= relative * largest


def test_sensitivities_are_those_of_the_released_loops(pair):
    pixels, label = noise(pair, 3), 2
    found, expected = sensitivities(pair, pixels, label), released_sensitivities(pair, pixels, label)
    assert tuple(found) == pair.layers
    for layer in pair.layers:
        values = torch.tensor(expected[layer], dtype=torch.float64)
        assert found[layer].shape == (3, pair.shapes[layer][0])
        assert_close(found[layer], values, 1e-10)


def test_single_precision_and_channels_last_change_little(pair):
    single = copy.deepcopy(pair)
    for module in single.modules:
        module.float()
    pixels, label = noise(single, 3), 4
    exact = sensitivities(pair, pixels.double(), label)
    for layout in (torch.contiguous_format, torch.channels_last):
        found = sensitivities(single, pixels.contiguous(memory_format=layout), label)
        for layer in pair.layers:
            assert_close(found[layer].double(), exact[layer], 1e-4)


def test_images_do_not_influence_each_other(pair):
    pixels = noise(pair, 3, seed=1)
    together = sensitivities(pair, pixels, 0)
    alone = [sensitivities(pair, image[None], 0) for image in pixels]
    for layer in pair.layers:
        assert_close(together[layer], torch.cat([each[layer] for each in alone]), 1e-10)


def test_no_evolution_has_no_sensitivity(pair):
    same = make_pair(pair.before, copy.deepcopy(pair.before))
    for values in sensitivities(same, noise(pair, 2), 1).values():
        assert not values.any()


def test_nothing_is_left_behind(pair):
    before = [hooks(module) for module in pair.modules]
    pixels = noise(pair, 2)
    kept = pixels.clone()
    states = [{name: value.clone() for name, value in module.state_dict().items()} for module in pair.modules]
    sensitivities(pair, pixels, 1)
    assert [hooks(module) for module in pair.modules] == before == [0, 0]
    assert torch.equal(pixels, kept)
    for module, state in zip(pair.modules, states, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
        assert all(parameter.grad is None for parameter in module.parameters())


def tensors():
    return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())


def test_no_map_of_a_batch_outlives_it(pair):
    pixels = noise(pair, 2)
    sensitivities(pair, pixels, 1)
    gc.collect()
    gc.disable()
    try:
        before = tensors()
        sensitivities(pair, pixels, 1)
        assert tensors() == before
    finally:
        gc.enable()


def test_maps_add_up_to_the_sensitivities(pair):
    pixels = noise(pair, 2, seed=2)
    sums = sensitivities(pair, pixels, 3)
    for layer in pair.layers[::3]:
        maps = sensitivity_maps(pair, pixels, 3, layer)
        assert maps.shape == (2, *pair.shapes[layer])
        assert_close(maps.sum((2, 3)), sums[layer], 1e-10)


class LinearAfterwards(nn.Module):
    """Nothing but linear steps after ``layer``."""

    def __init__(self, seed):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layer = nn.Conv2d(3, 4, 3)
            self.after = nn.Conv2d(4, 5, 3)
            self.head = nn.Linear(5, CLASSES)

    def forward(self, pixels):
        return self.head(self.after(self.layer(pixels)).mean((2, 3)))


def linear(seed):
    return Network("linear", LinearAfterwards(seed).double(), ("layer",), Preprocessing(9))


def test_where_all_is_linear_the_sensitivities_add_up_to_the_change_of_the_logit():
    before, after = linear(0), linear(1)
    after.module.after, after.module.head = before.module.after, before.module.head
    pair = make_pair(before, after)
    pixels = noise(pair, 5)
    with torch.no_grad():
        change = after.module(pixels) - before.module(pixels)
    for label in range(CLASSES):
        total = sensitivities(pair, pixels, label)["layer"].sum(1)
        torch.testing.assert_close(total, change[:, label])


class Overlooked(nn.Module):
    """Its logits do not depend on ``layer``; ``twin`` returns its input, so that two layers share a tensor."""

    def __init__(self, seed):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layer, self.used = nn.Conv2d(3, 4, 3), nn.Conv2d(3, CLASSES, 3)
        self.start, self.twin = nn.Identity(), nn.Identity()

    def forward(self, pixels):
        pixels = self.start(pixels)
        self.layer(pixels)
        return self.twin(self.used(pixels)).mean((2, 3))


def overlooked(layers):
    networks = [Network("x", Overlooked(seed).double().eval(), layers, Preprocessing(6)) for seed in range(2)]
    return make_pair(*networks)


@pytest.mark.parametrize("layers", [("layer",), ("layer", "used")])
def test_what_the_logits_do_not_depend_on_has_no_sensitivity(layers):
    pair = overlooked(layers)
    pixels = noise(pair, 2)
    found = sensitivities(pair, pixels, 0)
    assert found["layer"].shape == (2, 4)
    assert not found["layer"].any()
    assert sensitivity_maps(pair, pixels, 0, "layer").shape == (2, 4, 4, 4)
    assert [layer for layer in layers if found[layer].any()] == [layer for layer in layers if layer == "used"]


def test_layers_that_share_a_tensor_have_the_same_sensitivities():
    pair = overlooked(("start", "used", "twin"))
    pixels = noise(pair, 2)
    kept = pixels.clone()
    found = sensitivities(pair, pixels, 0)
    assert found["used"].any()
    assert torch.equal(found["used"], found["twin"])
    assert not found["start"].any()
    assert torch.equal(pixels, kept)


@pytest.mark.parametrize("state", [0, 1])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_diverged_state_is_named_with_its_layer(state, value):
    networks = [toy(1), toy(2)]
    networks[state].module.second.weight.data[0, 0, 0, 0] = value
    pair = make_pair(*networks, ("epoch 3", "epoch 9"))
    with pytest.raises(EvoscopeError, match=f"epoch {(3, 9)[state]} has .* in layer 'second'"):
        sensitivities(pair, torch.rand(4, 3, 8, 8), 0)


def test_a_diverged_classifier_is_refused_too():
    networks = [toy(1), toy(2)]
    networks[0].module.head.weight.data[0] = torch.nan
    pair = make_pair(*networks, ("epoch 3", "epoch 9"))
    with pytest.raises(EvoscopeError, match="epoch 3 gives NaN"):
        sensitivities(pair, torch.rand(4, 3, 8, 8), 0)


def test_the_layers_may_be_any_of_the_networks():
    whole = double_pair("resnet18")
    part = make_pair(*(replace(network, layers=("layer2.1",)) for network in (whole.before, whole.after)))
    pixels = noise(whole, 2)
    found = sensitivities(part, pixels, 5)
    assert list(found) == ["layer2.1"]
    assert_close(found["layer2.1"], sensitivities(whole, pixels, 5)["layer2.1"], 1e-10)
