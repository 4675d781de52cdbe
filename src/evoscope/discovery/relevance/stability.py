"""Whether other images of the same kind would have given the same directions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from evoscope.arrays import Doubles, Ints
from evoscope.directions import unit_rows
from evoscope.discovery.basis import ConceptBasis
from evoscope.seeds import derive, generator

Fit = Callable[[Ints, int], ConceptBasis]


@dataclass(frozen=True)
class Match:
    """One-to-one partners in another set of directions, with the largest sum of |cosine|.

    ``partner``: int64 [r], -1 for none (the other set is smaller); ``cosine``: float64 [r], absolute; NaN for none.
    """

    partner: Ints
    cosine: Doubles


def matched(first: Doubles, second: Doubles) -> Match:
    """Match rows [r, d] with rows [s, d], whatever their signs and lengths."""
    cosines = np.abs(unit_rows(first) @ unit_rows(second).T)
    own, other = linear_sum_assignment(-cosines)
    partner = np.full(len(first), -1, dtype=np.int64)
    cosine = np.full(len(first), np.nan)
    partner[own], cosine[own] = other, cosines[own, other]
    return Match(partner, cosine)


def stability(fit: Fit, images: int, seed: int, resamples: int = 10) -> Doubles:
    """Matched |cosine| of each direction with its partner after drawing the images anew.

    Parameters
    ----------
    fit : makes a basis from positions of images, int64 [images], and a seed; the same seed is given every time,
        so that only the images differ.
    images : how many there are.
    seed : of the resamples, drawn with replacement, and of the fits.
    resamples : how many.

    Returns
    -------
    float64 [resamples, r], for the directions found on all images.
    """
    whole = fit(np.arange(images), seed)
    streams = (generator(seed, "stability", number) for number in range(resamples))
    drawn = (fit(np.sort(stream.integers(images, size=images)), seed) for stream in streams)
    return np.array([matched(whole.directions, each.directions).cosine for each in drawn])


def random_match(width: int, count: int, seed: int, draws: int = 20) -> Doubles:
    """Draw what chance gives: matched |cosine| of random orthonormal sets, float64 [draws, count]."""
    pairs = (
        [_orthonormal(width, count, derive(seed, draw, side)) for side in (0, 1)] for draw in range(draws)
    )
    return np.array([matched(first, second).cosine for first, second in pairs])


def _orthonormal(width: int, count: int, seed: int) -> Doubles:
    q, _ = np.linalg.qr(generator(seed, "random match").standard_normal((width, count)))
    return np.asarray(q.T, dtype=np.float64)
