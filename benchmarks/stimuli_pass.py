"""What the stimuli pass costs beyond a bare forward pass, and what the released way of doing it costs.

The same in-memory images, the same threads, alternating in one process; the table gives medians over the
repeats. ::

    python -m benchmarks.stimuli_pass --threads 2
"""

import argparse
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchmarks.timing import SPECS, alternate, network_options
from evoscope.activations.scan import Scan, scan_batches
from evoscope.models.layers import capture
from evoscope.models.network import Network
from evoscope.models.zoo import build

Entry = tuple[float, int, int]


def bare_forward(network: Network, batches: Sequence[Tensor]) -> None:
    """Run the network and nothing else."""
    with torch.inference_mode():
        for pixels in batches:
            network.module(pixels)


def full_pass(network: Network, batches: Sequence[Tensor], scan: Scan) -> None:
    """Run the pass that the library offers."""
    scan_batches(network, batches, tuple(map(str, range(sum(map(len, batches))))), scan)


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
    """Time one network: bare in both memory formats, the pass, and its ratio to the faster of the two."""
    plain, quick = (build(SPECS[name], 20, seed=0) for _ in range(2))
    quick.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch types lag behind
    pixels = torch.randn(options.images, 3, *[plain.preprocessing.pixels] * 2)
    batches = torch.split(pixels, options.batch_size)
    turned = [batch.contiguous(memory_format=torch.channels_last) for batch in batches]
    scan = Scan(k=options.k, responsive=options.responsive, keep_maxima=options.maxima)
    calls: list[Callable[[], object]] = [
        lambda: bare_forward(plain, batches),
        lambda: bare_forward(quick, turned),
        lambda: full_pass(plain, batches, scan),
    ]
    if options.released:
        calls.append(lambda: released_stimuli(plain, batches, options.k))
    contiguous, channels_last, passed, *released = alternate(calls, options.repeats)
    bare = min(contiguous, channels_last)
    slow = f"{released[0]:9.2f} {released[0] / contiguous:6.2f}" if released else ""
    row = f"{name:14} {contiguous:10.3f} {channels_last:9.3f} {passed:8.3f} {passed / contiguous:9.3f}"
    return f"{row} {passed / bare:10.3f} {slow}"


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
    print(
        f"{'network':14} {'contiguous':>10} {'ch. last':>9} {'pass':>8} {'/contig.':>9} {'/fastest':>10}",
        end="",
    )
    print(f" {'released':>9} {'/contig.':>8}" if options.released else "")
    for name in options.networks:
        print(measure(name, options), flush=True)


if __name__ == "__main__":
    main()
