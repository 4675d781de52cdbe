"""One spelling for every JSON document, so that equal configurations have equal keys."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TypeAlias

from evoscope.store.checksums import digest_bytes

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
        return _finite(float(value), where)
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{position}]") for position, item in enumerate(value)]
    return {name: plain(item, f"{where}.{name}") for name, item in _members(value, where).items()}


def _finite(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{where} is {value}: a key needs finite numbers; use None for 'no value'")
    return value


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
