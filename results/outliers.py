"""Outliers: how well each score finds stamps that disagree with their class and wrong labels, and what it finds."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.figure_data import OutlierBoards
from evoscope.viz import Sheet, level_line, patch_grid, remark
from evoscope.viz.charts import bounded
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, LARGE, NORMAL, QUIET, SMALL, elide
from results.page_style import (
    CASE,
    SEED_INTERVAL,
    caption,
    case_words,
    doubles,
    exhibit,
    markdown,
    over_seeds,
    percent,
    rows_of,
    run_heading,
    runs_of,
    seeds_of,
    subject,
    with_interval,
)
from results.registry import About, Exhibits, Written, figure, table

# Scores in the order in which they are shown: name, colour (concepts warm, the others cold), marker.
LOOKS = {
    "svd_deviation": ("concepts (SVD), deviation", "#d95f02", "o"),
    "svd_absence": ("concepts (SVD), absence", "#e6ab02", "o"),
    "neurons_deviation": ("neurons, deviation", "#a6761d", "s"),
    "neurons_absence": ("neurons, absence", "#e7298a", "s"),
    "rotation_absence": ("random rotation, absence", "#666666", "s"),
    "loss": ("loss", "#1b9e77", "D"),
    "uncertainty": ("1 - confidence", "#7570b3", "D"),
    "mahalanobis": ("Mahalanobis distance", "#0072b2", "^"),
    "knn": ("distance to neighbours", "#56b4e9", "^"),
    "random": ("random", "#909090", "x"),
}
METRICS = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "precision_at_k": "precision at k",
    "lift_at_20": "lift of the first 20",
}
READINGS = {
    "projection": "z of the projection",
    "evidence": "z of the evidence",
    "mixed": "ranked by evidence, scored by projection",
    "": "without concepts",
}
OUTLIERS = (*CASE, "score", "metric", "value", "low", "high", "outliers", "images", "note")
DIFFERENCES = (*CASE, "score", "against", "metric", "value", "low", "high", "beats", "note")


def score_name(score: str) -> str:
    """Readable name of a score."""
    return LOOKS[score][0] if score in LOOKS else score.replace("_", " ")


def beaten(differences: pd.DataFrame) -> str:
    """Sentence on where concept scores beat loss and confidence, over the seeds and with intervals."""
    parts = []
    for metric, name in METRICS.items():
        own = differences[(differences["metric"] == metric) & differences["value"].notna()]
        if len(own):
            parts.append(f"{int(own['beats'].sum())} of {len(own)} ({name})")
    if not parts:
        return "No concept score could be compared with loss or confidence."
    worse = int((differences["high"] < 0).sum())
    return (
        "A concept score beats loss or confidence, the interval of the paired difference lying above 0, in "
        f"{', '.join(parts)} comparisons; it is worse, the interval lying below 0, in {worse} of "
        f"{int(differences['value'].notna().sum())}."
    )


# --- figure: outliers ------------------------------------------------------------------------------------------------

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


def outliers_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    every, rows = rows_of(exhibits, "outliers", OUTLIERS), over_seeds(exhibits, "outliers", OUTLIERS)
    differences = over_seeds(exhibits, "outlier_differences", DIFFERENCES)
    none = rows[rows["value"].isna()][["setting", "p"]].drop_duplicates()
    what = (
        "Each score ranks the training images of a network trained on them; the truth is whether the colour of an "
        "image's stamp disagrees with its class, or whether its label was made wrong. Dotted: chance of the AUROC. "
        "Concept scores say how far an image lies from its class along the directions that rank first for the class "
        "(deviation) or how little of them it shows (absence), for the SVD, for single neurons and for a random "
        "rotation; the authors' own score is not known. " + beaten(differences)
    )
    if len(none):
        listed = ", ".join(case_words(*each) for each in none.itertuples(index=False, name=None))
        what += f" Without a value for some or all scores, as there is nothing to find: {listed}."
    each = every.loc[every["seed"] != "all", "images"]
    images = int(each.max()) if len(each) else 0
    n = f"{seeds_of(every)}, up to {images:,} training images each, of {subject(rows)}"
    return caption(what, about, n=n, runs=runs_of(rows), interval=SEED_INTERVAL)


@figure(
    "fig_outliers",
    title="How well scores find the outliers",
    reads=("outliers", "outlier_differences"),
    words=outliers_words,
    paper="CDISCO",
    shows="how well scores find outliers among the training images",
    place=330,
)
def outliers_figure(exhibits: Exhibits, about: About) -> Figure:
    """Stamps over p by AUROC and average precision, and wrong labels."""
    rows = over_seeds(exhibits, "outliers", OUTLIERS)
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


# --- table: outliers -------------------------------------------------------------------------------------------------

SCORED = ["setting", "p", "score"]


@table(
    "table_outliers",
    title="How well scores find the outliers",
    reads=("outliers", "outlier_differences"),
    paper="CDISCO",
    shows="scores of outliers, and differences from loss and confidence",
    place=360,
)
def outliers_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every seed) and text of the Markdown (means over the seeds, then the differences)."""
    rows, means = rows_of(exhibits, "outliers", OUTLIERS), over_seeds(exhibits, "outliers", OUTLIERS)
    differences = over_seeds(exhibits, "outlier_differences", DIFFERENCES)
    above = caption(
        "Training images are ranked by each score; the truth is whether a stamp disagrees with the class of its image, "
        "or whether a label was made wrong. k of precision at k is the number of outliers; the lift is the share of "
        f"outliers among the first 20 over their share of all. {beaten(differences)}",
        about,
        n=f"{seeds_of(rows)}, images of {subject(means)}",
        runs=runs_of(means),
        interval=SEED_INTERVAL,
    )
    note = (
        "**Concept scores less loss and confidence.** Mean of the paired differences; *beats* only where the interval "
        "lies above 0."
    )
    return rows, [above, markdown(by_score(means)), note, markdown(by_pair(differences))]


