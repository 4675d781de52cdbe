"""What the reductions of a pass keep in memory, for a pool of ImageNet's size and networks at full width.

Maxima are drawn and not computed, so that minutes do for what takes a network days. Memory is what the process holds
for itself (not the pages of temporary files), above what it held before the pass, at its peak. ::

    python -m benchmarks.pass_memory --images 128117
"""

import argparse
import resource
import time
from pathlib import Path

import torch

from evoscope.activations.reductions import Reading
from evoscope.activations.scan import Scan, _Pass
from evoscope.models.layers import capture
from evoscope.models.spec import ModelSpec
from evoscope.models.zoo import build

SPECS = {"vgg19": ModelSpec("vgg19", pixels=224), "convnext_tiny": ModelSpec("convnext_tiny", pixels=224)}
CLASSES, MIB = 1000, 2**20
STATUS = Path("/proc/self/status")


def own_bytes() -> int:
    """Anonymous memory of this process now; where the system does not tell, its peak of all memory."""
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def channels_of(spec: ModelSpec) -> dict[str, int]:
    """Neurons of each layer, from a small image."""
    network = build(spec, CLASSES, seed=0)
    with torch.inference_mode(), capture(network.module, network.layers, lambda _, maps: maps.shape[1]) as found:
        network.module(torch.zeros(1, 3, 64, 64))
    return {layer: found[layer] for layer in network.layers}


def measure(name: str, options: argparse.Namespace, rule: str) -> str:
    """Time and peak memory of one network's reductions, and what is expected of them."""
    channels = channels_of(SPECS[name])
    neurons = sum(channels.values())
    scan = Scan(options.k, options.responsive, rule, memory_mb=options.memory_mb)  # type: ignore[arg-type]  # checked there
    draws = torch.Generator().manual_seed(0)
    before, peak, started, state = own_bytes(), 0, time.perf_counter(), None
    for first in range(0, options.images, options.batch_size):
        size = min(options.batch_size, options.images - first)
        maxima = torch.randn(size, neurons, generator=draws).relu_().split(list(channels.values()), dim=1)  # type: ignore[no-untyped-call]  # torch's stub
        cells = [torch.zeros(each.shape, dtype=torch.int64) for each in maxima]
        readings = {
            layer: Reading(values, places, (14, 14))
            for layer, values, places in zip(channels, maxima, cells, strict=True)
        }
        state = state or _Pass(readings, options.images, CLASSES, scan)
        state.add(list(readings.values()), torch.zeros(size, CLASSES))
        state.bars()
        peak = max(peak, own_bytes() - before)
    assert state is not None
    state.result(tuple(map(str, range(options.images))))
    peak = max(peak, own_bytes() - before)
    # Logits, responsive neurons and names of the images; top k and moments of the neurons.
    per_image, per_neuron = 4 * CLASSES + 4 * options.responsive + 70, 12 * options.k + 40
    expected = options.images * per_image + neurons * per_neuron
    table = 4 * options.images * neurons if rule == "standardised" else 0
    kept = f"{table / MIB:8.0f} {'file' if table > options.memory_mb * MIB else 'memory' if table else '-':>7}"
    seconds = time.perf_counter() - started
    return f"{name:14} {rule:13} {neurons:7} {expected / MIB:12.0f} {kept} {peak / MIB:9.0f} {seconds:8.1f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(SPECS))
    parser.add_argument("--images", type=int, default=20_000, help="of the pool; ImageNet's tenth is 128117")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--memory-mb", type=int, default=2048)
    parser.add_argument("-k", type=int, default=20)
    parser.add_argument("--responsive", type=int, default=20)
    options = parser.parse_args()
    print("memory in MiB: expected of images and neurons, the table of all maxima and where it is, peak measured")
    head = f"{'network':14} {'rule':13} {'neurons':>7} {'expected':>12} {'table':>8} {'':>7}"
    print(f"{head} {'peak':>9} {'seconds':>8}")
    for name in options.networks:
        for rule in ("raw", "standardised"):
            print(measure(name, options, rule), flush=True)


if __name__ == "__main__":
    main()
