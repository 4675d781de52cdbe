"""Tables of concept discovery: unique concepts, spectra, popularity, wrong sides, and methods against the truth."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Ints
from evoscope.data.images import ImageSet
from evoscope.discovery.basis import ConceptBasis, neuron_alignment, random_alignment
from evoscope.discovery.equal_rank import class_reading_rows
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import ClassRanking, discover, layer_basis, popularity
from evoscope.discovery.refine import by_band, cluster_map, concept_counts, mean_concepts
from evoscope.figure_data import Table
from evoscope.stats import Interval, bootstrap_interval, wilson
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.concept_methods import MethodConcepts
from experiments.stages.concepts import LayerConcepts, LayerSpace, SpaceConcepts

COUNTINGS = {"released": "empty as one", "none": "empty as none", "holding": "without empty"}


def table_of(parts: Iterable[tuple[LayerSpace, str | None, pd.DataFrame]]) -> Table:
    """One table of the rows of several spaces and, where they differ by it, protocols."""
    return Table(pd.concat([headed(*part) for part in parts], ignore_index=True))


def headed(space: LayerSpace, protocol: str | None, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the columns of their space first, and of the protocol where one is given."""
    head = {**space.head, **({"protocol": protocol} if protocol else {})}
    return rows.assign(**head)[[*head, *rows.columns]]


Directions = Sequence[tuple[LayerSpace, Artefact[MethodConcepts]]]


def _counted(directions: Directions, way: Callable[[pd.DataFrame], pd.DataFrame]) -> Table:
    return table_of((space, None, way(found.load().counts)) for space, found in directions)


@stage(version=1, label="table of concepts: clusters")
def clusters(directions: Directions) -> Table:
    """How many directions hold how many unique concepts, see `cluster_rows`."""
    return _counted(directions, cluster_rows)


@stage(version=1, label="table of concepts: cluster means")
def cluster_means(directions: Directions, seed: int) -> Table:
    """Mean number of unique concepts per direction, see `mean_rows`."""
    return _counted(directions, lambda counts: mean_rows(counts, seed))


@stage(version=1, label="table of concepts: bands")
def bands(directions: Directions) -> Table:
    """Unique concepts by strength, see `band_rows`."""
    return _counted(directions, band_rows)


@stage(version=1, label="table of concepts: spectrum")
def spectrum(found: Sequence[SpaceConcepts], seed: int) -> Table:
    """Singular values and alignment to neurons, under the job's own protocol, see `spectrum_rows`."""
    return table_of((each.space, None, spectrum_rows(each.own.load().basis, seed)) for each in found)


@stage(version=1, label="table of concepts: popularity")
def popular_directions(found: Sequence[SpaceConcepts], class_names: Sequence[str]) -> Table:
    """Directions that are candidates of several classes, under every protocol, see `popularity_rows`."""
    return table_of(
        (each.space, protocol, popularity_rows(node.load().ranking, class_names))
        for each in found
        for protocol, node in each.found.items()
    )


@stage(version=1, label="table of concepts: wrong side")
def wrong_side(found: Sequence[SpaceConcepts], protocols: Sequence[str], seed: int) -> Table:
    """What scoring images along the wrong side changes, for ``protocols`` that do, see `wrong_side_row`."""

    def row(concepts: LayerConcepts) -> pd.DataFrame:
        return pd.DataFrame([wrong_side_row(concepts.ranking, concepts.along_rows, seed)])

    return table_of(
        (each.space, protocol, row(each.found[protocol].load())) for each in found for protocol in protocols
    )


MENDED: dict[str, dict[str, Any]] = {
    "side": {"side": "rows"},
    "evidence": {"evidence": "logit"},
    "signs": {"signs": "canonical", "candidates": "both"},
    "batch": {"batch": 0},
    "centred": {"centred": True},
}
"""Choices of CDISCO's protocol that are one defect each, mended, by the name that results know it by."""


