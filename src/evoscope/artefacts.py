"""Save frozen dataclasses of arrays and load them back, without pickling anything.

A folder holds one object: its arrays in ``arrays.safetensors`` under dotted field names, each data frame in
``<dotted field name>.parquet``, and everything else in ``fields.json``. The same object gives the same bytes.
Field types come from the annotations: numpy arrays, pandas data frames, text, numbers, booleans, enums,
literals, tuples of any of these, other dataclasses, and ``... | None`` of any.
"""

import dataclasses
import json
import math
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from evoscope.arrays import Array
from evoscope.errors import EvoscopeError

T = TypeVar("T")
ARRAYS = "arrays.safetensors"
FIELDS = "fields.json"


def save(obj: object, folder: Path) -> None:
    """Write a dataclass into ``folder``, which is made if need be; one object per folder.

    Parameters
    ----------
    obj : a dataclass with fields as listed above; NumPy numbers pass as numbers.
    folder : where its files go.

    Raises
    ------
    TypeError : a field does not hold what its annotation says, or what cannot be saved.
    """
    writer = _Writer()
    document = {"class": type(obj).__name__, "fields": writer.members(obj, "")}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FIELDS).write_text(json.dumps(document, sort_keys=True, indent=1, allow_nan=False) + "\n")
    if writer.arrays:
        save_file(writer.arrays, folder / ARRAYS)
    for name, frame in writer.frames.items():
        frame.to_parquet(folder / f"{name}.parquet", engine="pyarrow", compression="zstd")


def load(cls: type[T], folder: Path) -> T:
    """Read back what `save` wrote.

    Parameters
    ----------
    cls : the dataclass that was saved.
    folder : where its files are.

    Raises
    ------
    EvoscopeError : a file is missing, damaged, or does not fit ``cls``; names the file.
    """
    document = _read(folder / FIELDS, lambda path: json.loads(path.read_text(encoding="utf-8")))
    if not isinstance(document, dict) or document.get("class") != cls.__name__:
        found = document.get("class") if isinstance(document, dict) else type(document).__name__
        raise _misfit(folder / FIELDS, f"holds {found}, not {cls.__name__}")
    arrays = _read(folder / ARRAYS, load_file) if (folder / ARRAYS).exists() else {}
    reader = _Reader(folder, arrays)
    obj = reader.members(cls, document.get("fields"), "")
    if reader.arrays:
        raise _misfit(folder / ARRAYS, f"has arrays that {cls.__name__} has no field for: {sorted(reader.arrays)}")
    return obj


