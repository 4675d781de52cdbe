"""Networks with planted neurons: images, places, layers and importances are the planted ones, however laid out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from evoscope.activations.patches import example_patches
from evoscope.activations.scan import activation_pass
from evoscope.data.images import SQUASH, ImageSet, digest
from evoscope.discovery.latent import latent_pass
from evoscope.evolution.importance import importance
from evoscope.evolution.pair import make_pair
from evoscope.models.network import Network, Preprocessing
from evoscope.models.zoo import ModelSpec, build

PIXELS, PATCH, COUNT = 32, 8, 24
SIDE = PIXELS // PATCH
BRIGHT, DARK, QUADRANT, CONSTANT = range(4)
FORMS = ("channels first", "channels last", "tokens", "class token", "registers", "class token last")


class EncoderBlock(nn.Module):
    """Multiplies each channel; a class token gathers the mean of the patches, as attention would."""

    def __init__(self, form):
        super().__init__()
        self.form, self.gain = form, nn.Parameter(torch.ones(4))

    def forward(self, given):
        if self.form == "channels first":
            return given * self.gain[:, None, None]
        out = given * self.gain
        if self.form == "class token":
            return torch.cat([out[:, :1] + out[:, 1:].mean(1, keepdim=True), out[:, 1:]], 1)
        return out


class Planted(nn.Module):
    """Class c's logit is channel c alone: brightness, minus brightness, brightness of the lower right quadrant."""

    def __init__(self, n_classes, form):
        super().__init__()
        self.form = form
        self.blocks = nn.Sequential(EncoderBlock(form), EncoderBlock(form))
        self.head = nn.Identity()
        self.n_classes = n_classes

    def forward(self, images):
        light = avg_pool2d(images, PATCH).mean(1)
        quadrant = torch.zeros_like(light)
        quadrant[:, SIDE // 2 :, SIDE // 2 :] = light[:, SIDE // 2 :, SIDE // 2 :]
        maps = torch.stack([light, -light, quadrant, torch.full_like(light, 0.3)], 1)
        return self.head(self.read(self.blocks(self.laid_out(maps)))[:, : self.n_classes])

    def laid_out(self, maps):
        if self.form == "channels first":
            return maps
        if self.form == "channels last":
            return maps.permute(0, 2, 3, 1)
        patches = maps.flatten(2).transpose(1, 2)
        others = {"tokens": (0, 0), "class token": (1, 0), "registers": (4, 0), "class token last": (0, 1)}
        before, after = (patches.new_full((len(maps), n, 4), 0.0) for n in others[self.form])
        return torch.cat([before, patches, after], 1)

    def read(self, found):
        if self.form == "channels first":
            return found.mean((2, 3))
        if self.form == "class token":
            return found[:, 0]  # and nothing else: the patches of the last block do not reach the logits
        return found.flatten(1, -2).mean(1)


def planted(n_classes, form):
    return Planted(n_classes, form)


class Scenes:
    """Grey images, each with one square of its own light at its own place of the grid."""

    def read(self, index, pixels, fit=SQUASH):
        image = np.full((PIXELS, PIXELS, 3), 20 + 2 * index, np.uint8)
        row, column = place(index)
        image[row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH] = light(index)
        return image.repeat(pixels // PIXELS, 0).repeat(pixels // PIXELS, 1)


def place(index):
    return divmod((5 * index + 3) % SIDE**2, SIDE)


def light(index):
    return 100 + (7 * index) % COUNT * 5


def scenes():
    ids, rows = tuple(f"{number:02d}" for number in range(COUNT)), np.arange(COUNT)
    labels = np.full(COUNT, QUADRANT)
    return ImageSet("scenes", "train", tuple("abc"), ids, labels, rows, Scenes(), digest("planted"))


def network(form):
    spec = ModelSpec(
        "planted", pixels=PIXELS, factory=f"{__name__}:planted", kwargs={"form": form}, mean=(0,) * 3, std=(1,) * 3
    )
    return build(spec, 3, 0)


@pytest.mark.parametrize("form", FORMS)
def test_images_and_places_are_the_planted_ones(form):
    images = scenes()
    net = network(form)
    assert net.layers == ("blocks.0", "blocks.1")
    stimuli = activation_pass(net, images, k=3).stimuli
    assert stimuli.neurons.grid.tolist() == [[SIDE, SIDE]] * 2
    brightest = sorted(range(COUNT), key=light, reverse=True)[:3]
    inside = [n for n in range(COUNT) if min(place(n)) >= SIDE // 2]
    in_quadrant = sorted(inside, key=light, reverse=True)[:3]
    for layer in range(2):
        assert stimuli.images[4 * layer + BRIGHT].tolist() == brightest
        assert stimuli.cells[4 * layer + BRIGHT].tolist() == [list(place(n)) for n in brightest]
        assert stimuli.images[4 * layer + DARK].tolist() == [0, 1, 2]
        assert stimuli.images[4 * layer + QUADRANT].tolist() == in_quadrant
        assert stimuli.cells[4 * layer + QUADRANT].tolist() == [list(place(n)) for n in in_quadrant]
    neurons = np.array([BRIGHT, 4 + QUADRANT])
    patches = example_patches(images, stimuli, neurons, 3, side=1 / SIDE, pixels=PATCH)
    assert patches[..., 0].mean((2, 3)).tolist() == [[light(n) for n in brightest], [light(n) for n in in_quadrant]]


@pytest.mark.parametrize("form", FORMS)
def test_the_channel_that_is_the_logit_is_the_important_one(form):
    before, after = network(form), network(form)
    with torch.no_grad():
        after.module.blocks[0].gain.copy_(torch.tensor([3.0, 0.5, 2.0, 4.0]))
    found = importance(make_pair(before, after), scenes(), QUADRANT)
    score = found.score.reshape(2, 4)
    # All images have some light in the quadrant, and no other channel reaches its logit.
    assert score[:, QUADRANT].tolist() == [1, 1]
    assert not score[:, [BRIGHT, DARK, CONSTANT]].any()


@pytest.mark.parametrize("form", FORMS)
def test_the_evidence_for_a_class_lies_in_its_channel(form):
    latents = latent_pass(network(form), scenes(), ("blocks.0", "blocks.1"), quantities=("slope",))
    for layer in latents.layers:
        slopes = layer.rows("slope")
        chosen = np.arange(4) == latents.outcomes.predictions[:, None]
        assert (slopes[chosen] > 0).all()
        assert not slopes[~chosen].any()


class Steps(nn.Module):
    """A convolution and what comes after, written in one of many ways."""

    def __init__(self, written):
        super().__init__()
        self.written = written
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=written == "in place")
        self.stack = nn.Sequential(self.conv, nn.ReLU(inplace=True)) if written == "stack" else None

    def forward(self, images):
        if self.stack is not None:
            return self.stack(images).mean((2, 3))
        found = self.conv(images)
        if self.written == "function":
            found = torch.relu_(found)
        return self.relu(found).mean((2, 3))


@pytest.mark.parametrize("written", ["in place", "function", "stack"])
def test_a_layer_means_the_same_however_the_next_step_is_written(written):
    def stimuli_of(way, layer):
        torch.manual_seed(0)
        net = Network(way, Steps(way).eval(), (layer,), Preprocessing(PIXELS))
        pair = make_pair(net, replace(net, module=_changed(way)))
        found = importance(pair, scenes(), QUADRANT)
        return activation_pass(net, scenes(), k=3, keep_maxima=True), found, latent_pass(net, scenes())

    plain, plain_found, plain_latents = stimuli_of("apart", "conv")
    layer = "stack.0" if written == "stack" else "conv"
    other, other_found, other_latents = stimuli_of(written, layer)
    np.testing.assert_array_equal(other.maxima, plain.maxima)
    np.testing.assert_array_equal(other.stimuli.cells, plain.stimuli.cells)
    np.testing.assert_allclose(other.logits, plain.logits, rtol=1e-6)
    np.testing.assert_allclose(other_found.mean, plain_found.mean, rtol=1e-5, atol=1e-9)
    assert plain_found.mean.any()
    np.testing.assert_allclose(other_latents.layers[0].features, plain_latents.layers[0].features, rtol=1e-5)


def _changed(way):
    torch.manual_seed(1)
    return Steps(way).eval()
