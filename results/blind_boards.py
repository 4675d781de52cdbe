"""Boards of images whose method is hidden, and how those who judged them found each method."""

import pandas as pd
from matplotlib.figure import Figure

from evoscope.discovery.equal_rank import ALIKE, BOARD
from evoscope.figure_data import BlindBoards
from evoscope.stats import wilson
from evoscope.viz import Sheet
from evoscope.viz.pictures import GAP, TILE, show_mosaic
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import QUIET, SMALL
from results.page_style import caption, exhibit, markdown, method_name, percent, runs_of, with_interval
from results.registry import About, Exhibits, Written, figure, table

# Inches; a page holds `experiments.stages.blind_boards.MOST` boards.
MARGIN, NUMBER, LINE, FOOT = 0.07, 0.22, 0.045, 0.24
ABREAST = 2  # boards beside one another
TITLES = {"refined": "refined concepts"}


def boards_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    boards = exhibit(exhibits, "blind_boards", BlindBoards)
    what = (
        "Each row: the ten images that lie farthest along one direction, on its side with the farther ones. Methods, "
        f"layers and directions are hidden, and rows are shuffled. Boards {boards.sheet}: to judge them, write yes "
        "(they show one thing) or no into the column one_thing of table_blind_boards.csv and run the same command with "
        "discovery.judged=FILE, which then names the methods."
    )
    return caption(what, about, n=f"{len(boards.boards)} boards", runs=runs_of(boards.boards))


def boards_finding(exhibits: Exhibits, about: About) -> str:
    """How many boards were judged to show one thing; nothing before they are judged."""
    judged = exhibit(exhibits, "blind_boards", BlindBoards).boards["one_thing"].dropna()
    return f"Of {len(judged)} boards judged blind, {int(judged.sum())} show one thing" if len(judged) else ""


@figure(
    "fig_blind_boards",
    title="Boards to judge without knowing whose they are",
    reads=("blind_boards",),
    says=boards_finding,
    words=boards_words,
    paper="Evoscope",
    shows="boards of images with the method hidden, for judging whether they show one thing",
    place=262,
)
def boards_figure(exhibits: Exhibits, about: About) -> Figure:
    """Two columns of numbered boards, down the first and on in the second."""
    boards = exhibit(exhibits, "blind_boards", BlindBoards)
    wide = (PAGE - 2 * MARGIN - ABREAST * NUMBER) / ABREAST - LINE
    high = wide / (BOARD + (BOARD - 1) * GAP / TILE)
    rows = -(-len(boards.boards) // ABREAST)
    sheet = Sheet(PAGE, 2 * MARGIN + rows * (high + LINE) + FOOT)
    for place, (number, images) in enumerate(zip(boards.boards["board"], boards.images, strict=True)):
        column, row = divmod(place, rows)
        left, top = MARGIN + column * (NUMBER + wide + LINE), MARGIN + row * (high + LINE)
        sheet.text(left, top + high / 2 - 0.05, str(number), size=SMALL)
        show_mosaic(sheet.axes(left + NUMBER, top, wide, high), images, BOARD)
    sheet.text(MARGIN, MARGIN + rows * (high + LINE) + 0.05, f"boards {boards.sheet}", size=SMALL, color=QUIET)
    return sheet.figure


def judged_finding(rows: pd.DataFrame) -> str:
    """The shares of two methods that were judged to show one thing, the highest and the lowest."""
    if "method" not in rows.columns:
        return ""
    shares = rows.dropna(subset=["one_thing"]).groupby("method")["one_thing"].agg(["mean", "size"])
    if len(shares) < 2:
        return ""
    count, ordered = int(shares["size"].sum()), shares["mean"].sort_values(kind="stable")
    said = [f"{percent(float(ordered.iloc[place]))} of {_title(str(ordered.index[place]))}" for place in (-1, 0)]
    return f"Judged blind on {count} boards, {said[0]} and {said[1]} show one thing."


@table(
    "table_blind_boards",
    title="Boards judged without knowing whose they are",
    reads=("blind_boards",),
    paper="Evoscope",
    shows="a form for judging boards blind; once judged, how many of each method show one thing",
    place=263,
    finding=judged_finding,
)
def boards_table(exhibits: Exhibits, about: About) -> Written:
    """Before judging a form without methods; after it the rows of the boards, and the shares of the methods."""
    found = exhibit(exhibits, "blind_boards", BlindBoards)
    boards = found.boards.assign(sheet=found.sheet)
    judged = boards.dropna(subset=["one_thing"])
    if judged.empty:
        form = boards[["sheet", "board"]].assign(one_thing="")
        what = (
            f"The CSV is a form: look at fig_blind_boards (boards {found.sheet}), write yes or no into its column "
            "one_thing, and run the same command with discovery.judged=FILE."
        )
        return form, [caption(what, about, n=f"{len(form)} boards, none judged", runs=runs_of(boards))]
    what = (
        "Share of the boards of each method that were judged to show one thing, before the method was known; beside it "
        f"the share with at least {ALIKE} of {BOARD} images of one class, and how often both agree. One judgement per "
        "board; boards of one method are of different directions, drawn at random."
    )
    above = caption(
        what, about, n=f"{len(judged)} judged boards", runs=runs_of(judged), interval="95 %, Wilson's, over boards"
    )
    return boards, [above, markdown(method_rows(judged))]


def method_rows(judged: pd.DataFrame) -> pd.DataFrame:
    """One row per layer and method, in words."""
    rows = []
    for (layer, method), own in judged.groupby(["layer", "method"], sort=True):
        said, alike = own["one_thing"].astype(bool), own["share"] >= ALIKE / BOARD
        one, same = (wilson(int(each.sum()), len(own)) for each in (said, alike))
        rows.append(
            {
                "layer": layer,
                "method": _title(str(method)),
                "boards": len(own),
                "one thing [95 %]": with_interval(one.value, one.low, one.high),
                f"{ALIKE} of one class [95 %]": with_interval(same.value, same.low, same.high),
                "agree": percent(float((said == alike).mean())),
            }
        )
    return pd.DataFrame(rows)


def _title(method: str) -> str:
    return TITLES.get(method, method_name(method))
