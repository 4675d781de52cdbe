"""Layers that hold the neurons of a module, by dotted name, and the hooks that read them.

A neuron is a channel of one of these layers, and its values are those that the layer returns, whatever a later step
does to them in place. Where a ReLU follows a convolution in a plain stack, ``once`` lists the ReLU alone.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from evoscope.errors import EvoscopeError, users_line
from evoscope.models.layouts import NOTE, Layout, layout_of, note, noted, obvious, probed, suggested
from evoscope.models.listing import default_layers, known_layers, rectified_convolutions
from evoscope.models.network import closest, evaluating, hooked
from evoscope.models.spec import Listing

Reduce = Callable[[str, Tensor], Any]


@contextmanager
def capture(
    module: nn.Module, layers: Sequence[str], reduce: Reduce | None = None, *, everywhere: bool = False
) -> Iterator[dict[str, Any]]:
    """Keep what the named layers return at each forward pass.

    Parameters
    ----------
    module : any module; layers : dotted names of modules in it.
    reduce : called as ``reduce(name, map)`` inside the hook; its result is kept instead of the map. Without it the
        pass goes on with copies, so that no later step changes what is kept.
    everywhere : see `as_map`.

    Yields
    ------
    A dictionary from layer name to its map [images, channels, height, width], renewed by each forward pass.

    Raises
    ------
    EvoscopeError : in the forward pass, when a layer returns something that is no map.
    """
    kept: dict[str, Any] = {}

    def read(name: str, layer: nn.Module, inputs: object, output: object) -> Tensor | None:
        found = as_map(layer, output, name, everywhere=everywhere)
        kept[name] = found if reduce is None else reduce(name, found)
        return output.clone() if reduce is None and isinstance(output, Tensor) else None

    with hooked((hook_point(module, name), partial(read, name)) for name in layers):
        yield kept


@dataclass
class GradientHooks:
    """Hooks that keep the maps of layers and reduce their gradients.

    ``overwritten``: layers whose map a later step changes in place; ``keep``: makes of a layer's map, without gradient,
    what is kept of it; ``kept``: of the last forward pass, until the last gradient has come.
    """

    overwritten: frozenset[str]
    keep: Callable[[str, Tensor], Tensor] = lambda name, found: found
    kept: dict[str, Tensor] = field(default_factory=dict)
    _leaves: list[Tensor] = field(default_factory=list)
    _found: dict[str, Any] = field(default_factory=dict)
    _reduce: Callable[[Tensor, Tensor], Any] | None = None
    _again: bool = False

    @contextmanager
    def attached(self, module: nn.Module, layers: Sequence[str]) -> Iterator[None]:
        """Watch the layers; afterwards nothing of the batch is kept."""
        with hooked((hook_point(module, name), partial(self._tap, name)) for name in layers):
            yield
        # The leaves' hooks know this object: a circle that would keep the maps until the garbage is collected.
        self._leaves.clear()
        self.kept.clear()

    def backward(
        self, value: Tensor, reduce: Callable[[Tensor, Tensor], Any], *, again: bool = False
    ) -> dict[str, Any]:
        """Go back from a sum over the batch.

        Parameters
        ----------
        value : a scalar of the forward pass.
        reduce : called as ``reduce(gradient, kept)`` with [b, channels, h, w] each, as soon as the gradient is there.
        again : whether another backward pass follows.

        Returns
        -------
        Layer -> what ``reduce`` made; of zeros where the value does not depend on the layer.
        """
        self._reduce, self._again, self._found = reduce, again, {}
        if value.requires_grad:
            torch.autograd.backward(value, inputs=self._leaves, retain_graph=again)
        for leaf in self._leaves:
            leaf.grad = None
        rest = {name: own for name, own in self.kept.items() if name not in self._found}
        return {**self._found, **{name: reduce(torch.zeros_like(own), own) for name, own in rest.items()}}

    def _tap(self, name: str, layer: nn.Module, inputs: object, output: Tensor) -> Tensor:
        self.kept[name] = self.keep(name, as_map(layer, output, name, everywhere=True).detach())
        if not output.requires_grad:
            # The parameters need no gradient, so the backward pass ends at the first layers.
            output = output.detach().requires_grad_()
            self._leaves.append(output)
        output.register_hook(partial(self._arrive, name, layer))  # type: ignore[no-untyped-call]
        # The pass goes on with a copy, so that what is kept, and the gradient, are of the layer's own values.
        return output.clone() if name in self.overwritten else output

    def _arrive(self, name: str, layer: nn.Module, gradient: Tensor) -> None:
        assert self._reduce is not None
        own = self.kept[name] if self._again else self.kept.pop(name)
        self._found[name] = self._reduce(as_map(layer, gradient, name, everywhere=True), own)


SHARED = "_evoscope_shared"


def read_after_in_place(module: nn.Module) -> None:
    """From now on read layers of a Sequential after the in-place step that follows them.

    ConceptEvo's released code listed convolution and in-place ReLU, which are one tensor by then (defect E5).
    """
    module.__dict__[SHARED] = True


def hook_point(module: nn.Module, name: str) -> nn.Module:
    """Find the module whose output is layer ``name``: its own, but for `read_after_in_place`."""
    layer = module.get_submodule(name)
    place, _, key = name.rpartition(".")
    parent = module.get_submodule(place)
    if not (module.__dict__.get(SHARED) and isinstance(parent, nn.Sequential)):
        return layer
    steps = list(parent.named_children())
    position = next((i for i, (child, _) in enumerate(steps) if child == key), len(steps))
    following = [step for _, step in steps[position + 1 : position + 2] if not getattr(layer, "inplace", False)]
    return next((step for step in following if getattr(step, "inplace", False)), layer)


def as_map(layer: nn.Module, output: object, name: str, *, everywhere: bool = False) -> Tensor:
    """View the output of a layer as a map [images, channels, height, width].

    A vector per image counts as a map of one cell. Tokens lie on their grid of patches, without those that stand for
    no patch (class, register); with ``everywhere``, for sums over all positions, they are one column with all of them.

    Raises
    ------
    EvoscopeError : when the output is no tensor of two to four axes.
    """
    problem = _no_map(output)
    if problem or not isinstance(output, Tensor):
        raise EvoscopeError(f"layer {name!r} {problem}", MEND)
    layout = layout_of(layer, output)
    return layout.everywhere(output) if everywhere else layout.placed(output)


MEND = "choose a layer that returns [images, channels, ...]"


def _no_map(output: object) -> str:
    if isinstance(output, Tensor):
        what = f"a tensor of shape {list(output.shape)}" if not 2 <= output.ndim <= 4 else ""
    else:
        what = type(output).__name__
    return f"returns {what}, not a map per channel" if what else ""


def channel_axis(layer: nn.Module, output: Tensor) -> int:
    """Find the axis of the channels in what a layer returns."""
    return layout_of(layer, output).axes[0]


Shape = tuple[int, int, int]


def layer_shapes(module: nn.Module, layers: Sequence[str], pixels: int) -> dict[str, Shape]:
    """Find the channels, height and width of each layer's map for a square image, in running order.

    Raises
    ------
    EvoscopeError : unknown or repeated names, layers that do not run exactly once, outputs that are no maps or whose
        places in the image cannot be told.
    """
    check_names(module, layers)
    found, left_out = survey(module, layers, (3, pixels, pixels))
    for name in layers:
        if name in left_out:
            raise EvoscopeError(f"layer {name!r} {left_out[name]}", "leave it out of model.layers, or " + MEND)
    return found


def own_layers(module: nn.Module, pixels: int, listing: Listing = "once") -> tuple[dict[str, Shape], dict[str, str]]:
    """Choose the layers of a module that are not named, by `default_layers`, and leave out what cannot be read.

    Returns
    -------
    Channels, height and width of their maps for a square image, in running order; what is wrong with those left out.

    Raises
    ------
    EvoscopeError : no layer is left.
    """
    if listing == "released":
        read_after_in_place(module)
    left_out: dict[str, str] = {}
    for choice in (default_layers(module, listing), rectified_convolutions(module)):
        found, refused = survey(module, choice, (3, pixels, pixels))
        left_out |= refused
        if found:
            return found, left_out
    name, reason = next(iter(left_out.items()))
    raise EvoscopeError(f"no layer can be read: {name!r} {reason}", f"name others in model.layers; {MEND}")


def survey(module: nn.Module, layers: Sequence[str], shape: Sequence[int]) -> tuple[dict[str, Shape], dict[str, str]]:
    """Look how each layer's output is laid out, and note it on the layer, for `as_map`.

    Parameters
    ----------
    module : left as it was, but for the notes.
    layers : dotted names of its parts.
    shape : of one image, [3, height, width].

    Returns
    -------
    Channels, height and width of the maps of the layers that can be read, in running order; and of each other layer
    what is wrong with it.

    Raises
    ------
    EvoscopeError : the module cannot see such an image.
    """
    runs: Counter[str] = Counter()
    left_out: dict[str, str] = {}
    sizes: dict[str, tuple[int, ...]] = {}

    def see(name: str, layer: nn.Module, inputs: object, output: object) -> None:
        runs[name] += 1
        if problem := _no_map(output):
            left_out[name] = problem
        elif isinstance(output, Tensor):
            sizes[name] = tuple(output.shape[1:])
            if len(output) != 1:
                left_out[name] = f"returns {len(output)} rows for one image, such as windows of it"

    run = partial(_look, module)
    with hooked((module.get_submodule(name), partial(see, name)) for name in layers):
        run(torch.zeros(1, *shape))
    for name in layers:
        if runs[name] != 1:
            left_out[name] = f"runs {runs[name]} times in a forward pass, so its neurons are not defined"
    sizes = {name: each for name, each in sizes.items() if name not in left_out}
    _note_layouts(module, sizes, shape, run)
    found: dict[str, Shape] = {}
    for name, each in sizes.items():
        layout = noted(module.get_submodule(name), each)
        if layout is None:
            what = f"{each[0]} tokens" if len(each) == 2 else f"numbers of sizes {list(each)}"
            left_out[name] = f"returns {what}, and where they lie in the image cannot be told"
        else:
            _, channels, height, width = layout.placed(torch.empty(1, *each, device="meta")).shape
            found[name] = (channels, height, width)
    return found, left_out


def _note_layouts(
    module: nn.Module, sizes: dict[str, tuple[int, ...]], shape: Sequence[int], run: Callable[[Tensor], None]
) -> None:
    """Note the layouts that are known, and find the others by touching the image."""
    parts = {name: module.get_submodule(name) for name in sizes}
    by_listing = known_layers(module)
    unknown = []
    for name, part in parts.items():
        layout = Layout((1, 2, 3)) if name in by_listing and len(sizes[name]) == 3 else None
        layout = layout or noted(part, sizes[name]) or obvious(part, sizes[name])
        if layout is None and next(module.parameters(), torch.empty(0)).is_meta:
            layout = suggested(sizes[name], square=shape[1] == shape[2])  # nothing runs there
        if layout is None:
            unknown.append(name)
        else:
            note(part, sizes[name], layout)
    if unknown:
        for name, layout in probed(module, unknown, shape, run).items():
            note(parts[name], sizes[name], layout)


def ensure_layouts(module: nn.Module, layers: Sequence[str], shape: Sequence[int]) -> None:
    """Look how the layers are laid out unless that was done, or the input of this ``shape`` is no image.

    Raises
    ------
    EvoscopeError : as `layer_shapes`.
    """
    if len(shape) == 3 and any(NOTE not in module.get_submodule(name).__dict__ for name in layers):
        _, left_out = survey(module, layers, shape)
        for name, reason in left_out.items():
            raise EvoscopeError(f"layer {name!r} {reason}", "leave it out of the network's layers")


def check_names(module: nn.Module, layers: Sequence[str]) -> None:
    """Refuse names that the module does not have, or that are given twice."""
    known = [name for name, _ in module.named_modules(remove_duplicate=False) if name]
    for name, count in Counter(layers).items():
        if name not in known:
            raise EvoscopeError(f"there is no layer {name!r}", f"the closest are {closest(name, known)}")
        if count > 1:
            raise EvoscopeError(f"layer {name!r} is given {count} times", "name each layer once in model.layers")


def _look(module: nn.Module, images: Tensor) -> None:
    """Run a pass in eval mode, for its hooks alone."""
    parameter = next(module.parameters(), torch.empty(0))
    try:
        with evaluating(module), torch.no_grad():
            module(images.to(parameter))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        height, width = images.shape[2:]
        raise EvoscopeError(
            f"the network cannot see an image of {height} x {width} pixels ({reason})",
            "set model.pixels to the size it was made for",
        ) from error
    except Exception as error:
        raise EvoscopeError(
            f"the network's forward raised {type(error).__name__} ({error})", f"mend {users_line(error) or 'it'}"
        ) from error
