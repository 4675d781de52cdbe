"""Estimates for `dry_run`: seconds from one timed forward pass per network, bytes from counts of numbers."""

import time
from typing import NamedTuple

import torch
from torch import Tensor

from evoscope.models.layers import capture
from evoscope.models.network import Network
from evoscope.models.zoo import build
from evoscope.store import Estimate
from experiments.context import Context
from experiments.runs import Run

BATCH = 32
# A training step costs about three forward passes; the optimizer and the evaluations add some.
TRAINING_FORWARDS = 3.5


class NetworkSize(NamedTuple):
    """Seconds that a forward pass takes per image, and counts of parameters, neurons and layers."""

    seconds: float
    parameters: int
    neurons: int
    layers: int


_SIZES: dict[str, NetworkSize] = {}


def training_cost(context: Context, run: Run) -> Estimate | None:
    """Estimated cost of a training (only when a plan is asked for: timing takes a moment)."""
    if not context.config.dry_run or run.recipe is None:
        return None
    seconds, parameters, neurons, _ = measured(context, run)
    images = len(context.data.train) * run.recipe.epochs
    memory = _pixels(context, run) + 4 * 4 * parameters + 12 * run.recipe.batch_size * neurons
    return Estimate(seconds * images * TRAINING_FORWARDS, 4 * parameters * (run.recipe.epochs + 1), memory)


def pass_cost(context: Context, run: Run) -> Estimate | None:
    """Estimated cost of one activation pass over the pool and the test images."""
    if not context.config.dry_run:
        return None
    seconds, parameters, neurons, _ = measured(context, run)
    images = len(context.data.pool) + len(context.data.test)
    disk = 16 * neurons * context.space_protocol.k
    return Estimate(
        seconds * images * 1.2, disk, _pixels(context, run) + 4 * parameters + 4 * neurons * images
    )


def importance_cost(context: Context, run: Run) -> Estimate | None:
    """Estimated cost of the importance for one class: two forward passes and a backward pass per image."""
    if not context.config.dry_run:
        return None
    seconds, parameters, neurons, _ = measured(context, run)
    scale = context.config.scale
    images = scale.importance_images * scale.importance_samples
    return Estimate(
        4 * seconds * images, 32 * neurons * scale.importance_samples, _budget(context, parameters)
    )


def reversal_cost(context: Context, run: Run) -> Estimate | None:
    """Estimated cost of the reversals for one class: every condition runs half of the network for every layer."""
    if not context.config.dry_run:
        return None
    seconds, parameters, _, layers = measured(context, run)
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
    """The size of a run's network; each network is timed once."""
    classes = len(context.data.train.class_names)
    key = f"{run.spec}/{classes}/{context.device}"
    if key not in _SIZES:
        _SIZES[key] = _measure(build(run.spec, classes, 0), context.device)
    return _SIZES[key]


def _channels(layer: str, maps: Tensor) -> int:
    return maps.shape[1]


def _measure(network: Network, device: str) -> NetworkSize:
    module, pixels = network.module.to(device), network.preprocessing.pixels
    batch = torch.zeros(BATCH, 3, pixels, pixels, device=device)
    with torch.inference_mode(), capture(module, network.layers, _channels) as channels:
        module(batch)
        neurons = sum(channels.values())
        started = time.perf_counter()
        module(batch)
        seconds = (time.perf_counter() - started) / BATCH
    parameters = sum(p.numel() for p in module.parameters())
    return NetworkSize(seconds, parameters, neurons, len(network.layers))
