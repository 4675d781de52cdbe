"""Outliers: how well each score finds stamps that disagree with their class and wrong labels, and what it finds."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.figure_data import OutlierBoards
from evoscope.viz import Sheet, interval_rows, patch_grid
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, LARGE, NORMAL, QUIET, SMALL, elide, plain
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
    spread,
    subject,
    with_interval,
)
from results.registry import About, Exhibits, Written, figure, table

# Scores in the order in which they are shown: name, colour by what they rest on, and whether the marker is full.
CONCEPTS, NEURONS, OUTPUTS, DISTANCES = "#d55e00", "#8c5a3c", "#0072b2", "#707070"
LOOKS = {
    "svd_deviation": ("concepts (SVD), deviation", CONCEPTS, True),
    "svd_absence": ("concepts (SVD), absence", CONCEPTS, False),
    "neurons_deviation": ("neurons, deviation", NEURONS, True),
    "neurons_absence": ("neurons, absence", NEURONS, False),
    "rotation_absence": ("random rotation, absence", NEURONS, False),
    "loss": ("loss", OUTPUTS, True),
    "uncertainty": ("1 - confidence", OUTPUTS, False),
    "mahalanobis": ("Mahalanobis distance", DISTANCES, True),
    "knn": ("distance to neighbours", DISTANCES, False),
    "random": ("random", "#b5b5b5", True),
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

PANELS = 4  # cases side by side
# Inches.
LEFT, BETWEEN, HEADING, TITLES, ROW, AXIS = 1.55, 0.16, 0.26, 0.2, 0.19, 0.42


def outliers_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    every = rows_of(exhibits, "outliers", OUTLIERS)
    rows = over_seeds(every)
    differences = over_seeds(rows_of(exhibits, "outlier_differences", DIFFERENCES))
    none = rows[rows["value"].isna()][["setting", "p"]].drop_duplicates()
    what = (
        "AUROC with which each score, by which the training images of a network trained on them are ranked, finds the "
        "outliers: images whose stamp's colour disagrees with their class (a stamp is redrawn with probability p), or "
        "whose label was made wrong. Dotted: chance. "
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


def outliers_finding(exhibits: Exhibits, about: About) -> str:
    """In how many comparisons a concept score is better, and worse, than loss and confidence."""
    rows = over_seeds(rows_of(exhibits, "outlier_differences", DIFFERENCES))
    own = rows[(rows["metric"] == "auroc") & rows["value"].notna()]
    if own.empty:
        return ""
    better, worse = int(own["beats"].astype(bool).sum()), int((own["high"] < 0).sum())
    return (
        f"Concept scores find outliers better than loss or confidence in {better} of {len(own)} comparisons of AUROC "
        f"and worse in {worse}"
    )


@figure(
    "fig_outliers",
    title="How well scores find the outliers",
    reads=("outliers", "outlier_differences"),
    says=outliers_finding,
    words=outliers_words,
    paper="CDISCO",
    shows="how well scores find outliers among the training images",
    place=330,
)
def outliers_figure(exhibits: Exhibits, about: About) -> Figure:
    """A panel per case, a row per score."""
    rows = over_seeds(rows_of(exhibits, "outliers", OUTLIERS))
    scores, drawn = shown_scores(rows), cases_of(rows)
    sheet = Sheet(PAGE, HEADING + TITLES + ROW * max(len(scores), 1) + AXIS)
    if rows.empty:
        sheet.text(0.07, 0.1, "no score was judged", color=QUIET)
        return sheet.figure
    run_heading(sheet, 0.07, 0.05, runs_of(rows)[0], about)
    if not drawn:
        sheet.text(0.07, HEADING, "no outliers to find", color=QUIET)
    wide = (PAGE - LEFT - 0.1 - (PANELS - 1) * BETWEEN) / PANELS
    for place, own in enumerate(drawn):
        left = LEFT + place * (wide + BETWEEN)
        title = case_words(str(own["setting"].iloc[0]), float(own["p"].iloc[0]))
        sheet.text(left, HEADING + 0.02, title, room=wide + 0.1, size=NORMAL, bold=True)
        axes = sheet.axes(left, HEADING + TITLES, wide, ROW * len(scores))
        _case(axes, own.drop_duplicates("score").set_index("score").reindex(scores), scores, named=place == 0)
    return sheet.figure


def cases_of(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """AUROC of the cases that have outliers: stamps from rare to common, then wrong labels, as many as are drawn."""
    own = rows[(rows["metric"] == "auroc") & rows["value"].notna()].sort_values("p", kind="stable")
    stamps, wrong = (
        [case for _, case in own[own["setting"] == setting].groupby("p")] for setting in ("stamp", "mislabelled")
    )
    return [*(stamps[place] for place in spread(range(len(stamps)), PANELS - min(len(wrong), 1))), *wrong[:1]]


def shown_scores(rows: pd.DataFrame) -> list[str]:
    """Scores of the table, the known ones in their order first."""
    present = list(dict.fromkeys(rows["score"]))
    return [name for name in LOOKS if name in present] + [name for name in present if name not in LOOKS]


def _case(axes: Axes, rows: pd.DataFrame, scores: list[str], named: bool) -> None:
    """Dot and interval of every score; a row stays empty where there is no value."""
    value = doubles(rows["value"])
    colours = [LOOKS[score][1] if score in LOOKS else QUIET for score in scores]
    interval_rows(axes, value, doubles(rows["low"]), doubles(rows["high"]), colours)
    for place, score in enumerate(scores):
        if score in LOOKS and not LOOKS[score][2]:
            axes.plot(value[place], place, "o", markersize=3.6, mfc="white", mec=colours[place], mew=1.1, zorder=5)
    axes.axvline(0.5, color=QUIET, lw=0.8, linestyle=(0, (1, 1.8)), zorder=0)
    names = [plain(elide(score_name(score), LEFT - 0.15, SMALL)) if named else "" for score in scores]
    axes.set_yticks(range(len(scores)), names, size=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    known = np.append(rows[["value", "low"]].to_numpy(dtype=np.float64), 0.45)
    axes.set_xlim(float(np.nanmin(known)) - 0.03, 1.02)
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="x")
    axes.set_xlabel("AUROC", size=SMALL)


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
    rows = rows_of(exhibits, "outliers", OUTLIERS)
    means = over_seeds(rows)
    differences = over_seeds(rows_of(exhibits, "outlier_differences", DIFFERENCES))
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
    rows = rows_of(exhibits, "outlier_readings", READ)
    means = over_seeds(rows)
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
        head = {"images": case_words(str(setting), float(str(p))), "layer": layer, "reading": READINGS[str(reading)]}
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


def outlier_boards_finding(exhibits: Exhibits, about: About) -> str:
    """How many of the images shown are outliers, and how many chance would give."""
    rows, shares = exhibit(exhibits, "outlier_boards", OutlierBoards).rows, []
    for board in in_boards(rows):
        head = board.iloc[0]
        shares.append(float(head["outliers"]) / max(float(head["of"]), 1.0) * len(board))
    if rows.empty:
        return ""
    return (
        f"Of the {len(rows)} images that the concept score ranks first, {int(rows['outlier'].sum())} are outliers; "
        f"as many drawn at random from these classes would hold {sum(shares):.1f}"
    )


def outlier_boards_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    rows = exhibit(exhibits, "outlier_boards", OutlierBoards).rows
    what = (
        "Training images of a class in the order of the concept score (absence of the SVD directions that rank first "
        "for the class), the emptiest first; a red frame marks those whose stamp disagrees with their class, or "
        "whose label was made wrong. Classes are the first with outliers, "
        "probabilities a few of those measured, the seed the first: nothing was chosen by its result."
    )
    count = sum(1 for _ in in_boards(rows))
    return caption(what, about, n=f"{count} boards of {subject(rows)}", runs=runs_of(rows))


@figure(
    "fig_outlier_boards",
    title="What the concept score finds first",
    reads=("outlier_boards",),
    says=outlier_boards_finding,
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
    for left, colour, text in ((BOARD_LEFT, FOUND, "an outlier"), (BOARD_LEFT + 0.9, BACKDROP, "not one")):
        line = sheet.swatch(left, top + 0.03, colour, marker="s")
        line.set(mfc="white", mec=colour, mew=1.4)
        sheet.text(left + 0.15, top + 0.03, text, size=SMALL)
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
