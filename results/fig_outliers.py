"""Outliers: how well each score finds stamps that disagree with their class, and wrong labels."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.viz import Sheet, level_line, remark
from evoscope.viz.charts import bounded
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, LARGE, QUIET, SMALL
from results.about import About, caption
from results.headings import run_heading
from results.outliers import (
    DIFFERENCES,
    LOOKS,
    OUTLIERS,
    SEED_INTERVAL,
    beaten,
    case_words,
    over_seeds,
    runs_of,
    score_name,
    seeds_of,
    subject,
)
from results.reading import Exhibits, doubles, table

ID = "fig_outliers"
TITLE = "How well scores find the outliers"
READS: tuple[str, ...] = ("outliers", "outlier_differences")

# Inches.
LEFT, BETWEEN, HEADING, TITLES, HEIGHT, AXIS, LINE = 0.42, 0.34, 0.3, 0.2, 1.75, 0.42, 0.15
STAMPS, WRONG = 2.4, 1.2  # widths of the panels
PANELS = (
    ("stamp", "auroc", "AUROC, stamps", STAMPS),
    ("stamp", "average_precision", "average precision, stamps", STAMPS),
    ("mislabelled", "auroc", "AUROC, labels", WRONG),
)
AXES = {"stamp": "probability that a stamp is redrawn", "mislabelled": "share of labels wrong"}
SHARE = 0.8  # of the room of one p that its scores take


def figure(exhibits: Exhibits, about: About) -> Figure:
    """Stamps over p by AUROC and average precision, and wrong labels."""
    rows = over_seeds(exhibits, READS[0], OUTLIERS)
    scores = shown_scores(rows)
    columns = 3
    legend = -(-len(scores) // columns)
    sheet = Sheet(PAGE, HEADING + TITLES + HEIGHT + AXIS + LINE * legend + 0.12)
    if rows.empty:
        sheet.text(LEFT, 0.1, "no score was judged", color=QUIET)
        return sheet.figure
    run_heading(sheet, 0.07, 0.05, runs_of(rows)[0], about)
    top, left = HEADING + TITLES, LEFT
    for setting, metric, title, width in PANELS:
        own = rows[(rows["metric"] == metric) & (rows["setting"] == setting)]
        sheet.text(left, HEADING, title, size=LARGE, bold=True)
        axes = _over_p(sheet.axes(left, top, width, HEIGHT), own, scores)
        axes.set_xlabel(AXES[setting])
        if metric == "auroc":
            level_line(axes, 0.5)
        left += width + BETWEEN
    _legend(sheet, top + HEIGHT + AXIS, scores, columns)
    return sheet.figure


def shown_scores(rows: pd.DataFrame) -> list[str]:
    """Scores of the table, the known ones in their order first."""
    present = list(dict.fromkeys(rows["score"]))
    return [name for name in LOOKS if name in present] + [name for name in present if name not in LOOKS]


def look(score: str) -> tuple[str, str]:
    """Colour and marker of a score."""
    return LOOKS[score][1:] if score in LOOKS else (QUIET, ".")


def _over_p(axes: Axes, rows: pd.DataFrame, scores: list[str]) -> Axes:
    """Scores side by side at each p, in equal steps; joined where there are several."""
    steps = sorted({float(p) for p in rows["p"]})
    for place, score in enumerate(scores):
        own = rows[rows["score"] == score].sort_values("p")
        x = np.array([steps.index(float(p)) for p in own["p"]], dtype=np.float64)
        x += SHARE * ((place + 0.5) / len(scores) - 0.5)
        value = doubles(own["value"])
        low, high = bounded(value, doubles(own["low"]), doubles(own["high"]))
        colour, marker = look(score)
        axes.vlines(x, low, high, color=colour, lw=1.0, zorder=3)
        axes.plot(x, value, color=colour, marker=marker, markersize=2.8, lw=0.5, alpha=0.9, zorder=4)
    if not np.isfinite(doubles(rows["value"])).any():
        remark(axes, "no outliers to find")
    _axis(axes, rows, steps)
    return axes


def _axis(axes: Axes, rows: pd.DataFrame, steps: list[float]) -> None:
    axes.set_xlim(-0.55, max(len(steps), 1) - 0.45)
    wrong = len(rows) > 0 and (rows["setting"] != "stamp").all()
    axes.set_xticks(range(len(steps)), [f"{100 * p:.3g} %" if wrong else f"{p:g}" for p in steps])
    for place in range(1, len(steps)):
        axes.axvline(place - 0.5, color=BACKDROP, lw=0.6, zorder=0)
    known = rows[["value", "low"]].to_numpy(dtype=np.float64)
    axes.set_ylim(min(0.45, float(np.nanmin(known, initial=0.45)) - 0.03), 1.02)
    axes.grid(axis="y")


def _legend(sheet: Sheet, top: float, scores: list[str], columns: int) -> None:
    lines = -(-len(scores) // columns)
    for place, score in enumerate(scores):
        column, line = divmod(place, lines)
        left, down = LEFT + column * 2.2, top + line * LINE
        colour, marker = look(score)
        sheet.swatch(left, down, colour, marker=marker).set(markersize=3.5, mec=colour)
        sheet.text(left + 0.14, down, score_name(score), room=1.95, size=SMALL)


def words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure."""
    every, rows = table(exhibits, READS[0], OUTLIERS), over_seeds(exhibits, READS[0], OUTLIERS)
    differences = over_seeds(exhibits, READS[1], DIFFERENCES)
    none = rows[rows["value"].isna()][["setting", "p"]].drop_duplicates()
    what = (
        "Each score ranks the training images of a network trained on them; the truth is whether the colour of an "
        "image's stamp disagrees with its class, or whether its label was made wrong. Dotted: chance of the AUROC. "
        "Concept scores say how far an image lies from its class along the directions that rank first for the class "
        "(deviation) or how little of them it shows (absence), for the SVD and for single neurons; the authors' own "
        "score is not known. " + beaten(differences)
    )
    if len(none):
        listed = ", ".join(case_words(*each) for each in none.itertuples(index=False, name=None))
        what += f" Without a value for some or all scores, as there is nothing to find: {listed}."
    images = every.groupby("setting")["images"].max().max() if len(every) else 0
    n = f"{seeds_of(every)}, up to {int(images):,} training images each, of {subject(rows)}"
    return caption(TITLE, what, about, n=n, runs=runs_of(rows), interval=SEED_INTERVAL)
