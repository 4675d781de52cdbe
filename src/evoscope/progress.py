"""Progress of long work, reported without the library printing anything."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Wraps an iterable and reports a rate and an estimate while it is consumed (tqdm fits this)."""

    def __call__(
        self, items: Iterable[Item], *, total: int, what: str, unit: str = "it", size: int = 1
    ) -> Iterator[Item]:
        """Yield the items unchanged.

        Parameters
        ----------
        items : what to iterate over.
        total : number of ``unit`` in all.
        what : the work, in a few words.
        unit : what is counted, for instance ``"image"``.
        size : how many of ``unit`` one item stands for (a batch of 64 images: 64).
        """
        ...


def silent(items: Iterable[Item], *, total: int, what: str, unit: str = "it", size: int = 1) -> Iterator[Item]:
    """Report nothing (the default everywhere in the library)."""
    yield from items
