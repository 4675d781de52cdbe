"""A training run seen from outside: its epochs, and how to put a module into the state of one of them."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.weight_files import HUB_FILES
from evoscope.models.weights import load_file
from evoscope.store.hashing import digest_file

INIT = -1
# A field of a pattern: ``{epoch}``, ``{epoch:03d}``, or one that may differ from file to file (``{step}``, ``*``).
FIELD = re.compile(r"\{(?P<name>\w+)(?::[^}]*)?\}|\*")
SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".tar", ".th", ".pkl")
# Where a file's name says its epoch by itself.
NAMED_EPOCH = re.compile(r"(?:^|[^a-z])ep(?:och)?[-_=]?(\d+)", re.IGNORECASE)


class Checkpoints(Protocol):
    """The states that one training run left."""

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epochs that have a checkpoint, ascending; -1 is the initial state."""
        ...

    def load(self, module: nn.Module, epoch: int) -> tuple[str, ...]:
        """Put ``module`` into its state after ``epoch``; remarks about what was left alone."""
        ...

    def fingerprint(self, epoch: int) -> str:
        """Hex digest of the checkpoint's content."""
        ...


def checkpoint_name(epoch: int) -> str:
    """File name of our own checkpoints: ``epoch-0003.safetensors``, ``epoch-init.safetensors`` for -1."""
    return "epoch-init.safetensors" if epoch == INIT else f"epoch-{epoch:04d}.safetensors"


class _Files:
    """A file, or a folder of Hugging Face, per epoch; ``place``: where they are, for messages."""

    place: str

    def _files(self) -> dict[int, Path]:
        raise NotImplementedError

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epochs that have a checkpoint, ascending; -1 is the initial state."""
        return tuple(sorted(self._files()))

    def file(self, epoch: int) -> Path:
        """Path of one epoch's checkpoint.

        Raises
        ------
        EvoscopeError : there is none; names those that exist.
        """
        files = self._files()
        if not files:
            raise EvoscopeError(
                f"'{self.place}' has no checkpoints at all", "check the path or pattern, or train first"
            )
        if epoch not in files:
            known = ", ".join(map(str, sorted(files)))
            raise EvoscopeError(f"'{self.place}' has no checkpoint of epoch {epoch}", f"choose from {known}")
        return files[epoch]


class RunFolder(_Files):
    """Checkpoints that `evoscope.training` left in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.place = str(self.path)

    def _files(self) -> dict[int, Path]:
        names = [path.stem.removeprefix("epoch-") for path in self.path.glob("epoch-*.safetensors")]
        epochs = [INIT if name == "init" else int(name) for name in names]
        return {epoch: self.path / checkpoint_name(epoch) for epoch in epochs}

    def load(self, module: nn.Module, epoch: int) -> tuple[str, ...]:
        """Put ``module`` into its state after ``epoch``."""
        return load_file(module, self.file(epoch))

    def fingerprint(self, epoch: int) -> str:
        """Hex SHA-256 of the checkpoint file."""
        return file_digest(self.file(epoch))


class CheckpointPattern(_Files):
    """A user's own run: a file (or folder of Hugging Face) per epoch, named by a pattern such as ``run/ep{epoch}.pt``.

    Parameters
    ----------
    pattern : path with ``{epoch}`` in it; ``{epoch:03d}`` is understood too, ``*`` and ``{step}`` stand for what
        differs from file to file. Or a folder, whose files say their epochs by their names.
    strip_prefix : taken off the names of the state dict (``model.``); what wrappers add is found without it.
    state_dict_key : entry of the file that holds the state dict, where it is not one of the usual ones.

    Raises
    ------
    EvoscopeError : when the pattern has no ``{epoch}`` and is no folder.
    """

    def __init__(self, pattern: str, strip_prefix: str = "", state_dict_key: str | None = None) -> None:
        self.pattern = self.place = str(Path(pattern).expanduser())
        if "{epoch" not in pattern and not Path(self.pattern).is_dir():
            raise EvoscopeError(
                f"model.checkpoints={pattern!r} does not say where the epoch is",
                "write it as 'run/ep{epoch}.pt', or give a single file as model.weights=PATH",
            )
        self.strip_prefix = strip_prefix
        self.state_dict_key = state_dict_key

    def load(self, module: nn.Module, epoch: int) -> tuple[str, ...]:
        """Put ``module`` into its state after ``epoch``; remarks about what was left alone."""
        return load_file(module, self.file(epoch), self.strip_prefix, self.state_dict_key)

    def fingerprint(self, epoch: int) -> str:
        """Hex SHA-256 of the file, and of how its names are read."""
        reading = f"{file_digest(self.file(epoch))}/{self.strip_prefix}/{self.state_dict_key}"
        return hashlib.sha256(reading.encode()).hexdigest()

    def _files(self) -> dict[int, Path]:
        files: dict[int, Path] = {}
        path = Path(self.pattern)
        found = _in_folder(path) if "{epoch" not in self.pattern else _fitting(path)
        for epoch, each in found:
            if epoch in files:
                raise EvoscopeError(
                    f"'{files[epoch]}' and '{each}' both claim epoch {epoch}",
                    "remove one, or make the pattern narrower",
                )
            files[epoch] = each
        return files


def _fitting(pattern: Path) -> Iterator[tuple[int, Path]]:
    """Epoch and path of everything that fits a pattern, in the order of the names."""
    found = [(Path(pattern.anchor or "."), "")]
    for part in pattern.parts[1 if pattern.anchor else 0 :]:
        expression = re.compile(_expression(part))
        found = [
            (child, number or epoch)
            for folder, epoch in found
            for child, number in _children(folder, part, expression)
            if not (number and epoch) or int(number) == int(epoch)
        ]
    yield from ((int(epoch), path) for path, epoch in found if path.is_file() or _is_hub_folder(path))


def _children(folder: Path, part: str, expression: re.Pattern[str]) -> Iterator[tuple[Path, str]]:
    """What in a folder fits one part of a pattern, with the epoch where the part has it."""
    literal = "{epoch" not in part and (folder / part).exists()
    if literal or FIELD.search(part) is None:
        yield from [(folder / part, "")] if (folder / part).exists() else []
        return
    for child in sorted(folder.iterdir()) if folder.is_dir() else []:
        match = expression.fullmatch(child.name)
        if match:
            yield child, match.groupdict().get("epoch") or ""


def _in_folder(folder: Path) -> Iterator[tuple[int, Path]]:
    """Epoch and path of a folder's checkpoints: the number after ``epoch`` or ``ep``, or the only one there is."""
    for path in sorted(folder.iterdir()):
        if not (path.is_file() and path.name.endswith(SUFFIXES)) and not _is_hub_folder(path):
            continue
        named = NAMED_EPOCH.findall(path.name) or re.findall(r"\d+", path.name.partition(".")[0])
        if len(named) == 1:
            yield int(named[0]), path


def _is_hub_folder(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in HUB_FILES)


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, or of all files of a folder; a file that did not change is read once."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.is_file())
        return hashlib.sha256("/".join(map(file_digest, files)).encode()).hexdigest()
    return digest_file(path)


def _expression(part: str) -> str:
    """Regular expression of one part of a path; its group ``epoch`` is the number, and a second one repeats it."""
    text, end, seen = "", 0, False
    for field in FIELD.finditer(part):
        text += re.escape(part[end : field.start()])
        end = field.end()
        if field["name"] != "epoch":
            text += ".*"
        else:
            text += r"(?P=epoch)" if seen else r"(?P<epoch>-?\d+)"
            seen = True
    return text + re.escape(part[end:])