def _read(path: Path, reader: Callable[[Path], T]) -> T:
    try:
        return reader(path)
    except FileNotFoundError as error:
        raise _misfit(path, "is missing") from error
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise _misfit(
            path, f"is damaged ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        ) from error


def _misfit(path: Path, fault: str) -> EvoscopeError:
    return EvoscopeError(f"'{path}' {fault}", f"remove the folder '{path.parent}' and compute it again")


def _hints(cls: type) -> dict[str, Any]:
    """Annotations of the fields that the constructor takes, by name."""
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is not a dataclass")
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def _optional(hint: Any) -> tuple[Any, bool]:
    """Annotation without ``| None``, and whether it had that."""
    if get_origin(hint) not in (Union, UnionType):
        return hint, False
    others = [choice for choice in get_args(hint) if choice is not NoneType]
    if len(others) != 1:
        raise TypeError(f"{hint} cannot be saved: a field has one type, or one type or None")
    return others[0], len(others) < len(get_args(hint))


def _item_hints(hint: Any, count: int) -> list[Any]:
    """Annotation of each of ``count`` items of a tuple."""
    choices = get_args(hint)
    return [choices[0]] * count if len(choices) == 2 and choices[1] is Ellipsis else list(choices)


def _kind(hint: Any) -> str:
    """Which of the ways of saving an annotation takes."""
    origin = get_origin(hint) or hint
    if origin in (np.ndarray, pd.DataFrame, tuple, Literal, NoneType):
        return str(origin.__name__ if isinstance(origin, type) else "Literal")
    if isinstance(origin, type):
        if dataclasses.is_dataclass(origin):
            return "dataclass"
        if issubclass(origin, Enum):
            return "Enum"
        if origin in (bool, int, float, str):
            return "scalar"
    raise TypeError(f"{hint} cannot be saved")


def _dotted(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


class _Writer:
    """Splits an object into JSON (returned), arrays and frames (collected)."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self.frames: dict[str, pd.DataFrame] = {}

    def members(self, obj: object, prefix: str) -> dict[str, Any]:
        hints = _hints(type(obj))
        return {name: self.value(getattr(obj, name), hint, _dotted(prefix, name)) for name, hint in hints.items()}

    def value(self, value: Any, hint: Any, name: str) -> Any:
        hint, optional = _optional(hint)
        if value is None and optional:
            return None
        return getattr(self, f"_{_kind(hint)}")(value, hint, name)

    def _ndarray(self, value: Any, hint: Any, name: str) -> str:
        _expect(isinstance(value, np.ndarray) and value.dtype.kind in "biuf", value, hint, name)
        # safetensors reads memory as it lies: rows first, least significant byte first
        self.arrays[name] = np.array(value, dtype=value.dtype.newbyteorder("<"), order="C")
        return "array"

    def _DataFrame(self, value: Any, hint: Any, name: str) -> str:
        _expect(isinstance(value, pd.DataFrame), value, hint, name)
        self.frames[name] = value
        return "frame"

    def _tuple(self, value: Any, hint: Any, name: str) -> list[Any]:
        hints = _item_hints(hint, len(value)) if isinstance(value, tuple) else []
        _expect(isinstance(value, tuple) and len(hints) == len(value), value, hint, name)
        pairs = enumerate(zip(value, hints, strict=True))
        return [self.value(item, choice, f"{name}.{position}") for position, (item, choice) in pairs]

    def _dataclass(self, value: Any, hint: Any, name: str) -> dict[str, Any]:
        _expect(type(value) is hint, value, hint, name)
        return self.members(value, name)

    def _Enum(self, value: Any, hint: Any, name: str) -> Any:
        _expect(isinstance(value, hint), value, hint, name)
        return value.value

    def _Literal(self, value: Any, hint: Any, name: str) -> Any:
        _expect(value in get_args(hint), value, hint, name)
        return value

    def _scalar(self, value: Any, hint: Any, name: str) -> Any:
        value = value.item() if isinstance(value, np.generic) else value
        _expect(_is_scalar(value, hint), value, hint, name)
        return str(value) if hint is float and not math.isfinite(value) else hint(value)


def _is_scalar(value: object, hint: type) -> bool:
    """Whether a value is of the scalar type; whole numbers are floats too, booleans are no numbers."""
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, int | float) if hint is float else isinstance(value, hint)


def _expect(fits: bool, value: object, hint: Any, name: str) -> None:
    if not fits:
        detail = f" of {value.dtype}" if isinstance(value, np.ndarray) else ""
        raise TypeError(f"field {name} holds a {type(value).__name__}{detail}, which is not a saveable {hint}")


class _Reader:
    """Puts an object together again; arrays are taken out of ``arrays`` as they are used."""

    def __init__(self, folder: Path, arrays: dict[str, Array]) -> None:
        self.folder = folder
        self.arrays = arrays

    def members(self, cls: type[T], document: Any, prefix: str) -> T:
        hints = _hints(cls)
        if not isinstance(document, dict) or document.keys() != hints.keys():
            raise self._wrong(prefix or "the object", f"{cls.__name__} with fields {', '.join(hints)}")
        return cls(**{name: self.value(document[name], hint, _dotted(prefix, name)) for name, hint in hints.items()})

    def value(self, value: Any, hint: Any, name: str) -> Any:
        hint, optional = _optional(hint)
        if value is None and optional:
            return None
        return getattr(self, f"_{_kind(hint)}")(value, hint, name)

    def _wrong(self, name: str, expected: object) -> EvoscopeError:
        return _misfit(self.folder / FIELDS, f"has no {expected} in {name}")

    def _ndarray(self, value: Any, hint: Any, name: str) -> Array:
        if value != "array":
            raise self._wrong(name, "array")
        if name not in self.arrays:
            raise _misfit(self.folder / ARRAYS, f"{'has no' if self.arrays else 'is missing or has no'} '{name}'")
        return self.arrays.pop(name)

    def _DataFrame(self, value: Any, hint: Any, name: str) -> pd.DataFrame:
        if value != "frame":
            raise self._wrong(name, "frame")
        return _read(self.folder / f"{name}.parquet", pd.read_parquet)

    def _tuple(self, value: Any, hint: Any, name: str) -> tuple[Any, ...]:
        hints = _item_hints(hint, len(value)) if isinstance(value, list) else []
        if not isinstance(value, list) or len(hints) != len(value):
            raise self._wrong(name, hint)
        pairs = enumerate(zip(value, hints, strict=True))
        return tuple(self.value(item, choice, f"{name}.{position}") for position, (item, choice) in pairs)

    def _dataclass(self, value: Any, hint: Any, name: str) -> Any:
        return self.members(hint, value, name)

    def _Enum(self, value: Any, hint: Any, name: str) -> Any:
        try:
            return hint(value)
        except ValueError as error:
            raise self._wrong(name, hint.__name__) from error

    def _Literal(self, value: Any, hint: Any, name: str) -> Any:
        if value not in get_args(hint):
            raise self._wrong(name, hint)
        return value

    def _scalar(self, value: Any, hint: Any, name: str) -> Any:
        if hint is float and value in ("nan", "inf", "-inf"):
            return float(value)
        if not _is_scalar(value, hint):
            raise self._wrong(name, hint.__name__)
        return hint(value)
