"""Estimates for plans: seconds from one timed forward pass per network, bytes from counts of numbers."""

import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from evoscope.evolution.pair import blank
from evoscope.models.layers import capture
from evoscope.models.network import Network
from evoscope.models.spec import ModelSpec
from evoscope.models.zoo import NoProducts, outline
from evoscope.store import Estimate
from experiments.context import Context
from experiments.runs import Run

SIZES = (1, 2, 4, 8, 16, 32)  # images of the forward passes that are timed, after one to warm up
ENOUGH = 0.15  # seconds that it takes
SAMPLE = 8  # images that are read to see how long that takes
TWO = 2  # images, because batch norm cannot train on one
# A training step costs about three forward passes; the optimizer and the evaluations add some.
TRAINING_FORWARDS = 3.5


class NetworkSize(NamedTuple):
    """Seconds that a forward pass takes per image, and counts of parameters, neurons and layers.

    ``saved``: bytes per image that a training step keeps for its backward pass.
    """

    seconds: float
    parameters: int
    neurons: int
    layers: int
    saved: int


_SIZES: dict[str, NetworkSize] = {}
_SECONDS: dict[str, float] = {}
_SAVED: dict[str, int] = {}
_READING: dict[str, float] = {}


def training_cost(context: Context, run: Run) -> Estimate | None:
    """Estimated cost of a training (only where somebody asks: timing takes a moment)."""
    if not context.estimates or run.recipe is None:
        return None
    size, recipe = measured(context, run), run.recipe
    images = len(context.data.train)
    seconds, reading = _with_reading(
        context, run, images, recipe.epochs, size.seconds * images * recipe.epochs * TRAINING_FORWARDS
    )
    kept = len({-1, recipe.epochs - 1, *recipe.keep}) if recipe.keep else recipe.epochs + 1
    memory = _pixels(context, run) + step_bytes(size, recipe.batch_size)
    return Estimate(seconds, 4 * size.parameters * kept, memory, reading)


def step_bytes(size: NetworkSize, batch: int) -> int:
    """Memory of a training step: weights, gradients, the optimizer's two moments, and what backward reads."""
    return 4 * 4 * size.parameters + batch * size.saved


def pass_cost(context: Context, run: Run) -> Estimate | None:
    """Estimated cost of one activation pass over the pool and the test images."""
    if not context.estimates:
        return None
    size, images = measured(context, run), len(context.data.pool) + len(context.data.test)
    seconds, reading = _with_reading(context, run, images, 1, size.seconds * images * 1.2)
    memory = _pixels(context, run) + 4 * size.parameters + 4 * size.neurons * images
    return Estimate(seconds, 16 * size.neurons * context.space_protocol.k, memory, reading)


def _with_reading(context: Context, run: Run, images: int, passes: int, computing: float) -> tuple[float, float]:
    """Seconds of some passes over images with what is waited for them, and that waiting alone."""
    pixels = run.spec.pixels
    streams = 3 * pixels**2 * images > context.config.memory_mb * 2**20
    reading = _seconds_to_read(context, run) * images / max(1, context.workers)
    # Images that fit the memory are read once; others at every pass, by workers while the network computes.
    if not streams:
        return computing + reading, reading
    waiting = max(0.0, passes * reading - computing) if context.workers else passes * reading
    return computing + waiting, waiting


def _seconds_to_read(context: Context, run: Run) -> float:
    """Seconds that reading an image takes in one process, from a few that are spread over the training set."""
    images, spec = context.data.train, run.spec
    key = f"{images.fingerprint}/{spec.pixels}/{spec.fit}"
    if key not in _READING:
        rows = np.linspace(0, len(images) - 1, min(SAMPLE, len(images))).astype(int)
        started = time.perf_counter()
        for row in rows:
            images.read(int(row), spec.pixels, spec.fit)
        _READING[key] = (time.perf_counter() - started) / len(rows)
    return _READING[key]


