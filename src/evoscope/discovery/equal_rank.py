"""Directions against as many random ones and as many neurons, paired over what is known of the images (CDISCO, C1, C3).

A random basis of a layer lets d directions try inside a space that has a handful of effective dimensions, while a
decomposition spends its first directions on those and the rest on noise. So the first k directions are compared with k
random ones, over the same concepts, the mean over several draws.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from evoscope.activations.stimuli import concept_auc
from evoscope.arrays import Array, Doubles, Floats, Ints, unit_rows
from evoscope.data.images import ConceptTable, ImageSet
from evoscope.discovery.basis import ConceptBasis, blocks
from evoscope.discovery.latent import LayerLatents, Outcomes
from evoscope.discovery.methods import Neurons, RandomRotation, rotation
from evoscope.discovery.protocol import DiscoveryProtocol, Reading
from evoscope.discovery.ranking import layer_basis, rank_layer
from evoscope.discovery.refine import refine
from evoscope.discovery.truth import best_detectors, matched, told_by_both
from evoscope.seeds import derive, generator
from evoscope.stats import UNKNOWN, correlations, mean_interval, wins

RANKS = (10, 20, 50)
DRAWS = 10
REFINED = 20
"""Numbers of directions that are compared, besides all; random draws; directions that are refined, on both sides."""
ENERGIES = (1.0, 0.99)
READINGS: tuple[Reading, ...] = ("projection", "evidence")


@dataclass(frozen=True)
class Truth:
    """What images show, over those that directions are chosen and judged on: bool [images, concepts] each."""

    chosen: Array
    judged: Array

    @classmethod
    def of(cls, shown: ConceptTable, held_out: ConceptTable) -> "Truth":
        """The concepts that some but not all images of both sets show."""
        columns = told_by_both(shown, held_out)
        return cls(shown.present[:, columns], held_out.present[:, columns])


def known_truth(images: ImageSet) -> ConceptTable:
    """The concepts that the images are known to show, or else their classes."""
    if images.concepts is not None:
        return images.concepts
    return ConceptTable(images.class_names, images.labels[:, None] == np.arange(len(images.class_names)))


@dataclass(frozen=True)
class Told:
    """How well directions tell concepts, [directions, concepts] each.

    ``areas``, ``judged_areas``: AUC on the images that directions are chosen and judged on; ``linear``,
    ``judged_linear``: the correlations.
    """

    areas: Floats
    judged_areas: Floats
    linear: Doubles
    judged_linear: Doubles

    @classmethod
    def of(cls, directions: Doubles, pool: Array, held_out: Array, truth: Truth) -> "Told":
        """Along directions [r, d], from features [images, d] of both sets of images."""
        chosen, judged = (features @ directions.T.astype(np.float32) for features in (pool, held_out))
        return cls(
            concept_auc(chosen, truth.chosen),
            concept_auc(judged, truth.judged),
            correlations(chosen, truth.chosen),
            correlations(judged, truth.judged),
        )

    def take(self, rows: Ints) -> "Told":
        """Some of the directions."""
        return Told(*(getattr(self, each.name)[rows] for each in fields(self)))

    def about(self, concepts: Ints) -> "Told":
        """Of some of the concepts."""
        return Told(*(getattr(self, each.name)[:, concepts] for each in fields(self)))

    def scores(self) -> dict[str, Doubles]:
        """Each concept's AUC along its best direction, and its correlation when each has one of its own."""
        direction, side = best_detectors(self.areas)
        area = self.judged_areas[direction, np.arange(len(direction))].astype(np.float64)
        return {
            "recovery auc": np.where(side > 0, area, 1 - area),
            "matched correlation": matched(self.linear, self.judged_linear)[1],
        }


