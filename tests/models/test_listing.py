import pytest
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.layers import own_layers
from evoscope.models.listing import blocks


class Unit(nn.Module):
    """A block of two convolutions; with a shuffle, nobody can tell where its cells lie."""

    def __init__(self, width=4, shuffled=False):
        super().__init__()
        self.steps = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1))
        self.shuffled = shuffled

    def forward(self, maps):
        maps = maps + self.steps(maps)
        return maps.flatten(2)[:, :, torch.arange(63, -1, -1)].view_as(maps) if self.shuffled else maps


class Stage(nn.Module):
    def __init__(self, depth, listed):
        super().__init__()
        self.before = nn.BatchNorm2d(4)
        self.units = (nn.Sequential if listed else Plain)(*[Unit() for _ in range(depth)])

    def forward(self, maps):
        return self.units(self.before(maps))


class Plain(nn.Module):
    """Units as attributes, one after another."""

    def __init__(self, *units):
        super().__init__()
        for number, unit in enumerate(units):
            setattr(self, f"unit{number}", unit)

    def forward(self, maps):
        for unit in self.children():
            maps = unit(maps)
        return maps


class Net(nn.Module):
    def __init__(self, *parts):
        super().__init__()
        self.stem, self.body, self.head = nn.Conv2d(3, 4, 4, stride=4), nn.Sequential(*parts), nn.Linear(4, 2)

    def forward(self, images):
        return self.head(self.body(self.stem(images)).mean((2, 3)))


class Wrapped(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.model = inner

    def forward(self, images):
        return self.model(images)


STAGES = ("body.0.units.0", "body.1.units.0", "body.1.units.1")
ATTRIBUTES = ("body.0.units.unit0", "body.1.units.unit0", "body.1.units.unit1")


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (Net(Unit(), Unit()), ("body.0", "body.1")),
        (Net(Stage(1, listed=True), Stage(2, listed=True)), STAGES),
        (Net(Stage(1, listed=False), Stage(2, listed=False)), ATTRIBUTES),
        (Net(nn.Sequential(Unit()), nn.Sequential(Unit())), ("body.0.0", "body.1.0")),
        (Wrapped(Net(Unit(), Unit())), ("model.body.0", "model.body.1")),
        (Net(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU()), ()),
    ],
)
def test_blocks_of_any_network_are_found(module, expected):
    assert blocks(module) == expected


def test_layers_that_cannot_be_read_are_left_out_and_named():
    torch.manual_seed(0)
    found, left_out = own_layers(Net(Unit(), Unit(shuffled=True)), 32)
    assert found == {"body.0": (4, 8, 8)}
    assert list(left_out) == ["body.1"]
    assert "where they lie in the image cannot be told" in left_out["body.1"]


def test_convolutions_take_the_place_of_blocks_that_cannot_be_read():
    shared = Unit()
    found, left_out = own_layers(Net(shared, shared), 32)
    assert list(found) == ["stem"]
    assert left_out["body.0"].startswith("runs 2 times")


def test_a_network_of_which_no_layer_can_be_read_is_refused():
    with pytest.raises(EvoscopeError, match="no convolution"):
        own_layers(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), 8)
