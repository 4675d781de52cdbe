"""Work spread over threads, results in order: for decoding, which releases the interpreter's lock."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results of ``work`` in the order of the items; the first error is raised and cancels what is left."""
    executor = ThreadPoolExecutor(max_workers=min(16, max(2, _cores())))
    try:
        yield from executor.map(work, items)
    finally:
        executor.shutdown(cancel_futures=True)


def _cores() -> int:
    """Cores this process may use, which in a container or a cluster job are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
