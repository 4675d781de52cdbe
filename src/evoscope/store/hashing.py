"""One spelling for every JSON document, so that equal configurations have equal keys."""

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias

# File systems stamp with a granularity of some milliseconds, so a file changed within this many seconds may
# change again without its stamp showing it: its digest is not remembered.
_SETTLED = 0.5
_remembered: dict[tuple[int, ...], str] = {}


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
    stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
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


JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"


def plain(value: object, where: str = "value") -> JSON:
    """Plain JSON of a configuration: dataclasses become objects, tuples lists, enums their values.

    Parameters
    ----------
    value : mappings with text keys, dataclasses, lists, tuples, enums, text, numbers, booleans, None.
    where : dotted name of the value, for the message.

    Raises
    ------
    TypeError : for anything else (paths, sets, arrays): it has no spelling that is the same on every machine.
    ValueError : for NaN and infinities, which equal nothing or have no JSON.
    """
    if isinstance(value, Enum):
        return plain(value.value, where)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}: a key needs finite numbers; use None for 'no value'")
        return float(value)
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{position}]") for position, item in enumerate(value)]
    return {name: plain(item, f"{where}.{name}") for name, item in _members(value, where).items()}


def _members(value: object, where: str) -> dict[str, object]:
    """Names and values of a mapping or a dataclass."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} is a {type(value).__name__}: a key is made of plain JSON values only")
    strangers = [name for name in value if not isinstance(name, str)]
    if strangers:
        raise TypeError(f"{where} has the key {strangers[0]!r}: only text can name a value")
    return dict(value)


def canonical(value: object) -> str:
    """JSON text with sorted names, no spaces, ASCII only; floats as their shortest exact decimal.

    Raises
    ------
    TypeError, ValueError : as `plain`.
    """
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_digest(value: object) -> str:
    """Hex SHA-256 of `canonical`."""
    return digest_bytes(canonical(value).encode())


def pretty(value: object) -> bytes:
    """Spell the same document for people to read: indented, sorted, the same bytes every time."""
    return (json.dumps(plain(value), sort_keys=True, indent=1, allow_nan=False) + "\n").encode()
