"""Regions of the semantic space where neurons of several models meet, found by neighbourhood alone or by hand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evoscope.arrays import Bools, Doubles, Floats, Ints, unit_rows
from evoscope.errors import EvoscopeError

DIFFERENT = 0.2
"""Cosine above which two regions would show the same thing."""
COPIES = 0.98
"""Cosine above which two neurons of one model count once: residual streams carry a channel through many layers."""
CANDIDATES = 10
"""Nearest neurons looked through for each member wanted."""
CLEAR = 0.5
"""Share of patches, above chance, from which on all models show the same thing in a region."""


@dataclass(frozen=True)
class Region:
    """An anchor neuron of the base and its nearest neurons in every model.

    ``anchor``: row in the base's vectors; ``members``: one int64 array of rows per model, nearest first.
    """

    anchor: int
    members: tuple[Ints, ...]


def find_regions(models: Sequence[Floats], count: int, members: int, different: float = DIFFERENT) -> list[Region]:
    """The ``count`` tightest regions with ``members`` neurons of each model, each unlike the ones before.

    A region's tightness is the smallest cosine between its anchor, a neuron of the first model (the base),
    and the ``members`` nearest neurons of any model. Regions are taken from the tightest down, leaving out
    anchors whose cosine with an earlier anchor is above ``different``.

    Parameters
    ----------
    models : float32 [neurons, dim] per model, the base first; NaN rows are unplaced neurons.
    count, members : how many regions, and neurons of each model in a region.

    Returns
    -------
    At most ``count`` regions, tightest first; none if a model has fewer than ``members`` placed neurons.
    """
    placed = [np.flatnonzero(~np.isnan(vectors).any(axis=1)) for vectors in models]
    if min((len(rows) for rows in placed), default=0) < members:
        return []
    units = [_unit(vectors[rows]) for vectors, rows in zip(models, placed, strict=True)]
    nearest = [_nearest(units[0], unit, members) for unit in units]
    tightness = np.min([cosines[:, -1] for _, cosines in nearest], axis=0)
    return [
        Region(
            anchor=int(placed[0][anchor]),
            members=tuple(rows[found[anchor]] for rows, (found, _) in zip(placed, nearest, strict=True)),
        )
        for anchor in _unlike(units[0], np.argsort(-tightness, kind="stable"), count, different)
    ]


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _nearest(anchors: Floats, others: Floats, members: int) -> tuple[Ints, Floats]:
    """Rows and cosines of each anchor's members among ``others``, nearest first: [anchors, members] each.

    Where all candidates are copies of one another, the row of the nearest stands for the missing ones, at cosine -1.
    """
    cosines = anchors @ others.T
    order = np.argsort(-cosines, axis=1, kind="stable")[:, : CANDIDATES * members]
    kept = [_unlike(others, candidates, members, COPIES) for candidates in order]
    rows = np.array([each + [-1] * (members - len(each)) for each in kept])
    found = np.take_along_axis(cosines, np.maximum(rows, 0), axis=1)
    return np.where(rows < 0, order[:, :1], rows), np.where(rows < 0, -1.0, found)


def _unlike(units: Floats, order: Ints, count: int, different: float) -> list[int]:
    """The first ``count`` of ``order`` that are unlike all those taken before them."""
    taken: list[int] = []
    for row in order:
        if len(taken) == count:
            break
        if not taken or float(np.max(units[taken] @ units[row])) <= different:
            taken.append(int(row))
    return taken


@dataclass(frozen=True)
class NamedRegion:
    """Neurons that somebody chose on the map: ``name``, and run, epoch, layer and channel of each."""

    name: str
    neurons: tuple[tuple[str, int, str, int], ...]


MOST = 8
"""Regions that a file may hold: a figure has a column for each."""


def read_regions(path: Path) -> tuple[NamedRegion, ...]:
    """The regions of a JSON file that the explorer saved.

    Raises
    ------
    EvoscopeError : the file cannot be read, or holds no regions, or more than `MOST`.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        found = tuple(_region(each) for each in held["regions"])
    except (OSError, ValueError, TypeError, KeyError) as problem:
        raise EvoscopeError(
            f"{path} holds no regions of the explorer ({type(problem).__name__}: {problem})",
            "name regions there, and save them as JSON",
        ) from None
    if not 0 < len(found) <= MOST:
        raise EvoscopeError(f"{path} holds {len(found)} regions", f"save at least one and at most {MOST}")
    return found


def _region(held: dict[str, object]) -> NamedRegion:
    neurons = held["neurons"]
    if not isinstance(neurons, list) or not neurons:
        raise ValueError(f"region {held['name']!r} has no neurons")
    rows = [(str(x["run"]), int(x["epoch"]), str(x["layer"]), int(x["channel"])) for x in neurons]
    return NamedRegion(str(held["name"]), tuple(rows))


def central(vectors: Floats, count: int) -> Ints:
    """The rows of vectors [n, dim] that lie nearest to their mean direction, nearest first: int64 [<= count].

    NaN rows are left out.
    """
    placed = np.flatnonzero(~np.isnan(vectors).any(axis=1))
    units = unit_rows(vectors[placed])
    return np.asarray(placed[np.argsort(-(units @ units.mean(axis=0)), kind="stable")[:count]])


def region_name(content: Sequence[Bools], anywhere: Bools, families: Sequence[str]) -> tuple[list[int], float]:
    """The concept, or the two of different families at one place, that every model's patches show most above chance.

    Parameters
    ----------
    content : bool [patches, names] per model; anywhere : bool [patches, names] of neurons drawn at random.
    families : of each name; two of one family do not go together.

    Returns
    -------
    Columns of the name, and by how much the least share over the models is above the share anywhere.
    """
    joint = np.min([_together(shown) for shown in content], axis=0) - _together(anywhere)
    kinds = np.array(families, dtype=object)
    joint[(kinds[:, None] == kinds) & ~np.eye(len(kinds), dtype=bool)] = -1.0
    first, second = np.unravel_index(int(np.argmax(joint)), joint.shape)
    return sorted({int(first), int(second)}), float(joint[first, second])


def _together(shown: Bools) -> Doubles:
    """Share of the patches that show both of two names, float64 [names, names]; on the diagonal, of one."""
    counts = shown.astype(np.float64)
    return np.asarray(counts.T @ counts / max(len(counts), 1))


def far_apart(places: Doubles, leads: Doubles, names: Sequence[str], count: int) -> list[int]:
    """``count`` candidates of different names: the clearest, then, while there are clear ones, always the farthest.

    Parameters
    ----------
    places : [candidates, 2] on the map; leads : [candidates], as from `region_name`; names : of each.
    """
    taken: list[int] = []
    while len(taken) < count:
        left = [row for row in range(len(leads)) if names[row] not in {names[each] for each in taken}]
        clear = [row for row in left if leads[row] >= CLEAR]
        if not left:
            break
        if taken and clear:
            away = np.linalg.norm(places[clear][:, None] - places[taken], axis=2).min(axis=1)
            taken.append(clear[int(np.argmax(away))])
        else:
            taken.append(max(left, key=lambda row: float(leads[row])))
    return taken
