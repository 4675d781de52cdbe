"""A network ready to be looked into: its module, its neuron layers and its own preprocessing."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from evoscope.data.images import SQUASH, Fit


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its images: a square of ``pixels``, then (x / 255 - mean) / std per RGB channel."""

    pixels: int
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    fit: Fit = SQUASH


@dataclass(frozen=True)
class Network:
    """A module in eval mode, the dotted names of its neuron layers in forward order, and its preprocessing.

    A neuron is a channel of one of ``layers``. ``inputs``: shape of one input where it is no image, such as
    (columns,) of a table's row; ``left_out``: layers that would be among them, and what is wrong with each.
    """

    name: str
    module: nn.Module
    layers: tuple[str, ...]
    preprocessing: Preprocessing
    inputs: tuple[int, ...] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input: ``inputs``, or that of a square image."""
        return self.inputs or (3, self.preprocessing.pixels, self.preprocessing.pixels)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Run in eval mode, and leave every part of the module in the mode it was in."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def hooked(hooks: Iterable[tuple[nn.Module, Callable[..., Any]]]) -> Iterator[None]:
    """Run with forward hooks on some modules."""
    with ExitStack() as stack:
        for part, hook in hooks:
            stack.callback(part.register_forward_hook(hook).remove)
        yield


def doubled(values: Tensor) -> Tensor:
    """Values in float64: on their device, or on the host where the device (Apple's) has none."""
    return (values.cpu() if values.device.type == "mps" else values).to(torch.float64)


def takes_channels_last(module: nn.Module) -> bool:
    """Whether a module may have its maps channels last in memory, on which a CPU convolves up to twice as fast.

    Torchvision's classes may. Others may flatten their maps by ``view``, which then fails.
    """
    return type(module).__module__.partition(".")[0] == "torchvision"


def layout(module: nn.Module, device: str | torch.device) -> torch.memory_format:
    """Memory format of images and weights: channels last on a CPU where the module takes that."""
    last = torch.device(device).type == "cpu" and takes_channels_last(module)
    return torch.channels_last if last else torch.contiguous_format


def layout_of(tensor: Tensor) -> torch.memory_format:
    """Memory format of a tensor that is there: channels last, or the usual one."""
    channels_last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format


def closest(name: str, known: Iterable[str]) -> str:
    """List the four known names most like ``name``, as text: ``'vgg16', 'vgg16_bn'``."""
    choices = list(known)
    alike = difflib.get_close_matches(name, choices, n=4, cutoff=0.4) or choices[:4]
    return ", ".join(repr(choice) for choice in alike)
