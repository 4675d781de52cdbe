"""What similarity matching gives where there is nothing to find."""

import numpy as np

from evoscope.arrays import Array, Doubles
from evoscope.discovery.following.matching import match
from evoscope.discovery.following.virtual import Place, Virtual, top_images
from evoscope.seeds import generator

TOGETHER = 20
"""Draws that are placed in one call."""


def random_directions(
    targets: Doubles, features: Array, like: Virtual, place: Place, seed: int, draws: int
) -> Doubles:
    """Similarities to random directions: orthonormal ones, as many as there are candidates, treated the same way.

    Parameters
    ----------
    targets : float64 [rows, dim], places that partners are sought for.
    features : [images, d], of the epoch in question.
    like : the epoch's candidates; directions drawn have their sides.
    place : of stimuli.
    seed, draws : of the stream, and how often.

    Returns
    -------
    float64 [draws, rows], NaN for rows without a partner.
    """
    stream = generator(seed, "random directions")
    _, own = np.unique(like.direction, return_inverse=True)
    k = like.images.shape[1]

    def draw() -> Array:
        frame = random_frame(stream, int(own.max()) + 1, features.shape[1])
        return top_images(features, like.side[:, None] * frame[own], k)

    return _matched(targets, [draw() for _ in range(draws)], place)


def permuted_stimuli(
    targets: Doubles, like: Virtual, images: int, place: Place, seed: int, draws: int
) -> Doubles:
    """Similarities to the candidates themselves with the images permuted: float64 [draws, rows], as above.

    The images' vectors are handed round, so that candidates keep how many stimuli they share but none of what these
    show. ``images``: how many there are.
    """
    stream = generator(seed, "permuted stimuli")

    def draw() -> Array:
        return np.append(stream.permutation(images), -1)[like.images].astype(np.int32)

    return _matched(targets, [draw() for _ in range(draws)], place)


def random_frame(stream: np.random.Generator, count: int, width: int) -> Doubles:
    """``count`` orthonormal rows [count, width], uniform among all such."""
    q, r = np.linalg.qr(stream.standard_normal((width, count)))
    return np.asarray((q * np.sign(np.diag(r))).T, dtype=np.float64)


def level(draws: Doubles, share: float) -> Doubles:
    """Quantile of each row's draws [draws, rows] that are known, float64 [rows]; NaN where none is."""
    known = np.isfinite(draws).any(axis=0)
    found = np.full(draws.shape[1], np.nan)
    if known.any():
        found[known] = np.nanquantile(draws[:, known], share, axis=0)
    return found


def _matched(targets: Doubles, stimuli: list[Array], place: Place) -> Doubles:
    rows = []
    for start in range(0, len(stimuli), TOGETHER):
        some = stimuli[start : start + TOGETHER]
        places = place(np.concatenate(some)).reshape(len(some), len(some[0]), -1)
        rows += [match(targets, each).similarity for each in places]
    return np.stack(rows)
