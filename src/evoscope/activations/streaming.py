"""One forward pass over the image pool for every layer and every statistic.

Maps are reduced to maxima inside the hooks and die with their layer's forward; the maxima of all layers are
then one matrix [b, neurons], on which the top k, the statistics and the responsive neurons advance batch by
batch, on the device.

Images, cells, status and responsive neurons follow from the maxima alone, whatever the batch size. The maxima
themselves may differ in the last bit between batch sizes where the device's convolutions sum in another
order.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from evoscope.activations.reading import MapReader, Reading, may_enter
from evoscope.activations.responsive import ResponsiveRule, strongest
from evoscope.activations.scan import PRECISIONS, Scan, require
from evoscope.activations.shards import PassResult, Rows, Shard, finish, scratch
from evoscope.activations.statistics import Statistics
from evoscope.activations.stimuli import NeuronIndex
from evoscope.activations.topk import Entries, TopK
from evoscope.arrays import Array
from evoscope.data.images import ImageSet
from evoscope.data.loader import Loader
from evoscope.errors import EvoscopeError
from evoscope.models.network import Network
from evoscope.models.taps import capture
from evoscope.progress import Progress, silent

PATIENCE = 4
"""Candidates per neuron that wait before the top k is settled: settling costs the same for few and for many."""


def activation_pass(
    network: Network,
    images: ImageSet,
    *,
    k: int = 20,
    responsive: int = 0,
    responsive_rule: ResponsiveRule = "raw",
    keep_maxima: bool = False,
    keep_means: bool = False,
    batch_size: int = 64,
    memory_mb: int = 2048,
    workers: int = 0,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Progress = silent,
) -> PassResult:
    """Find what excites every neuron of a network in a pool of images, by one forward pass per image.

    Parameters
    ----------
    network : its module is moved to ``device``.
    images : the pool.
    k : stimuli per neuron.
    responsive : neurons listed per image, over all layers; 0 for none.
    responsive_rule : compare raw maxima, as released, or maxima standardised per neuron over the pool (which
        keeps all maxima until the end of the pass).
    keep_maxima, keep_means : whether to return the spatial maxima and means of all images.
    batch_size : images per forward.
    memory_mb : MiB for the decoded images, and again for each kept matrix, which goes to a temporary file
        beyond.
    workers : processes that decode images that do not fit.
    device, precision : where and in which arithmetic (``"fp32"``, or ``"bf16"`` by autocast) the network
        runs.
    progress : counts images.

    Notes
    -----
    NaN ranks, and is listed, as minus infinity; plus infinity ranks first; a neuron with either is
    `Status.NON_FINITE`, with NaN for mean and deviation. Non-finite logits are returned as they are.

    Raises
    ------
    EvoscopeError : the pool is empty, a setting is out of range, or a layer gives no maps.
    """
    scan = Scan(k, responsive, responsive_rule, keep_maxima, keep_means, memory_mb, device, precision)
    loader = Loader(
        images,
        network.preprocessing,
        batch_size=batch_size,
        memory_mb=memory_mb,
        workers=workers,
        device=device,
    )
    shard = scan_shard(network, (batch.pixels for batch in loader.ordered(progress)), len(images), scan)
    return finish(shard, images.ids, scan)


def scan_shard(network: Network, batches: Iterable[Tensor], images: int, scan: Scan, first: int = 0) -> Shard:
    """Run the pass over a part of the pool.

    Parameters
    ----------
    network : its module is moved to ``scan.device``.
    batches : normalised pixels [b, 3, s, s] of the part's images, in pool order, on ``scan.device``.
    images : how many images the batches hold in all.
    scan : what to take.
    first : position of the part's first image in the pool.
    """
    module = network.module.to(scan.device)
    reader = MapReader(scan.k, scan.keep_means)
    part: _Part | None = None
    with ExitStack() as stack:
        for context in (_laid_out(module, scan.layout), _evaluating(module), torch.inference_mode()):
            stack.enter_context(context)
        readings = stack.enter_context(capture(module, network.layers, reader))
        for pixels in batches:
            logits = _logits(module, pixels.contiguous(memory_format=scan.layout), scan)
            layers = {layer: _taken(readings, layer) for layer in network.layers}
            part = part or _Part(layers, images, logits.shape[1], first, scan)
            part.add(list(layers.values()), logits)
            if (bars := part.bars()) is not None:
                reader.raise_bars(bars)
    if part is None:
        raise EvoscopeError("the image pool is empty", "give at least one image")
    return part.shard()


class _Part:
    """The state of a pass while batches stream by, laid out by the shapes of the first.

    Parameters
    ----------
    readings : of the first batch, by layer.
    images : of the part.
    classes : logits per image.
    first, scan : as in `scan_shard`.
    """

    def __init__(
        self, readings: Mapping[str, Reading], images: int, classes: int, first: int, scan: Scan
    ) -> None:
        self._neurons = _index(readings)
        self._channels = [reading.maxima.shape[1] for reading in readings.values()]
        self._listed = scan.listed_at_once
        self._seen = 0
        neurons, device = len(self._neurons), next(iter(readings.values())).maxima.device
        self._top = TopK.empty(scan.k, neurons, device)
        self._bar: Tensor | None = None
        self._waiting: list[Entries] = []
        self._statistics: Statistics | None = None
        self._rows = Rows(
            first=first,
            logits=np.empty((images, classes), np.float32),
            responsive=np.empty((images, self._listed), np.int32) if self._listed else None,
            maxima=scratch(images, neurons, scan.memory_mb) if scan.all_maxima else None,
            means=scratch(images, neurons, scan.memory_mb) if scan.keep_means else None,
        )

    def add(self, readings: Sequence[Reading], logits: Tensor) -> None:
        """Advance by one batch."""
        maxima = torch.cat([reading.maxima for reading in readings], dim=1)
        self._keep_rows(maxima, readings, logits)
        self._waiting.append(self._entries(maxima, readings))
        statistics = Statistics.of(maxima)
        self._statistics = self._statistics.merge(statistics) if self._statistics else statistics
        self._seen += len(maxima)

    def bars(self) -> dict[str, Tensor] | None:
        """Tell what a later maximum must exceed to enter the top k, per layer; None: no news."""
        waiting = sum(len(entries.neuron) for entries in self._waiting)
        if self._seen < self._top.k or waiting < PATIENCE * len(self._neurons):
            return None
        self._settle()
        self._bar = self._top.bar()
        return dict(zip(self._neurons.layers, torch.split(self._bar, self._channels), strict=True))

    def shard(self) -> Shard:
        """Return the state after the last batch."""
        assert self._statistics is not None
        self._settle()
        return Shard(self._neurons, self._top, self._statistics, (self._rows,))

    def _settle(self) -> None:
        """Let what waits into the top k."""
        self._top = self._top.update(self._waiting)
        self._waiting = []

    def _entries(self, maxima: Tensor, readings: Sequence[Reading]) -> Entries:
        """Pick what may enter the top k of any layer."""
        row, neuron = may_enter(maxima, self._bar, self._top.k).nonzero(as_tuple=True)
        value = maxima[row, neuron]
        cells = torch.cat([reading.cells for reading in readings], dim=1)[row, neuron]
        cell = cells.masked_fill_(value.isnan(), 0).to(torch.int32)
        return Entries(neuron, row + self._rows.first + self._seen, value, cell)

    def _keep_rows(self, maxima: Tensor, readings: Sequence[Reading], logits: Tensor) -> None:
        rows = slice(self._seen, self._seen + len(maxima))
        _store(self._rows.logits, rows, logits.float())
        if self._rows.responsive is not None:
            _store(self._rows.responsive, rows, strongest(maxima, self._listed))
        if self._rows.maxima is not None:
            _store(self._rows.maxima, rows, maxima)
        if self._rows.means is not None:
            means = [reading.means for reading in readings if reading.means is not None]
            _store(self._rows.means, rows, torch.cat(means, dim=1))


def _store(matrix: Array, rows: slice, values: Tensor) -> None:
    matrix[rows] = values.cpu().numpy()


def _index(readings: Mapping[str, Reading]) -> NeuronIndex:
    channels = [reading.maxima.shape[1] for reading in readings.values()]
    return NeuronIndex(
        layers=tuple(readings),
        layer=np.repeat(np.arange(len(channels), dtype=np.int32), channels),
        channel=np.concatenate([np.arange(count, dtype=np.int32) for count in channels]),
        grid=np.array([reading.grid for reading in readings.values()], dtype=np.int32),
    )


def _logits(module: nn.Module, pixels: Tensor, scan: Scan) -> Tensor:
    kind, precision = torch.device(scan.device).type, PRECISIONS[scan.precision]
    with torch.autocast(kind, precision, enabled=precision != torch.float32):
        return _checked_logits(module(pixels))


def _taken(readings: dict[str, Reading], layer: str) -> Reading:
    """Take the reading of a layer out so that it cannot be mistaken for the next batch's."""
    require(
        layer in readings, f"layer {layer!r} does not run in a forward pass", "leave it out of model.layers"
    )
    return readings.pop(layer)


def _checked_logits(logits: object) -> Tensor:
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise EvoscopeError(
            f"the network returns {type(logits).__name__}, not logits [images, classes]",
            "wrap the module so that its forward returns one tensor of logits in eval mode",
        )
    return logits


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Run in eval mode and leave every submodule in the mode it was in."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def _laid_out(module: nn.Module, layout: torch.memory_format) -> Iterator[None]:
    """Run with weights in a memory format and put the very same tensors back after."""
    weights = [(weight, weight.data) for weight in module.parameters() if weight.ndim == 4]
    try:
        for weight, data in weights:
            weight.data = data.contiguous(memory_format=layout)
        yield
    finally:
        for weight, data in weights:
            weight.data = data
