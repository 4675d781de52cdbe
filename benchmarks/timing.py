"""What the benchmarks share: the networks they look at, their options, and timing by turns."""

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median

from evoscope.models.spec import ModelSpec

SPECS = {
    "vgg16_bn": ModelSpec("vgg16_bn", width=1 / 4, pixels=48),
    "inception_v3": ModelSpec("inception_v3", width=1 / 4, pixels=75),
    "convnext_tiny": ModelSpec("convnext_tiny", width=40 / 96, depths=(2, 2, 6, 2), pixels=48, layer_scale=1.0),
}


def alternate(calls: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Median seconds of each call, after one call each to warm up, taking turns."""
    seconds: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 1):
        for call, taken in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            if turn:
                taken.append(time.perf_counter() - start)
    return [median(taken) for taken in seconds]


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """Median seconds of a call, without one to warm up."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return median(taken)


def network_options(description: str | None, images: int) -> argparse.ArgumentParser:
    """Options of a benchmark over networks; ``images``: how many by default."""
    out = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("networks", nargs="*", default=list(SPECS), help=f"of {', '.join(SPECS)}; all by default")
    out.add_argument("--images", type=int, default=images)
    out.add_argument("--batch-size", type=int, default=64)
    out.add_argument("--threads", type=int, default=2)
    out.add_argument("--repeats", type=int, default=5)
    return out
