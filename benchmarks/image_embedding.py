"""Image embedding: time to an error of .01, least squares against the published descent, slow and compiled.

Run with ``python -m benchmarks.image_embedding`` from the repository's root. The slow loop runs
``SLOW_SWEEPS`` sweeps; its time to the threshold is that per sweep, times the sweeps that the compiled loop,
which takes the very same steps, needs. With ``--full`` the slow loop runs to the threshold (minutes).
"""

import argparse
import time
from dataclasses import replace

import numpy as np

from benchmarks.timing import median_seconds
from evoscope.arrays import Doubles, SmallInts
from evoscope.seeds import generator
from evoscope.space.image_embedding import ImageVectors, embed_images
from evoscope.space.protocol import SpaceProtocol
from evoscope.space.skipgram import coactivation, embed_neurons

NEURONS, IMAGES, K, CONCEPTS = 2000, 6000, 20, 40
EXACT = SpaceProtocol(image_ridge=0.0)
RELEASED = SpaceProtocol(image_solver="gauss_seidel", image_lr=0.1, image_threshold=0.01, image_sweeps=10_000)
REPEATS = 5
SLOW_SWEEPS = 3


def released_sweep(
    vectors: Doubles, stimuli: SmallInts, targets: Doubles, neurons_of: dict[int, list[int]], lr: float
) -> float:
    """One sweep of the published descent, image by image in Python, in place; returns the error after it.

    ``vectors`` [images, dim]; ``stimuli`` [neurons, k]; ``targets`` [neurons, dim]; ``neurons_of``: image ->
    neurons it stimulates (ConceptEvo, step 2.1.2).
    """
    means = vectors[stimuli].mean(axis=1)
    size = stimuli.shape[1]
    for image, neurons in neurons_of.items():
        gradient = np.zeros(vectors.shape[1])
        for n in neurons:
            gradient += (means[n] - targets[n]) / size
        vectors[image] -= lr * gradient
        for n in neurons:
            means[n] -= lr * gradient / size
    return float(np.sqrt(((vectors[stimuli].mean(axis=1) - targets) ** 2).sum(axis=1).mean()))


def released_descent(
    stimuli: SmallInts, targets: Doubles, images: int, protocol: SpaceProtocol, seed: int
) -> tuple[Doubles, int]:
    """Run the published descent in Python until its threshold or its last sweep: vectors and sweeps."""
    vectors = generator(seed, "image start").uniform(-0.5, 0.5, (images, targets.shape[1]))
    neurons_of = by_image(stimuli)
    for sweep in range(protocol.image_sweeps):
        error = released_sweep(vectors, stimuli, targets, neurons_of, protocol.image_lr)
        if error < protocol.image_threshold:
            return vectors, sweep + 1
    return vectors, protocol.image_sweeps


def by_image(stimuli: SmallInts) -> dict[int, list[int]]:
    """Neurons that each image stimulates, images as they first appear."""
    found: dict[int, list[int]] = {}
    for neuron, row in enumerate(stimuli.tolist()):
        for image in row:
            found.setdefault(image, []).append(neuron)
    return found


def problem(seed: int) -> tuple[SmallInts, Doubles]:
    """Stimuli of neurons that respond to one of ``CONCEPTS``, and the vectors that the skip-gram gives them."""
    rng = np.random.default_rng(seed)
    shown, wanted = rng.integers(CONCEPTS, size=IMAGES), rng.integers(CONCEPTS, size=NEURONS)
    maxima = (shown[None] == wanted[:, None]) + 0.5 * rng.standard_normal((NEURONS, IMAGES))
    stimuli = np.argsort(-maxima, axis=1, kind="stable")[:, :K].astype(np.int32)
    return stimuli, embed_neurons(coactivation(stimuli), NEURONS, EXACT, seed).vectors


def _report(name: str, taken: float, fit: ImageVectors, reference: float) -> None:
    print(f"{name:24s} {taken:8.3f} s  error {fit.residual:.1e}  {fit.sweeps} steps  {reference / taken:.0f}x")


def main() -> None:
    """Print times to the threshold and their ratios to the slow loop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="run the slow loop to the threshold")
    full = bool(parser.parse_args().full)
    stimuli, targets = problem(0)
    exact = embed_images(stimuli, targets, IMAGES, EXACT, 0)
    descent = embed_images(stimuli, targets, IMAGES, RELEASED, 0)
    done = descent.sweeps if full else SLOW_SWEEPS
    start = time.perf_counter()
    released_descent(stimuli, targets, IMAGES, replace(RELEASED, image_sweeps=done), 0)
    slow = (time.perf_counter() - start) * descent.sweeps / done
    print(f"image embedding, {NEURONS} neurons, {IMAGES} images, k {K}, dim {targets.shape[1]}, one process")
    how = "measured" if full else f"{SLOW_SWEEPS} sweeps measured"
    print(f"published loop, Python   {slow:8.1f} s  to error .01 in {descent.sweeps} sweeps ({how})")
    compiled = median_seconds(lambda: embed_images(stimuli, targets, IMAGES, RELEASED, 0), REPEATS)
    _report("published loop, compiled", compiled, descent, slow)
    solved = median_seconds(lambda: embed_images(stimuli, targets, IMAGES, EXACT, 0), REPEATS)
    _report("least squares", solved, exact, slow)
    print(f"least squares is {compiled / solved:.1f}x as fast as the compiled published loop")


if __name__ == "__main__":
    main()
