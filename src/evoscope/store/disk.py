"""Writes that survive a crash, and disk trouble told in one sentence."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from evoscope.errors import EvoscopeError
from evoscope.store.hashing import files_under

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


@contextmanager
def disk_trouble(folder: Path) -> Iterator[None]:
    """Turn the system's errors while writing to the store into one for the user.

    Raises
    ------
    EvoscopeError : the disk is full, the store cannot be written to, or its path is no folder.
    """
    try:
        yield
    except OSError as error:
        raise explained(error, folder) from error


def explained(error: BaseException, folder: Path) -> EvoscopeError:
    """Build the error for the user: what the system refused, where, and what to do."""
    place = getattr(error, "filename", None) or folder
    problem = f"cannot write '{place}' ({getattr(error, 'strerror', None) or error})"
    if is_full(error):
        return EvoscopeError(problem, "free disk space, or prune the store, and run the same command again")
    if getattr(error, "errno", None) in _FORBIDDEN:
        return EvoscopeError(problem, "make the store writable, or choose another folder for it")
    return EvoscopeError(problem, "check the store's folder, or choose another one")


def is_full(error: BaseException) -> bool:
    """Whether the system ran out of space; some libraries tell it only in words."""
    return getattr(error, "errno", None) in _FULL or any(os.strerror(number) in str(error) for number in _FULL)


def publish(partial: Path, final: Path) -> None:
    """Make all of ``partial`` durable, then let it appear under its final name, whole or not at all.

    Raises
    ------
    OSError : as the system says; ``partial`` is then still there.
    """
    for name in files_under(partial):
        _sync(partial / name)
    for parent, _, _ in os.walk(partial):
        _sync_folder(Path(parent))
    os.rename(partial, final)
    _sync_folder(final.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(path: Path) -> None:
    """Windows cannot open folders; there a rename is as durable as the file system makes it."""
    if os.name != "nt":
        _sync(path)


def remove_folder(folder: Path) -> None:
    """Remove a folder that may not be there; a link or a file in its place goes too."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


_POLL_SECONDS = 0.1
# Whoever asks whether a lock is free holds it for an instant, which is nothing to tell of.
_GLANCE_SECONDS = 0.2


@contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock ``path``, after calling ``on_wait`` once if somebody else has it.

    Raises
    ------
    OSError : the lock file cannot be made.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=_GLANCE_SECONDS, poll_interval=_GLANCE_SECONDS / 4)
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
