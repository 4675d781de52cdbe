"""Running only what follows a layer, in any network, many variants of its map at once.

A forward pass is a tree of module calls. When layer L returns, some calls are complete; with their outputs
known they need not run again. So every module with a complete call is made to return the known output, L is
made to return the given map, and the network's own ``forward`` runs: branches, residuals and glue code work
as they stand. Of the complete calls only those that the logits still depend on need real values (a residual
that passes L by); a probe with one blank image finds them by their gradients. Two images of noise then test
that nothing was missed (what leaves no gradient: a mask, a batch size); if so, every call gets its real value.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from evoscope.errors import EvoscopeError
from evoscope.models.layers import hook_point

INPUT = -1
"""Stands for the images themselves among the calls."""


@dataclass(frozen=True)
class Call:
    """One call of a module: its number in the order of the beginnings, the module's name, the call around it.

    ``end``: number of calls that returned before this one did.
    """

    number: int
    name: str
    parent: int | None
    end: int


@dataclass(frozen=True)
class Suffix:
    """What follows one layer.

    ``layer``: its name; ``place``: name of the module whose output is its map (an in-place ReLU that follows
    it may be that); ``number``: the place's call; ``known``: calls that are complete before it and inside no
    other complete call, in order; ``live``: those of them, or `INPUT`, that the logits still depend on;
    ``blanks``: outputs of the others for one blank image, by call.
    """

    layer: str
    place: str
    number: int
    known: tuple[Call, ...]
    live: frozenset[int]
    blanks: Mapping[int, Any]


class Recorder:
    """Watches the calls of a forward pass and keeps the outputs of some."""

    def __init__(self, module: nn.Module, keep: Callable[[int], bool]) -> None:
        self.module = module
        self.keep = keep
        self.calls: list[Call] = []
        self.outputs: dict[int, Any] = {}
        self._open: list[int] = []
        self._begun: list[tuple[str, int | None]] = []

    @contextmanager
    def watching(self) -> Iterator["Recorder"]:
        """Record what runs in this context; earlier records are forgotten."""
        self.calls, self.outputs, self._open, self._begun = [], {}, [], []
        with ExitStack() as stack:
            for name, part in self.module.named_modules():
                if name:
                    stack.callback(part.register_forward_pre_hook(self._begins(name)).remove)
                    stack.callback(part.register_forward_hook(self._ends).remove)
            yield self

    def _begins(self, name: str) -> Callable[[nn.Module, Any], None]:
        def begin(part: nn.Module, inputs: Any) -> None:
            self._begun.append((name, self._open[-1] if self._open else None))
            self._open.append(len(self._begun) - 1)

        return begin

    def _ends(self, part: nn.Module, inputs: Any, output: Any) -> None:
        number = self._open.pop()
        name, parent = self._begun[number]
        self.calls.append(Call(number, name, parent, len(self.calls)))
        if self.keep(number):
            # A copy: a later step may change the tensor in place.
            self.outputs[number] = map_tensors(torch.clone, output)


def find_suffixes(module: nn.Module, layers: Sequence[str], pixels: Tensor) -> dict[str, Suffix]:
    """Find out what follows each layer, by one forward pass of blank images and one backward pass per layer.

    Parameters
    ----------
    module : in eval mode.
    layers : dotted names of layers that run once.
    pixels : one blank image [1, 3, s, s].

    Raises
    ------
    EvoscopeError : a layer does not run.
    """
    recorder, trial = (Recorder(module, lambda number: True) for _ in range(2))
    images = torch.randn((2, *pixels.shape[1:]), generator=torch.Generator().manual_seed(0)).to(pixels)
    with torch.no_grad():
        with recorder.watching():
            module(pixels)
        with trial.watching():
            logits = module(images)
    drafts = [_suffix(module, layer, recorder, pixels) for layer in layers]
    return {
        draft.layer: draft
        if _holds(module, draft, trial.outputs, images, logits)
        else replace(draft, live=frozenset([INPUT, *(call.number for call in draft.known)]), blanks={})
        for draft in drafts
    }


def run_suffix(
    module: nn.Module, suffix: Suffix, output: Any, known: Mapping[int, Any], pixels: Tensor, copies: int
) -> Any:
    """Run what follows a layer.

    Parameters
    ----------
    module : in eval mode.
    suffix : of `find_suffixes`.
    output : what the layer's place returns instead, for ``copies`` times the images.
    known : outputs of the suffix's live calls for the images.
    pixels : the images [b, 3, s, s].
    copies : how many times the images follow each other in ``output``.

    Returns
    -------
    What the module returns, for all copies.
    """
    outputs = {
        call.number: repeated(known[call.number], copies) if call.number in suffix.live else blank
        for call, blank in ((call, suffix.blanks.get(call.number)) for call in suffix.known)
    }
    images = repeated(pixels, copies) if INPUT in suffix.live else pixels[:1]
    with _replayed(module, suffix, {**outputs, suffix.number: output}):
        return module(images)


def repeated(value: Any, copies: int) -> Any:
    """Each tensor of ``value`` with its first axis repeated: all images, then all again."""
    return map_tensors(lambda tensor: tensor.repeat(copies, *[1] * (tensor.ndim - 1)), value)


def map_tensors(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Apply a function to every tensor in tuples, lists and dictionaries; anything else stays."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, dict):
        return {key: map_tensors(function, item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[map_tensors(function, item) for item in value])
    if isinstance(value, list | tuple):
        return type(value)(map_tensors(function, item) for item in value)
    return value


def tensors_in(value: Any) -> list[Tensor]:
    """Every tensor in tuples, lists and dictionaries."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(note, value)
    return found


