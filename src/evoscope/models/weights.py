"""How the names in a file of weights become those of a module, and whether all of them fit."""

from collections import Counter
from pathlib import Path

import torch
from torch import nn

from evoscope.data.files import listed
from evoscope.errors import EvoscopeError
from evoscope.models.weight_files import MOST, State, read_with_remarks

# Heads that only training uses; a module built without them ignores their weights, as the protocol does.
AUXILIARY_HEADS = ("AuxLogits.", "aux1.", "aux2.")
# What training scripts keep beside the network: losses and metrics.
BESIDE = (*AUXILIARY_HEADS, "criterion.", "loss.", "loss_fn.", "loss_func.", "metrics.", "train_", "val_", "test_")
# Parts of names that wrappers add: distributed training, compilation, sharding, activation checkpoints.
WRAPPERS = frozenset(
    {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module", "_fpw_module"}
)
# Counters that no forward pass in eval mode reads. Files of before PyTorch 0.4.1 lack the first.
COUNTERS = ("num_batches_tracked", "n_averaged")


def load_file(
    module: nn.Module, path: Path, strip_prefix: str = "", state_dict_key: str | None = None
) -> tuple[str, ...]:
    """Load a state dict from a file into a module.

    Parameters
    ----------
    strip_prefix : of the names that are the module's; others are left alone. Without it, what wrappers add is taken off
        wherever it stands, and a prefix that all names of the module have in the file is found.

    Returns
    -------
    Remarks about what was left alone.

    Raises
    ------
    EvoscopeError : one sentence naming every kind of mismatch: missing names, unexpected names, shapes, types.
    """
    found, remarks = read_with_remarks(Path(path).expanduser(), state_dict_key)
    state, left = _renamed(found, module, strip_prefix, path)
    _check_match(state, module, path)
    module.load_state_dict(state, strict=False)
    if left:
        remarks.append(f"'{path.name}': {len(left)} entries are not the network's and left alone: {listed(left, MOST)}")
    # A diverged network may be looked at, but that it is one is said.
    bad = [name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if bad:
        remarks.append(f"'{path.name}' has NaN or infinite weights in {listed(bad, MOST)}: the network diverged")
    return tuple(remarks)


def _renamed(state: State, module: nn.Module, prefix: str, path: Path) -> tuple[State, list[str]]:
    """The state under the names of the module, and the names in the file that are none of its."""
    # The module's names by their bare form; where two have the same, each keeps its own.
    own = list(module.state_dict())
    counted = Counter(map(_bare, own))
    plain = {(_bare(name) if counted[_bare(name)] == 1 else name): name for name in own}
    keys = {name: each for each, name in plain.items()}
    bare = {name: keys.get(name, _bare(name)) for name in state}
    if prefix:
        start = _given_prefix(prefix, list(bare.values()), path)
    else:
        start = _found_prefix({name for name in plain if not name.endswith(COUNTERS)}, set(bare.values()), path)
    inside = {name: each.removeprefix(start) for name, each in bare.items() if each.startswith(start)}
    inside = {name: each for name, each in inside.items() if each in plain or not each.endswith(COUNTERS)}
    inside = {name: each for name, each in inside.items() if each in plain or not each.startswith(BESIDE)}
    counts = Counter(inside.values())
    twice = [name for name, each in inside.items() if counts[each] > 1]
    if twice:
        raise EvoscopeError(
            f"'{path}' has names that differ only in what wrappers add: {listed(twice, MOST)}", "save the weights once"
        )
    left = [name for name in state if name not in inside and not name.endswith(COUNTERS)]
    renamed = {plain.get(each, each): state[name] for name, each in inside.items()}
    return renamed, [name for name in left if not bare[name].removeprefix(start).startswith(AUXILIARY_HEADS)]


def _bare(name: str) -> str:
    """A name without what wrappers add."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _given_prefix(prefix: str, names: list[str], path: Path) -> str:
    """The prefix that the user gives, as it stands before bare names; its last dot may be left out."""
    start = _bare(prefix.rstrip("."))
    start = f"{start}." if start else ""
    if any(name.startswith(start) for name in names):
        return start
    if any(name.startswith(prefix) for name in names):
        return prefix
    raise EvoscopeError(
        f"no name in '{path}' begins with model.strip_prefix={prefix!r}: it holds {listed(names, MOST)}",
        "give the prefix that stands before the network's own names, or leave it out",
    )


def _found_prefix(wanted: set[str], names: set[str], path: Path) -> str:
    """Prefix that every wanted name has in the file: none, or the only one there is, else an error."""
    if not wanted or wanted <= names:
        return ""
    first = max(wanted, key=len)
    ends = {name[: -len(first)] for name in names if name.endswith(f".{first}")}
    fitting = sorted(start for start in ends if all(f"{start}{each}" in names for each in wanted))
    if len(fitting) > 1:
        raise EvoscopeError(
            f"'{path}' holds the network {len(fitting)} times, under {', '.join(map(repr, fitting))}",
            f"say which: model.strip_prefix={fitting[0]}",
        )
    return fitting[0] if fitting else ""


def _check_match(state: State, module: nn.Module, path: Path) -> None:
    own = module.state_dict()
    missing = [n for n in own if n not in state and not n.endswith(COUNTERS[0])]
    unexpected = [n for n in state if n not in own]
    shared = [n for n in own if n in state]
    shapes = [
        f"{n} is {list(state[n].shape)} in the file, {list(own[n].shape)} in the network"
        for n in shared
        if own[n].shape != state[n].shape
    ]
    types = [
        f"{n} is {str(state[n].dtype).removeprefix('torch.')} in the file, "
        f"{str(own[n].dtype).removeprefix('torch.')} in the network"
        for n in shared
        if own[n].is_floating_point() != state[n].is_floating_point()
    ]
    hollow = [n for n in shared if state[n].is_meta or state[n].layout is not torch.strided]
    kinds = (
        ("missing", missing),
        ("unexpected", unexpected),
        ("of other shape", shapes),
        ("of other type", types),
        ("sparse or without values", hollow),
    )
    problems = [f"{what} {len(names)}: {listed(names, MOST)}" for what, names in kinds if names]
    if problems:
        raise EvoscopeError(
            f"'{path}' does not fit the network; {'; '.join(problems)}",
            "check the architecture, the number of classes, and model.strip_prefix",
        )
