import pytest
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.layers import (
    check_names,
    default_layers,
    layer_shapes,
    outermost,
    rectified_convolutions,
)
from evoscope.models.zoo import ModelSpec, build_module
from evoscope.torchvision_compat import torchvision

# Protocol, "Neurons"; VGG's released list counts its layers twice and its pools.
PUBLISHED = [
    ("vgg16", "once", 13, 4224),
    ("vgg16", "v1", 13, 4224),
    ("vgg16", "released", 31, 2 * 4224 + 64 + 128 + 256 + 512 + 512),
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
        module = torchvision().models.get_model(name)
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
