"""The training loop: a checkpoint per epoch, resumable with identical bytes."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from evoscope.data.images import ImageSet, digest
from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import INIT, RunFolder, checkpoint_name
from evoscope.models.network import Network
from evoscope.progress import Progress, silent
from evoscope.training.epochs import EpochMetrics, Trainer, lay_out, prepare, table
from evoscope.training.recipe import TrainingRecipe

PARTIAL = ".partial"


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
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


STATE_FILE = "resume.safetensors"
MODULE, OPTIMIZER = "module.", "optimizer."


def save_state(folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, rows: Sequence[EpochMetrics]) -> None:
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
        parameter = parameters[int(number)]
        # Copied into the parameter's memory layout: another one could round differently.
        kept = torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
        state.setdefault(int(number), {})[what] = kept
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


METRICS_FILE = "metrics.parquet"
IDENTITY_FILE = "identity.json"


def train(
    network: Network,
    train: ImageSet,
    test: ImageSet,
    recipe: TrainingRecipe,
    folder: Path,
    seed: int,
    progress: Progress = silent,
    memory_mb: int = 2048,
    workers: int = 0,
) -> None:
    """Train a network on its device, leaving ``epoch-*.safetensors`` and ``metrics.parquet`` in ``folder``.

    Epoch -1 is the initial state. Called again after an interruption, with the same folder and arguments,
    it goes on after the last finished epoch, and on a CPU leaves the same bytes as an undisturbed run. The
    last batch of an epoch is left out of the updates when it holds a single image, on which batch norm
    cannot train. The network ends in its last state, in eval mode.

    Parameters
    ----------
    train, test : the images; accuracies are of ``recipe.eval_images`` training images and all test images.
    folder : of this run alone.
    seed : decides order and dropout, anew in each epoch.
    memory_mb, workers : as for `evoscope.data.loader.Loader`.

    Raises
    ------
    EvoscopeError : the network lacks outputs for some classes, or the folder holds another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_partial(folder)
    _claim(folder, _identity(network, train, test, recipe, seed))
    if not finished(folder):
        trainer = prepare(network, train, test, recipe, seed, progress, memory_mb, workers)
        _run(trainer, folder, load_state(folder, trainer.module, trainer.optimizer))
        lay_out(network.module, torch.contiguous_format)
    RunFolder(folder).load(network.module, RunFolder(folder).epochs[-1])
    network.module.eval()


def finished(folder: Path) -> bool:
    """Tell whether a run has ended in this folder."""
    return (folder / METRICS_FILE).is_file() and not (folder / STATE_FILE).is_file()


def read_metrics(folder: Path) -> pd.DataFrame:
    """Read a finished run's ``epoch`` (-1: initial), ``{train,test}_{top1,top5,loss}`` and ``diverged``.

    Raises
    ------
    EvoscopeError : when no run has finished there.
    """
    if not finished(folder):
        raise EvoscopeError(f"there is no finished training run in '{folder}'", "train first, or check the path")
    return pd.read_parquet(folder / METRICS_FILE)


def disk_bytes(module: nn.Module, recipe: TrainingRecipe) -> int:
    """Disk that a run's checkpoints and its resume file need, in bytes (AdamW keeps two numbers a weight)."""
    kept = {*recipe.keep, recipe.epochs - 1} if recipe.keep else set(range(recipe.epochs))
    resume = 3 if recipe.optimizer == "adamw" else 2
    module_bytes = sum(int(value.nbytes) for value in module.state_dict().values())
    return (len(kept | {INIT}) + resume) * module_bytes


def _run(trainer: Trainer, folder: Path, rows: list[EpochMetrics]) -> None:
    if not rows:
        rows = [trainer.score(INIT, diverged=False)]
        _leave(trainer, folder, rows)
    for epoch in range(len(rows) - 1, trainer.recipe.epochs):
        if _stops(trainer.recipe, rows[-1]):
            break
        finite = trainer.train_epoch(epoch)
        rows.append(trainer.score(epoch, diverged=rows[-1].diverged or not finite))
        _leave(trainer, folder, rows)
    save_table(table(rows), folder / METRICS_FILE)
    (folder / STATE_FILE).unlink()


def _leave(trainer: Trainer, folder: Path, rows: list[EpochMetrics]) -> None:
    """Write the checkpoint first: what the resume file calls done must be there."""
    recipe, last = trainer.recipe, rows[-1]
    always = last.epoch in (INIT, recipe.epochs - 1) or _stops(recipe, last)
    if always or not recipe.keep or last.epoch in recipe.keep:
        save_module(trainer.module, folder / checkpoint_name(last.epoch))
    save_state(folder, trainer.module, trainer.optimizer, rows)


def _stops(recipe: TrainingRecipe, last: EpochMetrics) -> bool:
    return last.diverged and recipe.on_divergence == "stop"


def _identity(network: Network, train: ImageSet, test: ImageSet, recipe: TrainingRecipe, seed: int) -> str:
    shapes = [f"{name} {list(value.shape)}" for name, value in network.module.state_dict().items()]
    values = {
        "recipe": asdict(recipe),
        "seed": seed,
        "train": train.fingerprint,
        "test": test.fingerprint,
        "preprocessing": asdict(network.preprocessing),
        "shapes": digest(*shapes),
    }
    return json.dumps(values, indent=1, sort_keys=True)


def _claim(folder: Path, identity: str) -> None:
    """Make the folder this run's, or refuse it if it is another's."""
    path = folder / IDENTITY_FILE
    if not path.is_file():
        write_atomically(path, lambda partial: partial.write_text(identity))
    elif path.read_text() != identity:
        mine, theirs = json.loads(identity), json.loads(path.read_text())
        differing = ", ".join(key for key in mine if mine[key] != theirs.get(key))
        raise EvoscopeError(
            f"'{folder}' holds a training run that differs in: {differing}", "choose another folder or empty this one"
        )