def by_score(means: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, p and score."""
    lines = []
    for (setting, p, score), own in means.groupby(SCORED, sort=False):
        head = {"images": case_words(str(setting), float(str(p))), "score": score_name(str(score))}
        outliers = f"{int(own['outliers'].iloc[0]):,} of {int(own['images'].iloc[0]):,}"
        note = str(own["note"].iloc[0] or "")
        lines.append({**head, "outliers, all seeds": outliers, **_values(own), "note": note})
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=["images", "score", *METRICS.values()])


def by_pair(differences: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, p, concept score and rival; settings without outliers are left out."""
    lines = []
    known = differences[differences["value"].notna()]
    for (setting, p, score, against), own in known.groupby([*SCORED, "against"], sort=False):
        head = {"images": case_words(str(setting), float(str(p))), "score": score_name(str(score))}
        better = ", ".join(METRICS[str(name)] for name in own.loc[own["beats"], "metric"])
        lines.append({**head, "less": score_name(str(against)), **_values(own), "beats": better or "no"})
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=["images", "score", "less", "beats"])


def _values(own: pd.DataFrame) -> dict[str, str]:
    cells = {}
    for metric, name in METRICS.items():
        part = own.loc[own["metric"] == metric, ["value", "low", "high"]]
        if len(part):
            cells[name] = with_interval(*map(float, part.iloc[0]))
    return cells


# --- table: outlier readings -----------------------------------------------------------------------------------------

READ = (*CASE, "reading", "score", "metric", "value", "low", "high", "outliers", "images", "note")
ALONG = {"svd": "SVD", "neurons": "neurons", "rotation": "random rotation"}

TOLD_AT = 0.1  # share of stamps redrawn at which the sentence tells what is found, where it was measured


def finding(rows: pd.DataFrame) -> str:
    """Outliers among the first samples by the absence of a class's concepts, at the published depth."""
    own = rows[
        (rows["setting"] == "stamp") & (rows["reading"] == "projection") & (rows["score"] == "svd")
        & (rows["seed"].astype(str) == "all") & rows["value"].notna()
    ]  # fmt: skip
    own = own[own["layer"] == rows["layer"].iloc[0]] if len(rows) else own
    own = own[own["p"] == (TOLD_AT if (own["p"] == TOLD_AT).any() else own["p"].min())]
    values = {str(row["metric"]): row for _, row in own.drop_duplicates("metric").iterrows()}
    if not {"lift_at_20", "auroc"} <= set(values):
        return ""
    lift, area = values["lift_at_20"], values["auroc"]
    base = float(lift["outliers"] / lift["images"])
    return (
        f"Of the first 20 samples by absence of their class's concepts {percent(base * float(lift['value']))} have a "
        f"stamp that disagrees with the class, of all samples {percent(base, 1)} (AUROC "
        f"{with_interval(*(float(area[name]) for name in ('value', 'low', 'high')))}; layer {lift['layer']}, "
        f"p = {lift['p']:g}, {seeds_of(rows)})."
    )


@table(
    "table_outlier_readings",
    title="Absence of concepts by every reading, at every layer",
    reads=("outlier_readings",),
    paper="CDISCO",
    shows="outliers by the absence of concepts, by reading, layer and kind of direction",
    place=365,
    finding=finding,
)
def outlier_readings_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every seed) and text of the Markdown (means over the seeds)."""
    rows, means = rows_of(exhibits, "outlier_readings", READ), over_seeds(exhibits, "outlier_readings", READ)
    above = caption(
        "No score was released, so each reading of the text stands beside the others: a class's directions are those "
        "along which the projection (or the evidence, the gradient times the activation) differs most between the "
        "images predicted as the class and the rest, and a sample's score is how little of their projection (or "
        "evidence) it shows. The number of directions is fixed beforehand and the same for SVD, neurons and a random "
        "rotation; the first layer of each case has the published depth.",
        about,
        n=f"{seeds_of(rows)}, images of {subject(means)}",
        runs=runs_of(means),
        interval=SEED_INTERVAL,
    )
    return rows, [above, markdown(by_reading(means))]


def by_reading(means: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, p, layer, reading and kind of direction; settings without outliers are left out."""
    lines = []
    known = means[means["value"].notna()]
    for (setting, p, layer, reading, score), own in known.groupby(
        ["setting", "p", "layer", "reading", "score"], sort=False
    ):
        head = {
            "images": case_words(str(setting), float(str(p))),
            "layer": layer,
            "reading": READINGS[str(reading)],
        }
        along = ALONG.get(str(score)) or score_name(str(score))
        lines.append({**head, "along": along, **_values(own)})
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=["images", "layer", "reading", "along"])


