"""Reading a state dict from a file of anybody's, without running code from it."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file as load_safetensors
from torch import Tensor

from evoscope.errors import EvoscopeError

State = dict[str, Tensor]
USUAL_KEYS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")


def read_state(path: Path, key: str | None = None) -> State:
    """Tensors of the state dict in a safetensors file or a file of ``torch.save``.

    Parameters
    ----------
    key : entry that holds the state dict; None: the file itself, or the first usual entry that is one.

    Raises
    ------
    EvoscopeError : the file is missing, damaged, holds Python objects that could run code, or no state dict.
    """
    if not path.is_file():
        raise EvoscopeError(f"there is no checkpoint file '{path}'", "check the path")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    return _find_state(_read_torch(path), key, path)


def _read_safetensors(path: Path) -> State:
    try:
        state: State = load_safetensors(path)
    except (SafetensorError, OSError) as error:
        raise EvoscopeError(
            f"'{path}' cannot be read as safetensors ({error})", "write or copy it again"
        ) from error
    return state


def _read_torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise EvoscopeError(
            f"'{path}' is damaged or holds Python objects, which could run code when opened",
            "save only the weights, by torch.save(model.state_dict(), path)",
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EvoscopeError(
            f"'{path}' cannot be read as a checkpoint ({reason})", "write or copy it again"
        ) from error


def _find_state(content: object, key: str | None, path: Path) -> State:
    if isinstance(content, Mapping):
        if key is None and _is_state(content):
            return dict(content)
        for candidate in (key,) if key else USUAL_KEYS:
            if _is_state(content.get(candidate)):
                return dict(content[candidate])
    raise EvoscopeError(
        f"'{path}' has no state dict{f' under {key!r}' if key else ''}: it holds {_inventory(content)}",
        "name the entry that holds the weights in model.state_dict_key",
    )


def _is_state(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(v, Tensor) for v in value.values())


def _inventory(content: object) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    entries: list[Any] = [f"{key!r} ({type(value).__name__})" for key, value in content.items()]
    return ", ".join(entries[:8]) or "nothing"