@stage(version=1, label="table of concepts: switches")
def switches(found: Sequence[SpaceConcepts], name: str, protocol: DiscoveryProtocol, seed: int) -> Table:
    """For how many classes the first direction is another one when one choice alone of ``protocol`` is mended.

    Rows of ``switch``, ``changed`` (share of the classes ranked by both) with ``low`` and ``high``, ``classes``.
    """

    def first(space: LayerSpace, own: DiscoveryProtocol) -> Ints:
        return discover(space.pool(), space.spaces.load().pool.outcomes, own).ranking.best(1)[0][:, 0]

    def rows(space: LayerSpace) -> pd.DataFrame:
        released = first(space, protocol)
        made = []
        for switch, choices in MENDED.items():
            other = first(space, replace(protocol, **choices))
            both = (released >= 0) & (other >= 0)
            changed = wilson(int((released != other)[both].sum()), int(both.sum())) if both.any() else None
            made.append({"switch": switch, **bounds("changed", "low", "high", changed), "classes": int(both.sum())})
        return pd.DataFrame(made)

    return table_of((each.space, name, rows(each.space)) for each in found)


@stage(version=1, label="table of concepts: {what}")
def gathered(what: str, parts: Sequence[Artefact[Table]]) -> Table:
    """The tables of all runs, one below the other."""
    return Table(pd.concat([part.load().rows for part in parts], ignore_index=True))


WARDS = (0.5, 0.75, 1.0, 1.5, 2.0)


PRUNES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Shares of the protocol's own thresholds over which clusters are counted."""


MAPPED = 256
"""Directions of a layer that are, at most: spread evenly over them from the strongest to the weakest."""


@stage(version=1, label="clusters of {space.run} over both thresholds")
def cluster_maps(space: LayerSpace, protocol: DiscoveryProtocol, seed: int, runtime: Runtime) -> Table:
    """Unique concepts per direction of the SVD and per neuron while both thresholds vary.

    One row per method and pair of thresholds: ``method``, ``ward``, ``prune``, ``own`` (whether they are the
    protocol's), ``value`` (mean clusters, none counted as none) with ``low`` and ``high`` (bootstrap over directions),
    ``empty`` (share without any), ``kept`` (mean images of a direction in clusters), ``of`` (images that are
    clustered), ``directions``.
    """
    layer, rule = space.pool(), protocol.refine
    features, basis = layer.rows("features"), layer_basis(layer, protocol)
    width, rows = len(basis), []
    some = np.unique(np.linspace(0, width - 1, min(width, MAPPED)).astype(np.int64))
    wards, prunes = [rule.ward * share for share in WARDS], [rule.prune * share for share in PRUNES]
    for method, directions in (("svd", basis.directions[some]), ("neurons", np.eye(width)[some])):
        found = cluster_map(
            features, directions, rule, wards, prunes, layer=space.layer, seed=seed, progress=runtime.progress
        )
        for place, column in product(range(len(wards)), range(len(prunes))):
            counts = found.surviving[:, place, column]
            mean = bootstrap_interval(counts, seed)
            rows.append(
                {
                    "method": method,
                    **{"ward": wards[place], "prune": prunes[column]},
                    "own": (WARDS[place], PRUNES[column]) == (1.0, 1.0),
                    **bounds("value", "low", "high", mean),
                    "empty": float((counts == 0).mean()),
                    "kept": float(found.images[:, place, column].mean()),
                    "of": min(rule.images, len(features)),
                    "directions": len(some),
                }
            )
    return table_of([(space, None, pd.DataFrame(rows))])


@stage(version=1, label="table of concepts: class ranking")
def class_readings(found: Sequence[SpaceConcepts], protocol: DiscoveryProtocol, held_out: ImageSet, seed: int) -> Table:
    """How well the first direction of a class tells it, by what ranks the directions, see `class_reading_rows`."""
    parts = []
    for space in (each.space for each in found):
        pool, outcomes, unseen = space.pool(), space.spaces.load().pool.outcomes, space.held_out()
        rows = class_reading_rows(pool, outcomes, unseen, held_out.labels, protocol, seed)
        parts.append((space, None, rows))
    return table_of(parts)


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
            rows.append({**head, "directions": found.n if found else 0, **bounds("value", "low", "high", found)})
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
            "alignment": neuron_alignment(basis.directions),
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
    return {name: float(getattr(found, part, np.nan)) for name, part in zip((value, low, high), parts, strict=True)}


def _groups(counts: pd.DataFrame) -> list[tuple[str, str, Ints]]:
    """Protocol, method, and surviving clusters of its directions in their order."""
    grouped = counts.groupby(["protocol", "method"], sort=False)
    return [(str(key[0]), str(key[1]), own["surviving"].to_numpy(np.int64)) for key, own in grouped]
