"""Batches of normalised images: decoded once into memory where they fit, else streamed through workers."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from evoscope.arrays import Ints
from evoscope.data.files import in_threads
from evoscope.data.images import Fit, ImageSet
from evoscope.errors import EvoscopeError
from evoscope.models.network import Preprocessing
from evoscope.progress import Progress, silent
from evoscope.seeds import generator

Key = tuple[str, int, Fit]
_TOGETHER = 32  # images that are decoded as one piece of work


@dataclass(frozen=True)
class Batch:
    """Images as a network sees them, all on the loader's device.

    ``pixels``: float32 [b, 3, s, s], normalised; ``labels``: int64 [b]; ``rows``: int64 [b], positions in the
    set.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    rows: torch.Tensor


@dataclass
class Halved:
    """How often batches were halved in this process because the device's memory was full."""

    times: int = 0


HALVED = Halved()


class Loader:
    """Batches of an image set for one network; the same bytes whether from memory or streamed.

    The decoded bytes of a set (pixels² x 3 an image) are kept for the whole process when they fit in
    ``memory_mb``, together with those of other sets, of which the least recently used give way. Larger sets
    are decoded anew on every pass.

    Parameters
    ----------
    images : the set.
    prep : size, fit, mean and deviation.
    batch_size : images per batch; the last batch may be smaller.
    memory_mb : MiB that decoded bytes may take in this process; 0 streams always.
    workers : processes that stream; 0 streams in this one.
    device : where batches go; bytes travel there and become float32 there.
    channels_last : memory format of ``pixels``, which convolutions often prefer.
    fixed : the size of batches decides results, so `HALVED` does not count.

    Raises
    ------
    EvoscopeError : the set is empty or a number is out of range; while iterating: an image cannot be read.
    """

    def __init__(
        self,
        images: ImageSet,
        prep: Preprocessing,
        *,
        batch_size: int,
        memory_mb: int = 2048,
        workers: int = 0,
        device: torch.device | str = "cpu",
        channels_last: bool = False,
        fixed: bool = False,
    ) -> None:
        least = (("batch_size", batch_size, 1), ("memory_mb", memory_mb, 0), ("workers", workers, 0))
        for name, value, smallest in (*least, ("pixels", prep.pixels, 1)):
            if value < smallest:
                raise EvoscopeError(f"{name}={value} is impossible", f"give {smallest} or more")
        if min(prep.std) <= 0:
            raise EvoscopeError(
                f"the preprocessing's std {prep.std} is not positive", "give a positive std per channel"
            )
        if len(images) == 0:
            raise EvoscopeError(
                f"{images.name} {images.split} has no images", "raise the limit or choose another split"
            )
        self.images = images
        self.prep = prep
        self.batch_size = batch_size if fixed else max(1, batch_size >> HALVED.times)
        self.memory = memory_mb * 2**20
        self.workers = workers
        self.device = torch.device(device)
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self._labels = torch.from_numpy(images.labels).to(self.device)
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=self.device).view(3, 1, 1)
            for values in (prep.mean, prep.std)
        )

    def __len__(self) -> int:
        """Count the batches."""
        return -(-len(self.images) // self.batch_size)

    def ordered(self, progress: Progress = silent) -> Iterator[Batch]:
        """Every image once, in the order of the set; progress counts images."""
        return self._batches(np.arange(len(self.images)), progress)

    def shuffled(self, seed: int, progress: Progress = silent) -> Iterator[Batch]:
        """Every image once, in an order that depends on the seed and the number of images alone."""
        return self._batches(generator(seed, "shuffle").permutation(len(self.images)), progress)

    def _batches(self, order: Ints, progress: Progress) -> Iterator[Batch]:
        rows = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        batches = map(self._batch, rows, self._pieces(rows, progress))
        what = f"{self.images.name} {self.images.split}"
        yield from progress(batches, total=len(order), what=what, unit="image", size=self.batch_size)

    def _pieces(self, rows: Sequence[Ints], progress: Progress) -> Iterator[torch.Tensor]:
        """uint8 [b, 3, s, s] of each batch; decodes the whole set now when it fits."""
        if _size(self.images, self.prep) > self.memory:
            return _streamed(self.images, self.prep, rows, self.workers)
        kept = DECODED.get(self.images, self.prep, self.memory, self.workers, progress)
        return (kept[torch.from_numpy(each)] for each in rows)

    def _batch(self, rows: Ints, piece: torch.Tensor) -> Batch:
        where = torch.from_numpy(rows).to(self.device)
        # From page-locked memory CUDA copies while the host decodes what comes next.
        pinned = self.device.type == "cuda"
        there = (piece.pin_memory() if pinned else piece).to(self.device, non_blocking=pinned)
        pixels = there.to(torch.float32).div_(255).sub_(self._mean).div_(self._std)
        return Batch(pixels.contiguous(memory_format=self._format), self._labels[where], where)


class _Cache:
    """Decoded sets of this process, uint8 [images, 3, s, s] each, least recently used first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, torch.Tensor] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, images: ImageSet, prep: Preprocessing, memory: int, workers: int, progress: Progress) -> torch.Tensor:
        """Bytes of a set, decoded now unless kept; others give way until all take at most ``memory``."""
        key = (images.fingerprint, prep.pixels, prep.fit)
        with self._lock:
            if key not in self._kept:
                self._make_room(memory - _size(images, prep))
                self._kept[key] = _decoded(images, prep, workers, progress)
            self._kept.move_to_end(key)
            return self._kept[key]

    def _make_room(self, limit: int) -> None:
        while self._kept and self.bytes() > limit:
            self._kept.popitem(last=False)

    def bytes(self) -> int:
        return sum(tensor.numel() for tensor in self._kept.values())

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


DECODED = _Cache()


class _Rows(Dataset[torch.Tensor | EvoscopeError]):
    """Decodes the rows it is asked for.

    An error comes back as a value: raised in a worker it would reach the user as another type, with a
    traceback.
    """

    def __init__(self, images: ImageSet, prep: Preprocessing) -> None:
        self.images, self.prep = images, prep

    def __getitem__(self, rows: Ints) -> torch.Tensor | EvoscopeError:
        try:
            squares = [self.images.read(int(row), self.prep.pixels, self.prep.fit) for row in rows]
        except EvoscopeError as error:
            return error
        return torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2))


def _streamed(images: ImageSet, prep: Preprocessing, rows: Sequence[Ints], workers: int) -> Iterator[torch.Tensor]:
    """uint8 [b, 3, s, s] for each of ``rows``, in order."""
    # With its own generator the DataLoader leaves torch's global one alone.
    batches: Iterable[torch.Tensor | EvoscopeError] = DataLoader(
        _Rows(images, prep), sampler=rows, batch_size=None, num_workers=workers, generator=torch.Generator()
    )
    return map(_raised, batches)


def _raised(piece: torch.Tensor | EvoscopeError) -> torch.Tensor:
    if isinstance(piece, EvoscopeError):
        # A new error: raising ``piece`` would tie it to this frame in a cycle that keeps worker processes alive.
        raise EvoscopeError(piece.problem, piece.mend)
    return piece


def _decoded(images: ImageSet, prep: Preprocessing, workers: int, progress: Progress) -> torch.Tensor:
    """All images as uint8 [images, 3, s, s], by threads where the source allows it, else streamed."""
    chunks = np.array_split(np.arange(len(images)), -(-len(images) // _TOGETHER))
    if getattr(images.source, "thread_safe", False):
        pieces: Iterator[torch.Tensor] = map(_raised, in_threads(_Rows(images, prep).__getitem__, chunks))
    else:
        pieces = _streamed(images, prep, chunks, workers)
    what = f"decoding {images.name} {images.split} at {prep.pixels} px"
    out = torch.empty((len(images), 3, prep.pixels, prep.pixels), dtype=torch.uint8)
    start = 0
    for piece in progress(pieces, total=len(images), what=what, unit="image", size=_TOGETHER):
        out[start : start + len(piece)] = piece
        start += len(piece)
    return out


def _size(images: ImageSet, prep: Preprocessing) -> int:
    """Bytes of the decoded set."""
    return len(images) * 3 * prep.pixels**2
