"""The one file from which a killed training run goes on: network, optimizer, metrics so far."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from evoscope.training.files import save_tensors
from evoscope.training.metrics import EpochMetrics

STATE_FILE = "resume.safetensors"
MODULE, OPTIMIZER = "module.", "optimizer."


def save_state(
    folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, rows: Sequence[EpochMetrics]
) -> None:
    """Write everything that the next epoch depends on, as one file, in one step."""
    tensors = {MODULE + name: value for name, value in module.state_dict().items()}
    tensors.update(_optimizer_tensors(optimizer))
    record = json.dumps([asdict(row) for row in rows])
    save_tensors(tensors, folder / STATE_FILE, {"rows": record})


def load_state(folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer) -> list[EpochMetrics]:
    """Put module and optimizer where the run was, and return its metrics so far.

    A file that is absent or damaged counts for nothing: the list is empty and nothing is changed.
    """
    try:
        with safe_open(folder / STATE_FILE, framework="pt") as stored:
            rows = [EpochMetrics(**row) for row in json.loads(stored.metadata()["rows"])]
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError):
        return []
    module.load_state_dict(_under(MODULE, tensors))
    _load_optimizer(optimizer, _under(OPTIMIZER, tensors))
    return rows


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Tensors of the optimizer's state, named ``optimizer.<parameter number>.<what>``."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"{OPTIMIZER}{number}.{what}": value
        for number, values in state.items()
        for what, value in values.items()
        if isinstance(value, Tensor)
    }


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    groups = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, what = name.split(".", 1)
        state.setdefault(int(number), {})[what] = _laid_out_like(parameters[int(number)], value)
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    """Copy with the parameter's memory layout: another layout could round differently."""
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
