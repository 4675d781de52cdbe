"""Which output of a network is which class of a data set: by WordNet id, by name, as told, or in order."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from evoscope.errors import EvoscopeError

IMAGENET = "imagenet"
"""In ``model.outputs``: the 1,000 classes of ILSVRC-2012 in their order."""
ORDER, NUMBERS = "order", "numbers"
"""In ``model.outputs``: output i is the i-th class; or each class folder is called by the number of its output."""
_WNID = re.compile(r"n\d{8}")
_FORMS = (
    "give 'imagenet', 'order', 'numbers', the names of all outputs in their order (a list, or a .txt or .json file), "
    "or the number of each class's output, as in {cat: 281, dog: 235}"
)
# A name or several of one output: its WordNet id and its readable name.
Names = Sequence[Sequence[str]]


@dataclass(frozen=True)
class OutputMap:
    """The outputs of a network against the classes of a data set.

    ``count``: outputs of the network; ``outputs``: number of each class's output (empty: all outputs, in the order of
    the classes); ``how``: in words; ``problem``: why no output is known for some class, else empty.
    """

    count: int
    outputs: tuple[int, ...]
    how: str
    problem: str = ""


class ChosenOutputs:
    """Forward hook of a whole module: of its logits only those of the classes are left, in the classes' order."""

    def __init__(self, outputs: Sequence[int]) -> None:
        self.outputs = list(outputs)

    def __call__(self, module: nn.Module, inputs: Any, logits: Any) -> Any:
        """Logits [images, classes]; anything else is left for those to refuse who read it."""
        fits = isinstance(logits, Tensor) and logits.ndim == 2 and logits.shape[1] > max(self.outputs)
        return logits[:, self.outputs] if fits else logits


@cache
def imagenet_names() -> tuple[tuple[str, str], ...]:
    """WordNet id and name of each of ImageNet's 1,000 classes, in the order of the outputs of networks."""
    lines = Path(__file__).with_name("imagenet.txt").read_text(encoding="utf-8").splitlines()
    return tuple((line[:9], line[10:]) for line in lines)


def map_outputs(class_names: Sequence[str], count: int, told: object = None, names: Names = ()) -> OutputMap:
    """Find the output of each class.

    Parameters
    ----------
    class_names : of the data set, in the order of its labels.
    count : outputs of the network.
    told : ``model.outputs``: None, 'imagenet', 'order', 'numbers', a file, the outputs' names, or the classes' outputs.
    names : of the outputs, where the network's weights say them; ImageNet's are tried for 1,000 outputs beyond.

    Raises
    ------
    EvoscopeError : ``told`` has none of these forms, or leaves a class without an output.
    """
    if told is not None:
        return _told(class_names, count, told)
    many = f"{len(class_names)} classes"
    in_order = (tuple(range(len(class_names))), list[str]())
    if count == len(class_names) and (not names or matched(class_names, names) == in_order):
        return OutputMap(count, (), f"{count} outputs for {many}, in order")
    known = names or (imagenet_names() if count == len(imagenet_names()) else ())
    found, missing = matched(class_names, known)
    if known and not missing:
        return OutputMap(count, found, f"{len(found)} of {count:,} outputs, by name")
    lost = f"; no output is called {', '.join(map(repr, missing[:3]))}" if known else ""
    if _by_number(class_names, count):
        lost = "; if the folders' names are the outputs' numbers, give model.outputs=numbers"
    return OutputMap(count, (), "unknown", f"{count:,} outputs for {many} of other names{lost}")


def alternatives(class_names: Sequence[str], count: int) -> list[OutputMap]:
    """What as many outputs as classes may mean besides the classes' order: only accuracy can tell.

    Folders 0 to 999 stand as 0, 1, 10, 100 among the classes, which are sorted as text; and a folder with ImageNet's
    classes under their readable names has another order than networks of ImageNet.
    """
    maps = [OutputMap(count, _by_number(class_names, count), f"{count:,} outputs, by the folders' numbers")]
    if count == len(imagenet_names()):
        named, missing = matched(class_names, imagenet_names())
        maps.append(OutputMap(count, () if missing else named, f"{count:,} outputs, by name"))
    return [each for each in maps if each.outputs and each.outputs != tuple(range(count))]


