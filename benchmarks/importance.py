"""What measuring the importance of evolutions costs beyond the passes it needs, and what the released loops cost.

The same in-memory images, the same threads, alternating in one process; the table gives medians over the
repeats. Bare work: a forward pass of the later network without gradients, one of the earlier network with
them, and one backward pass of the summed logits of the class to the first layers' maps (the parameters need no
gradient), with all maps and gradients thrown away. ::

    python -m benchmarks.importance --threads 2 --released
"""

import argparse
import time
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.timing import SPECS, alternate, network_options
from evoscope.evolution.importance import counted
from evoscope.evolution.pair import Pair, make_pair
from evoscope.models.layers import as_map, capture, hook_point
from evoscope.models.zoo import build

LABEL = 3


def bare_work(pair: Pair, batches: Sequence[Tensor]) -> None:
    """Run the three passes and nothing else."""
    first = hook_point(pair.before.module, pair.layers[0])
    for pixels in batches:
        with torch.no_grad():
            pair.after.module(pixels)
        starts: list[Tensor] = []
        hook = first.register_forward_hook(partial(_begin, starts))
        try:
            logits = pair.before.module(pixels)
        finally:
            hook.remove()
        torch.autograd.backward(logits[:, LABEL].sum(), inputs=starts)


def _begin(starts: list[Tensor], layer: nn.Module, inputs: object, output: Tensor) -> Tensor:
    starts.append(output.detach().requires_grad_())
    return starts[-1]


def ours(pair: Pair, batches: Sequence[Tensor]) -> None:
    """Measure importance as the library does."""
    counted(pair, batches, LABEL)


def released_sensitivities(pair: Pair, pixels: Tensor, label: int) -> dict[str, list[list[float]]]:
    """Sensitivities as ConceptEvo's released code goes about it: image by image, layer by layer, channel by channel.

    One backward pass per image and layer, through the graph of the whole batch; the change of a layer's map is
    computed anew for each channel.

    Returns
    -------
    Layer -> images -> channels, in logits.
    """
    changed: dict[str, list[list[float]]] = {}
    outputs: dict[str, Tensor] = {}
    with torch.no_grad(), capture(pair.after.module, pair.layers, lambda _, found: found.clone()) as later:
        pair.after.module(pixels)
    hooks = [
        hook_point(pair.before.module, layer).register_forward_hook(partial(_noted, outputs, layer))
        for layer in pair.layers
    ]
    logits = pair.before.module(pixels.clone().requires_grad_())
    for hook in hooks:
        hook.remove()
    for layer in pair.layers:
        place = hook_point(pair.before.module, layer)
        earlier = as_map(place, outputs[layer].detach(), layer)
        changed[layer] = [
            _by_channel(_gradient(logits[image, label], place, outputs[layer], layer)[image], earlier[image], end)
            for image, end in enumerate(later[layer])
        ]
    return changed


def _noted(outputs: dict[str, Tensor], name: str, layer: nn.Module, inputs: object, output: Tensor) -> Tensor:
    outputs[name] = output
    # What follows may change its input in place; the kept tensor stays as it was returned.
    return output.clone()


def _gradient(logit: Tensor, place: nn.Module, output: Tensor, layer: str) -> Tensor:
    (gradient,) = torch.autograd.grad(logit, output, retain_graph=True, allow_unused=True)
    return as_map(place, torch.zeros_like(output) if gradient is None else gradient, layer)


def _by_channel(gradient: Tensor, earlier: Tensor, later: Tensor) -> list[float]:
    return [torch.sum(gradient[channel] * (later - earlier)[channel]).item() for channel in range(len(gradient))]


def measure(name: str, options: argparse.Namespace) -> str:
    """Time one network: bare in both memory formats, ours (channels last, as on CPUs), and the ratios."""
    pair = make_pair(build(SPECS[name], 20, seed=0), build(SPECS[name], 20, seed=1))
    pixels = torch.randn(options.images, 3, *[pair.after.preprocessing.pixels] * 2)
    batches = torch.split(pixels, options.batch_size)
    turned = [batch.contiguous(memory_format=torch.channels_last) for batch in batches]
    contiguous, channels_last, measured = alternate(
        [lambda: bare_work(pair, batches), lambda: bare_work(pair, turned), lambda: ours(pair, turned)], options.repeats
    )
    bare = min(contiguous, channels_last)
    row = f"{name:14} {contiguous:10.3f} {channels_last:9.3f} {measured:8.3f} {measured / bare:9.3f}"
    return f"{row} {_against_released(pair, turned[0][: options.few])}" if options.released else row


def _against_released(pair: Pair, pixels: Tensor) -> str:
    """Time the released loops once, on one of their batches: they take long, and nothing needs to warm up."""
    (quick,) = alternate([lambda: ours(pair, [pixels])], repeats=5)
    start = time.perf_counter()
    released_sensitivities(pair, pixels, LABEL)
    slow = time.perf_counter() - start
    return f"{quick:9.3f} {slow:9.2f} {slow / quick:7.0f}x"


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    out = network_options(__doc__, 256)
    out.add_argument("--few", type=int, default=50, help="images of a batch of the released loops")
    out.add_argument("--released", action="store_true", help="time the released loops too")
    return out


def main() -> None:
    """Print the table."""
    options = parser().parse_args()
    torch.set_num_threads(options.threads)
    print(f"{'network':14} {'contiguous':>10} {'ch. last':>9} {'ours':>8} {'/fastest':>9}", end="")
    print(f" {'ours, few':>9} {'released':>9} {'faster':>8}" if options.released else "")
    for name in options.networks:
        print(measure(name, options), flush=True)


if __name__ == "__main__":
    main()