def importance_cost(context: Context, run: Run) -> Estimate | None:
    """Estimated cost of the importance for one class: two forward passes and a backward pass per image."""
    if not context.estimates:
        return None
    seconds, parameters, neurons, *_ = measured(context, run)
    scale = context.config.scale
    images = scale.importance_images * scale.importance_samples
    return Estimate(4 * seconds * images, 32 * neurons * scale.importance_samples, _budget(context, parameters))


def reversal_cost(context: Context, run: Run) -> Estimate | None:
    """Estimated cost of the reversals for one class: every condition runs half of the network for every layer."""
    if not context.estimates:
        return None
    seconds, parameters, _, layers, _ = measured(context, run)
    config, data = context.config, context.data
    conditions = 4 * config.scale.importance_samples + config.scale.random_draws + 1
    most = config.scale.reversal_images or len(data.train)
    images = sum(min(most, len(each) // len(data.train.class_names)) for each in (data.train, data.test))
    forwards = 2 + conditions * (layers / 2 + config.evolution.together)
    return Estimate(seconds * images * forwards, 64 * conditions * layers, _budget(context, parameters))


def _budget(context: Context, parameters: int) -> int:
    return context.config.memory_mb * 1_000_000 + 8 * parameters


def _pixels(context: Context, run: Run) -> int:
    whole = 3 * run.spec.pixels**2 * (len(context.data.train) + len(context.data.test))
    return min(whole, context.config.memory_mb * 1_000_000)


def measured(context: Context, run: Run) -> NetworkSize:
    """The size of a run's network; networks that compute the same are timed once."""
    classes = len(context.data.train.class_names)
    key = f"{run.spec}/{classes}/{context.device}"
    if key not in _SIZES:
        _SIZES[key] = _measure(run.spec, classes, context.device)
    return _SIZES[key]


def _measure(spec: ModelSpec, classes: int, device: str) -> NetworkSize:
    """Counts from the outline, then time with weights of zero, because random ones take longer to draw than to use."""
    network = outline(spec, classes)
    parameters = sum(p.numel() for p in network.module.parameters())
    with (
        NoProducts(),
        torch.inference_mode(),
        capture(network.module, network.layers, lambda _, maps: maps.shape[1]) as channels,
    ):
        network.module(blank(network))
    trained = f"{replace(spec, layers=(), listing='once')}/{classes}"
    if trained not in _SAVED:
        with NoProducts():
            _SAVED[trained] = saved_bytes(network)
    alike = f"{replace(spec, layers=(), listing='once', dropout=None)}/{classes}/{device}"
    if alike not in _SECONDS:
        with torch.inference_mode():
            _SECONDS[alike] = _seconds_per_image(zeroed(network, device))
    neurons = sum(channels.values())
    return NetworkSize(_SECONDS[alike], parameters, neurons, len(network.layers), _SAVED[trained])


def zeroed(network: Network, device: torch.device | str) -> Network:
    """The network of an outline on a device, all its weights zero."""
    module = network.module.to_empty(device=device).eval()
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.zero_()
    return replace(network, module=module)


def _seconds_per_image(network: Network) -> float:
    """Time a forward pass in batches that grow until it takes long enough to be told from a moment's delay."""
    fastest = float("inf")
    for count in (1, *SIZES):
        batch = blank(network, count)
        _wait(batch.device)
        started = time.perf_counter()
        network.module(batch)
        _wait(batch.device)
        took = time.perf_counter() - started
        fastest = min(fastest, took / count)
        if took > ENOUGH:
            break
    return fastest


def _wait(device: torch.device) -> None:
    """Let the device finish, because its kernels are only queued."""
    if device.type != "cpu":
        torch.accelerator.synchronize()


def saved_bytes(network: Network) -> int:
    """Bytes per image that a forward pass in training keeps for the backward pass, the weights left out."""
    weights = {p.untyped_storage()._cdata for p in network.module.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes()
        held.append(storage)
        return tensor

    held: list[torch.UntypedStorage] = []  # or a later one could have the address of one that is gone
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network.module.train()(blank(network, TWO))
    network.module.eval()
    return sum(kept.values()) // TWO