def equal_rank_rows(
    layer: LayerLatents, held_out: LayerLatents, truth: Truth, protocol: DiscoveryProtocol, seed: int
) -> pd.DataFrame:
    """Compare the decomposition with as many random directions and neurons.

    Returns
    -------
    One row per ``directions`` (``svd``; ``refined``: the unique concepts of the first 20 on both sides, the method's
    own output), ``rank`` (how many), ``against`` (``rotation``; ``neurons``, drawn; ``within``: a rotation of the same
    subspace, from which only the axes differ) and ``metric``: ``value`` (mean over concepts), ``low``, ``high``,
    ``other`` (the same of what it is compared with, mean over draws too), ``gain`` with ``gain_low``, ``gain_high``
    (mean of the differences, paired over concepts), ``energy`` (share of the squares along the directions), ``all``
    (whether these are all there are), ``concepts``, ``draws``.
    """
    pool, others = layer.rows("features"), held_out.rows("features")
    basis = layer_basis(layer, protocol)
    width = basis.directions.shape[1]

    def told(directions: Doubles) -> Told:
        return Told.of(directions, pool, others, truth)

    rotations = [rotation(width, derive(seed, "equal rank", draw)) for draw in range(DRAWS)]
    own, neurons, turned = told(basis.directions), told(np.eye(width)), [told(each) for each in rotations]
    squares = basis.strengths**2
    rows: list[dict[str, object]] = []
    for rank in [*(rank for rank in RANKS if rank < width), width]:
        first, energy = np.arange(rank), float(squares[:rank].sum() / squares.sum())
        drawn = [_some(width, rank, derive(seed, "neurons", draw)) for draw in range(DRAWS)]
        rivals = {
            "rotation": [each.take(first) for each in turned],
            "neurons": [neurons.take(each) for each in (drawn if rank < width else [first])],
        }
        if rank < width:
            inside = [rotation(rank, derive(seed, "within", draw)) for draw in range(DRAWS)]
            rivals["within"] = [told(each @ basis.directions[:rank]) for each in inside]
        head = {"directions": "svd", "rank": rank, "all": rank == width, "energy": energy}
        rows += _gains(head, own.take(first), rivals, seed)
    return pd.DataFrame([*rows, *_refined_rows(layer, basis, protocol, told, seed)])


def _refined_rows(
    layer: LayerLatents, basis: ConceptBasis, protocol: DiscoveryProtocol, told: Callable[[Doubles], Told], seed: int
) -> list[dict[str, object]]:
    """The unique concepts against as many random directions, which may be more than there are dimensions."""
    vectors = _unique(layer, basis, protocol, REFINED, seed)
    if not len(vectors):
        return []
    drawn = [
        unit_rows(generator(derive(seed, "directions", draw), "").standard_normal(vectors.shape))
        for draw in range(DRAWS)
    ]
    head = {"directions": "refined", "rank": len(vectors), "all": False, "energy": float("nan")}
    return _gains(head, told(vectors), {"rotation": [told(each) for each in drawn]}, seed)


def _unique(layer: LayerLatents, basis: ConceptBasis, protocol: DiscoveryProtocol, most: int, seed: int) -> Doubles:
    """The unique concepts on both sides of the first directions, at most ``most``: float64 [concepts, d]."""
    count = min(most, len(basis))
    which, sides = np.repeat(np.arange(count), 2), np.tile([1, -1], count)
    features = layer.rows("features")
    return refine(features, basis.directions, protocol.refine, which=which, sides=sides, seed=seed).vectors


def _gains(head: dict[str, object], own: Told, rivals: dict[str, list[Told]], seed: int) -> list[dict[str, object]]:
    rows = []
    for against, draws in rivals.items():
        beside = [each.scores() for each in draws]
        for metric, values in own.scores().items():
            other = np.mean([each[metric] for each in beside], axis=0)
            rows.append(
                {
                    **{**head, "against": against, "metric": metric},
                    **{**mean_interval(values, seed).columns(), "other": float(other.mean())},
                    **mean_interval(values - other, seed).columns("gain"),
                    **{"concepts": len(values), "draws": len(draws)},
                }
            )
    return rows


METHOD_RANKS = (10, 20, 50, 100)
UNORDERED = ("neurons", "rotation")
"""Methods whose directions have no order: as many as are compared are drawn from all of them, several times."""
BOARD, ALIKE = 10, 7
"""Images that excite a direction most; how many of them must be of one class for its board to be of that class."""
COLUMNS = 256
"""Directions whose boards are sought at a time."""


@dataclass(frozen=True)
class Ranked:
    """Directions of a method, the strongest first: what they tell of each kind of truth, and their boards' shares."""

    method: str
    told: Mapping[str, Told]
    boards: Doubles

    def values(self, rank: int, seed: int) -> dict[tuple[str, str], Doubles]:
        """Scores of the first ``rank`` directions, or of as many that are drawn (their mean), by truth and metric."""
        sets = self.sets(rank, seed)
        found: dict[tuple[str, str], Doubles] = {}
        for kind, told in self.told.items():
            scores = [told.take(each).scores() for each in sets]
            found |= {(kind, metric): np.mean([each[metric] for each in scores], axis=0) for metric in scores[0]}
        boards = self.boards[np.unique(np.concatenate(sets))]
        alike = (boards >= ALIKE / BOARD).astype(np.float64)
        return {**found, ("classes", "board share"): boards, ("classes", "boards alike"): alike}

    def sets(self, rank: int, seed: int) -> list[Ints]:
        """Which directions are compared at a rank."""
        every = len(self.boards)
        if self.method not in UNORDERED or rank >= every:
            return [np.arange(min(rank, every))]
        return [_some(every, rank, derive(seed, "at equal rank", draw)) for draw in range(DRAWS)]


