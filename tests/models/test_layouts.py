"""Networks whose every position is known: where a spot is painted, the layer answers, and nowhere else."""

import pytest
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.layers import capture, channel_axis, layer_shapes, survey
from evoscope.models.layouts import Layout, noted

PIXELS, PATCH = 32, 8
SIDE = PIXELS // PATCH


class Layer(nn.Module):
    """What it is given, in the order of axes or tokens that the test asks for."""

    def __init__(self, turn):
        super().__init__()
        self.turn = turn

    def forward(self, maps):
        return self.turn(maps)


class Planted(nn.Module):
    """A channel 0 that is the brightness of a patch, others of noise, then the layer under test."""

    def __init__(self, channels, turn):
        super().__init__()
        torch.manual_seed(0)
        self.patch = nn.Conv2d(3, channels, PATCH, stride=PATCH)
        nn.init.constant_(self.patch.weight[:1], 1 / (3 * PATCH**2))
        nn.init.zeros_(self.patch.bias)
        self.layer = Layer(turn)

    def forward(self, images):
        return self.layer(self.patch(images)).flatten(1)[:, :2]


def tokens(maps):
    return maps.flatten(2).transpose(1, 2)


def beside(before, after=0):
    """Tokens of no patch, which are larger than any patch's."""

    def turn(maps):
        patches = tokens(maps)
        others = [torch.full((len(maps), count, patches.shape[2]), 50.0) for count in (before, after)]
        return torch.cat([others[0], patches, others[1]], 1)

    return turn


def mixed(maps):
    """As after attention: every token, the class token too, answers to every patch, but most to its own."""
    with_class = beside(1)(maps)
    return with_class + with_class[:, 1:].mean(1, keepdim=True) / 2


LAYOUTS = {
    "tokens": (8, tokens),
    "class token": (8, beside(1)),
    "class and distillation token": (8, beside(2)),
    "class and four registers": (8, beside(5)),
    "class token last": (8, beside(0, 1)),
    "class token that sees everything": (8, mixed),
    "as many tokens as channels": (16, tokens),
    "as many tokens as channels, channels first": (16, lambda maps: maps.flatten(2)),
    "tokens with the channels first": (8, lambda maps: maps.flatten(2)),
    "channels first": (8, lambda maps: maps * 1),
    "channels last": (8, lambda maps: maps.permute(0, 2, 3, 1)),
    "as many channels as rows": (SIDE, lambda maps: maps * 1),
    "as many channels as rows, channels last": (SIDE, lambda maps: maps.permute(0, 2, 3, 1)),
}


def painted(row, column):
    image = torch.zeros(1, 3, PIXELS, PIXELS)
    image[:, :, row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH] = 1
    return image


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_spot_is_found_where_it_was_painted(name):
    channels, turn = LAYOUTS[name]
    module = Planted(channels, turn)
    assert layer_shapes(module, ("layer",), PIXELS) == {"layer": (channels, SIDE, SIDE)}
    for row, column in ((0, 0), (0, 3), (1, 2), (3, 1)):
        image = painted(row, column)
        with torch.no_grad(), capture(module, ("layer",)) as maps:
            module(image)
        brightness = maps["layer"][0, 0]
        assert divmod(int(brightness.argmax()), SIDE) == (row, column)


@pytest.mark.parametrize("name", LAYOUTS)
def test_everywhere_also_counts_what_stands_for_no_patch(name):
    channels, turn = LAYOUTS[name]
    module, image = Planted(channels, turn), painted(1, 2)
    layer_shapes(module, ("layer",), PIXELS)
    with torch.no_grad(), capture(module, ("layer",), everywhere=True) as maps:
        module(image)
        output = turn(module.patch(image))
    axis = channel_axis(module.layer, output)
    assert output.shape[axis] == channels
    torch.testing.assert_close(maps["layer"].flatten(2).sum(2), output.movedim(axis, 1).flatten(2).sum(2))


SHUFFLED = torch.randperm(SIDE**2, generator=torch.Generator().manual_seed(1))
UNKNOWN = {
    "tokens in another order": lambda maps: tokens(maps)[:, SHUFFLED],
    "columns of tokens": lambda maps: tokens(maps.transpose(2, 3)),
    "rows and columns changed": lambda maps: maps.transpose(2, 3),
    "similarities of tokens": lambda maps: (tokens(maps) @ maps.flatten(2))[:, None],
    "tokens that all say the same": lambda maps: tokens(maps).mean(1, keepdim=True).expand(-1, 16, -1) * 1,
    "no answer at all": lambda maps: tokens(maps) * 0,
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_places_that_cannot_be_told_are_refused(name):
    module = Planted(8, UNKNOWN[name])
    with pytest.raises(EvoscopeError, match=r"'layer' returns .*where they lie in the image cannot be told"):
        layer_shapes(module, ("layer",), PIXELS)


def test_windows_are_refused():
    module = Planted(8, lambda maps: tokens(maps).unflatten(1, (4, 4)).flatten(0, 1))
    module.forward = lambda images: module.layer(module.patch(images))
    with pytest.raises(EvoscopeError, match="returns 4 rows for one image"):
        layer_shapes(module, ("layer",), PIXELS)


class Block(nn.Module):
    """Tokens, to which a branch adds the mean of all: the branch alone shows no places."""

    def __init__(self):
        super().__init__()
        self.branch = Layer(lambda given: given.mean(1, keepdim=True).expand_as(given) + 0)

    def forward(self, given):
        return given + self.branch(given)


def test_a_branch_has_the_places_of_its_block():
    module = Planted(8, beside(1))
    module.layer = nn.Sequential(module.layer, Block())
    found, left_out = survey(module, ("layer.1.branch", "layer.1"), (3, PIXELS, PIXELS))
    assert found == {"layer.1.branch": (8, SIDE, SIDE), "layer.1": (8, SIDE, SIDE)}
    assert not left_out


def test_places_are_found_alike_every_time_and_go_with_copies():
    module = Planted(8, beside(1))
    first = layer_shapes(module, ("layer",), PIXELS)
    assert noted(module.layer, (17, 8)) == Layout((2, 1), 1, (4, 4))
    assert layer_shapes(Planted(8, beside(1)), ("layer",), PIXELS) == first


def test_tokens_of_another_number_are_looked_at_again():
    module = Planted(8, beside(1))
    layer_shapes(module, ("layer",), PIXELS)
    assert layer_shapes(module, ("layer",), 48) == {"layer": (8, 6, 6)}
