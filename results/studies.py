"""Human studies: one trial of each kind as a participant sees it, and their sizes, chance and power."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from evoscope.arrays import Bytes
from evoscope.figure_data import StudySheet
from evoscope.viz import Sheet, patch_grid
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, FAINT, LARGE, NORMAL, QUIET, SMALL, elide, width_of, wrap
from results.page_style import caption, exhibit, markdown, rows_of
from results.registry import About, Exhibits, Written, figure, table

# --- figure: studies -------------------------------------------------------------------------------------------------

RIGHT = "#0b57a4"
# Inches.
MARGIN, GAP, PAD, HEADING, LINE, NAME, FIELD = 0.07, 0.14, 0.1, 0.22, 0.125, 0.14, 0.24
CARD = (PAGE - 2 * MARGIN - GAP) / 2
INSIDE = CARD - 2 * PAD
BETWEEN = 0.07
DOT = 0.13
BOLD = 0.87  # of the room: bold letters are wider


@dataclass(frozen=True)
class Panels:
    """How the panels of a trial stand: ``across`` beside each other, of ``side`` inches, ``grid`` pictures wide."""

    count: int
    across: int
    side: float
    grid: int

    @property
    def height(self) -> float:
        """Of all rows with their names."""
        return ceil(self.count / self.across) * (NAME + self.side + BETWEEN)


def panels_of(trial: "pd.Series[Any]") -> Panels:
    """As on the page: sets three beside each other, single pictures in one row."""
    count, pictures = int(trial["panels"]), int(trial["pictures"])
    across = count if pictures == 1 else min(count, 3)
    side = min((INSIDE - (across - 1) * BETWEEN) / across, 1.05)
    return Panels(count, across, side, ceil(pictures**0.5))


def studies_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    trials = exhibit(exhibits, "study_sheet", StudySheet).trials
    what = (
        "The first trial of each study that has a right answer, as its page shows it; blue: the right or expected "
        "answer, which participants are not shown. Neurons are shown by the image patches that excite them most, "
        "concepts by the images that lie farthest along them. The wording is ours: the papers' own was not published. "
        "Nobody has answered these studies."
    )
    return caption(what, about, n=f"{len(trials)} trials, one of each kind")


def studies_finding(exhibits: Exhibits, about: About) -> str:
    """How many studies there are; nobody has answered them."""
    trials = exhibit(exhibits, "study_sheet", StudySheet).trials
    return f"{len(trials)} kinds of questions are ready for people; nobody has answered them" if len(trials) else ""


@figure(
    "fig_studies",
    title="Human studies: one trial of each kind",
    reads=("study_sheet",),
    says=studies_finding,
    words=studies_words,
    paper="Evoscope",
    shows="a trial of each human study",
    place=310,
)
def studies_figure(exhibits: Exhibits, about: About) -> Figure:
    """Cards in two columns, each below the shorter one so far."""
    sheet_of = exhibit(exhibits, "study_sheet", StudySheet)
    cards: list[tuple[float, float, pd.Series[Any]]] = []
    tops = [MARGIN, MARGIN]
    for _, trial in sheet_of.trials.iterrows():
        column = 0 if tops[0] <= tops[1] else 1
        cards.append((MARGIN + column * (CARD + GAP), tops[column], trial))
        tops[column] += height_of(trial) + GAP
    sheet = Sheet(PAGE, max(tops))
    for left, top, trial in cards:
        _card(sheet, left, top, trial, sheet_of.pictures)
    return sheet.figure


def question_lines(trial: "pd.Series[Any]") -> list[str]:
    """The question in at most three lines."""
    return wrap(str(trial["question"]), INSIDE * BOLD, NORMAL, 3).split("\n")


def height_of(trial: "pd.Series[Any]") -> float:
    """Height of a card in inches."""
    answers = FIELD * len(text_lines(trial["texts"])) + (2 * LINE + 0.06 if trial["options"] else 0)
    return HEADING + PAD + len(question_lines(trial)) * LINE + 0.06 + panels_of(trial).height + answers + PAD


def text_lines(text: object) -> list[str]:
    """Lines of a text; none of an empty one."""
    return str(text).split("\n") if text else []


def _card(sheet: Sheet, left: float, top: float, trial: "pd.Series[Any]", pictures: Bytes) -> None:
    head = str(trial["kind"]).replace("_", " ")
    sheet.text(left, top, head, size=LARGE, bold=True)
    condition = f"condition: {trial['condition']}".replace("_", " ")
    sheet.text(left + CARD, top + 0.025, condition, size=SMALL, across="right", color=QUIET)
    _frame(sheet, left, top + HEADING, CARD, height_of(trial) - HEADING, BACKDROP)
    left, top = left + PAD, top + HEADING + PAD
    for number, line in enumerate(question_lines(trial)):
        sheet.text(left, top + number * LINE, line, bold=True)
    top += len(question_lines(trial)) * LINE + 0.06
    _panels(sheet, left, top, trial, pictures)
    _answers(sheet, left, top + panels_of(trial).height, trial)


def _panels(sheet: Sheet, left: float, top: float, trial: "pd.Series[Any]", pictures: Bytes) -> None:
    """Panels with their names; the right one in blue."""
    shape, each = panels_of(trial), int(trial["pictures"])
    what = "Picture" if each == 1 else "Set"
    for number in range(shape.count):
        row, column = divmod(number, shape.across)
        x, y = left + column * (shape.side + BETWEEN), top + row * (NAME + shape.side + BETWEEN)
        right = bool(trial["choose"]) and number == int(trial["answer"])
        name = f"{what} {chr(ord('A') + number)}" if shape.count > 1 else "Pictures"
        sheet.text(x, y, name, room=shape.side, size=SMALL, bold=right, color=RIGHT if right else QUIET)
        axes = sheet.axes(x, y + NAME, shape.side, shape.side)
        first = int(trial["first"]) + number * each
        patch_grid(axes, pictures[first : first + each], shape.grid, RIGHT if right else FAINT)
        axes.set_anchor("NW")


def _answers(sheet: Sheet, left: float, top: float, trial: "pd.Series[Any]") -> None:
    """Text fields, then the closed question with its options; the expected one in blue."""
    for prompt in text_lines(trial["texts"]):
        sheet.text(left, top + 0.05, elide(prompt, 0.8, SMALL), size=SMALL)
        _frame(sheet, left + 0.85, top + 0.01, INSIDE - 0.85, FIELD - 0.06, FAINT)
        top += FIELD
    if not trial["options"]:
        return
    sheet.text(left, top + 0.02, str(trial["option_question"]), room=INSIDE, size=SMALL, bold=True)
    options = text_lines(trial["options"])
    wide = [width_of(option, SMALL) + DOT for option in options]
    spare = (INSIDE - sum(wide)) / len(options)
    for number, option in enumerate(options):
        right = not trial["choose"] and number == int(trial["answer"])
        colour = RIGHT if right else QUIET
        sheet.swatch(left, top + 0.02 + LINE, colour, marker="o").set(mfc=colour if right else "white", mew=0.8)
        # Longer options than there is room for share what is lacking.
        shown = elide(option, wide[number] - DOT + min(spare, 0) + 1e-6, SMALL)
        sheet.text(left + DOT, top + 0.02 + LINE, shown, size=SMALL, color=colour)
        left += wide[number] + min(spare, 0.25)


def _frame(sheet: Sheet, left: float, top: float, width: float, height: float, colour: str) -> None:
    """Rounded frame."""
    corner = (left, sheet.height - top - height)
    frame = FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.05", fc="none", ec=colour)
    # Inches from the lower left corner of the paper.
    frame.set(transform=sheet.figure.dpi_scale_trans, lw=0.8)
    sheet.figure.add_artist(frame)


# --- table: studies --------------------------------------------------------------------------------------------------

COLUMNS = (
    "kind", "condition", "trials", "blocks", "answered", "primary", "against", "chance", "accuracy", "needed",
    "participants", "power", "wanted", "photos_alone", "colours_alone",
)  # fmt: skip
DASH = "–"


def finding(rows: pd.DataFrame) -> str:
    """How many trials the studies have, and how many participants the primary contrasts need."""
    if rows.empty:
        return ""
    first = rows[rows["primary"].astype(bool) & rows["needed"].notna()]
    needed = ", ".join(f"{str(row['kind']).replace('_', ' ')} {row['needed']:.0f}" for _, row in first.iterrows())
    people = f"; participants that the primary contrasts need: {needed}" if needed else ""
    return f"{int(rows['trials'].sum()):,} trials of {rows['kind'].nunique()} studies await participants{people}."


@table(
    "table_studies",
    title="Human studies: sizes, chance and participants needed",
    reads=("studies",),
    paper="Evoscope",
    shows="sizes and power of the human studies",
    place=320,
    finding=finding,
)
def studies_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV and text of the Markdown."""
    rows = rows_of(exhibits, "studies", COLUMNS)
    people, wanted = int(rows["participants"].iloc[0]), float(rows["wanted"].iloc[0])
    above = caption(
        "Trials of each condition, how many of them one participant answers (mean over the blocks), the chance of a "
        "right answer, what a machine finds that only compares photographs or only colours (guessing where all are "
        "alike), and how many participants show the accuracy named beside it, against chance or the condition named, "
        f"with a power of {wanted:g}: two-sided test at .05 over people and items, as the analysis makes it, simulated "
        "200 times with spreads of 0.5 of the log-odds over participants and over items. A star: the primary contrast. "
        "A dash: nothing can be right or nothing is known, or no number up to 1,000 suffices with these items. The "
        "last column is the power with the participants asked for.",
        about,
        n=f"{int(rows['trials'].sum())} trials of {rows['kind'].nunique()} studies; {people} participants asked for",
    )
    return rows, [above, markdown(readable(rows))]


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Readable rows."""
    return pd.DataFrame(
        {
            "study": [str(name).replace("_", " ") for name in rows["kind"]],
            "condition": [
                str(name).replace("_", " ") + (" \\*" if primary else "")
                for name, primary in zip(rows["condition"], rows["primary"], strict=True)
            ],
            "trials": rows["trials"],
            "blocks": rows["blocks"],
            "answered by each": [f"{value:.1f}" for value in rows["answered"]],
            "chance": [_number(value, ".3f") for value in rows["chance"]],
            "photographs alone": [_number(value, ".2f") for value in rows["photos_alone"]],
            "colours alone": [_number(value, ".2f") for value in rows["colours_alone"]],
            "against": [str(name).replace("_", " ") or DASH for name in rows["against"]],
            "accuracy to show": [_number(value, ".3f") for value in rows["accuracy"]],
            "participants needed": [_number(value, ".0f") for value in rows["needed"]],
            f"power with {int(rows['participants'].iloc[0])}": [_number(value, ".2f") for value in rows["power"]],
        }
    )


def _number(value: float, form: str) -> str:
    return DASH if pd.isna(value) else format(value, form)
