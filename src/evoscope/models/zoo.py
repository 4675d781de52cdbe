"""Networks from specifications: torchvision's, the families at other sizes, or a user's own function."""

import importlib
import inspect
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from evoscope.errors import EvoscopeError, users_line
from evoscope.models.families import (
    VARIANTS,
    build_convnext,
    build_inception,
    build_vgg,
    check_depths,
    check_width,
    is_full,
    is_vgg,
)
from evoscope.models.layers import layer_shapes, own_layers
from evoscope.models.layouts import note, obvious, put_notes, suggested, taken_notes
from evoscope.models.network import Network, Preprocessing, closest, hooked
from evoscope.models.outputs import ChosenOutputs
from evoscope.models.spec import Listing, ModelSpec
from evoscope.models.torchvision_models import (
    IMAGENET_CLASSES,
    build_any,
    build_pretrained,
    check_name,
    find_weights,
    minimum_pixels,
)
from evoscope.models.weights import load_file
from evoscope.seeds import derive

CLASS_ARGUMENTS = ("n_classes", "num_classes")


def build_custom(spec: ModelSpec, n_classes: int) -> nn.Module:
    """Call the function ``spec.factory`` for its module.

    It is called with ``n_classes`` (or ``num_classes``) if it takes that, and with ``spec.kwargs``.

    Raises
    ------
    EvoscopeError : when the function cannot be found, refuses its arguments, or returns no module.
    """
    function = find_function(spec.factory or "")
    signature = inspect.signature(function)
    classes = {name: n_classes for name in CLASS_ARGUMENTS if name in signature.parameters}
    arguments = {**classes, **spec.kwargs}
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise EvoscopeError(f"{spec.factory!r} refuses its arguments ({error})", "correct model.kwargs") from error
    try:
        module = function(**arguments)
    except EvoscopeError:
        raise
    except (Exception, SystemExit) as error:
        raise EvoscopeError(
            f"model.factory={spec.factory} raised {type(error).__name__} ({error})",
            f"mend {users_line(error) or spec.factory}",
        ) from error
    if not isinstance(module, nn.Module):
        raise EvoscopeError(f"{spec.factory!r} returned a {type(module).__name__}", "let it return a torch.nn.Module")
    return module


def find_function(factory: str, key: str = "model.factory") -> Callable[..., Any]:
    """Import the function that ``package.module:function`` names; ``key``: where it was asked for, for the message.

    Raises
    ------
    EvoscopeError : the name has another form, or there is no such module or function.
    """
    place, colon, name = factory.partition(":")
    if not (place and colon and name):
        raise EvoscopeError(f"{key}={factory!r} names no function", "write it as package.module:function")
    try:
        library = importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise EvoscopeError(
            f"{key}={factory!r} needs a module {error.name!r} that is not there",
            "start from the folder that holds it, put that folder on PYTHONPATH, or install the package",
        ) from error
    except Exception as error:
        raise EvoscopeError(
            f"importing {place!r} failed ({type(error).__name__}: {error})", "fix that module first"
        ) from error
    function = getattr(library, name, None)
    if not callable(function):
        functions = [key for key, each in vars(library).items() if callable(each) and not key.startswith("_")]
        raise EvoscopeError(
            f"module {place!r} has no function {name!r}", f"the closest names are {closest(name, functions)}"
        )
    return function  # type: ignore[no-any-return]  # narrowed by callable() above


def build(spec: ModelSpec, n_classes: int, seed: int) -> Network:
    """Build the network of ``spec``, its start drawn from ``seed``, in eval mode on the CPU.

    Called as a module it returns the logits of the classes alone, in their order, where ``spec.outputs`` says which.
    Its layers are checked by one forward pass of a blank image, and listed in the order in which they run. Of layers
    that are not named, those that cannot be read are left out.

    Raises
    ------
    EvoscopeError : unknown names, impossible combinations, layers that are no maps.
    """
    module = build_module(spec, spec.built_for or n_classes, seed).eval()
    if spec.outputs:
        module.register_forward_hook(ChosenOutputs(spec.outputs))
    factory = find_function(spec.factory) if spec.factory else None
    notes = _NOTES.setdefault((repr(replace(spec, layers=(), listing="once")), n_classes, factory), {})
    put_notes(notes, module)
    network = listed(spec.name, module, _preprocessing(spec), spec.layers, spec.listing)
    notes.update(taken_notes(module))
    return network