def _by_number(class_names: Sequence[str], count: int) -> tuple[int, ...]:
    """Outputs by the numbers that the classes are called: these, or as many as there are outputs in their order."""
    if not all(name.isdecimal() for name in class_names):
        return ()
    numbers = [int(name) for name in class_names]
    if max(numbers) >= count:
        numbers = [sorted(numbers).index(number) for number in numbers] if len(numbers) == count else []
    return tuple(numbers) if len(set(numbers)) == len(class_names) else ()


def matched(class_names: Sequence[str], names: Names) -> tuple[tuple[int, ...], list[str]]:
    """Outputs of the classes by WordNet id or name, and the classes that have none or share theirs."""
    exact = {name: index for index, known in enumerate(names) for name in known}
    # ImageNet has a Cardigan, which is a dog, and a cardigan.
    loose = Counter(_spelled(name) for name in exact)
    spelled = {_spelled(name): index for name, index in exact.items() if loose[_spelled(name)] == 1}
    found = {name: _number(name, exact, spelled) for name in class_names}
    shared = Counter(found.values())
    missing = [name for name, index in found.items() if index is None or shared[index] > 1]
    return tuple(index for index in found.values() if index is not None), missing


def _number(name: str, exact: Mapping[str, int], spelled: Mapping[str, int]) -> int | None:
    """A class's output: by its name, else by a WordNet id in it (``n03000684-chain_saw``)."""
    wnid = _WNID.search(name)
    if name in exact or wnid is None:
        return exact.get(name, spelled.get(_spelled(name)))
    return exact.get(wnid.group())


def _spelled(name: str) -> str:
    """A name without differences of case, and of what stands between words."""
    return " ".join(re.split(r"[\s_\-]+", name.strip().casefold()))


def _told(class_names: Sequence[str], count: int, told: object) -> OutputMap:
    where = "model.outputs"
    if told in (ORDER, NUMBERS):
        told = list(range(len(class_names)) if told == ORDER else _by_number(class_names, count))
    elif isinstance(told, str) and told != IMAGENET:
        where, told = f"model.outputs={told}", _read(Path(told).expanduser())
    names: Names = imagenet_names() if told == IMAGENET else ()
    if isinstance(told, Mapping) and all(
        str(value).isdecimal() and not isinstance(value, bool) for value in told.values()
    ):
        spelled = {_spelled(str(name)): int(value) for name, value in told.items()}
        missing = [name for name in class_names if _spelled(name) not in spelled]
        found = tuple(spelled[_spelled(name)] for name in class_names if name not in missing)
    elif isinstance(told, list | tuple) and told and all(type(value) is int for value in told):
        _check_count(where, len(told), len(class_names), "classes")
        found, missing = tuple(told), []
    else:
        names = names or _names(told, where)
        _check_count(where, len(names), count, "outputs")
        found, missing = matched(class_names, names)
    beyond = [index for index in found if not 0 <= index < count]
    if missing or beyond or len(set(found)) < len(found):
        what = f"has no output for class {missing[0]!r}" if missing else f"gives {list(found)[:10]}"
        raise EvoscopeError(
            f"{where} {what}",
            f"name a different output from 0 to {count - 1} for each of the {len(class_names)} classes",
        )
    order = () if found == tuple(range(count)) else found
    return OutputMap(count, order, f"{len(found)} of {count:,} outputs, by {where.partition('=')[0]}")


def _names(told: object, where: str) -> Names:
    """Names of the outputs in their order, from a list or from a mapping of numbers (ImageNet's index)."""
    if isinstance(told, Mapping) and sorted(map(str, told)) == sorted(map(str, range(len(told)))):
        told = [{str(key): value for key, value in told.items()}[str(index)] for index in range(len(told))]
    if not isinstance(told, list | tuple) or not told:
        raise EvoscopeError(f"{where} names no outputs", _FORMS)
    rows = [row if isinstance(row, list | tuple) else [row] for row in told]
    return [[str(name) for name in row] for row in rows]


def _check_count(where: str, given: int, wanted: int, of: str) -> None:
    if given != wanted:
        raise EvoscopeError(f"{where} has {given} entries, but there are {wanted} {of}", _FORMS)


def _read(path: Path) -> object:
    """What a file says: JSON, or a name per line."""
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix.lower() == ".json" else text.rstrip("\n").split("\n")
    except (OSError, ValueError) as error:
        raise EvoscopeError(f"model.outputs={path} cannot be read ({error})", _FORMS) from error
