"""One forward pass over the image pool for every layer and every statistic.

Maps are reduced to maxima inside the hooks and die with their layer's forward; the maxima of all layers are
then one matrix [b, neurons], on which the top k, the statistics and the responsive neurons advance batch by
batch, on the device.

Images, cells, status and responsive neurons follow from the maxima alone, whatever the batch size. The maxima
themselves may differ in the last bit between batch sizes where the device's convolutions sum in another
order.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from evoscope.activations.reductions import (
    Entries,
    MapReader,
    Reading,
    ResponsiveRule,
    Statistics,
    TopK,
    decode_positions,
    decode_values,
    may_enter,
    strongest,
    strongest_standardised,
)
from evoscope.activations.stimuli import NeuronIndex, Stimuli
from evoscope.arrays import Floats, SmallInts
from evoscope.data.images import ImageSet
from evoscope.data.loader import Loader
from evoscope.errors import EvoscopeError
from evoscope.models.layers import capture, ensure_layouts
from evoscope.models.network import Network, evaluating, layout
from evoscope.progress import Progress, silent


@dataclass(frozen=True)
class Scan:
    """What to take from a pass; the fields are those of `evoscope.activations.scan.activation_pass`.

    Raises
    ------
    EvoscopeError : a value is out of range.
    """

    k: int = 20
    responsive: int = 0
    responsive_rule: ResponsiveRule = "raw"
    keep_maxima: bool = False
    memory_mb: int = 2048
    device: str = "cpu"

    def __post_init__(self) -> None:
        require(self.k >= 1, f"k is {self.k}", "ask for at least one stimulus per neuron")
        require(self.responsive >= 0, f"responsive is {self.responsive}", "give 0 (none) or more per image")
        rules = ("raw", "standardised")
        known = "choose " + " or ".join(map(repr, rules))
        require(self.responsive_rule in rules, f"no responsive rule {self.responsive_rule!r}", known)

    @property
    def standardises(self) -> bool:
        """Whether responsive neurons wait for the end of the pass."""
        return self.responsive > 0 and self.responsive_rule == "standardised"

    @property
    def all_maxima(self) -> bool:
        """Whether the maxima of every image are needed to the end."""
        return self.keep_maxima or self.standardises

    @property
    def listed_at_once(self) -> int:
        """Responsive neurons per image that can be told batch by batch."""
        return self.responsive if self.responsive_rule == "raw" else 0


def require(condition: bool, problem: str, mend: str) -> None:
    """Raise an `EvoscopeError` unless ``condition`` holds."""
    if not condition:
        raise EvoscopeError(problem, mend)


@dataclass(frozen=True)
class PassResult:
    """Results of one pass over the pool.

    ``stimuli``; ``logits``: float32 [images, classes]; ``maxima``: float32 [images, neurons], spatial maximum of
    every neuron's map, None unless asked for (may live in a file that vanishes with the array).
    """

    stimuli: Stimuli
    logits: Floats
    maxima: Floats | None


def scratch(rows: int, columns: int, memory_mb: int) -> Floats:
    """Make room for float32 [rows, columns]: in memory up to ``memory_mb`` MiB, else in a temporary file."""
    if rows * columns * 4 <= memory_mb * 2**20:
        return np.empty((rows, columns), np.float32)
    with tempfile.TemporaryFile() as file:  # the mapping outlives the file object, and the file the mapping
        return np.memmap(file, dtype=np.float32, mode="w+", shape=(rows, columns))


def _entries(top: TopK, neurons: NeuronIndex) -> tuple[SmallInts, Floats, SmallInts]:
    """Images, values and cells of `Stimuli`."""
    images = decode_positions(top.keys).T.cpu().numpy().astype(np.int32)
    values = np.ascontiguousarray(decode_values(top.keys).T.cpu().numpy())
    cells = top.cells.T.cpu().numpy()
    width = neurons.grid[neurons.layer, 1][:, None]
    places = np.stack([cells // width, cells % width], axis=-1)
    return images, values, np.where(cells[..., None] < 0, -1, places).astype(np.int32)


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
    batch_size: int = 64,
    memory_mb: int = 2048,
    workers: int = 0,
    device: str = "cpu",
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
    keep_maxima : whether to return the spatial maxima of all images.
    batch_size : images per forward.
    memory_mb : MiB for the decoded images, and again for each kept matrix, which goes to a temporary file
        beyond.
    workers : processes that decode images that do not fit.
    device : where the network runs, in float32.
    progress : counts images.

    Notes
    -----
    NaN ranks, and is listed, as minus infinity; plus infinity ranks first; a neuron with either is
    `Status.NON_FINITE`, with NaN for mean and deviation. Non-finite logits are returned as they are.

    Raises
    ------
    EvoscopeError : the pool is empty, a setting is out of range, or a layer gives no maps.
    """
    scan = Scan(k, responsive, responsive_rule, keep_maxima, memory_mb, device)
    loader = Loader(
        images, network.preprocessing, batch_size=batch_size, memory_mb=memory_mb, workers=workers, device=device
    )
    return scan_batches(network, (batch.pixels for batch in loader.ordered(progress)), images.ids, scan)