def _preprocessing(spec: ModelSpec) -> Preprocessing:
    return Preprocessing(spec.pixels, spec.mean, spec.std, spec.fit)


def listed(
    name: str, module: nn.Module, preprocessing: Preprocessing, layers: Sequence[str] = (), listing: Listing = "once"
) -> Network:
    """A module in eval mode with the layers that are named, or those that it has and that can be read.

    Raises
    ------
    EvoscopeError : layers that do not exist or are no maps, or none that can be read.
    """
    left_out: dict[str, str] = {}
    if layers:
        shapes = layer_shapes(module, layers, preprocessing.pixels)
    else:
        shapes, left_out = own_layers(module, preprocessing.pixels, listing)
    return Network(name, module, tuple(shapes), preprocessing, left_out=left_out)


_NOTES: dict[tuple[object, ...], dict[str, Any]] = {}
"""Layouts by architecture: they take a pass of several images to find, and a job builds a network many times."""


def outline(spec: ModelSpec, n_classes: int) -> Network:
    """The network of ``spec`` with weights that are not set, for whoever asks for shapes, layers and sizes alone.

    They are those of `build`; `NoProducts` makes a forward pass cost next to nothing. A user's own network, and one
    whose layers' layouts only values tell, is built in full.

    Raises
    ------
    EvoscopeError : as for `build`.
    """
    if spec.factory is not None:
        return build(spec, n_classes, 0)
    validate(spec)
    published = spec.weights is not None and not _is_file(spec)
    classes = IMAGENET_CLASSES if published else n_classes
    with ExitStack() as undrawn:
        for name in DRAWN:
            undrawn.enter_context(patch.object(nn.init, name, lambda tensor, *_, **__: tensor))
        module = _construct(replace(spec, weights=None), classes).eval()
    try:
        with NoProducts():
            _note_likely(module, spec.pixels)
            found = listed(spec.name, module, _preprocessing(spec), spec.layers, spec.listing)
    except (EvoscopeError, RuntimeError, NotImplementedError):
        found = None
    # Layouts that only values tell apart cannot be found here.
    if found is None or found.left_out:
        return build(replace(spec, weights=None), classes, 0)
    return found


# What draws the weights of a network.
DRAWN = ("normal_", "uniform_", "trunc_normal_", *("kaiming_normal_", "kaiming_uniform_"), "xavier_uniform_")


