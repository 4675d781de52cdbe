import pytest
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.layers import as_map, capture, hook_point
from evoscope.models.zoo import ModelSpec, build


def hooks(module):
    return sum(len(child._forward_hooks) for child in module.modules())


@pytest.fixture
def stack():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3), nn.Flatten(), nn.Linear(5 * 16, 2)
    )


def test_maps_are_those_of_a_forward_pass_by_hand(stack):
    images = torch.randn(2, 3, 8, 8)
    with capture(stack, ("1", "2", "4")) as maps:
        logits = stack(images)
    first = torch.relu(stack[0](images))
    torch.testing.assert_close(maps["1"], first)
    torch.testing.assert_close(maps["2"], stack[2](first))
    torch.testing.assert_close(maps["4"][:, :, 0, 0], logits)
    assert list(maps) == ["1", "2", "4"]


def test_each_forward_pass_renews_the_maps(stack):
    with capture(stack, ("2",)) as maps:
        stack(torch.zeros(1, 3, 8, 8))
        before = maps["2"]
        stack(torch.randn(3, 3, 8, 8))
    assert before.shape[0] == 1
    assert maps["2"].shape[0] == 3


def test_reduce_sees_each_map_in_the_hook_and_its_result_is_kept(stack):
    images = torch.randn(2, 3, 8, 8)
    with capture(stack, ("1", "2")) as maps:
        stack(images)
    with capture(stack, ("1", "2"), lambda name, map_: (name, map_.amax((2, 3)))) as kept:
        stack(images)
    for name in ("1", "2"):
        assert kept[name][0] == name
        assert torch.equal(kept[name][1], maps[name].amax((2, 3)))


class Overwrites(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 1)

    def forward(self, images):
        return self.layer(images).zero_()


def test_reduce_escapes_what_is_overwritten_afterwards():
    module, images = Overwrites(), torch.randn(1, 3, 4, 4)
    with torch.no_grad(), capture(module, ("layer",), lambda _, map_: map_.clone()) as kept:
        module(images)
    torch.testing.assert_close(kept["layer"], module.layer(images))
    assert kept["layer"].any()


@pytest.mark.parametrize("reduce", [None, lambda _, map_: map_.clone()])
def test_a_convolution_before_an_in_place_relu_is_one_tensor_with_it(stack, reduce):
    options = () if reduce is None else (reduce,)
    with torch.no_grad(), capture(stack, ("0", "1"), *options) as maps:
        stack(torch.randn(2, 3, 8, 8))
    assert torch.equal(maps["0"], maps["1"])
    assert bool((maps["0"] >= 0).all())


def test_the_hook_point_moves_only_past_in_place_steps(stack):
    assert hook_point(stack, "0") is stack[1]
    assert hook_point(stack, "1") is stack[1]
    assert hook_point(stack, "2") is stack[2]
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    assert hook_point(plain, "0") is plain[0]


def test_hooks_are_gone_afterwards_also_after_an_error(stack):
    with capture(stack, ("0", "2")):
        assert hooks(stack) == 2
    assert hooks(stack) == 0
    with pytest.raises(RuntimeError), capture(stack, ("0",)):
        stack(torch.zeros(1, 7, 8, 8))
    assert hooks(stack) == 0
    with pytest.raises(AttributeError), capture(stack, ("0", "nowhere")):
        pass
    assert hooks(stack) == 0


def test_captured_maps_carry_gradients(stack):
    with capture(stack, ("1",)) as maps:
        logits = stack(torch.randn(1, 3, 8, 8))
    (gradient,) = torch.autograd.grad(logits[0, 0], maps["1"])
    assert gradient.shape == maps["1"].shape
    assert gradient.any()


def test_outputs_become_maps():
    layer = nn.Identity()
    assert as_map(layer, torch.zeros(2, 3), "x").shape == (2, 3, 1, 1)
    tokens = torch.arange(24.0).reshape(2, 4, 3)
    assert torch.equal(as_map(layer, tokens, "x")[1, 2, :, 0], tokens[1, :, 2])
    map_ = torch.zeros(2, 3, 4, 5)
    assert as_map(layer, map_, "x") is map_


@pytest.mark.parametrize("output", [(torch.zeros(1, 2),), torch.zeros(3), torch.zeros(1, 2, 3, 4, 5), None])
def test_what_is_no_map_is_named(output):
    with pytest.raises(EvoscopeError, match="layer 'here' returns"):
        as_map(nn.Identity(), output, "here")


def test_swins_channels_come_second():
    network = build(ModelSpec("swin_t", pixels=64), 3, 0)
    name = network.layers[0]
    with torch.no_grad(), capture(network.module, (name,)) as maps:
        network.module(torch.zeros(1, 3, 64, 64))
    assert maps[name].shape == (1, 96, 16, 16)
