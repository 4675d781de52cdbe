"""Two states of small networks, and images to show them."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import nn

from evoscope.data.images import SQUASH, ImageSet, digest
from evoscope.evolution.pair import make_pair
from evoscope.models.network import Network, Preprocessing
from evoscope.models.spec import ModelSpec
from evoscope.models.zoo import build
from evoscope.torchvision_compat import torchvision

BasicBlock, ResNet = torchvision.models.resnet.BasicBlock, torchvision.models.ResNet

CLASSES = 7
CONVNEXT = ModelSpec("convnext_tiny", width=1 / 8, depths=(1, 1, 2, 1), pixels=32, layer_scale=1.0)
RESNET = ModelSpec("resnet18", pixels=32, factory="tests.evolution.small:resnet18")
SPECS = {
    "vgg16": ModelSpec("vgg16", width=1 / 8, pixels=32),
    "vgg16-released": ModelSpec("vgg16", width=1 / 8, pixels=32, listing="released"),
    "vgg16_bn": ModelSpec("vgg16_bn", width=1 / 8, pixels=32),
    "inception_v3": ModelSpec("inception_v3", width=1 / 8, pixels=75),
    "convnext": CONVNEXT,
    "convnext-inner": replace(
        CONVNEXT, layers=("features.1.0.block.0", "features.1.0.block.3", "features.5.1.stochastic_depth")
    ),
    "resnet18": RESNET,
    # Batch norms whose maps an in-place ReLU or addition changes, the first of them right where tracking begins.
    "resnet18-inner": replace(
        RESNET, layers=("bn1", "layer1.0.conv1", "layer1.0.bn1", "layer1.0.bn2", "layer2.0.downsample.1")
    ),
    "resnet18-inside": replace(RESNET, layers=("layer1.0.conv1", "layer3.0.bn1", "avgpool", "fc")),
}


class Narrow(ResNet):
    """Torchvision's network with an eighth of the channels after the stem."""

    def _make_layer(self, block, planes, *args, **options):
        return super()._make_layer(block, planes // 8, *args, **options)


def resnet18(n_classes):
    module = Narrow(BasicBlock, [2, 2, 2, 2])
    module.fc = nn.Linear(64, n_classes)
    return module


@cache
def double_pair(name):
    """Two states in float64, with statistics and biases as after some training."""
    networks = [state_of(SPECS[name], seed) for seed in (1, 2)]
    for network in networks:
        network.module.double()
    return make_pair(*networks, ("epoch 1", "epoch 2"))


def state_of(spec, seed):
    network = build(spec, CLASSES, seed)
    random = torch.Generator().manual_seed(seed)
    for part in network.module.modules():
        if isinstance(part, nn.BatchNorm2d):
            shape = part.weight.shape
            part.weight.data = torch.rand(shape, generator=random) + 0.5
            part.bias.data = torch.randn(shape, generator=random) / 2
            part.running_mean = torch.randn(shape, generator=random) / 4
        elif isinstance(part, nn.Conv2d | nn.Linear):
            # Inception's own start is so small that its first layers hardly matter.
            nn.init.kaiming_normal_(part.weight, generator=random)
            if part.bias is not None:
                part.bias.data = torch.randn(part.bias.shape, generator=random) / 10
    return network


def noise(pair, count, seed=0):
    """Random pixels of the type of the pair's parameters."""
    shape = (count, 3, *[pair.after.preprocessing.pixels] * 2)
    dtype = next(pair.after.module.parameters()).dtype
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class Toy(nn.Module):
    """Small integers and halves everywhere, so that float32 is exact in any order and many numbers are equal."""

    def __init__(self, seed):
        super().__init__()
        random = np.random.default_rng(seed)
        self.first = nn.Conv2d(3, 6, 3, padding=1, stride=2)
        self.second = nn.Conv2d(6, 5, 2, stride=2)
        self.head = nn.Linear(5, CLASSES)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.from_numpy(random.integers(-2, 3, tuple(parameter.shape))))

    def forward(self, pixels):
        return self.head(torch.relu(self.second(torch.relu(self.first(pixels)))).sum((2, 3)))


PLAIN = Preprocessing(8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def toy(seed):
    return Network("toy", Toy(seed).eval(), ("first", "second"), PLAIN)


class BlackAndWhite:
    """Every colour full or off: 0 or 1 for a network that does not normalise."""

    def read(self, index, pixels, fit=SQUASH):
        return np.random.default_rng(index).integers(0, 2, (pixels, pixels, 3)).astype(np.uint8) * 255


def image_set(count, split="train", labels=None):
    rows = np.arange(count)
    labels = rows % 3 if labels is None else np.asarray(labels)
    ids = tuple(f"{split}-{row}" for row in rows)
    names = tuple("abcdefg")
    return ImageSet("noise", split, names, ids, labels, rows, BlackAndWhite(), digest(split, str(count)))


def pixels_of(images, pixels=8):
    """What a network sees of an image set, without normalisation."""
    squares = [images.read(row, pixels) for row in range(len(images))]
    return torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2) / 255).float()
