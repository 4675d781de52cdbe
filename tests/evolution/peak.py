"""Peak memory of measuring importance or reversal, as a script of its own: started by a test.

Prints the peak resident MiB after warming up on small batches, after some images, and after eight times as many.
"""

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch

from evoscope.evolution.importance import importance, neuron_index
from evoscope.evolution.pair import images_within, importance_bytes, make_pair
from evoscope.evolution.reversal import Conditions, bins_of_all, reversal
from evoscope.models.spec import ModelSpec
from evoscope.models.zoo import build
from tests import protocols
from tests.evolution.small import image_set

BINS = protocols.reversal("corrected").bins
SPEC = ModelSpec("convnext_tiny", width=1 / 8, depths=(1, 1, 2, 1), pixels=64, layer_scale=1.0)


def main(what: str, memory_mb: int, images: int) -> None:
    torch.set_num_threads(1)
    pair = make_pair(*(build(SPEC, 5, seed) for seed in range(2)))
    measure = partial(_reversal, pair) if what == "reversal" else partial(importance, pair, label=1)
    most = 10_000 if what == "reversal" else images_within(memory_mb, importance_bytes(pair), 10_000)
    peaks = []
    for count, budget, batch in ((4, 2048, 1), (images, memory_mb, most), (8 * images, memory_mb, most)):
        measure(images=image_set(count), memory_mb=budget, batch_size=batch)
        peaks.append(peak())
    sys.stdout.write(json.dumps(peaks))


def peak():
    """Resident MiB at most so far; ru_maxrss would start at the peak of the process that started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _reversal(pair, images, **options):
    index = neuron_index(pair)
    score = np.random.default_rng(0).random(len(index))
    bins = bins_of_all(index.layer, score, score, BINS)[None]
    wanted = Conditions(bins, index.layer, index.layers, BINS, 2, "fixed", 0)
    return reversal(pair, wanted, images, 1, **options)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
