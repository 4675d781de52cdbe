"""A pretended accelerator: tensors on it are computed by the CPU, and behave as if they lay elsewhere.

A tensor moved to the device is wrapped (`Held`): to C++ it lies on the device ``lazy``, for which there are no
kernels, and to Python on ``cuda`` or ``mps``, whichever is pretended. Operators are carried out on what is wrapped, and
refused where a real device refuses: tensors of two devices in one operator, ``.numpy()`` of a tensor on the device, and
float64 on one that lacks it. Each way back to the host (a copy, ``.item()``, a shape that values decide) is counted.
"""

from collections import Counter
from contextlib import ExitStack, contextmanager, nullcontext
from types import FunctionType

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_map_only

aten = torch.ops.aten
DEVICE, STORAGE = torch.Tensor.device.__get__, torch.Tensor.untyped_storage
INSIDE = torch.device("lazy", 0)
BETWEEN = (aten._to_copy, aten.copy_)
WAITING = (
    *(aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal, aten.is_nonzero),
    *(aten._unique2, aten.unique_dim, aten.bincount),
)


class Held(torch.Tensor):
    """A tensor on the pretended device; ``inner``: where its values are."""

    @staticmethod
    def __new__(cls, inner):
        held = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=INSIDE,
            requires_grad=False,
        )
        held.inner = inner
        return held

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise AssertionError(f"{function} outside of the pretended accelerator")

    def __repr__(self):
        return f"Held({self.inner})"


def _bare(tensor):
    return tensor.inner if isinstance(tensor, Held) else tensor


class _Operators(TorchDispatchMode):
    """Carries operators out on what the tensors hold."""

    def __init__(self, doubles):
        super().__init__()
        self.doubles, self.count, self.waits = doubles, 0, Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs, packet = dict(kwargs or {}), function.overloadpacket
        tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, torch.Tensor)]
        held = [each for each in tensors if isinstance(each, Held)]
        target = kwargs.get("device")
        there = bool(held)
        if target is not None:
            there, kwargs["device"] = target.type == INSIDE.type, torch.device("cpu")
        elif packet is aten.copy_:
            there = isinstance(args[0], Held)
        if not held and not there:
            return function(*args, **{**kwargs, **({} if target is None else {"device": target})})
        if held and packet not in BETWEEN:
            self._refuse_mixed(function, tensors)
        self.count += 1
        if packet in WAITING or (held and not there) or _masked(packet, args):
            self.waits[str(packet)] += 1
        inner_args, inner_kwargs = tree_map_only(Held, _bare, (args, kwargs))
        out = function(*inner_args, **inner_kwargs)
        known = {id(each.inner): each for each in held}
        return tree_map(lambda each: self._wrapped(each, known, function), out) if there else out

    @staticmethod
    def _refuse_mixed(function, tensors):
        """A single number on the host may meet tensors of any device; everything else lies on one."""
        if any(each.ndim and not isinstance(each, Held) for each in tensors):
            shapes = [(type(each).__name__, tuple(each.shape)) for each in tensors]
            raise RuntimeError(f"{function}: expected all tensors to be on the same device: {shapes}")

    def _wrapped(self, value, known, function):
        if not isinstance(value, torch.Tensor):
            return value
        if not self.doubles and value.dtype in (torch.float64, torch.complex128):
            raise TypeError(f"{function}: the device does not have float64")
        return known[id(value)] if id(value) in known else Held(value)


def _masked(packet, args):
    """Whether a tensor is indexed by a mask, whose values decide the shape."""
    if packet not in (aten.index, aten.index_put_, aten.index_put):
        return False
    return any(isinstance(each, Held) and each.dtype == torch.bool for each in args[1])


class _Names(TorchFunctionMode):
    """Lets Python see the device under the pretended name."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function == DEVICE:
            found = function(*args)
            return torch.device(self.name, 0) if found.type == INSIDE.type else found
        kwargs = kwargs or {}
        if not isinstance(
            function, FunctionType | type
        ):  # torch's own functions in Python look modules up by that name
            args, kwargs = tree_map(self._inside, (args, kwargs))
        if function in (torch.tensor, torch.as_tensor) and kwargs.get("device") == INSIDE:
            # These fill memory of the device before any operator is dispatched.
            return function(*args, **{**kwargs, "device": "cpu"}).to(INSIDE)
        return function(*args, **kwargs)

    def _inside(self, value):
        named = isinstance(value, torch.device) and value.type == self.name
        return INSIDE if named or (isinstance(value, str) and value.partition(":")[0] == self.name) else value


@contextmanager
def pretended(monkeypatch, name="cuda"):
    """The device ``cuda`` or ``mps`` for as long as the context lasts; yields what counts its operators and waits."""
    operators = _Operators(doubles=name != "mps")
    with monkeypatch.context() as patch, ExitStack() as stack:
        patch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
        patch.setattr(torch.Tensor, "untyped_storage", lambda tensor: STORAGE(_bare(tensor)))
        patch.setattr(torch, "use_deterministic_algorithms", lambda mode, warn_only=False: None)
        patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        patch.setattr(torch.cuda, "is_available", lambda: name == "cuda")
        patch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: False)
        patch.setattr(torch.cuda, "device", lambda device: nullcontext())
        patch.setattr(torch.cuda, "manual_seed", torch.default_generator.manual_seed)
        patch.setattr(torch.cuda, "get_rng_state", lambda device="cuda": torch.get_rng_state())
        patch.setattr(torch.cuda, "set_rng_state", lambda state, device="cuda": None)
        stack.enter_context(operators)
        stack.enter_context(_Names(name))
        yield operators
