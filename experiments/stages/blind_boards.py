"""Boards of images to judge without knowing by which method they were found, and the judgements."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Array
from evoscope.data.images import ImageSet
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.equal_rank import BOARD, UNORDERED, unique_basis
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.errors import EvoscopeError
from evoscope.figure_data import BlindBoards
from evoscope.seeds import generator
from evoscope.store import Artefact, stage
from experiments.stages.concept_methods import MethodConcepts
from experiments.stages.concept_relevance import pictures
from experiments.stages.concepts import LayerSpace

FIRST = 20
"""The strongest directions of a method, among which its boards are drawn."""
MOST = 42
"""Boards that a sheet holds."""
TILE = 96
"""Pixels of an image of a board."""
ANSWERS = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}
Judgements = Mapping[int, bool]


@stage(version=1)
def blind_boards(
    directions: Sequence[tuple[LayerSpace, Artefact[MethodConcepts]]],
    protocol: DiscoveryProtocol,
    images: ImageSet,
    each: int,
    seed: int,
) -> BlindBoards:
    """``each`` boards of every method and layer, among its strongest directions, shuffled and numbered.

    A direction has two sides; the one on which its ten images lie farther from the mean is shown, so that no label is
    looked at. Beside the methods asked for stand the unique concepts (``refined``), the end product of CDISCO.
    """
    rows: list[dict[str, object]] = []
    shown: list[Array] = []
    for space, methods in directions:
        layer = space.pool()
        refined = unique_basis(layer, protocol, seed)
        features = layer.rows("features")
        for basis in [*methods.load().bases, refined]:
            for direction in _drawn(basis, each, seed):
                side, top = farther_side(features @ basis.directions[direction])
                shares = np.bincount(images.labels[top]) / len(top)
                head = {**space.head, "method": basis.method, "direction": direction, "side": side}
                rows.append({**head, "share": float(shares.max())})
                shown.append(top)
    order = generator(seed, "blind boards").permutation(len(rows))
    fit = directions[0][0].checkpoint.spec.fit
    tiles = pictures(images, [shown[place] for place in order], TILE, BOARD, fit)
    boards = pd.DataFrame([rows[place] for place in order])
    boards.insert(0, "board", np.arange(1, len(boards) + 1))
    code = hashlib.sha256(tiles.tobytes()).hexdigest()[:8]
    return BlindBoards(boards.assign(one_thing=pd.array([None] * len(boards), "boolean")), tiles, code)


@stage(version=1, label="judged boards")
def judged_boards(boards: Artefact[BlindBoards], sheet: str, judgements: Judgements) -> BlindBoards:
    """The boards with what was judged of them.

    Raises
    ------
    EvoscopeError : the judgements are of other boards, or there is no board of a number.
    """
    found = boards.load()
    if sheet != found.sheet:
        raise EvoscopeError(
            f"discovery.judged holds judgements of the boards {sheet!r}, and these are {found.sheet!r}",
            "run the command that drew the judged boards, or judge these",
        )
    unknown = sorted(set(judgements) - set(found.boards["board"]))
    if unknown:
        raise EvoscopeError(
            f"discovery.judged names board {unknown[0]}, and there are {len(found.boards)}",
            "give the number that stands on the sheet",
        )
    judged = pd.array([judgements.get(number) for number in found.boards["board"]], "boolean")
    return replace(found, boards=found.boards.assign(one_thing=judged))


def read_judgements(path: Path) -> tuple[str, Judgements]:
    """The code of the sheet and the judgements of a filled-in ``table_blind_boards.csv``; empty cells are left out.

    Raises
    ------
    EvoscopeError : the file cannot be read, lacks a column, or holds something else than yes and no (or 1 and 0).
    """
    how = "fill in the column one_thing of table_blind_boards.csv with yes or no"
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise EvoscopeError(f"discovery.judged={path} cannot be read: {error}", how) from None
    lacking = {"sheet", "board", "one_thing"} - set(rows.columns)
    if lacking or len(set(rows["sheet"])) != 1:
        what = f"lacks the column {min(lacking)}" if lacking else "names no sheet, or several"
        raise EvoscopeError(f"{path} {what}", how)
    judged = dict[int, bool]()
    for line, (board, answer) in enumerate(zip(rows["board"], rows["one_thing"], strict=True), start=2):
        said = answer.strip().lower()
        if said and (said not in ANSWERS or not board.strip().isdecimal() or int(board) in judged):
            raise EvoscopeError(f"{path}, line {line}: board {board!r} is judged {answer!r}", f"{how}, each board once")
        if said:
            judged[int(board)] = ANSWERS[said]
    if not judged:
        raise EvoscopeError(f"{path} holds no judgement", how)
    return str(rows["sheet"].iloc[0]), judged


def farther_side(scores: Array) -> tuple[int, Array]:
    """The side (+1, -1) of the mean on which the ten farthest images lie farther away, and these, farthest first."""
    order = np.argsort(-scores, kind="stable")
    count, middle = min(BOARD, len(scores)), scores.mean()
    above, below = order[:count], order[::-1][:count]
    up, down = scores[above].mean() - middle, middle - scores[below].mean()
    return (1, above) if up >= down else (-1, below)


def _drawn(basis: ConceptBasis, each: int, seed: int) -> list[int]:
    """Directions at random among the strongest; among all where a method has no order."""
    order = np.argsort(-basis.strengths, kind="stable")
    among = order if basis.method in UNORDERED else order[:FIRST]
    places = generator(seed, "blind boards", basis.layer, basis.method).permutation(len(among))
    return [int(among[place]) for place in places[:each]]
