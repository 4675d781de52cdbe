"""Whether directions stand for different things (CDISCO, claim C3), against the truth and among themselves."""

from dataclasses import dataclass

import numpy as np

from evoscope.activations.concepts import concept_auc
from evoscope.arrays import Array, Bools, Doubles
from evoscope.directions import unit_rows
from evoscope.discovery.truth.recovery import Recovery


@dataclass(frozen=True)
class Distinctness:
    """How distinct directions are.

    ``selectivity``: float64 [r], how much better a direction tells its best concept than its second best, as a
    difference of AUC on either side; ``overlap``: float64 [r], largest |cosine| with another direction;
    ``own_share``: different directions among the best detectors of all concepts, per concept (1: each concept
    has a direction of its own).
    """

    selectivity: Doubles
    overlap: Doubles
    own_share: float


def distinctness(scores: Array, present: Bools, directions: Doubles, found: Recovery) -> Distinctness:
    """Measure how distinct directions are.

    Parameters
    ----------
    scores : [images, r], projections.
    present : bool [images, concepts], of the concept table.
    directions : float64 [r, d].
    found : their `Recovery`, whose concepts count.
    """
    own = len(np.unique(found.direction)) / max(1, len(found.direction))
    return Distinctness(selectivity(scores, present[:, found.columns]), overlap(directions), own)


def selectivity(scores: Array, present: Bools) -> Doubles:
    """Gap between the best and the second best concept of each direction, float64 [r]; 0 with a single concept."""
    reach = np.nan_to_num(np.abs(np.asarray(concept_auc(scores, present), dtype=np.float64) - 0.5))
    if present.shape[1] < 2:
        return np.zeros(scores.shape[1])
    best = np.sort(reach, axis=1)
    return np.asarray(best[:, -1] - best[:, -2], dtype=np.float64)


def overlap(directions: Doubles) -> Doubles:
    """Largest |cosine| of each row [r, d] with another row, float64 [r]; 0 for a single row."""
    cosines = np.abs(unit_rows(directions) @ unit_rows(directions).T)
    np.fill_diagonal(cosines, 0)
    return np.asarray(cosines.max(axis=1), dtype=np.float64)
