"""A user's own module, from a function of theirs."""

import importlib
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.names import closest
from evoscope.models.spec import ModelSpec

CLASS_ARGUMENTS = ("n_classes", "num_classes")


def build_custom(spec: ModelSpec, n_classes: int) -> nn.Module:
    """Call the function ``spec.factory`` for its module.

    It is called with ``n_classes`` (or ``num_classes``) if it takes that, and with ``spec.kwargs``.

    Raises
    ------
    EvoscopeError : when the function cannot be found, refuses its arguments, or returns no module.
    """
    function = find_function(spec.factory or "")
    arguments = {**_class_argument(function, n_classes), **spec.kwargs}
    try:
        inspect.signature(function).bind(**arguments)
    except TypeError as error:
        raise EvoscopeError(
            f"{spec.factory!r} refuses its arguments ({error})", "correct model.kwargs"
        ) from error
    module = function(**arguments)
    if not isinstance(module, nn.Module):
        raise EvoscopeError(
            f"{spec.factory!r} returned a {type(module).__name__}", "let it return a torch.nn.Module"
        )
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
    library = _import(place, f"{key}={factory!r}")
    function = getattr(library, name, None)
    if not callable(function):
        raise EvoscopeError(
            f"module {place!r} has no function {name!r}",
            f"the closest names are {closest(name, _functions(library))}",
        )
    return function  # type: ignore[no-any-return]  # narrowed by callable() above


def _import(place: str, asked: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise EvoscopeError(
            f"{asked} needs a module {error.name!r} that is not there",
            "start from the folder that holds it, put that folder on PYTHONPATH, or install the package",
        ) from error
    except Exception as error:
        raise EvoscopeError(
            f"importing {place!r} failed ({type(error).__name__}: {error})", "mend that module first"
        ) from error


def _functions(library: ModuleType) -> list[str]:
    return [name for name, value in vars(library).items() if callable(value) and not name.startswith("_")]


def _class_argument(function: Callable[..., Any], n_classes: int) -> dict[str, int]:
    parameters = inspect.signature(function).parameters
    return {name: n_classes for name in CLASS_ARGUMENTS if name in parameters}
