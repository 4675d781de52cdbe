"""How far a direction's place moves when other images of the same kind are looked at."""

import numpy as np

from evoscope.arrays import Array, Doubles, SmallInts
from evoscope.discovery.following.virtual import Place, Virtual, top_images
from evoscope.seeds import generator

SPARE = 30
"""Images ranked beyond three times k: a resample of so many holds k of them but for one in millions of cases."""


def reach(
    features: Array, found: Virtual, place: Place, seed: int, draws: int, share: float = 0.95
) -> Doubles:
    """Radius around each place that holds ``share`` of the places that resampled images give.

    The images are drawn anew with replacement, an image drawn twice counting twice, and each direction is placed at its
    k best among them (bootstrap). The direction itself stays: only the choice of images varies.

    Parameters
    ----------
    features : [images, d], of the epoch of ``found``.
    found : the directions and their places.
    place : of stimuli.
    seed, draws, share : of the bootstrap.

    Returns
    -------
    float64 [c], NaN for unplaced directions.
    """
    stream = generator(seed, "resampled images")
    k, images = found.images.shape[1], len(features)
    order = top_images(features, found.vectors, min(images, 3 * k + SPARE))
    distances = [
        np.linalg.norm(place(resampled(order, _counts(stream, images), k)) - found.places, axis=1)
        for _ in range(draws)
    ]
    radius = np.full(len(found), np.nan)
    known = np.isfinite(distances).all(axis=0)
    radius[known] = np.quantile(np.stack(distances)[:, known], share, axis=0)
    return radius


def resampled(order: SmallInts, counts: Array, k: int) -> SmallInts:
    """The first k of ranked images when each is there so often.

    Parameters
    ----------
    order : int32 [rows, m], images, the best first (-1: none).
    counts : integers [images].
    k : how many.

    Returns
    -------
    int32 [rows, k], -1 where the images do not suffice.
    """
    often = np.where(order >= 0, counts[order], 0)
    before = np.cumsum(often, axis=1) - often
    taken = np.clip(k - before, 0, often)
    found = np.full((len(order), k), -1, dtype=np.int32)
    for row, (images, times) in enumerate(zip(order, taken, strict=True)):
        chosen = np.repeat(images, times)
        found[row, : len(chosen)] = chosen
    return found


def _counts(stream: np.random.Generator, images: int) -> Array:
    return np.bincount(stream.integers(images, size=images), minlength=images)