def _note_likely(module: nn.Module, pixels: int) -> None:
    """Note on every part the layout that its sizes suggest, because values tell nothing here."""

    def see(part: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and 2 <= output.ndim <= 4:
            sizes = tuple(output.shape[1:])
            note(part, sizes, obvious(part, sizes) or suggested(sizes, square=True))

    with hooked((part, see) for part in module.modules()), torch.inference_mode():
        module(torch.zeros(1, 3, pixels, pixels))


class NoProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own has no annotations
    """Gives what convolutions and matrix products make of weights of zero, without the arithmetic."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch imports its compiler, which takes a second, and asks it at every operator

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Zeros of the right shape."""
        product = _PRODUCTS.get(func.overloadpacket)
        return func(*args, **(kwargs or {})) if product is None else product(func, *args)


def _no_convolution(func: Any, inputs: Tensor, weight: Tensor, *options: Any) -> Any:
    _, stride, padding, dilation, transposed, *_ = options
    if transposed:
        return func(inputs, weight, *options)
    sizes = zip(inputs.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    places = [(size + 2 * pad - far * (side - 1) - 1) // step + 1 for size, side, step, pad, far in sizes]
    return inputs.new_zeros(len(inputs), len(weight), *places)


def _no_gradients(func: Any, gradient: Tensor, inputs: Tensor, weight: Tensor, *options: Any) -> Any:
    wanted = options[-1]
    shapes = (inputs.shape, weight.shape, weight.shape[:1])
    return tuple(inputs.new_zeros(shape) if each else None for shape, each in zip(shapes, wanted, strict=True))


def _no_matrix(func: Any, *factors: Tensor, **options: Any) -> Tensor:
    first, second = factors[-2:]
    return first.new_zeros(*first.shape[:-1], second.shape[-1])


_PRODUCTS: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.convolution: _no_convolution,
    torch.ops.aten.convolution_backward: _no_gradients,
    **dict.fromkeys((torch.ops.aten.mm, torch.ops.aten.bmm, torch.ops.aten.addmm), _no_matrix),
}


def build_module(spec: ModelSpec, n_classes: int, seed: int) -> nn.Module:
    """Build the module alone; the global random state is left as it was."""
    validate(spec)
    with torch.random.fork_rng(devices=[]):
        # The CPU's generator only: torch.manual_seed would also reseed every GPU.
        torch.default_generator.manual_seed(derive(seed, "start"))
        module = _construct(spec, n_classes)
    if _is_file(spec):
        load_file(module, Path(str(spec.weights)))
    return module


def validate(spec: ModelSpec) -> None:
    """Refuse, before any work, what cannot be built.

    Raises
    ------
    EvoscopeError : the first thing that is wrong, and how to fix it.
    """
    if not 0 < spec.width <= 8:
        raise EvoscopeError(f"a network cannot have width {spec.width}", "choose model.width between 0 and 8")
    if spec.pixels < 1:
        raise EvoscopeError(f"an image cannot have {spec.pixels} pixels a side", "choose a positive model.pixels")
    if spec.factory is not None:
        find_function(spec.factory)
        if spec.weights is not None and not _is_file(spec):
            raise EvoscopeError(
                f"there is no file model.weights={spec.weights}",
                f"check the path, or give them as an argument of {spec.factory}: model.kwargs={{weights:...}}",
            )
    else:
        _validate_torchvision(spec)


def _validate_torchvision(spec: ModelSpec) -> None:
    check_name(spec.name)
    smallest = minimum_pixels(spec.name)
    if spec.pixels < smallest:
        raise EvoscopeError(
            f"{spec.name!r} cannot see images of {spec.pixels} pixels", f"set model.pixels to {smallest} or more"
        )
    if spec.name == "inception_v3":
        check_width(spec.width)
    if spec.depths is not None and spec.name not in VARIANTS:
        raise EvoscopeError(f"{spec.name!r} takes no depths", "leave model.depths out: only ConvNeXt has them")
    check_depths(spec.depths)
    if spec.weights is not None and not _is_file(spec):
        find_weights(spec)


def _construct(spec: ModelSpec, n_classes: int) -> nn.Module:
    if spec.factory is not None:
        return build_custom(spec, n_classes)
    if "num_classes" in spec.kwargs:
        kwargs = dict(spec.kwargs)
        n_classes = int(kwargs.pop("num_classes"))
        spec = replace(spec, kwargs=kwargs)
    if spec.weights is not None and not _is_file(spec):
        return build_pretrained(spec)
    if is_vgg(spec.name) and not is_full(spec):
        return build_vgg(spec, n_classes)
    if spec.name == "inception_v3" and spec.width != 1:
        return build_inception(spec, n_classes)
    if spec.name in VARIANTS and (spec.width != 1 or spec.depths is not None):
        return build_convnext(spec, n_classes)
    return build_any(spec, n_classes)


def _is_file(spec: ModelSpec) -> bool:
    """Whether the weights are a file, or a folder of Hugging Face."""
    return spec.weights is not None and Path(spec.weights).expanduser().exists()