def _suffix(module: nn.Module, layer: str, recorder: Recorder, pixels: Tensor) -> Suffix:
    point = hook_point(module, layer)
    place = next(str(name) for name, part in module.named_modules() if part is point)
    ends = {call.number: call for call in recorder.calls}
    at = next((call for call in recorder.calls if call.name == place), None)
    if at is None:
        raise EvoscopeError(f"layer {layer!r} does not run in a forward pass", "leave it out of model.layers")
    complete = {call.number for call in recorder.calls if call.end < at.end and not _inside(call, at, ends)}
    outermost = [ends[number] for number in sorted(complete) if ends[number].parent not in complete]
    blanks = {call.number: recorder.outputs[call.number] for call in outermost}
    draft = Suffix(layer, place, at.number, tuple(outermost), frozenset(), blanks)
    live = _live(module, draft, recorder.outputs[at.number], pixels)
    dead = {number: value for number, value in blanks.items() if number not in live}
    return replace(draft, live=live, blanks=dead)


def _inside(call: Call, outer: Call, calls: Mapping[int, Call]) -> bool:
    """Whether ``call`` happened within ``outer``."""
    parent = call.parent
    while parent is not None and parent != outer.number:
        parent = calls[parent].parent if parent in calls else None
    return parent is not None


def _live(module: nn.Module, draft: Suffix, output: Any, pixels: Tensor) -> frozenset[int]:
    """Known calls, or the images, that the logits depend on once the layer's map is given."""
    images = pixels.clone().requires_grad_()

    def leaf(tensor: Tensor) -> Tensor:
        return tensor.detach().requires_grad_() if tensor.is_floating_point() else tensor

    leaves = {number: map_tensors(leaf, value) for number, value in draft.blanks.items()}
    with torch.enable_grad(), _replayed(module, draft, {**leaves, draft.number: output}):
        logits = module(_unchanged(images))
    candidates = [(INPUT, images)] + [
        (number, tensor) for number, value in leaves.items() for tensor in tensors_in(value) if tensor.requires_grad
    ]
    if not logits.requires_grad:
        return frozenset()
    gradients = torch.autograd.grad(logits.sum(), [tensor for _, tensor in candidates], allow_unused=True)
    used = zip(candidates, gradients, strict=True)
    return frozenset(number for (number, _), gradient in used if gradient is not None)


def _holds(module: nn.Module, suffix: Suffix, outputs: Mapping[int, Any], images: Tensor, logits: Tensor) -> bool:
    """Whether the suffix gives the logits of a whole pass."""
    output = map_tensors(torch.clone, outputs[suffix.number])
    try:
        with torch.no_grad():
            found = run_suffix(module, suffix, output, outputs, images, copies=1)
    except RuntimeError:
        return False
    return found.shape == logits.shape and torch.allclose(found, logits, rtol=1e-4, equal_nan=True)


def _unchanged(tensor: Tensor) -> Tensor:
    """A copy that autograd follows, which later steps may change in place."""
    return tensor * 1 if tensor.requires_grad else tensor


@contextmanager
def _replayed(module: nn.Module, suffix: Suffix, outputs: Mapping[int, Any]) -> Iterator[None]:
    """Make the modules of known calls return ``outputs``, in the order of their calls, and then run as usual."""
    queues: dict[str, list[Any]] = {}
    for call in suffix.known:
        queues.setdefault(call.name, []).append(outputs[call.number])
    queues.setdefault(suffix.place, []).append(outputs[suffix.number])
    with ExitStack() as stack:
        for name, queue in queues.items():
            part = module.get_submodule(name)
            stack.callback(_put_back, part, part.__dict__.get("forward"))
            part.forward = _replay(queue, part.forward)
        yield


def _replay(queue: Sequence[Any], forward: Callable[..., Any]) -> Callable[..., Any]:
    """A ``forward`` that gives known outputs first."""
    waiting = list(reversed(queue))

    def replayed(*args: Any, **kwargs: Any) -> Any:
        return map_tensors(_unchanged, waiting.pop()) if waiting else forward(*args, **kwargs)

    return replayed


def _put_back(part: nn.Module, forward: Any) -> None:
    if forward is None:
        del part.__dict__["forward"]
    else:
        part.forward = forward
