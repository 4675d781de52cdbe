"""One process at a time per key, on one machine or over a shared file system.

The lock is the operating system's (flock), so it ends with its holder, however that dies. The lock files
stay: removing one while somebody waits for it would let two processes hold "the" lock.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_POLL_SECONDS = 0.1


@contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock ``path``, after calling ``on_wait`` once if somebody else has it.

    Raises
    ------
    OSError : the lock file cannot be made.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire(timeout=-1, poll_interval=_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock ``path`` if nobody else does; tells whether."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
