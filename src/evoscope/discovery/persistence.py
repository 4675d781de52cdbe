"""Whether a layer's first directions were there before, by their channels and by the images that they order.

Beside `evoscope.discovery.following`, which looks for partners in the unified space: there only the images that excite
a direction most count, and for features without negative values these point along the few dominant axes, whatever the
direction. Here directions are matched by |cosine| in channel space, and by |correlation| of their scores on images
that neither epoch's directions were found on; each against the directions of random rotations.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Doubles
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.methods import rotation
from evoscope.seeds import derive
from evoscope.stats import LEVEL, assignment, correlations, mean_interval

FIRST, DRAWS = 30, 20
"""Directions that are followed, the strongest, and random rotations."""


@dataclass(frozen=True)
class Epoch:
    """A layer at an epoch: its directions, and features [images, d] of images that they were not found on."""

    basis: ConceptBasis
    held_out: Array


def persistence_rows(before: Epoch, last: Epoch, seed: int, first: int = FIRST) -> pd.DataFrame:
    """Match the first directions of the last epoch one to one with those of an epoch before.

    Returns
    -------
    One row per ``by``: ``channels`` (|cosine| with any direction of the earlier epoch), ``scores`` (|correlation| over
    the held-out images with the ``first`` of it), and ``against``: ``rotation`` (random directions of the same space,
    equally many) or, for scores, ``within`` (a rotation of the earlier epoch's first): ``value`` (mean over
    directions), ``other`` (the same of the draws), ``gain`` with ``gain_low``, ``gain_high`` (paired over directions),
    ``above`` (share of directions above the 95th percentile of their own draws), ``directions``, ``draws``.
    """
    count = min(first, len(last.basis), len(before.basis))
    own, early = last.basis.directions[:count], before.basis.directions
    rotations = [rotation(early.shape[1], derive(seed, "rotation", draw)) for draw in range(DRAWS)]
    inside = [rotation(count, derive(seed, "within", draw)) for draw in range(DRAWS)]
    scores, ordered = last.held_out @ own.T, before.held_out @ early[:count].T

    def by_scores(directions: Doubles) -> Doubles:
        return matched(np.abs(correlations(scores, before.held_out @ directions.T)))

    found = {
        ("channels", "rotation"): (
            matched(np.abs(own @ early.T)),
            [matched(np.abs(own @ each.T)) for each in rotations],
        ),
        ("scores", "rotation"): (by_scores(early[:count]), [by_scores(each[:count]) for each in rotations]),
        ("scores", "within"): (
            by_scores(early[:count]),
            [matched(np.abs(correlations(scores, ordered @ each.T))) for each in inside],
        ),
    }
    rows = []
    for (by, against), (values, draws) in found.items():
        null = np.stack(draws)
        rows.append(
            {
                **{"by": by, "against": against, "value": float(values.mean()), "other": float(null.mean())},
                **mean_interval(values - null.mean(axis=0), seed).columns("gain"),
                "above": float((values > np.quantile(null, LEVEL, axis=0)).mean()),
                **{"directions": count, "draws": len(draws)},
            }
        )
    return pd.DataFrame(rows)


def matched(likeness: Doubles) -> Doubles:
    """Likeness of each row [r, c] with its partner in the one-to-one match of largest sum, float64 [r]; r <= c."""
    return assignment(likeness)[1]