def method_rank_rows(
    bases: Sequence[ConceptBasis],
    layers: tuple[LayerLatents, LayerLatents],
    truth: tuple[ConceptTable, ConceptTable],
    labels: tuple[Ints, Ints],
    protocol: DiscoveryProtocol,
    seed: int,
) -> pd.DataFrame:
    """Compare methods at equal numbers of directions, those that have an order by energy.

    Parameters
    ----------
    bases : one per method; the others are compared with the first.
    layers, labels : latents and classes of the images that directions are chosen on, and of those they are judged on.
    truth : what these show; of concepts called ``kind:name`` those of each kind are summed up too.

    Returns
    -------
    One row per ``method`` (of ``bases``, and ``refined``: the unique concepts of the job's own decomposition, the
    method's output), ``rank`` (how many directions; ``all``: these are all), ``truth`` and ``metric``: ``value`` with
    ``low``, ``high``, ``count`` (over how many), ``draws``, and ``gain`` with ``gain_low``, ``gain_high`` (over the
    first method at that rank, paired over concepts; NaN for boards). ``recovery auc``, ``matched correlation``: over
    concepts. ``board share``, ``boards alike``: over directions, see `board_shares`, and whether `ALIKE` of `BOARD`
    images are of one class.
    """
    pool, others = (layer.rows("features") for layer in layers)
    known, kinds = Truth.of(*truth), kinds_of(*truth)
    refined = unique_basis(layers[0], protocol, seed)
    ranked = [
        Ranked(
            basis.method,
            {kind: told.about(concepts) for kind, concepts in kinds.items()},
            board_shares(directions, (pool, others), labels),
        )
        for basis in (*bases, refined)
        for directions in [basis.directions[np.argsort(-basis.strengths, kind="stable")]]
        if len(directions)
        for told in [Told.of(directions, pool, others, known)]
    ]
    rows: list[dict[str, object]] = []
    for each in ranked:
        every = len(each.boards)
        for rank in [*(rank for rank in METHOD_RANKS if rank < every), every]:
            head: dict[str, object] = {"method": each.method, "rank": rank, "all": rank == every}
            head["draws"] = len(each.sets(rank, seed))
            rows += _rank_rows(head, each.values(rank, seed), ranked[0].values(rank, seed), seed)
    return pd.DataFrame(rows)


def unique_basis(layer: LayerLatents, protocol: DiscoveryProtocol, seed: int) -> ConceptBasis:
    """CDISCO's own output: the unique concepts of the strongest directions, in the order of these."""
    own = layer_basis(layer, protocol)
    vectors = _unique(layer, own, protocol, max(METHOD_RANKS), seed)
    order = np.arange(len(vectors), 0, -1, dtype=np.float64)
    return ConceptBasis(own.layer, "refined", vectors, order, False, np.zeros(vectors.shape[1]))


def kinds_of(shown: ConceptTable, held_out: ConceptTable) -> dict[str, Ints]:
    """Columns of `Truth` by kind: all, as ``all``, and those of each ``kind:name`` that has two or more."""
    columns = told_by_both(shown, held_out)
    kinds = np.array([shown.names[column].rpartition(":")[0] for column in columns])
    found = {str(kind): np.flatnonzero(kinds == kind) for kind in np.unique(kinds)}
    several = {kind: own for kind, own in found.items() if kind and len(own) > 1} if len(found) > 1 else {}
    return {"all": np.arange(len(columns)), **several}


def _rank_rows(
    head: dict[str, object], own: dict[tuple[str, str], Doubles], first: dict[tuple[str, str], Doubles], seed: int
) -> list[dict[str, object]]:
    """Rows of a method at a rank; ``own``, ``first``: its values and those of the first method."""
    rows: list[dict[str, object]] = []
    for (kind, metric), values in own.items():
        boards = metric.startswith("board")
        gain = UNKNOWN if boards else mean_interval(values - first[kind, metric], seed)
        ends = {**mean_interval(values, seed).columns(), **gain.columns("gain")}
        rows.append({**head, "truth": kind, "metric": metric, **ends, "count": len(values)})
    return rows


