"""SHA-256 of payload files, read once per process as long as they stay untouched."""

import hashlib
import os
import time
from pathlib import Path
from typing import NamedTuple

# File systems stamp with a granularity of some milliseconds, so a file changed within this many seconds may
# change again without its stamp showing it: its digest is not remembered.
_SETTLED = 0.5
_remembered: dict["_Stamp", str] = {}


class _Stamp(NamedTuple):
    """What changes when a file does."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


def digest_bytes(content: bytes) -> str:
    """Hex SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """Hex SHA-256 of a file; not read again in this process while its size, inode and times stay the same.

    Raises
    ------
    OSError : the file cannot be read.
    """
    status = os.stat(path)
    stamp = _Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if stamp in _remembered:
        return _remembered[stamp]
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time() - max(status.st_mtime, status.st_ctime) > _SETTLED:
        _remembered[stamp] = digest
    return digest


def files_under(folder: Path) -> list[str]:
    """Relative names, with forward slashes and sorted, of the files (and links) of a folder at any depth.

    Names that start with a dot, and the folders so named, are left out: desktops and network file systems
    drop them anywhere.
    """
    names = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(parent, name).is_symlink()]
        names += [Path(parent, name) for name in files + links if not name.startswith(".")]
    return sorted(name.relative_to(folder).as_posix() for name in names)


def size_under(folder: Path) -> int:
    """Bytes of a file, or of all files of a folder, hidden ones too; what vanishes meanwhile counts 0."""
    total = folder.stat().st_size if folder.is_file() else 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                continue
    return total
