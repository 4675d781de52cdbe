"""Skip-gram: pairs per second of the compiled update against faithful slow loops, on the same pairs and negatives.

Run with ``python -m benchmarks.skipgram`` from the repository's root, ``OMP_NUM_THREADS=1`` set for a fair
comparison.
"""

from collections.abc import Callable

import numpy as np
import torch

from benchmarks.timing import median_seconds
from evoscope.arrays import Doubles, SmallInts
from evoscope.space.kernels import draw_pairs, random_state, train_pairs

NEURONS, IMAGES, K, DIM, NEGATIVES, LR = 2000, 6000, 20, 30, 3, 0.05
REPEATS = 5
SLOW_PAIRS = 3000


def released_loop(vectors: torch.Tensor, pairs: SmallInts, negatives: SmallInts, lr: float) -> None:
    """Update rule of the released code, pair after pair in Python on torch vectors, in place.

    ``vectors`` [neurons, dim]; ``pairs`` [pairs, 2]; ``negatives`` [pairs, 2, r] (ConceptEvo, step 1.3).
    """
    for (n, m), (of_n, of_m) in zip(pairs.tolist(), negatives.tolist(), strict=True):
        toward_m = _torch_gradient(vectors, n, m, of_n)
        toward_n = _torch_gradient(vectors, m, n, of_m)
        vectors[n] += lr * toward_m
        vectors[m] += lr * toward_n


def _torch_gradient(vectors: torch.Tensor, n: int, m: int, negatives: list[int]) -> torch.Tensor:
    v_n, v_m = vectors[n], vectors[m]
    gradient = (1 - torch.sigmoid(v_n.dot(v_m))) * v_m
    for r in negatives:
        v_r = vectors[r]
        gradient = gradient - torch.sigmoid(v_n.dot(v_r)) * v_r
    return gradient


def numpy_loop(vectors: Doubles, pairs: SmallInts, negatives: SmallInts, lr: float) -> None:
    """Apply the same rule pair after pair in Python on numpy vectors, the negatives of an endpoint at once."""
    for (n, m), (of_n, of_m) in zip(pairs, negatives, strict=True):
        toward_m = _numpy_gradient(vectors, n, m, of_n)
        toward_n = _numpy_gradient(vectors, m, n, of_m)
        vectors[n] += lr * toward_m
        vectors[m] += lr * toward_n


def _numpy_gradient(vectors: Doubles, n: int, m: int, negatives: SmallInts) -> Doubles:
    v_n, v_m, others = vectors[n], vectors[m], vectors[negatives]
    pull = 1 - 1 / (1 + np.exp(-(v_n @ v_m)))
    push = 1 / (1 + np.exp(-(others @ v_n)))
    return np.asarray(pull * v_m - push @ others)


def random_epoch(seed: int) -> tuple[SmallInts, SmallInts]:
    """Pairs and negatives of one epoch over images that each stimulate ``NEURONS * K / IMAGES`` neurons or so."""
    rng = np.random.default_rng(seed)
    image = np.sort(rng.integers(IMAGES, size=NEURONS * K))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(image, minlength=IMAGES))]).astype(np.int64)
    members = rng.integers(NEURONS, size=NEURONS * K).astype(np.int32)
    pairs, negatives = draw_pairs(offsets, members, NEURONS * K, NEURONS, NEGATIVES, random_state(seed))
    return pairs, negatives


def rate(work: Callable[[], object], pairs: int) -> float:
    """Pairs per second, median of ``REPEATS``."""
    return pairs / median_seconds(work, REPEATS)


def largest_difference(start: Doubles, pairs: SmallInts, negatives: SmallInts) -> float:
    """Between the compiled update and the released loop after training on the same pairs and negatives."""
    fast, slow = start.copy(), torch.from_numpy(start.copy())
    train_pairs(fast, pairs, negatives, LR)
    released_loop(slow, pairs, negatives, LR)
    return float(np.abs(fast - slow.numpy()).max())


def main() -> None:
    """Print rates, ratios and the agreement."""
    torch.set_num_threads(1)
    start = np.random.default_rng(0).uniform(-0.5, 0.5, (NEURONS, DIM))
    pairs, negatives = random_epoch(0)
    few, of_few = pairs[:SLOW_PAIRS], negatives[:SLOW_PAIRS]
    difference = largest_difference(start, few, of_few)  # compiles, too
    fast = rate(lambda: train_pairs(start.copy(), pairs, negatives, LR), len(pairs))
    drawn = rate(lambda: train_pairs(start.copy(), *random_epoch(1), LR), len(pairs))
    slow = rate(lambda: released_loop(torch.from_numpy(start.copy()), few, of_few, LR), len(few))
    in_numpy = rate(lambda: numpy_loop(start.copy(), few, of_few, LR), len(few))
    print(f"skip-gram, {NEURONS} neurons, dim {DIM}, {NEGATIVES} negatives, {len(pairs)} pairs, median of {REPEATS}")
    print(f"compiled {fast:12,.0f} pairs/s  ({drawn:,.0f} with the pairs and negatives drawn anew)")
    print(f"released {slow:12,.0f} pairs/s  compiled is {fast / slow:.0f}x as fast")
    print(f"numpy    {in_numpy:12,.0f} pairs/s  compiled is {fast / in_numpy:.0f}x as fast")
    print(f"largest difference of compiled and released after {len(few)} pairs: {difference:.1e}")


if __name__ == "__main__":
    main()
