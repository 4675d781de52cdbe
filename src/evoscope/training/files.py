"""Writing a run's files so that none is ever half there."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
from safetensors.torch import save_file
from torch import Tensor, nn

PARTIAL = ".partial"


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place in one step."""
    partial = path.with_name(path.name + PARTIAL)
    write(partial)
    with partial.open("rb+") as stream:
        os.fsync(stream.fileno())
    partial.replace(path)


def remove_partial(folder: Path) -> None:
    """Delete what a killed run left half-written."""
    for path in folder.glob(f"*{PARTIAL}"):
        path.unlink()


def save_module(module: nn.Module, path: Path) -> None:
    """Write a module's state dict as safetensors; equal states give equal bytes."""
    save_tensors(module.state_dict(), path)


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, each with its own memory in the usual layout."""
    own = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    write_atomically(path, lambda partial: save_file(own, partial, metadata))


def save_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as parquet."""
    write_atomically(path, lambda partial: table.to_parquet(partial, index=False))