def board_shares(directions: Doubles, features: tuple[Array, Array], labels: tuple[Ints, Ints]) -> Doubles:
    """Share of the commonest class among the `BOARD` images that excite each direction most, float64 [directions].

    On the side whose board is of one class more clearly on the first images; of the second images' board.
    """
    shares = []
    for rows in blocks(len(directions), COLUMNS):
        own = directions[rows].T.astype(np.float32)
        chosen, judged = (
            np.stack([_commonest(side * (each @ own), known) for side in (1, -1)])
            for each, known in zip(features, labels, strict=True)
        )
        shares.append(judged[chosen.argmax(axis=0), np.arange(judged.shape[1])])
    return np.concatenate(shares)


def _commonest(scores: Array, labels: Ints) -> Doubles:
    """Share of the commonest class among the images that score highest, of scores [images, directions]."""
    count = min(BOARD, len(scores))
    top = labels[np.argpartition(-scores, count - 1, axis=0)[:count]]
    shares = np.stack([(top == label).mean(axis=0) for label in range(int(labels.max()) + 1)])
    return np.asarray(shares.max(axis=0), dtype=np.float64)


def class_reading_rows(
    layer: LayerLatents,
    outcomes: Outcomes,
    held_out: LayerLatents,
    labels: Ints,
    protocol: DiscoveryProtocol,
    seed: int,
) -> pd.DataFrame:
    """How well the first direction of each class tells it on other images, by what ranks the directions.

    Parameters
    ----------
    outcomes : of the images of ``layer``, by whose predictions directions are ranked.
    labels : int64 [held-out images], the true classes.

    Returns
    -------
    One row per ``reading``, ``energy`` (share of it that the candidates hold) and ``directions`` (``svd``,
    ``neurons``, ``rotation``): ``value`` (mean AUC over classes, on the side that was ranked), ``low``, ``high``,
    ``place`` (median place of the direction by strength, from 0), ``rotation_gain`` with ``rotation_low``,
    ``rotation_high`` (less the mean of ten rotations, paired over classes), ``classes``.
    """
    free = replace(protocol, side="rows", energy=1.0)
    pool, others = layer.rows("features"), held_out.rows("features")
    name = layer.moments.layer
    drawn = [RandomRotation().fit(pool, derive(seed, "reading", draw), name) for draw in range(DRAWS)]
    every = {"svd": [layer_basis(layer, free)], "neurons": [Neurons().fit(pool, seed, name)], "rotation": drawn}
    rows: list[dict[str, object]] = []
    for reading in READINGS:
        for energy in ENERGIES:
            asked = replace(free, energy=energy)
            tells = {
                method: [
                    _first_tells(rank_layer(layer, outcomes, basis, asked, reading).best(1), basis, others, labels)
                    for basis in bases
                ]
                for method, bases in every.items()
            }
            rows += _reading_rows({"reading": reading, "energy": energy}, tells, seed)
    return pd.DataFrame(rows)


def _reading_rows(
    head: dict[str, object], tells: dict[str, list[tuple[Doubles, Doubles]]], seed: int
) -> list[dict[str, object]]:
    chance = np.mean([areas for areas, _ in tells["rotation"]], axis=0)
    rows: list[dict[str, object]] = []
    for method, found in tells.items():
        areas, places = (np.mean([pair[part] for pair in found], axis=0) for part in (0, 1))
        known = np.isfinite(areas) & np.isfinite(chance)
        own = mean_interval(areas[known], seed) if known.any() else UNKNOWN
        same = method == "rotation" or not known.any()
        gain = UNKNOWN if same else mean_interval((areas - chance)[known], seed)
        rows.append(
            {
                **{**head, "directions": method, **own.columns()},
                "place": float(np.nanmedian(places)) if known.any() else float("nan"),
                **{"rotation_gain": gain.value, "rotation_low": gain.low, "rotation_high": gain.high},
                "classes": int(known.sum()),
            }
        )
    return rows


def _first_tells(
    best: tuple[Ints, Ints], basis: ConceptBasis, features: Array, labels: Ints
) -> tuple[Doubles, Doubles]:
    """AUC of each class along its first direction, and the direction's place by strength; NaN without one."""
    place = np.argsort(np.argsort(-basis.strengths, kind="stable"))
    direction, side = best[0][:, 0], best[1][:, 0]
    areas, places = np.full(len(direction), np.nan), np.full(len(direction), np.nan)
    for label in np.flatnonzero(direction >= 0):
        own = labels == label
        if 0 < own.sum() < len(own):
            along = side[label] * (features @ basis.directions[direction[label]])
            areas[label] = float(wins(along, own)) / (own.sum() * (~own).sum())
            places[label] = place[direction[label]]
    return areas, places


def _some(width: int, count: int, seed: int) -> Ints:
    return np.asarray(generator(seed, "some neurons").permutation(width)[:count], dtype=np.int64)
