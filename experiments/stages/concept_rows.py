"""Rows of the tables of concept discovery, from what the stages found."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Ints
from evoscope.discovery.basis import ConceptBasis, neuron_alignment, random_alignment
from evoscope.discovery.ranking import ClassRanking, popularity
from evoscope.discovery.refine import by_band, concept_counts, mean_concepts
from evoscope.stats import Interval, bootstrap_interval

COUNTINGS = {"released": "empty as one", "none": "empty as none", "holding": "without empty"}


def cluster_rows(counts: pd.DataFrame) -> pd.DataFrame:
    """How many directions hold how many unique concepts.

    Parameters
    ----------
    counts : of `experiments.stages.concept_methods.MethodConcepts`.

    Returns
    -------
    ``protocol``, ``method``, ``clusters``, ``directions``.
    """
    parts = [
        concept_counts(own)
        .rename(columns={"concepts": "clusters"})[["clusters", "directions"]]
        .assign(protocol=protocol, method=method)
        for protocol, method, own in _groups(counts)
    ]
    return pd.concat(parts, ignore_index=True)[["protocol", "method", "clusters", "directions"]]


def mean_rows(counts: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Mean number of unique concepts per direction, by what is done with directions that hold none.

    Returns
    -------
    ``protocol``, ``method``, ``counting``, ``directions``, ``value``, ``low``, ``high`` (bootstrap over directions);
    NaN where no direction counts.
    """
    rows = []
    for protocol, method, surviving in _groups(counts):
        means = mean_concepts(surviving, seed)
        for key, counting in COUNTINGS.items():
            head = {"protocol": protocol, "method": method, "counting": counting}
            found = means.get(key)
            rows.append(
                {**head, "directions": found.n if found else 0, **bounds("value", "low", "high", found)}
            )
    return pd.DataFrame(rows)


def band_rows(counts: pd.DataFrame) -> pd.DataFrame:
    """Unique concepts by strength: directions sorted by the length of the projections on them, in the published bands.

    Returns
    -------
    ``protocol``, ``method``, ``first``, ``last`` (places in that order), ``directions``, ``mean_clusters``,
    ``directions_with_zero``.
    """
    parts = [
        by_band(surviving)
        .rename(columns={"first_index": "first", "last_index": "last"})
        .assign(protocol=protocol, method=method)
        for protocol, method, surviving in _groups(counts)
    ]
    columns = ["protocol", "method", "first", "last", "directions", "mean_clusters", "directions_with_zero"]
    return pd.concat(parts, ignore_index=True)[columns]


def spectrum_rows(basis: ConceptBasis, seed: int) -> pd.DataFrame:
    """Singular values, and how near each direction lies to one neuron.

    Returns
    -------
    ``index``, ``singular_value``, ``share`` (of the sum of squares), ``alignment`` (largest component by size, with
    its sign), ``random_alignment`` (of as many random directions, sorted from the largest).
    """
    squares = basis.strengths**2
    chance = random_alignment(basis.directions.shape[1], len(basis), seed)
    return pd.DataFrame(
        {
            "index": np.arange(len(basis)),
            "singular_value": basis.strengths,
            "share": squares / max(float(squares.sum()), np.finfo(np.float64).tiny),
            "alignment": neuron_alignment(basis.directions).component,
            "random_alignment": np.sort(chance)[::-1],
        }
    )


def popularity_rows(ranking: ClassRanking, class_names: Sequence[str]) -> pd.DataFrame:
    """Which direction is the first, second and third candidate of how many classes.

    Returns
    -------
    ``place`` (from 1), ``direction``, ``side`` (+1, -1), ``count``, ``classes`` (names, separated by commas).
    """
    found = popularity(ranking)
    names = [", ".join(class_names[int(label)] for label in labels.split()) for labels in found["labels"]]
    kept = found.rename(columns={"classes": "count"})[["place", "direction", "side", "count"]]
    return kept.assign(classes=names)


def wrong_side_row(ranking: ClassRanking, along_rows: ClassRanking, seed: int) -> dict[str, object]:
    """How often a class's first candidate is the direction that it would be along the shown directions.

    Parameters
    ----------
    ranking : along the columns, as released; ``along_rows``: by the same evidence, with only the side mended.

    Returns
    -------
    ``classes`` (ranked by both), ``same_direction`` (share of them) with ``low`` and ``high`` (bootstrap over
    classes), ``chance`` (one over the number of directions).
    """
    first, second = (each.best(1)[0][:, 0] for each in (ranking, along_rows))
    both = (first >= 0) & (second >= 0)
    same: Array = (first == second)[both].astype(np.float64)
    found = bootstrap_interval(same, seed) if both.any() else None
    shares = bounds("same_direction", "low", "high", found)
    return {"classes": int(both.sum()), **shares, "chance": 1 / ranking.z.shape[1]}


def bounds(value: str, low: str, high: str, found: Interval | None) -> dict[str, float]:
    """An interval as three columns; NaN where there is none."""
    parts = ("value", "low", "high")
    return {
        name: float(getattr(found, part, np.nan))
        for name, part in zip((value, low, high), parts, strict=True)
    }


def _groups(counts: pd.DataFrame) -> list[tuple[str, str, Ints]]:
    """Protocol, method, and surviving clusters of its directions in their order."""
    grouped = counts.groupby(["protocol", "method"], sort=False)
    return [(str(key[0]), str(key[1]), own["surviving"].to_numpy(np.int64)) for key, own in grouped]
