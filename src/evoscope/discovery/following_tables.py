"""Tables of the followed directions: one row per direction, side and epoch, and shares per epoch."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from evoscope.activations.stimuli import concept_auc
from evoscope.arrays import Array, Bools, Doubles, Ints
from evoscope.discovery.following import Following, Snapshot, share_since
from evoscope.discovery.ranking import ClassRanking
from evoscope.discovery.virtual_neurons import Virtual
from evoscope.figure_data import NEVER

MEDIANS = ("similarity", "null", "channel_cosine", "shared_stimuli")


def class_tops(ranking: ClassRanking, found: Virtual, class_names: Sequence[str]) -> list[str]:
    """Names of the classes whose first candidate each direction is on its side, joined by commas; "" for none."""
    best, side = (each[:, 0] for each in ranking.best(1))
    return [
        ", ".join(
            name
            for label, name in enumerate(class_names[: len(best)])
            if (best[label], side[label]) == (direction, own)
        )
        for direction, own in zip(found.direction, found.side, strict=True)
    ]


def detector_auc(following: Following, features: Sequence[Array], present: Bools, concept: Ints) -> Doubles:
    """How well the partner of each direction tells the direction's concept at every epoch.

    Parameters
    ----------
    features : [images, d] per epoch, of images that had no part in finding the directions.
    present : bool [images, concepts].
    concept : int64 [f], column of each direction's concept; -1: none.

    Returns
    -------
    Area under the ROC curve, float64 [e, f]; NaN without a concept or a partner.
    """
    found = np.full(following.partner.shape, np.nan)
    for row, (virtual, own) in enumerate(zip(following.virtual, features, strict=True)):
        asked = np.flatnonzero((following.partner[row] >= 0) & (concept >= 0))
        if len(asked):
            scores = own @ virtual.vectors[following.partner[row, asked]].T
            areas = concept_auc(scores, present)
            found[row, asked] = areas[np.arange(len(asked)), concept[asked]]
    return found


def energy_shares(following: Following, snapshots: Sequence[Snapshot]) -> Doubles:
    """Share of the sum of squared projections that each partner's direction holds, float64 [e, f]; NaN without one."""
    found = np.full(following.partner.shape, np.nan)
    for row, (virtual, snapshot) in enumerate(zip(following.virtual, snapshots, strict=True)):
        squares = snapshot.found.basis.strengths**2
        pairs = following.partner[row] >= 0
        partners = virtual.direction[following.partner[row, pairs]]
        found[row, pairs] = squares[partners] / squares.sum()
    return found


def steps_frame(following: Following, more: Mapping[str, Array | Sequence[str]]) -> pd.DataFrame:
    """One row per direction and epoch, epoch by epoch within a direction.

    Parameters
    ----------
    following : gives the columns that it has names for, and ``direction``, ``side``, ``matched_direction``,
        ``matched_side`` (-1 and 0: none), ``null95``.
    more : further columns, values [e, f] or [f].
    """
    last, partner = following.virtual[-1], following.partner
    columns: dict[str, Array | Sequence[str]] = {
        "direction": last.direction,
        "side": last.side,
        "epoch": np.repeat(np.array(following.epochs, dtype=np.int64)[:, None], len(last), axis=1),
        "matched_direction": _partners([each.direction for each in following.virtual], partner, -1),
        "matched_side": _partners([each.side for each in following.virtual], partner, 0),
        "null95": following.null,
    }
    names = ("similarity", "null_random", "null_permuted", "channel_cosine", "shared_stimuli", "distance")
    columns |= {name: getattr(following, name) for name in (*names, "reach", "appears", "settles")}
    shape = partner.shape
    return pd.DataFrame(
        {name: np.broadcast_to(np.asarray(each), shape).T.ravel() for name, each in (columns | dict(more)).items()}
    )


def summary_frame(following: Following, seed: int) -> pd.DataFrame:
    """One row per epoch: shares of directions that have appeared and settled, and medians over directions.

    Columns ``epoch``, ``directions``, ``concepts`` (their sides), ``appeared``, ``settled`` (each with ``_low`` and
    ``_high``: 95 %, bootstrap over directions), ``similarity``, ``null95``, ``channel_cosine``, ``shared_stimuli``
    (medians), ``null_low``, ``null_high`` (5th and 95th percentile of the directions' own nulls).
    """
    rows = []
    direction = following.virtual[-1].direction
    for place, epoch in enumerate(following.epochs):
        row: dict[str, object] = {"epoch": epoch, "directions": len(np.unique(direction)), "concepts": len(direction)}
        for name, since in (("appeared", following.appears), ("settled", following.settles)):
            row |= share_since(since, epoch, direction, seed).columns(name)
        row |= {name: _quantile(getattr(following, name)[place], 0.5) for name in MEDIANS}
        row["null95"] = row.pop("null")
        row["null_low"], row["null_high"] = (_quantile(following.null[place], share) for share in (0.05, 0.95))
        rows.append(row)
    return pd.DataFrame(rows)


def choose_shown(concepts: pd.DataFrame, count: int) -> Ints:
    """Which directions to show, int64 [up to count], positions: such as differ, candidates of a class first.

    One after the other, each time among those least like the ones chosen already (of another direction and true
    concept, then appearing at another epoch) a candidate of a class, then the one that tells its concept best.

    Parameters
    ----------
    concepts : one row per direction and side: ``direction``, ``class_name``, ``concept``, ``auc``, ``appears``; those
        that never appear are left out.
    """
    quality = np.lexsort((-concepts["auc"].fillna(0).to_numpy(), (concepts["class_name"] == "").to_numpy()))
    there = concepts["appears"].to_numpy() > NEVER
    order = [int(row) for row in quality if there[row]]
    chosen: list[int] = []
    while order and len(chosen) < count:
        likeness = [_likeness(concepts, row, chosen) for row in order]
        chosen.append(order.pop(likeness.index(min(likeness))))
    return np.array(chosen, dtype=np.int64)


def _likeness(concepts: pd.DataFrame, row: int, chosen: list[int]) -> tuple[int, int]:
    """How many of the chosen have the row's direction or true concept, and how many appear with it."""
    own, others = concepts.iloc[row], concepts.iloc[chosen]
    named = (others["concept"] == own["concept"]) & (own["concept"] != "")
    same = (others["direction"] == own["direction"]) | named
    return int(same.sum()), int((others["appears"] == own["appears"]).sum())


def _partners(values: Sequence[Ints], partner: Ints, none: int) -> Ints:
    rows = [np.where(own >= 0, each[own], none) for each, own in zip(values, partner, strict=True)]
    return np.stack(rows).astype(np.int64)


def _quantile(values: Doubles, share: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, share)) if len(known) else float("nan")