# --- figure: outlier boards ------------------------------------------------------------------------------------------

BOARD = ["setting", "p", "seed", "class_name"]
MOST = 10
FOUND = "#d7191c"
# Inches.
BOARD_LEFT, NAMES, GAP, BOARD_HEADING, CASE_HEADING, KEY, ROW_GAP = 0.07, 1.35, 0.05, 0.32, 0.24, 0.2, 0.07
SIDE = (PAGE - BOARD_LEFT - NAMES - 0.07 - (MOST - 1) * GAP) / MOST


def outlier_boards_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    rows = exhibit(exhibits, "outlier_boards", OutlierBoards).rows
    hits, shares = int(rows["outlier"].sum()), []
    for board in in_boards(rows):
        head = board.iloc[0]
        shares.append(float(head["outliers"]) / max(float(head["of"]), 1.0) * len(board))
    what = (
        "Training images of a class in the order of the concept score (absence of the SVD directions that rank first "
        "for the class), the emptiest first; a red frame marks those whose stamp disagrees with their class, or "
        f"whose label was made wrong. In all, {hits} of the {len(rows)} images shown are such; as many images drawn at "
        f"random from these classes would hold {sum(shares):.1f}. Classes are the first with outliers, "
        "probabilities a few of those measured, the seed the first: nothing was chosen by its result."
    )
    count = sum(1 for _ in in_boards(rows))
    return caption(what, about, n=f"{count} boards of {subject(rows)}", runs=runs_of(rows))


@figure(
    "fig_outlier_boards",
    title="What the concept score finds first",
    reads=("outlier_boards",),
    words=outlier_boards_words,
    paper="CDISCO",
    shows="training images that the concept score ranks first",
    place=340,
)
def outlier_boards_figure(exhibits: Exhibits, about: About) -> Figure:
    """A block per case, a row of images per class."""
    boards = exhibit(exhibits, "outlier_boards", OutlierBoards)
    rows = boards.rows.reset_index(drop=True)
    cases = [case for _, case in rows.groupby(["setting", "p"], sort=False)]
    count = sum(len(list(in_boards(case))) for case in cases)
    sheet = Sheet(PAGE, BOARD_HEADING + len(cases) * CASE_HEADING + count * (SIDE + ROW_GAP) + KEY + 0.05)
    if rows.empty:
        sheet.text(BOARD_LEFT, 0.1, "there were no outliers to find", color=QUIET)
        return sheet.figure
    run_heading(sheet, BOARD_LEFT, 0.05, runs_of(rows)[0], about)
    top = BOARD_HEADING
    for case in cases:
        head = case.iloc[0]
        sheet.text(BOARD_LEFT, top, case_words(str(head["setting"]), float(head["p"])), size=LARGE, bold=True)
        top += CASE_HEADING
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
    sheet.text(BOARD_LEFT, top + 0.08, str(head["class_name"]), room=room, bold=True, size=NORMAL)
    found = f"{int(board['outlier'].sum())} of {len(board)} are outliers"
    sheet.text(BOARD_LEFT, top + 0.21, found, room=room, size=SMALL)
    rate = f"{int(head['outliers'])} of {int(head['of'])} in the class"
    sheet.text(BOARD_LEFT, top + 0.32, elide(rate, room, SMALL), size=SMALL, color=QUIET)
    for column, place in enumerate(board.index.to_numpy(dtype=int)):
        axes = sheet.axes(BOARD_LEFT + NAMES + column * (SIDE + GAP), top, SIDE, SIDE)
        outlier = bool(board.loc[place, "outlier"])
        patch_grid(axes, boards.images[place : place + 1], 1, FOUND if outlier else BACKDROP)
        for frame in axes.patches if outlier else []:
            frame.set_linewidth(2.2)


def _key(sheet: Sheet, top: float) -> None:
    for left, colour, text in ((BOARD_LEFT, FOUND, "an outlier"), (BOARD_LEFT + 0.9, BACKDROP, "not one")):
        line = sheet.swatch(left, top, colour, marker="s")
        line.set(mfc="white", mec=colour, mew=1.4)
        sheet.text(left + 0.15, top, text, size=SMALL)
