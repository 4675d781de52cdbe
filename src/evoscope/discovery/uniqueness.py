"""How many unique concepts directions hold, those with none apart (CDISCO, claims C3 and C7)."""

from itertools import pairwise

import numpy as np
import pandas as pd

from evoscope.arrays import Ints
from evoscope.stats.intervals import Interval, bootstrap_interval

PUBLISHED_WIDTH = 2048
PUBLISHED_EDGES = (0, 50, 100, 200, 300, 400, 500, 750, 1000, 1250, 1500, 1750, 2048)
"""Bands of singular-value indices of the published table."""


def concept_counts(surviving: Ints) -> pd.DataFrame:
    """Count directions by the unique concepts they hold.

    Parameters
    ----------
    surviving : int64 [r], clusters of each direction.

    Returns
    -------
    One row per number from 0 to the largest: ``concepts``, ``directions``, ``share``.
    """
    counts = np.bincount(surviving)
    numbers = np.arange(len(counts))
    return pd.DataFrame({"concepts": numbers, "directions": counts, "share": counts / len(surviving)})


def counted(surviving: Ints, *, empty_is_one: bool) -> Ints:
    """Concepts per direction as a protocol counts them: the released code calls none one."""
    return np.maximum(surviving, 1) if empty_is_one else surviving


def mean_concepts(surviving: Ints, seed: int) -> dict[str, Interval]:
    """Give the mean number of concepts per direction, by what is done with those that hold none.

    Returns
    -------
    ``released`` (none counts as one), ``none`` (as none), ``holding`` (only directions that hold some: absent
    where there are none), and ``empty`` (share that holds none), with bootstrap intervals over directions.
    """
    holding = surviving[surviving > 0]
    found = {
        "released": bootstrap_interval(counted(surviving, empty_is_one=True), seed),
        "none": bootstrap_interval(surviving, seed),
        "empty": bootstrap_interval(surviving == 0, seed),
    }
    return {**found, "holding": bootstrap_interval(holding, seed)} if len(holding) else found


def bands(width: int) -> tuple[int, ...]:
    """Edges of the published bands, shrunk to a layer of ``width`` directions, those that fall together once."""
    edges = (round(edge * width / PUBLISHED_WIDTH) for edge in PUBLISHED_EDGES)
    return tuple(dict.fromkeys(edges))


def by_band(surviving: Ints, edges: tuple[int, ...] = ()) -> pd.DataFrame:
    """Concepts by band of singular values.

    Parameters
    ----------
    surviving : int64 [r], in the order of falling singular values.
    edges : first index of each band, and the end; `bands` unless given.

    Returns
    -------
    One row per band: ``first_index``, ``last_index``, ``directions``, ``mean_clusters``,
    ``directions_with_zero``.
    """
    rows = []
    for start, stop in pairwise(edges or bands(len(surviving))):
        part = surviving[start:stop]
        rows.append((start, stop - 1, len(part), float(part.mean()), int((part == 0).sum())))
    columns = ["first_index", "last_index", "directions", "mean_clusters", "directions_with_zero"]
    return pd.DataFrame(rows, columns=columns)
