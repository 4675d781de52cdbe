"""A small training run, also started as a script by the test that kills it."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from evoscope.data.images import SQUASH, Fit, ImageSet, digest
from evoscope.models.network import Network, Preprocessing
from evoscope.training.loop import train
from evoscope.training.recipe import TrainingRecipe

CLASSES, PIXELS = 4, 8


class Arrays:
    """Images kept as one array."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> np.ndarray:
        return self.pixels[index]


def images(split: str, count: int, seed: int = 0) -> ImageSet:
    """Noise whose brightest quadrant is the class."""
    random = np.random.default_rng([seed, len(split)])
    labels = random.integers(0, CLASSES, count)
    pixels = random.integers(0, 120, (count, PIXELS, PIXELS, 3)).astype(np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[top : top + 4, left : left + 4] += 100
    ids = tuple(f"{split}-{number}" for number in range(count))
    names = tuple("abcd")
    fingerprint = digest(split, str(seed), str(count))
    return ImageSet("noise", split, names, ids, labels, np.arange(count), Arrays(pixels), fingerprint)


def network(seed: int = 0, outputs: int = CLASSES) -> Network:
    """Convolution, batch norm, dropout: everything whose state a run must carry over."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(8 * 36, outputs)
        )
    return Network("tiny", module.eval(), ("2",), Preprocessing(PIXELS))


def recipe(**changes: object) -> TrainingRecipe:
    values = {"name": "tiny", "optimizer": "adamw", "lr": 3e-3, "batch_size": 16, "epochs": 4, "eval_images": 20}
    return TrainingRecipe(**{**values, **changes})


def run(folder: Path, seed: int = 0, net: Network | None = None, **changes: object) -> Network:
    """Train in ``folder``; 97 images leave a last batch of one."""
    net = net or network()
    train(net, images("train", 97), images("test", 40), recipe(**changes), folder, seed)
    return net


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]), optimizer=sys.argv[2], lr=float(sys.argv[3]), epochs=int(sys.argv[4]))
