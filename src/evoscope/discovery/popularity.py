"""Directions that are candidates of several classes, maybe polysemantic (CDISCO, steps 3 and 7)."""

import numpy as np
import pandas as pd

from evoscope.discovery.ranking import ClassRanking

PLACES = 3


def popularity(ranking: ClassRanking, places: int = PLACES) -> pd.DataFrame:
    """Count the classes of which each direction is the first, second, ... candidate.

    Returns
    -------
    One row per place and candidate that is any class's, most classes first: ``place`` (from 1), ``direction``,
    ``side`` (+1, -1), ``classes`` (how many), ``labels`` (their numbers, joined by spaces).
    """
    best, side = ranking.best(places)
    rows = []
    for place in range(best.shape[1]):
        candidates = np.stack([best[:, place], side[:, place]], axis=1)
        for candidate in np.unique(candidates[best[:, place] >= 0], axis=0):
            labels = np.flatnonzero((candidates == candidate).all(axis=1))
            rows.append((place + 1, *map(int, candidate), len(labels), " ".join(map(str, labels))))
    frame = pd.DataFrame(rows, columns=["place", "direction", "side", "classes", "labels"])
    order = ["place", "classes", "direction", "side"]
    return frame.sort_values(order, ascending=[True, False, True, False], ignore_index=True)
