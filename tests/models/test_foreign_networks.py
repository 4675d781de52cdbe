"""Networks of torchvision and timm against plain hooks that know how each is laid out, without code of the library."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from evoscope.activations.scan import activation_pass
from evoscope.data.images import SQUASH, ImageSet
from evoscope.models.zoo import ModelSpec, build

COUNT, BEST, PIXELS = 12, 4, 64


def first(output):
    return output


def last(output):
    return output.permute(0, 3, 1, 2)


def after_class_token(output):
    patches = output[:, 1:].transpose(1, 2)
    side = int(patches.shape[2] ** 0.5)
    return patches.reshape(*patches.shape[:2], side, side)


class Known(NamedTuple):
    """What is known of a network: the names of its blocks, and how a block's output becomes a map."""

    spec: ModelSpec
    blocks: list[str]
    read: object


def timm(name, **options):
    arguments = {"model_name": name, "num_classes": 5, **options}
    return ModelSpec(name, pixels=PIXELS, factory="timm:create_model", kwargs=arguments)


def torchvision(name):
    return ModelSpec(name, pixels=PIXELS)


def series(pattern, *counts):
    """Names by stage and block: ``layer{}.{}``."""
    return [pattern.format(stage, block) for stage, count in enumerate(counts) for block in range(count)]


def dense(pattern, *counts):
    return [pattern.format(stage + 1, layer + 1) for stage, n in enumerate(counts) for layer in range(n)]


def from_one(pattern, *counts):
    return [pattern.format(stage + 1, block) for stage, n in enumerate(counts) for block in range(n)]


NETWORKS = {
    "densenet121": Known(torchvision("densenet121"), dense("features.denseblock{}.denselayer{}", 6, 12, 24, 16), first),
    "mobilenet_v3_small": Known(
        torchvision("mobilenet_v3_small"), [f"features.{number}" for number in range(1, 12)], first
    ),
    "swin_t": Known(
        torchvision("swin_t"),
        [f"features.{stage}.{block}" for stage, n in ((1, 2), (3, 2), (5, 6), (7, 2)) for block in range(n)],
        last,
    ),
    "vit_b_16": Known(
        torchvision("vit_b_16"), [f"encoder.layers.encoder_layer_{n}" for n in range(12)], after_class_token
    ),
    "efficientnet_b0": Known(torchvision("efficientnet_b0"), from_one("features.{}.{}", 1, 2, 2, 3, 3, 4, 1), first),
    "resnet50": Known(torchvision("resnet50"), from_one("layer{}.{}", 3, 4, 6, 3), first),
    "resnet10t": Known(timm("resnet10t"), from_one("layer{}.{}", 1, 1, 1, 1), first),
    "vit_tiny": Known(
        timm("vit_tiny_patch16_224", img_size=PIXELS), [f"blocks.{n}" for n in range(12)], after_class_token
    ),
    "convnext_atto": Known(timm("convnext_atto"), series("stages.{}.blocks.{}", 2, 2, 6, 2), first),
    "swin_tiny": Known(
        timm("swin_tiny_patch4_window7_224", img_size=PIXELS, window_size=4),
        series("layers.{}.blocks.{}", 2, 2, 6, 2),
        last,
    ),
}
HEAVY = ("vit_b_16", "swin_t")
CASES = [pytest.param(name, marks=pytest.mark.slow if name in HEAVY else ()) for name in NETWORKS]


class Blots:
    """Noise with a bright square somewhere, so that maxima differ between images and places."""

    def read(self, index, pixels, fit=SQUASH):
        draw = np.random.default_rng(index)
        image = draw.integers(0, 120, (pixels, pixels, 3)).astype(np.uint8)
        row, column = draw.integers(0, pixels - 16, 2)
        image[row : row + 16, column : column + 16] = draw.integers(150, 256, 3)
        return image


def pool():
    ids = tuple(f"{number:02d}" for number in range(COUNT))
    return ImageSet("blots", "train", ("a",), ids, np.zeros(COUNT, np.int64), np.arange(COUNT), Blots(), "blots")


def by_plain_hooks(network, known):
    """Maps of every block and the logits of all images, by a forward pass of one's own."""
    found, hooks = {}, []
    for name in known.blocks:

        def hook(module, inputs, output, name=name):
            found[name] = known.read(output.detach()).clone()

        hooks.append(dict(network.module.named_modules())[name].register_forward_hook(hook))
    pixels = np.stack([Blots().read(number, PIXELS) for number in range(COUNT)]).transpose(0, 3, 1, 2) / 255
    shape = (1, 3, 1, 1)
    mean, std = np.reshape((0.485, 0.456, 0.406), shape), np.reshape((0.229, 0.224, 0.225), shape)
    with torch.no_grad():
        logits = network.module(torch.from_numpy(((pixels - mean) / std).astype(np.float32)))
    for each in hooks:
        each.remove()
    return found, logits.numpy()


@pytest.mark.parametrize("name", CASES)
def test_images_cells_and_outputs_are_those_of_plain_hooks(name):
    known = NETWORKS[name]
    network = build(known.spec, 5, 0)
    assert list(network.layers) == known.blocks
    assert not network.left_out
    maps, logits = by_plain_hooks(network, known)
    found = activation_pass(network, pool(), k=BEST, keep_maxima=True)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-3, atol=1e-4)
    index = found.stimuli.neurons
    assert [tuple(grid) for grid in index.grid] == [tuple(maps[layer].shape[2:]) for layer in known.blocks]
    for number, layer in enumerate(known.blocks):
        rows = np.flatnonzero(index.layer == number)
        map_ = maps[layer].numpy()
        assert len(rows) == map_.shape[1]
        close = {"rtol": 1e-3, "atol": 1e-4 * float(np.abs(map_).max())}
        maxima = map_.max((2, 3))
        np.testing.assert_allclose(found.maxima[:, rows], maxima, **close)
        best = -np.sort(-maxima, axis=0)[:BEST]
        images, cells = found.stimuli.images[rows], found.stimuli.cells[rows]
        channels = np.arange(len(rows))[:, None]
        np.testing.assert_allclose(maxima[images, channels], best.T, **close)
        # The cell's own value is the maximum of its image, in one's own map.
        there = map_[images, channels, cells[..., 0], cells[..., 1]]
        np.testing.assert_allclose(there, maxima[images, channels], **close)
