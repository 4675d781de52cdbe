"""A small network in float64 with what goes wrong in large ones, and pictures of noise for it.

Its head is scaled so that it predicts every class about as often.
"""

from contextlib import ExitStack

import numpy as np
import torch
from torch import nn
from torch.nn.functional import relu

from evoscope.data.images import SQUASH, ImageSet, digest
from evoscope.data.loader import Batch
from evoscope.models.layers import capture
from evoscope.models.network import Network, Preprocessing

CLASSES = 4
PIXELS = 8
LAYERS = ("first", "norm", "second")


class Small(nn.Module):
    """``norm`` is overwritten by an in-place ReLU, ``second`` adds to what passes it by."""

    def __init__(self, seed):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = nn.Conv2d(3, 6, 3, padding=1)
            self.norm = nn.BatchNorm2d(6)
            self.second = nn.Conv2d(6, 6, 3, padding=1)
            self.drop = nn.Dropout(0.5)
            self.head = nn.Linear(6, CLASSES)
            self.norm.running_mean = torch.randn(6) / 4
            self.norm.bias.data = torch.randn(6) / 2

    def forward(self, pixels):
        maps = relu(self.norm(self.first(pixels)), inplace=True)
        maps = relu(self.second(maps) + maps).square()
        return self.head(self.drop(maps.mean((2, 3))))


def small(seed=0, layers=LAYERS):
    preprocessing = Preprocessing(PIXELS, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    module = Small(seed).double()
    with torch.no_grad():
        logits = module.eval()(noise(64, seed=99))
        module.head.weight.div_(logits.std(0)[:, None])
        module.head.bias.sub_(logits.mean(0)).div_(logits.std(0))
    return Network("small", module, layers, preprocessing)


def noise(count, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randn((count, 3, PIXELS, PIXELS), generator=random, dtype=torch.float64)


def batches_of(pixels, labels=None, size=7):
    labels = torch.arange(len(pixels)) % CLASSES if labels is None else torch.as_tensor(labels)
    rows = torch.arange(len(pixels)).split(size)
    return [Batch(pixels[row], labels[row], row) for row in rows]


def maps_of(network, pixels):
    """Feature maps of every layer, whole, as each layer returns them."""
    with torch.no_grad(), capture(network.module.eval(), network.layers, copied) as maps:
        network.module(pixels)
    return dict(maps)


def copied(name, maps):
    return maps.clone()


def gradient_maps(network, pixel, layer, value_of):
    """Map and gradient [d, h, w] of one image by replacing the layer's output with a variable."""
    kept = {}

    def replace(place, inputs, output):
        kept["leaf"] = output.detach().requires_grad_()
        return kept["leaf"].clone()

    with ExitStack() as stack:
        hook = network.module.eval().get_submodule(layer).register_forward_hook(replace)
        stack.callback(hook.remove)
        value = value_of(network.module(pixel[None])[0])
        (gradient,) = torch.autograd.grad(value, kept["leaf"])
    return kept["leaf"].detach()[0].numpy(), gradient[0].numpy()


class Noise:
    """Pictures of noise."""

    def read(self, index, pixels, fit=SQUASH):
        return np.random.default_rng(index).integers(0, 256, (pixels, pixels, 3)).astype(np.uint8)


def image_set(count):
    rows = np.arange(count)
    ids = tuple(f"train-{row}" for row in rows)
    names = tuple("abcd")
    return ImageSet("noise", "train", names, ids, rows % CLASSES, rows, Noise(), digest(str(count)))
