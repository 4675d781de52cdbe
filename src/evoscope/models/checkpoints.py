"""A training run seen from outside: its epochs, and how to put a module into the state of one of them."""

import hashlib
import pickle
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file as load_safetensors
from torch import Tensor, nn

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


# Heads that only training uses; a module built without them ignores their weights, as the protocol does.
AUXILIARY_HEADS = ("AuxLogits.", "aux1.", "aux2.")
# What distributed training and compilation put before every name.
WRAPPERS = ("module.", "_orig_mod.")
INIT = -1
EPOCH_FIELD = re.compile(r"\\\{epoch(?::[^}]*?)?\\\}")


class Checkpoints(Protocol):
    """The states that one training run left."""

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epochs that have a checkpoint, ascending; -1 is the initial state."""
        ...

    def load(self, module: nn.Module, epoch: int) -> None:
        """Put ``module`` into its state after ``epoch``."""
        ...

    def fingerprint(self, epoch: int) -> str:
        """Hex digest of the checkpoint's content."""
        ...


def checkpoint_name(epoch: int) -> str:
    """File name of our own checkpoints: ``epoch-0003.safetensors``, ``epoch-init.safetensors`` for -1."""
    return "epoch-init.safetensors" if epoch == INIT else f"epoch-{epoch:04d}.safetensors"


class RunFolder:
    """Checkpoints that `evoscope.training` left in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epochs that have a checkpoint, ascending; -1 is the initial state."""
        names = [path.stem.removeprefix("epoch-") for path in self.path.glob("epoch-*.safetensors")]
        return tuple(sorted(INIT if name == "init" else int(name) for name in names))

    def file(self, epoch: int) -> Path:
        """Path of one epoch's checkpoint.

        Raises
        ------
        EvoscopeError : there is none; names those that exist.
        """
        if epoch not in self.epochs:
            raise _missing(epoch, self.epochs, str(self.path))
        return self.path / checkpoint_name(epoch)

    def load(self, module: nn.Module, epoch: int) -> None:
        """Put ``module`` into its state after ``epoch``."""
        load_file(module, self.file(epoch))

    def fingerprint(self, epoch: int) -> str:
        """Hex SHA-256 of the checkpoint file."""
        return file_digest(self.file(epoch))


class CheckpointPattern:
    """A user's own run: one file per epoch, named by a pattern such as ``run/ep{epoch}.pt``.

    Parameters
    ----------
    pattern : path with ``{epoch}`` in it; ``{epoch:03d}`` is understood too.
    strip_prefix : taken off the names of the state dict (``model.``); what wrappers add is found without it.
    state_dict_key : entry of the file that holds the state dict, where it is not one of the usual ones.

    Raises
    ------
    EvoscopeError : when the pattern has no ``{epoch}``.
    """

    def __init__(self, pattern: str, strip_prefix: str = "", state_dict_key: str | None = None) -> None:
        if "{epoch" not in pattern:
            raise EvoscopeError(
                f"model.checkpoints={pattern!r} does not say where the epoch is",
                "write it as 'run/ep{epoch}.pt'",
            )
        self.pattern = pattern
        self.strip_prefix = strip_prefix
        self.state_dict_key = state_dict_key

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epochs that have a file, ascending."""
        return tuple(sorted(self._files()))

    def file(self, epoch: int) -> Path:
        """Path of one epoch's file.

        Raises
        ------
        EvoscopeError : there is none; names those that exist.
        """
        files = self._files()
        if epoch not in files:
            raise _missing(epoch, sorted(files), self.pattern)
        return files[epoch]

    def load(self, module: nn.Module, epoch: int) -> None:
        """Put ``module`` into its state after ``epoch``."""
        load_file(module, self.file(epoch), self.strip_prefix, self.state_dict_key)

    def fingerprint(self, epoch: int) -> str:
        """Hex SHA-256 of the file, and of how its names are read."""
        reading = f"{file_digest(self.file(epoch))}/{self.strip_prefix}/{self.state_dict_key}"
        return hashlib.sha256(reading.encode()).hexdigest()

    def _files(self) -> dict[int, Path]:
        files: dict[int, Path] = {}
        path = Path(self.pattern)
        expression = re.compile(_expression(str(path)))
        for found in sorted(Path(path.anchor or ".").glob(_glob(path))):
            match = expression.fullmatch(str(found))
            if match and int(match["epoch"]) in files:
                raise EvoscopeError(
                    f"'{files[int(match['epoch'])]}' and '{found}' both claim epoch {int(match['epoch'])}",
                    "remove one, or make the pattern narrower",
                )
            if match:
                files[int(match["epoch"])] = found
        return files


def load_file(
    module: nn.Module, path: Path, strip_prefix: str = "", state_dict_key: str | None = None
) -> None:
    """Load a state dict from a file into a module.

    Raises
    ------
    EvoscopeError : one sentence naming every kind of mismatch: missing names, unexpected names, shapes.
    """
    state = _unwrap(read_state(path, state_dict_key), module, strip_prefix)
    _check_match(state, module, path)
    module.load_state_dict(state, strict=False)


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file's bytes; a file that did not change is read once."""
    stat = path.stat()
    return _digest(path.resolve(), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unwrap(state: State, module: nn.Module, prefix: str) -> State:
    """Names as the module has them, without prefixes and unused auxiliary heads."""
    own = module.state_dict().keys()
    if prefix:
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    for wrapper in WRAPPERS * 2:
        if all(name.startswith(wrapper) and name not in own for name in state):
            state = {name.removeprefix(wrapper): value for name, value in state.items()}
    return {n: value for n, value in state.items() if n in own or not n.startswith(AUXILIARY_HEADS)}


def _check_match(state: State, module: nn.Module, path: Path) -> None:
    own = module.state_dict()
    # Batch counters came with PyTorch 0.4.1; older files lack them and nothing here uses them.
    missing = [n for n in own if n not in state and not n.endswith("num_batches_tracked")]
    unexpected = [n for n in state if n not in own]
    shapes = [
        f"{n} is {list(state[n].shape)} in the file, {list(own[n].shape)} in the network"
        for n in own
        if n in state and own[n].shape != state[n].shape
    ]
    problems = [
        f"{what} {len(names)}: {_some(names)}"
        for what, names in (("missing", missing), ("unexpected", unexpected), ("of other shape", shapes))
        if names
    ]
    if problems:
        raise EvoscopeError(
            f"'{path}' does not fit the network; {'; '.join(problems)}",
            "check the architecture, the number of classes, and model.strip_prefix",
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _missing(epoch: int, epochs: Iterable[int], place: str) -> EvoscopeError:
    listed = ", ".join(map(str, epochs))
    if listed:
        return EvoscopeError(f"'{place}' has no checkpoint of epoch {epoch}", f"choose from {listed}")
    return EvoscopeError(f"'{place}' has no checkpoints at all", "check the path or pattern, or train first")


def _expression(pattern: str) -> str:
    """Regular expression whose group ``epoch`` is the number; a second ``{epoch}`` repeats the first."""
    first, *others = EPOCH_FIELD.split(re.escape(pattern))
    return first + r"(?P<epoch>-?\d+)" + r"(?P=epoch)".join(others)


def _glob(path: Path) -> str:
    relative = str(path.relative_to(path.anchor) if path.anchor else path)
    escaped = re.sub(r"([*?[])", r"[\1]", relative)
    return re.sub(r"\{epoch(?::[^}]*)?\}", "*", escaped)