def scan_batches(network: Network, batches: Iterable[Tensor], image_ids: tuple[str, ...], scan: Scan) -> PassResult:
    """Run the pass over batches that are at hand.

    Parameters
    ----------
    network : its module is moved to ``scan.device``.
    batches : normalised pixels [b, 3, s, s] of the pool's images, in order, on ``scan.device``.
    image_ids : of the pool.
    scan : what to take.

    Raises
    ------
    EvoscopeError : there is no batch, or a layer gives no maps.
    """
    module = network.module.to(scan.device)
    form = layout(module, scan.device)
    reader = MapReader(scan.k)
    state: _Pass | None = None
    with ExitStack() as stack:
        for context in (_laid_out(module, form), evaluating(module), torch.inference_mode()):
            stack.enter_context(context)
        readings: dict[str, Reading] | None = None
        for pixels in batches:
            if readings is None:
                ensure_layouts(module, network.layers, pixels.shape[1:])
                readings = stack.enter_context(capture(module, network.layers, reader))
            logits = checked_logits(module(pixels.contiguous(memory_format=form)))
            for layer in network.layers:
                problem = f"layer {layer!r} does not run in a forward pass"
                require(layer in readings, problem, "leave it out of model.layers")
            # Taken out, so that they cannot be mistaken for the next batch's.
            layers = {layer: readings.pop(layer) for layer in network.layers}
            state = state or _Pass(layers, len(image_ids), logits.shape[1], scan)
            state.add(list(layers.values()), logits)
            if (bars := state.bars()) is not None:
                reader.raise_bars(bars)
    if state is None:
        raise EvoscopeError("the image pool is empty", "give at least one image")
    return state.result(image_ids)


class _Pass:
    """The state of a pass while batches stream by, laid out by the ``readings`` of the first, by layer."""

    def __init__(self, readings: Mapping[str, Reading], images: int, classes: int, scan: Scan) -> None:
        self._scan = scan
        self._channels = [reading.maxima.shape[1] for reading in readings.values()]
        grids = (reading.grid for reading in readings.values())
        shapes = zip(readings, self._channels, grids, strict=True)
        self._neurons = NeuronIndex.of({layer: (channels, *grid) for layer, channels, grid in shapes})
        self._seen = 0
        neurons, device = len(self._neurons), next(iter(readings.values())).maxima.device
        self._top = TopK.empty(scan.k, neurons, device)
        self._bar: Tensor | None = None
        self._waiting: list[Entries] = []
        self._statistics: Statistics | None = None
        self._logits = np.empty((images, classes), np.float32)
        self._listed = np.empty((images, scan.listed_at_once), np.int32)
        self._maxima = scratch(images, neurons, scan.memory_mb) if scan.all_maxima else None

    def add(self, readings: Sequence[Reading], logits: Tensor) -> None:
        """Advance by one batch."""
        maxima = torch.cat([reading.maxima for reading in readings], dim=1)
        self._keep_rows(maxima, logits)
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

    def result(self, image_ids: tuple[str, ...]) -> PassResult:
        """Sum up after the last batch."""
        assert self._statistics is not None
        self._settle()
        images, values, cells = _entries(self._top, self._neurons)
        mean, deviation = self._statistics.moments()
        stimuli = Stimuli(
            image_ids=image_ids,
            neurons=self._neurons,
            images=images,
            values=values,
            cells=cells,
            status=self._statistics.status(),
            mean=mean,
            deviation=deviation,
            responsive=self._listed,
        )
        if self._scan.standardises and self._maxima is not None:
            listed = strongest_standardised(self._maxima, mean, deviation, stimuli.status, self._scan.responsive)
            stimuli = replace(stimuli, responsive=listed)
        return PassResult(stimuli, self._logits, self._maxima if self._scan.keep_maxima else None)

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
        return Entries(neuron, row + self._seen, value, cell)

    def _keep_rows(self, maxima: Tensor, logits: Tensor) -> None:
        rows = slice(self._seen, self._seen + len(maxima))
        self._logits[rows] = logits.float().cpu().numpy()
        if self._scan.listed_at_once:
            self._listed[rows] = strongest(maxima, self._scan.listed_at_once).cpu().numpy()
        if self._maxima is not None:
            self._maxima[rows] = maxima.cpu().numpy()


def checked_logits(logits: object) -> Tensor:
    """What a network returns, if it is logits [images, classes].

    Raises
    ------
    EvoscopeError : it is something else.
    """
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise EvoscopeError(
            f"the network returns {type(logits).__name__}, not logits [images, classes]",
            "wrap the module so that its forward returns one tensor of logits in eval mode",
        )
    return logits


@contextmanager
def _laid_out(module: nn.Module, form: torch.memory_format) -> Iterator[None]:
    """Run with weights in a memory format and put the very same tensors back after."""
    weights = [(weight, weight.data) for weight in module.parameters() if weight.ndim == 4]
    try:
        for weight, data in weights:
            weight.data = data.contiguous(memory_format=form)
        yield
    finally:
        for weight, data in weights:
            weight.data = data
