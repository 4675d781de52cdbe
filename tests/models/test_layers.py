import pytest
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.layers import as_map, capture, check_names, hook_point, layer_shapes, read_after_in_place
from evoscope.models.listing import default_layers, outermost, rectified_convolutions
from evoscope.models.zoo import ModelSpec, build, build_module
from evoscope.torchvision_compat import torchvision

# Protocol, "Neurons"; VGG's released list counts its layers twice and its pools.
PUBLISHED = [
    ("vgg16", "once", 13, 4224),
    ("vgg16", "v1", 13, 4224),
    ("vgg16", "released", 31, 2 * 4224 + 64 + 128 + 256 + 512 + 512),
    ("vgg16", "convolutions", 13, 4224),
    ("vgg19", "convolutions", 16, 5504),
    ("vgg19_bn", "convolutions", 16, 5504),
    ("inception_v3", "convolutions", 18, 10704),
    ("convnext_tiny", "convolutions", 25, 8736),
    ("vgg19", "once", 16, 5504),
    ("vgg19", "v1", 16, 5504),
    ("vgg16_bn", "once", 13, 4224),
    ("inception_v3", "once", 16, 10448),
    ("inception_v3", "v1", 16, 10448),
    ("inception_v3", "released", 18, 10704),
    ("convnext_tiny", "once", 22, 8064),
    ("convnext_tiny", "v1", 24, 8640),
    ("convnext_tiny", "released", 25, 8736),
    ("resnet50", "once", 16, 3 * 256 + 4 * 512 + 6 * 1024 + 3 * 2048),
]


@pytest.mark.parametrize(("name", "listing", "layers", "neurons"), PUBLISHED)
def test_full_width_networks_have_the_published_neurons(name, listing, layers, neurons):
    pixels = 299 if name == "inception_v3" else 224
    with torch.device("meta"):
        module = build_module(ModelSpec(name, pixels=pixels), 1000, 0)
        shapes = layer_shapes(module, default_layers(module, listing), pixels)
    assert len(shapes) == layers
    assert sum(channels for channels, _, _ in shapes.values()) == neurons


def test_vgg_layers_are_its_rectified_convolutions():
    module = build_module(ModelSpec("vgg16", width=0.125, pixels=32), 4, 0)
    for name in default_layers(module):
        place, _, number = name.rpartition(".")
        assert isinstance(module.get_submodule(name), nn.ReLU)
        assert isinstance(module.get_submodule(f"{place}.{int(number) - 1}"), nn.Conv2d)


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("squeezenet1_1", {"Fire"}),
        ("mobilenet_v2", {"InvertedResidual"}),
        ("efficientnet_b0", {"MBConv"}),
        ("densenet121", {"_DenseLayer"}),
        ("swin_t", {"SwinTransformerBlock"}),
        ("vit_b_32", {"EncoderBlock"}),
    ],
)
def test_other_architectures_use_their_blocks(name, classes):
    with torch.device("meta"):
        module = torchvision.models.get_model(name)
    names = default_layers(module)
    assert {type(module.get_submodule(each)).__name__ for each in names} == classes
    assert names == default_layers(module, "released")


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.ReLU()


class Fire(nn.Module):
    def __init__(self):
        super().__init__()
        self.deeper = nn.Sequential(Nested(), nn.Conv2d(3, 3, 1))
        self.deeper.add_module("again", Nested())


def test_only_outermost_blocks_count():
    module = nn.Sequential(Fire(), nn.Sequential(Nested()))
    assert outermost(module, {"Fire", "Nested"}) == ("0", "1.0")


def test_convolutions_are_listed_once_with_their_relu():
    shared = nn.ReLU()
    module = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Conv2d(4, 4, 1), nn.MaxPool2d(1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(4, 4, 1), shared, nn.Conv2d(4, 4, 1), shared),
        nn.ModuleDict({"alone": nn.Conv2d(4, 4, 1)}),
    )
    assert rectified_convolutions(module) == ("0.2", "1.0", "2.0", "2.2", "3.alone")


def test_a_module_without_convolutions_is_refused():
    with pytest.raises(EvoscopeError, match="no convolution"):
        default_layers(nn.Linear(3, 4))


class Backwards(nn.Module):
    """Registers its layers in another order than it runs them."""

    def __init__(self):
        super().__init__()
        self.second = nn.Conv2d(4, 5, 3)
        self.first = nn.Conv2d(3, 4, 3, stride=2)
        self.never = nn.Conv2d(3, 4, 3)
        self.twice = nn.ReLU()

    def forward(self, images):
        return self.twice(self.second(self.twice(self.first(images)))).mean((2, 3))


def test_shapes_come_in_running_order():
    assert layer_shapes(Backwards(), ("second", "first"), 21) == {"first": (4, 10, 10), "second": (5, 8, 8)}


def test_the_look_leaves_the_module_as_it_was():
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    layer_shapes(module, ("0",), 8)
    assert module.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


@pytest.mark.parametrize(("name", "count"), [("never", 0), ("twice", 2)])
def test_a_layer_must_run_exactly_once(name, count):
    with pytest.raises(EvoscopeError, match=f"'{name}' runs {count} times"):
        layer_shapes(Backwards(), (name,), 21)


def test_wrong_and_repeated_names_are_refused():
    with pytest.raises(EvoscopeError, match="no layer 'secnd': the closest are 'second'"):
        check_names(Backwards(), ("secnd",))
    with pytest.raises(EvoscopeError, match="given 3 times"):
        check_names(Backwards(), ("first",) * 3)


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
def test_a_layer_has_its_own_values_whatever_the_next_step_does_in_place(stack, reduce):
    images, options = torch.randn(2, 3, 8, 8), () if reduce is None else (reduce,)
    with torch.no_grad(), capture(stack, ("0", "1"), *options) as maps:
        logits = stack(images)
        torch.testing.assert_close(maps["0"], stack[0](images))
        torch.testing.assert_close(maps["1"], stack[0](images).relu())
    assert bool((maps["0"] < 0).any())
    torch.testing.assert_close(stack(images), logits)


def test_the_hook_point_moves_only_as_released_past_in_place_steps(stack):
    assert hook_point(stack, "0") is stack[0]
    read_after_in_place(stack)
    assert hook_point(stack, "0") is stack[1]
    assert hook_point(stack, "1") is stack[1]
    assert hook_point(stack, "2") is stack[2]
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    read_after_in_place(plain)
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
