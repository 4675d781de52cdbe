"""Boards of outliers: the training images that the concept score ranks first in their class."""

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from evoscope.figure_data import OutlierBoards
from evoscope.viz import Sheet, patch_grid
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, LARGE, NORMAL, QUIET, SMALL, elide
from results.about import About, caption
from results.headings import run_heading
from results.outliers import case_words, runs_of, subject
from results.reading import Exhibits, exhibit

ID = "fig_outlier_boards"
TITLE = "What the concept score finds first"
READS: tuple[str, ...] = ("outlier_boards",)

BOARD = ["setting", "p", "seed", "class_name"]
MOST = 10
FOUND = "#d7191c"
# Inches.
LEFT, NAMES, GAP, HEADING, CASE, KEY, ROW_GAP = 0.07, 1.35, 0.05, 0.32, 0.24, 0.2, 0.07
SIDE = (PAGE - LEFT - NAMES - 0.07 - (MOST - 1) * GAP) / MOST


def figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per case, a row of images per class."""
    boards = exhibit(exhibits, READS[0], OutlierBoards)
    rows = boards.rows.reset_index(drop=True)
    cases = [case for _, case in rows.groupby(["setting", "p"], sort=False)]
    count = sum(len(list(in_boards(case))) for case in cases)
    sheet = Sheet(PAGE, HEADING + len(cases) * CASE + count * (SIDE + ROW_GAP) + KEY + 0.05)
    if rows.empty:
        sheet.text(LEFT, 0.1, "there were no outliers to find", color=QUIET)
        return sheet.figure
    run_heading(sheet, LEFT, 0.05, runs_of(rows)[0], about)
    top = HEADING
    for case in cases:
        head = case.iloc[0]
        sheet.text(LEFT, top, case_words(str(head["setting"]), float(head["p"])), size=LARGE, bold=True)
        top += CASE
        for board in in_boards(case):
            _board(sheet, top, board, boards)
            top += SIDE + ROW_GAP
    _key(sheet, top + 0.03)
    return sheet.figure


def in_boards(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Rows of each case and class, with their row numbers."""
    for _, board in rows.groupby(BOARD, sort=False):
        yield board.head(MOST)


def _board(sheet: Sheet, top: float, board: pd.DataFrame, boards: OutlierBoards) -> None:
    head = board.iloc[0]
    room = NAMES - 0.1
    sheet.text(LEFT, top + 0.08, str(head["class_name"]), room=room, bold=True, size=NORMAL)
    found = f"{int(board['outlier'].sum())} of {len(board)} are outliers"
    sheet.text(LEFT, top + 0.21, found, room=room, size=SMALL)
    rate = f"{int(head['outliers'])} of {int(head['of'])} in the class"
    sheet.text(LEFT, top + 0.32, elide(rate, room, SMALL), size=SMALL, color=QUIET)
    for column, place in enumerate(board.index.to_numpy(dtype=int)):
        axes = sheet.axes(LEFT + NAMES + column * (SIDE + GAP), top, SIDE, SIDE)
        outlier = bool(board.loc[place, "outlier"])
        patch_grid(axes, boards.images[place : place + 1], 1, FOUND if outlier else BACKDROP)
        for frame in axes.patches if outlier else []:
            frame.set_linewidth(2.2)


def _key(sheet: Sheet, top: float) -> None:
    for left, colour, text in ((LEFT, FOUND, "an outlier"), (LEFT + 0.9, BACKDROP, "not one")):
        line = sheet.swatch(left, top, colour, marker="s")
        line.set(mfc="white", mec=colour, mew=1.4)
        sheet.text(left + 0.15, top, text, size=SMALL)


def words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure."""
    rows = exhibit(exhibits, READS[0], OutlierBoards).rows
    hits, shares = int(rows["outlier"].sum()), []
    for board in in_boards(rows):
        head = board.iloc[0]
        shares.append(float(head["outliers"]) / max(float(head["of"]), 1.0) * len(board))
    what = (
        "Training images of a class in the order of the concept score (deviation along the SVD directions that rank "
        "first for the class), the farthest first; a red frame marks those whose stamp disagrees with their class, or "
        f"whose label was made wrong. In all, {hits} of the {len(rows)} images shown are such; as many images drawn at "
        f"random from these classes would hold {sum(shares):.1f}. Classes are the first with outliers, "
        "probabilities a few of those measured, the seed the first: nothing was chosen by its result."
    )
    count = sum(1 for _ in in_boards(rows))
    return caption(TITLE, what, about, n=f"{count} boards of {subject(rows)}", runs=runs_of(rows))
