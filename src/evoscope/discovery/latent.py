"""One pass over images that sums up the latent space of every layer asked for (CDISCO, steps 1 and 2).

Feature maps die with their batch. What is kept per image, [images, d] per layer and quantity, must fit the memory
budget, which decides nothing else: where it does not fit, `latent_pass` refuses before it reads an image.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Doubles, Floats, Ints
from evoscope.data.images import ImageSet
from evoscope.data.loader import Batch
from evoscope.discovery.basis import Moments
from evoscope.discovery.gradients import QUANTITIES, Quantity, Reader, Reading
from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import loader_of
from evoscope.models.layers import layer_shapes
from evoscope.models.network import Network
from evoscope.progress import Progress, silent

WAITING = 1024
"""Rows that wait before a Gram matrix is brought up to date: adding d x d numbers costs the same for few."""


@dataclass(frozen=True)
class Outcomes:
    """What the network says of each image.

    ``labels``, ``predictions``: int64 [images]; ``loss``: float64 [images], cross-entropy with the true label;
    ``confidence``: float64 [images], softmax of the predicted class; ``classes``: how many there are.
    """

    labels: Ints
    predictions: Ints
    loss: Doubles
    confidence: Doubles
    classes: int

    @property
    def accuracy(self) -> float:
        """Share of images whose prediction is their label."""
        return float((self.labels == self.predictions).mean())


@dataclass(frozen=True)
class LayerLatents:
    """One layer over all images.

    ``moments``: Gram matrix and class sums; ``features``: float32 [images, d], phi; ``loss``, ``logit``,
    ``slope``: float32 [images, d], see `evoscope.discovery.gradients.Quantity`; None where not asked for.
    """

    moments: Moments
    features: Floats | None
    loss: Floats | None
    logit: Floats | None
    slope: Floats | None

    def rows(self, name: str) -> Floats:
        """Give ``features`` or a quantity that must be there.

        Raises
        ------
        EvoscopeError : it was not asked for.
        """
        found: Floats | None = getattr(self, name)
        if found is None:
            raise EvoscopeError(
                f"the pass over layer {self.moments.layer!r} took no {name}", "name it among its quantities"
            )
        return found


@dataclass(frozen=True)
class Latents:
    """What a pass leaves: ``layers`` one by one, and ``outcomes`` per image."""

    layers: tuple[LayerLatents, ...]
    outcomes: Outcomes

    def of(self, layer: str) -> LayerLatents:
        """Give the layer of that name."""
        return next(each for each in self.layers if each.moments.layer == layer)


def require_memory(rows: int, channels: int, memory_mb: int) -> None:
    """Refuses what does not fit the memory, before it is computed.

    Parameters
    ----------
    rows : that are kept: one per image for the features, and one for every quantity.
    channels : of all layers together, each a float32.
    memory_mb : MiB that there are.

    Raises
    ------
    EvoscopeError : names the MiB that it takes, and the key to raise.
    """
    needed = math.ceil(4 * rows * channels / 2**20)
    if needed > memory_mb:
        raise EvoscopeError(
            f"{rows} rows of {channels} channels take {needed} MiB, more than memory_mb={memory_mb}",
            f"give memory_mb={needed} or more, fewer images (scale.latent_images=...), or a narrower layer",
        )


def width(network: Network, layers: Sequence[str]) -> int:
    """Channels of some layers together.

    Raises
    ------
    EvoscopeError : the network has no such layer.
    """
    shapes = layer_shapes(network.module, layers, network.preprocessing.pixels)
    return sum(channels for channels, _, _ in shapes.values())


def latent_pass(
    network: Network,
    images: ImageSet,
    layers: Sequence[str] = (),
    *,
    quantities: Sequence[Quantity] = (),
    batch_size: int = 64,
    memory_mb: int = 2048,
    workers: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> Latents:
    """Sum up the latent spaces of some layers over images.

    Parameters
    ----------
    network : its module is moved to ``device``.
    images : their order is that of the rows.
    layers : dotted names; the network's own unless given.
    quantities : what to take beside the features; each kind of gradient costs a backward pass.
    memory_mb : MiB that the rows may take, and as many again for decoded images.
    batch_size, workers : of the `Loader`.
    progress : counts images.

    Raises
    ------
    EvoscopeError : no images or no such layer, rows that do not fit the memory (before the first image is read), a
        NaN or infinite feature, more classes than the network knows.
    """
    network.module.to(device)
    names = tuple(layers) or network.layers
    require_memory(len(images) * (1 + len(quantities)), width(network, names), memory_mb)
    loader = loader_of(network, images, batch_size, memory_mb, workers)
    return scan_latents(network, loader.ordered(progress), len(images), names, quantities)


def scan_latents(
    network: Network, batches: Iterable[Batch], images: int, layers: Sequence[str], quantities: Sequence[Quantity] = ()
) -> Latents:
    """The same with batches from anywhere (a part of the images, or a table's rows), whatever memory it takes.

    Parameters
    ----------
    batches : on the network's device, ``images`` rows in all.
    """
    scan: _Scan | None = None
    with Reader(network, layers, quantities) as reader:
        for batch in batches:
            reading = reader.read(batch)
            scan = scan or _Scan(reading, images, ("features", *quantities))
            scan.add(reading)
    if scan is None:
        raise EvoscopeError("there are no images to look at", "give at least one")
    return scan.result()


class _Scan:
    """The state of a pass while batches stream by, laid out by the first."""

    def __init__(self, first: Reading, images: int, names: Sequence[str]) -> None:
        self.classes = first.classes
        self.moments: dict[str, Moments] = {}
        self.waiting: list[Reading] = []
        self.outcomes: list[Outcomes] = []
        widths = {layer: rows.shape[1] for layer, rows in first.features.items()}
        self.rows = {(layer, name): np.empty((images, d), np.float32) for layer, d in widths.items() for name in names}
        self.seen = 0

    def add(self, reading: Reading) -> None:
        here = slice(self.seen, self.seen + len(reading.labels))
        for (layer, name), matrix in self.rows.items():
            matrix[here] = reading.features[layer] if name == "features" else reading.extra[layer, name]
        self.seen = here.stop
        self.outcomes.append(
            Outcomes(reading.labels, reading.predictions, reading.loss, reading.confidence, self.classes)
        )
        self.waiting.append(reading)
        if sum(len(each.labels) for each in self.waiting) >= WAITING:
            self._settle()

    def _settle(self) -> None:
        labels, predictions = (
            np.concatenate([getattr(each, name) for each in self.waiting]) for name in ("labels", "predictions")
        )
        for layer in self.waiting[0].features:
            rows = np.concatenate([each.features[layer] for each in self.waiting])
            found = Moments.of(layer, rows, labels, predictions, self.classes)
            self.moments[layer] = self.moments[layer].merge(found) if layer in self.moments else found
        self.waiting = []

    def result(self) -> Latents:
        if self.waiting:
            self._settle()
        names = ("features", *QUANTITIES)
        layers = (
            LayerLatents(found, **{name: self.rows.get((layer, name)) for name in names})
            for layer, found in self.moments.items()
        )
        labels, predictions, loss, confidence = (
            np.concatenate([getattr(part, name) for part in self.outcomes])
            for name in ("labels", "predictions", "loss", "confidence")
        )
        return Latents(tuple(layers), Outcomes(labels, predictions, loss, confidence, self.classes))
