"""What the stimuli pass costs beyond a bare forward pass, and what the released way of doing it costs.

The same in-memory images, the same threads, alternating in one process; the table gives medians over the
repeats. Below each network stands where the seconds of the pass go: what it does beside a forward in its memory
format, the reductions of the dearest layers by name. ::

    python -m benchmarks.stimuli_pass --threads 2
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.timing import SPECS, alternate, network_options
from evoscope.activations.reductions import MapReader
from evoscope.activations.scan import Scan, _laid_out, _Pass, scan_batches
from evoscope.models.layers import capture
from evoscope.models.network import Network
from evoscope.models.zoo import build

Entry = tuple[float, int, int]
DEAREST = 4  # layers whose reductions are named
MAXIMA = "top k, statistics and responsive neurons"


def bare_forward(network: Network, batches: Sequence[Tensor]) -> None:
    """Run the network and nothing else."""
    with torch.inference_mode():
        for pixels in batches:
            network.module(pixels)


def full_pass(network: Network, batches: Sequence[Tensor], scan: Scan) -> None:
    """Run the pass that the library offers."""
    scan_batches(network, batches, tuple(map(str, range(sum(map(len, batches))))), scan)


def hooked_forward(network: Network, batches: Sequence[Tensor]) -> None:
    """Run the network with hooks that look at nothing."""
    with capture(network.module, network.layers, lambda _, maps: None):
        bare_forward(network, batches)


def laid_out(network: Network, batches: Sequence[Tensor]) -> None:
    """Change pixels and weights to the pass's memory format, and do nothing with them."""
    with _laid_out(network.module, torch.channels_last):
        for pixels in batches:
            pixels.contiguous(memory_format=torch.channels_last)


def parts(call: Callable[[], object]) -> dict[str, float]:
    """Seconds of one pass by name of a layer, for its reductions; and of all that becomes of their maxima."""
    seconds: dict[str, float] = defaultdict(float)

    def clocked(kind: type, name: str) -> Any:
        method = getattr(kind, name)

        def timed(self: object, *arguments: Any) -> Any:
            start = time.perf_counter()
            found = method(self, *arguments)
            seconds[arguments[0] if kind is MapReader else MAXIMA] += time.perf_counter() - start
            return found

        return patch.object(kind, name, timed)

    with ExitStack() as stack:
        for kind, name in ((MapReader, "__call__"), (_Pass, "add"), (_Pass, "bars"), (_Pass, "result")):
            stack.enter_context(clocked(kind, name))
        call()
    return seconds


def described(bare: float, hooked: float, layout: float, passed: float, seconds: dict[str, float]) -> str:
    """Where the seconds of a pass go, in a line."""
    maxima = seconds.pop(MAXIMA)
    reductions = sum(seconds.values())
    most = sorted(seconds.items(), key=lambda each: -each[1])[:DEAREST]
    dearest = ", ".join(f"{layer} {took:.3f}" for layer, took in most)
    told = {
        "forward": bare,
        "hooks": hooked - bare,
        f"reductions of {len(seconds)} layers": reductions,
        MAXIMA: maxima,
        "changes of layout": layout,
    }
    known = ", ".join(f"{name} {took:.3f}" for name, took in told.items())
    return f"  {known}, the rest {passed - sum(told.values()):.3f} s; dearest reductions: {dearest}"


def released_stimuli(network: Network, batches: Sequence[Tensor], k: int) -> dict[str, list[list[Entry]]]:
    """Find the stimuli as ConceptEvo's released code goes about it, neuron by neuron in Python.

    Every map is kept until its batch is done, every arg-max is computed, and each neuron's list is joined
    with the batch's values and cut to k again.

    Returns
    -------
    Per layer and channel the k entries (value, image, arg-max cell), most exciting first, the earlier of
    equals first.
    """
    best: dict[str, list[list[Entry]]] = {}
    first = 0
    for pixels in batches:
        with torch.inference_mode(), capture(network.module, network.layers) as maps:
            network.module(pixels)
        for layer, activation in maps.items():
            values, cells = activation.flatten(2).max(2)
            lists = best.setdefault(layer, [[] for _ in range(values.shape[1])])
            for channel, entries in enumerate(lists):
                lists[channel] = _joined(entries, values[:, channel], cells[:, channel], first, k)
        first += len(pixels)
    return best


def _joined(entries: list[Entry], values: Tensor, cells: Tensor, first: int, k: int) -> list[Entry]:
    positions = range(first, first + len(values))
    both = entries + list(zip(values.tolist(), positions, cells.tolist(), strict=True))
    return sorted(both, key=lambda entry: (-entry[0], entry[1]))[:k]


def measure(name: str, options: argparse.Namespace) -> str:
    """Time one network: bare in both memory formats, the pass, its ratio to the faster of the two, and its parts."""
    plain, quick = (build(SPECS[name], 20, seed=0) for _ in range(2))
    quick.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch types lag behind
    pixels = torch.randn(options.images, 3, *[plain.preprocessing.pixels] * 2)
    batches = torch.split(pixels, options.batch_size)
    turned = [batch.contiguous(memory_format=torch.channels_last) for batch in batches]
    scan = Scan(k=options.k, responsive=options.responsive, keep_maxima=options.maxima)
    calls: list[Callable[[], object]] = [
        lambda: bare_forward(plain, batches),
        lambda: bare_forward(quick, turned),
        lambda: hooked_forward(quick, turned),
        lambda: laid_out(plain, batches),
        lambda: full_pass(plain, batches, scan),
    ]
    if options.released:
        calls.append(lambda: released_stimuli(plain, batches, options.k))
    contiguous, channels_last, hooked, layout, passed, *released = alternate(calls, options.repeats)
    bare = min(contiguous, channels_last)
    slow = f"{released[0]:9.2f} {released[0] / contiguous:6.2f}" if released else ""
    row = f"{name:14} {contiguous:10.3f} {channels_last:9.3f} {passed:8.3f} {passed / contiguous:9.3f}"
    where = described(channels_last, hooked, layout, passed, parts(calls[4]))
    return f"{row} {passed / bare:10.3f} {slow}\n{where}"


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    out = network_options(__doc__, 2000)
    out.add_argument("-k", type=int, default=20, help="stimuli per neuron")
    out.add_argument("--responsive", type=int, default=20, help="responsive neurons per image")
    out.add_argument("--maxima", action="store_true", help="keep all maxima too")
    out.add_argument("--released", action="store_true", help="time the released way too")
    return out


def main() -> None:
    """Print the table."""
    options = parser().parse_args()
    torch.set_num_threads(options.threads)
    print(f"{'network':14} {'contiguous':>10} {'ch. last':>9} {'pass':>8} {'/contig.':>9} {'/fastest':>10}", end="")
    print(f" {'released':>9} {'/contig.':>8}" if options.released else "")
    for name in options.networks:
        print(measure(name, options), flush=True)


if __name__ == "__main__":
    main()
