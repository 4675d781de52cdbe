"""Files of weights as people have them, and what is read of one.

Nothing is unpickled beyond tensors and plain containers. Settings that training scripts leave beside the weights
(`argparse.Namespace`, NumPy numbers, OmegaConf, paths) are read as `Left`, an empty stand-in, so that no code of theirs
runs and no package of theirs is needed.
"""

import json
import pickle
import re
import warnings
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file as load_safetensors
from torch import Tensor

from evoscope.data.files import listed
from evoscope.errors import EvoscopeError

State = dict[str, Tensor]
MOST = 4  # names in one line of a message
USUAL_KEYS = (
    *("state_dict", "model_state_dict", "model", "net", "network", "weights", "model_state", "module"),
    *("params", "model_weights"),
)
AVERAGED_KEYS = ("model_ema", "state_dict_ema", "ema_state_dict", "ema", "averaged_model")
# Files and folders of Hugging Face, in the order in which its own libraries look for them.
HUB_FILES = (
    *("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"),
    *("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
)
OTHER_FORMATS = {
    ".onnx": "a network of ONNX",
    ".h5": "a file of Keras",
    ".keras": "a file of Keras",
    ".hdf5": "a file of HDF5",
    ".pb": "a graph of TensorFlow",
    ".tflite": "a network of TensorFlow Lite",
    ".gguf": "a file of GGUF",
    ".npz": "a file of NumPy",
    ".msgpack": "a file of Flax",
}
# Global names of a pickle, by their module or a package above it, that hold settings and no code worth running.
INERT = (
    *("argparse.Namespace", "types.SimpleNamespace", "collections", "pathlib", "datetime", "decimal.Decimal"),
    *("uuid.UUID", "typing", "builtins.dict", "builtins.list", "builtins.int", "builtins.float", "builtins.str"),
    *("builtins.bool", "builtins.tuple", "builtins.set", "builtins.frozenset", "builtins.object"),
    *("builtins.slice", "builtins.range", "builtins.complex", "copyreg._reconstructor"),
    *("numpy.core.multiarray", "numpy._core.multiarray", "numpy.dtype", "numpy.dtypes", "numpy.ndarray"),
    *("numpy.core.numeric", "numpy._core.numeric", "numpy.random._pickle", "numpy.bool", "numpy.bool_"),
    *("numpy.int64", "numpy.int32", "numpy.float64", "numpy.float32", "numpy.float16", "numpy.str_"),
    *("omegaconf", "antlr4", "yacs.config", "easydict", "addict", "ml_collections", "mmengine.config", "munch"),
    *("pytorch_lightning", "lightning", "lightning_fabric", "lightning_utilities", "torchmetrics"),
    *("timm.utils", "simple_parsing", "jsonargparse", "hydra"),
    *("torch.torch_version.TorchVersion", "torch.optim", "torch.amp", "torch.cuda.amp", "torch._C.Generator"),
)


class Left:
    """Stands for an object beside the weights; it takes what a pickle gives it, and does nothing."""

    def __new__(cls, *given: object, **named: object) -> Any:
        """An empty object, whatever is given."""
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Forgets what it is told."""


class LeftDictionary(Left):
    """The same for a kind of dictionary, whose entries are kept: they may be the weights."""

    def __new__(cls, *given: object, **named: object) -> Any:
        """A plain dictionary, the only kind that torch fills."""
        return OrderedDict()


def read_state(path: Path, key: str | None = None) -> State:
    """Tensors of the state dict in a safetensors file, a file of ``torch.save`` or a folder of Hugging Face.

    Parameters
    ----------
    key : entry that holds the state dict, dotted where it lies deeper; None: the file itself, or the first usual
        entry that is one.

    Raises
    ------
    EvoscopeError : the file is missing, damaged, of another kind, holds objects that could run code, or no state dict.
    """
    return read_with_remarks(path, key)[0]


def read_with_remarks(path: Path, key: str | None) -> tuple[State, list[str]]:
    """The state dict, and remarks about which of several was taken."""
    if path.is_dir():
        path = _hub_file(path)
    if not path.is_file():
        raise EvoscopeError(f"there is no checkpoint file '{path}'", "check the path")
    if path.suffix == ".json":
        shards = dict.fromkeys(_shards(path))
        return {name: value for shard in shards for name, value in read_with_remarks(shard, key)[0].items()}, []
    if path.suffix in OTHER_FORMATS:
        raise EvoscopeError(
            f"'{path}' is {OTHER_FORMATS[path.suffix]}, not weights of PyTorch",
            "save the state dict of the module, by torch.save(model.state_dict(), path)",
        )
    if path.suffix == ".safetensors":
        try:
            return load_safetensors(path), []
        except (SafetensorError, OSError) as error:
            raise EvoscopeError(
                f"'{path}' cannot be read as safetensors ({error})", "write or copy it again"
            ) from error
    return _find_state(_read_torch(path), key, path)


def _hub_file(folder: Path) -> Path:
    """The weights in a folder of Hugging Face."""
    for name in HUB_FILES:
        if (folder / name).is_file():
            return folder / name
    if any(folder.glob("*.distcp")):
        raise EvoscopeError(
            f"'{folder}' is a distributed checkpoint, whose tensors are scattered over its files",
            f"gather it: python -m torch.distributed.checkpoint.format_utils dcp_to_torch {folder} weights.pt",
        )
    if (folder / "zero_to_fp32.py").is_file():
        raise EvoscopeError(
            f"'{folder}' is a checkpoint of DeepSpeed, whose tensors are scattered over its files",
            f"gather it: python {folder}/zero_to_fp32.py {folder} weights",
        )
    files = sorted(each.name for each in folder.iterdir() if each.is_file())
    raise EvoscopeError(
        f"the folder '{folder}' holds no {HUB_FILES[0]} or {HUB_FILES[2]}, but {listed(files, MOST)}",
        "name the file of the weights, or model.checkpoints='FOLDER/NAME{epoch}.pt' for several epochs",
    )


def _shards(index: Path) -> list[Path]:
    try:
        names: Iterable[str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise EvoscopeError(f"'{index}' is no index of shards ({error})", "copy it again") from error
    return [index.parent / name for name in names]


def _read_torch(path: Path) -> object:
    _refuse_archives(path)
    inert: dict[str, type[Left]] = {}
    while True:
        # A class of its own for each name, because a pickle may tell them apart.
        stand_ins: list[Any] = [(type(name, (kind,), {}), name) for name, kind in inert.items()]
        try:
            with torch.serialization.safe_globals(stand_ins), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the pickle's protocol
                return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            filled = re.search(rf"Can only SETITEM.*<class '{__name__}\.([\w.]+)'>", str(error))
            fresh = [name for name in _in_the_way(path, error) if name not in inert]
            if filled and inert.get(filled[1]) is Left:
                inert[filled[1]] = LeftDictionary
            elif fresh and all(map(_is_inert, fresh)):
                inert |= dict.fromkeys(fresh, Left)
            else:
                raise _refusal(path, [each for each in fresh if not _is_inert(each)], list(inert)) from error
        except (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise EvoscopeError(
                f"'{path}' cannot be read as a checkpoint ({reason})", "write or copy it again"
            ) from error


def _is_inert(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in INERT)


def _in_the_way(path: Path, error: pickle.UnpicklingError) -> list[str]:
    """Global names that torch does not allow: all of a file of today's format, the first of an old one."""
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except (ValueError, RuntimeError, OSError, EOFError, LookupError, pickle.UnpicklingError):
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        # A pickle spells ``builtins``, which torch's messages leave out.
        return [named[1] if "." in named[1] else f"builtins.{named[1]}"] if named else []


def _refusal(path: Path, names: list[str], inert: list[str]) -> EvoscopeError:
    """What stands in the way of a file, and the line that mends it."""
    if not names and not inert:
        return EvoscopeError(
            f"'{path}' is damaged or no file of torch.save",
            "write or copy it again, or save only the weights, by torch.save(model.state_dict(), path)",
        )
    whole = any(name.startswith("torch.nn.modules.") for name in names)
    others = [name for name in names if not name.startswith("torch.nn.modules.")]
    held = "a whole pickled module" if whole else "Python objects"
    usual = ", ".join(map(repr, USUAL_KEYS[:6]))
    line = (
        f"import torch; c = torch.load('{path}', map_location='cpu', weights_only=False); "
        f"m = next((c[k] for k in ({usual}) if k in c), c) if isinstance(c, dict) else c; "
        "torch.save(m.state_dict() if hasattr(m, 'state_dict') else m, 'weights.pt')"
    )
    return EvoscopeError(
        f"'{path}' holds {held}, which could run code when opened: {listed(others or names or inert, MOST)}",
        f'save only the weights, if you trust the file: python -c "{line}"',
    )


def _refuse_archives(path: Path) -> None:
    """Refuse archives that are programs, by name, and those whose contents are not what was written.

    torch.load does not look at the checksums. An archive that was written without any has zeros in their place.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
            checked = any(each.CRC for each in archive.infolist())
            wrong = archive.testzip() if checked else None
    except (zipfile.BadZipFile, OSError):
        return  # torch.load says what is wrong
    except (EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        wrong = str(error)
    if wrong is not None:
        raise EvoscopeError(
            f"'{path}' is damaged: the checksum of {wrong} in it is another than was written", "copy it again"
        )
    if "constants.pkl" in names:
        raise EvoscopeError(
            f"'{path}' is a TorchScript program, not a checkpoint",
            f"save its weights: python -c \"import torch; torch.save(torch.jit.load('{path}', map_location='cpu')"
            f".state_dict(), 'weights.pt')\"",
        )
    if names & {"archive_format", "serialized_exported_program.json", "models/model.json"}:
        raise EvoscopeError(
            f"'{path}' is a program of torch.export, not a checkpoint",
            f"save its weights: python -c \"import torch; torch.save(torch.export.load('{path}').state_dict, "
            f"'weights.pt')\"",
        )


def _find_state(content: object, key: str | None, path: Path) -> tuple[State, list[str]]:
    if isinstance(content, Mapping):
        if key is None and _is_state(content):
            return _tensors(content), []
        found = _entry(content, key) if key else _usual_entry(content)
        if found is not None:
            spare = [name for name in AVERAGED_KEYS if name in content and not key]
            told = [f"'{path.name}' has averaged weights too: model.state_dict_key={name} takes them" for name in spare]
            return _tensors(found), told[:1]
    raise EvoscopeError(
        f"'{path}' has no state dict{f' under {key!r}' if key else ''}: it holds {_inventory(content)}",
        "name the entry that holds the weights in model.state_dict_key",
    )


def _usual_entry(content: Mapping[Any, Any]) -> Mapping[str, Any] | None:
    """The first usual entry that holds a state dict; or the only entry that does."""
    for candidate in USUAL_KEYS:
        value = content.get(candidate)
        inner = [value.get(key) for key in USUAL_KEYS] if isinstance(value, Mapping) else []
        if any(map(_is_state, [value, *inner])):
            return _entry(content, candidate)
    states = [name for name, value in content.items() if isinstance(name, str) and _is_state(value)]
    return _entry(content, states[0]) if len(states) == 1 else None


def _entry(content: Mapping[Any, Any], key: str) -> Mapping[str, Any] | None:
    """The state dict under a key, or under a usual key within what is there."""
    value: Any = content.get(key)
    if value is None and "." in key:
        head, _, rest = key.partition(".")
        inner = content.get(head)
        return _entry(inner, rest) if isinstance(inner, Mapping) else None
    if _is_state(value):
        return value  # type: ignore[no-any-return]  # a mapping, as _is_state found
    return _usual_entry(value) if isinstance(value, Mapping) else None


def _is_state(value: object) -> bool:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return False
    strangers = [name for name, each in value.items() if not isinstance(each, Tensor)]
    return len(strangers) < len(value) and all(name.endswith("_extra_state") for name in strangers)


def _tensors(state: Mapping[str, Any]) -> State:
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def _inventory(content: object) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    entries: list[Any] = [f"{key!r} ({type(value).__name__})" for key, value in content.items()]
    return ", ".join(entries[:8]) or "nothing"
