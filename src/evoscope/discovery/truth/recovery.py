"""Whether true concepts are among the directions: the best detector of each, and a one-to-one match.

Detectors are chosen on some images and judged on others: among thousands of directions the best would look
good by chance.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from evoscope.activations.concepts import concept_auc
from evoscope.arrays import Array, Bools, Doubles, Ints
from evoscope.data.images import ConceptTable
from evoscope.stats.correlation import correlations
from evoscope.stats.intervals import Interval, bootstrap_interval


@dataclass(frozen=True)
class Recovery:
    """How well each true concept is recovered, on held-out images.

    ``names``: concepts that some but not all images show, on both sets; ``columns``: int64 [concepts], their place
    in the concept table; ``direction``, ``side``: int64 [concepts], the best detector and its sign (+1, -1);
    ``auc``: float64 [concepts], area under its ROC curve; ``partner``: int64 [concepts], the direction given to
    the concept by the one-to-one match (-1: none left); ``correlation``: float64 [concepts], of its projection with the
    concept's presence, positive where both sets agree in sign (0: none left).
    """

    names: tuple[str, ...]
    columns: Ints
    direction: Ints
    side: Ints
    auc: Doubles
    partner: Ints
    correlation: Doubles

    def mean_auc(self, seed: int) -> Interval:
        """Mean over concepts, with a bootstrap interval over them."""
        return bootstrap_interval(self.auc, seed)

    def mean_correlation(self, seed: int) -> Interval:
        """Mean over concepts of the matched correlation, with a bootstrap interval over them."""
        return bootstrap_interval(self.correlation, seed)


def recovery(chosen_on: Array, shown: ConceptTable, judged_on: Array, held_out: ConceptTable) -> Recovery:
    """Look for the true concepts among directions.

    Parameters
    ----------
    chosen_on, judged_on : [images, r], projections of two sets of images on the same directions.
    shown, held_out : what they show.
    """
    columns = np.flatnonzero(_told_apart(shown.present) & _told_apart(held_out.present))
    first, second = shown.present[:, columns], held_out.present[:, columns]
    direction, side = _best_detectors(chosen_on, first)
    areas = np.asarray(concept_auc(judged_on, second), dtype=np.float64)
    own = np.arange(len(columns))
    auc = np.where(side > 0, areas[direction, own], 1 - areas[direction, own])
    partner, correlation = _matched(correlations(chosen_on, first), correlations(judged_on, second))
    names = tuple(shown.names[column] for column in columns)
    return Recovery(names, columns, direction, side, auc, partner, correlation)


def _told_apart(present: Bools) -> Bools:
    return np.asarray(present.any(axis=0) & ~present.all(axis=0))


def _best_detectors(scores: Array, present: Bools) -> tuple[Ints, Ints]:
    """Give each concept's direction with the AUC farthest from a half, and the side that detects it."""
    lean = np.nan_to_num(concept_auc(scores, present) - 0.5)
    direction = np.abs(lean).argmax(axis=0)
    side = np.where(lean[direction, np.arange(present.shape[1])] < 0, -1, 1)
    return direction.astype(np.int64), side.astype(np.int64)


def _matched(chosen: Doubles, judged: Doubles) -> tuple[Ints, Doubles]:
    """Match on |correlation| in one set, and give the correlation in the other with the sign of the first."""
    rows, concepts = linear_sum_assignment(-np.abs(chosen))
    partner = np.full(chosen.shape[1], -1, dtype=np.int64)
    found = np.zeros(chosen.shape[1])
    partner[concepts] = rows
    found[concepts] = judged[rows, concepts] * np.where(chosen[rows, concepts] < 0, -1.0, 1.0)
    return partner, found
