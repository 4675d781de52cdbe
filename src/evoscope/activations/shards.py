"""What a pass leaves behind for a part of the pool, and how parts become the whole."""

import tempfile
from dataclasses import dataclass, replace

import numpy as np

from evoscope.activations.responsive import strongest_standardised
from evoscope.activations.scan import Scan
from evoscope.activations.statistics import Statistics
from evoscope.activations.stimuli import NeuronIndex, Stimuli
from evoscope.activations.topk import TopK, decode_positions, decode_values
from evoscope.arrays import Array, Floats, SmallInts


@dataclass(frozen=True)
class PassResult:
    """What one pass over the pool leaves.

    ``stimuli``; ``logits``: float32 [images, classes]; ``maxima``, ``means``: float32 [images, neurons],
    spatial maximum and mean of every neuron's map, None unless asked for (``maxima`` may live in a file that
    vanishes with the array).
    """

    stimuli: Stimuli
    logits: Floats
    maxima: Floats | None
    means: Floats | None


@dataclass(frozen=True)
class Rows:
    """What is kept per image, for the images from ``first`` on; fields as in `PassResult`."""

    first: int
    logits: Floats
    responsive: SmallInts | None
    maxima: Floats | None
    means: Floats | None


@dataclass(frozen=True)
class Shard:
    """The pass over a part of the pool: what is kept per neuron, and per image in a block per merged part."""

    neurons: NeuronIndex
    top: TopK
    statistics: Statistics
    rows: tuple[Rows, ...]

    def merge(self, other: "Shard") -> "Shard":
        """Return the pass over both parts.

        Associative and commutative: stimuli, status and what is kept per image do not depend on how the pool
        was cut, the mean and deviation only in the rounding of float64 sums.
        """
        return Shard(
            self.neurons,
            self.top.merge(other.top),
            self.statistics.merge(other.statistics),
            self.rows + other.rows,
        )


def finish(shard: Shard, image_ids: tuple[str, ...], scan: Scan) -> PassResult:
    """Turn a shard that covers the whole pool into a `PassResult`.

    Parameters
    ----------
    shard : the merged pass over every image of the pool.
    image_ids : the pool.
    scan : as its parts were scanned.

    Raises
    ------
    ValueError
        The shards leave out or repeat images of the pool.
    """
    blocks = _in_order(shard.rows, len(image_ids))
    maxima = _joined([block.maxima for block in blocks])
    listed = _joined([block.responsive for block in blocks])
    stimuli = _stimuli(shard, image_ids, listed)
    if scan.standardises and maxima is not None:
        listed = strongest_standardised(
            maxima, stimuli.mean, stimuli.deviation, stimuli.status, scan.responsive
        )
        stimuli = replace(stimuli, responsive=listed)
    logits = np.concatenate([block.logits for block in blocks])
    means = _joined([block.means for block in blocks])
    return PassResult(stimuli, logits, maxima if scan.keep_maxima else None, means)


def scratch(rows: int, columns: int, memory_mb: int) -> Floats:
    """Make room for float32 [rows, columns]: in memory up to ``memory_mb`` MiB, else in a temporary file."""
    if rows * columns * 4 <= memory_mb * 2**20:
        return np.empty((rows, columns), np.float32)
    with tempfile.TemporaryFile() as file:  # the mapping outlives the file object, and the file the mapping
        return np.memmap(file, dtype=np.float32, mode="w+", shape=(rows, columns))


def _stimuli(shard: Shard, image_ids: tuple[str, ...], listed: SmallInts | None) -> Stimuli:
    images, values, cells = _entries(shard.top, shard.neurons)
    mean, deviation = shard.statistics.moments()
    return Stimuli(
        image_ids=image_ids,
        neurons=shard.neurons,
        images=images,
        values=values,
        cells=cells,
        status=shard.statistics.status(),
        mean=mean,
        deviation=deviation,
        responsive=np.empty((len(image_ids), 0), np.int32) if listed is None else listed,
    )


def _in_order(rows: tuple[Rows, ...], images: int) -> list[Rows]:
    blocks = sorted(rows, key=lambda block: block.first)
    ends = np.cumsum([len(block.logits) for block in blocks]).tolist()
    if [block.first for block in blocks] != [0, *ends[:-1]] or ends[-1] != images:
        raise ValueError(f"shards from {[block.first for block in blocks]} do not cover {images} images once")
    return blocks


def _joined(parts: list[Array | None]) -> Array | None:
    present = [part for part in parts if part is not None]
    if len(present) == 1:
        return present[0]
    return np.concatenate(present) if present else None


def _entries(top: TopK, neurons: NeuronIndex) -> tuple[SmallInts, Floats, SmallInts]:
    """Images, values and cells of `Stimuli`."""
    images = decode_positions(top.keys).T.cpu().numpy().astype(np.int32)
    values = np.ascontiguousarray(decode_values(top.keys).T.cpu().numpy())
    cells = top.cells.T.cpu().numpy()
    width = neurons.grid[neurons.layer, 1][:, None]
    places = np.stack([cells // width, cells % width], axis=-1)
    return images, values, np.where(cells[..., None] < 0, -1, places).astype(np.int32)
