"""Pictures of the tables: read, never computed anew."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.arrays import Doubles
from evoscope.viz import Sheet, interval_rows, message, use_style
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import INK, LARGE, QUIET, SMALL, elide, plain

BLUE, RED = "#0072b2", "#b2182b"
NOT_PEOPLE = "SIMULATED participants, not people"
# Inches.
ROW, LABEL, PLOT, TOP, AXIS = 0.24, 1.9, 3.3, 0.42, 0.5
PANEL = 2.6


def figures(tables: dict[str, pd.DataFrame]) -> dict[str, Figure]:
    """All figures for which there are data, by file name."""
    wanted: dict[str, tuple[str, Callable[[dict[str, pd.DataFrame]], Figure]]] = {
        "accuracy": ("accuracy", accuracy_figure),
        "times": ("times", times_figure),
        "participants": ("participants", participants_figure),
        "agreement_matrix": ("agreement_matrix", matrix_figure),
        "options": ("options", options_figure),
    }
    with use_style():
        return {name: draw(tables) for name, (needed, draw) in wanted.items() if len(tables[needed])}


def accuracy_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Accuracy per condition with its interval, chance as a grey line, published values as open diamonds."""
    rows, published = tables["accuracy"], _whole(tables["published"])
    names = [*rows["condition"], *["published, same task"] * len(published)]
    sheet = _sheet(tables, "Accuracy by condition", len(names))
    axes = sheet.axes(LABEL, TOP, PLOT, ROW * len(names))
    value = _column(rows, "by_participant", published, "accuracy")
    bounds = [np.append(_bound(rows, side), np.full(len(published), np.nan)) for side in ("low", "high")]
    chance = _column(rows, "chance", published, "chance")
    colours = [BLUE] * len(rows) + [INK] * len(published)
    interval_rows(axes, value, bounds[0], bounds[1], colours, (chance, chance, chance))
    for line in axes.lines[-2 * len(published) :] if len(published) else []:
        line.set(marker="D" if line.get_marker() == "o" else "", mfc="white", mec=INK, mew=0.8)
    notes = [
        f"{value:.2f}  (n {n:,})"
        for value, n in zip(rows["by_participant"], rows["participants"], strict=True)
    ]
    notes += [f"{row.accuracy:.2f}  (n {row.participants:,})" for row in published.itertuples()]
    _named(sheet, axes, names, notes)
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("share of right answers, mean of participants")
    return sheet.figure


def _whole(published: pd.DataFrame) -> pd.DataFrame:
    return published[published["accuracy"].notna()]


def _column(ours: pd.DataFrame, name: str, theirs: pd.DataFrame, other: str) -> Doubles:
    return np.concatenate([ours[name].to_numpy(dtype=np.float64), theirs[other].to_numpy(dtype=np.float64)])


def _bound(rows: pd.DataFrame, side: str) -> Doubles:
    """The clustered bound; Wilson's where one participant has none."""
    clustered = rows[f"clustered_{side}"].to_numpy(dtype=np.float64)
    return np.where(np.isfinite(clustered), np.clip(clustered, 0, 1), rows[side].to_numpy(dtype=np.float64))


def times_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Median response time per condition, with quartiles."""
    rows = tables["times"]
    sheet = _sheet(tables, "Response times", len(rows))
    axes = sheet.axes(LABEL, TOP, PLOT, ROW * len(rows))
    quartiles = [rows[name].to_numpy(dtype=np.float64) for name in ("median", "lower", "upper")]
    interval_rows(axes, quartiles[0], quartiles[1], quartiles[2], [BLUE] * len(rows))
    notes = [f"{row.median:.1f} s  (n {row.answers:,})" for row in rows.itertuples()]
    _named(sheet, axes, [str(name) for name in rows["condition"]], notes)
    axes.set_xlim(0, 1.05 * float(np.nanmax([*quartiles[2], 1e-3])))
    axes.set_xlabel("seconds: median and quartiles of the answers")
    return sheet.figure


def participants_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Accuracy of every participant in order, excluded ones as red crosses."""
    rows = tables["participants"].sort_values(["accuracy", "participant"]).reset_index(drop=True)
    sheet = Sheet(PAGE, TOP + PANEL + AXIS)
    _headed(sheet, tables, "Accuracy of each participant")
    axes = sheet.axes(0.6, TOP, PAGE - 2.2, PANEL)
    share, gone = rows["accuracy"].to_numpy(dtype=np.float64), rows["excluded"].to_numpy(dtype=bool)
    place = np.arange(1, len(rows) + 1)
    axes.scatter(place[~gone], share[~gone], s=12, color=BLUE, lw=0, zorder=3, clip_on=False)
    axes.scatter(place[gone], share[gone], s=14, color=RED, marker="x", lw=0.9, zorder=4, clip_on=False)
    chance = float(rows["chance"].mean())
    axes.axhline(chance, color=QUIET, lw=1.0, linestyle=(0, (3, 1.6)), zorder=2)
    axes.set(xlabel="participants, from the least accurate", ylabel="share of right answers")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(0.4, len(rows) + 0.6)
    axes.locator_params(axis="x", integer=True)
    left = PAGE - 1.45
    sheet.swatch(left, TOP, BLUE, marker="o")
    sheet.text(left + 0.18, TOP, f"counted ({int((~gone).sum()):,})")
    sheet.swatch(left, TOP + 0.2, RED, marker="x")
    sheet.text(left + 0.18, TOP + 0.2, f"excluded ({int(gone.sum()):,})")
    sheet.swatch(left, TOP + 0.4, QUIET, "dashed")
    sheet.text(left + 0.28, TOP + 0.4, f"chance ({chance:.2f})")
    return sheet.figure


def matrix_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """How often any two participants answered alike, the most agreeing first."""
    table = tables["agreement_matrix"].drop(columns="data").set_index("participant")
    shares = table.to_numpy(dtype=np.float64)
    known = np.isfinite(shares).any(axis=1)
    mean = np.array([np.nanmean(row) if some else -1.0 for row, some in zip(shares, known, strict=True)])
    order = np.argsort(-mean, kind="stable")
    sheet = Sheet(PAGE, TOP + 3.6 + AXIS)
    _headed(sheet, tables, f"Same answers of any two participants (the first {len(order)})")
    axes = sheet.axes(0.6, TOP, 3.6, 3.6)
    if not known.any():
        message(axes, "no two share a trial")
        return sheet.figure
    drawn = axes.imshow(np.ma.masked_invalid(shares[np.ix_(order, order)]), cmap="cividis", vmin=0, vmax=1)
    axes.set_facecolor("#d9d9d9")
    axes.set(xlabel="participants, those who agree most first", ylabel="participants")
    axes.set_xticks([])
    axes.set_yticks([])
    bar = sheet.axes(4.5, TOP, 0.14, 1.6)
    sheet.figure.colorbar(drawn, cax=bar, label="share of shared trials")
    sheet.text(4.5, TOP + 1.8, "grey: no shared trial", size=SMALL, color=QUIET)
    return sheet.figure


def options_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Shares of the options in every condition, as a table of shades."""
    table = tables["options"].drop(columns="data").set_index("condition")
    counts, shares = table.pop("answers"), table.to_numpy(dtype=np.float64)
    sheet = _sheet(tables, "What was chosen", len(table) + 1)
    axes = sheet.axes(LABEL, TOP + 0.2, PLOT, ROW * len(table))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*shares.shape):
        dark = "white" if shares[row, column] > 0.55 else INK
        axes.text(column, row, f"{shares[row, column]:.2f}", ha="center", va="center", size=SMALL, color=dark)
    names = [plain(elide(str(name), PLOT / shares.shape[1] - 0.05, SMALL)) for name in table.columns]
    axes.set_xticks(range(len(names)), names, size=SMALL)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _named(sheet, axes, [str(name) for name in table.index], [f"(n {n:,})" for n in counts], TOP + 0.2)
    return sheet.figure


def _sheet(tables: dict[str, pd.DataFrame], title: str, rows: int) -> Sheet:
    sheet = Sheet(PAGE, TOP + ROW * rows + AXIS)
    _headed(sheet, tables, title)
    return sheet


def _headed(sheet: Sheet, tables: dict[str, pd.DataFrame], title: str) -> None:
    sheet.text(0.1, 0.08, title, size=LARGE, bold=True)
    if (tables["about"]["data"] == "simulated").all():
        sheet.text(PAGE - 0.1, 0.08, NOT_PEOPLE, size=LARGE, bold=True, across="right", color=RED)


def _named(sheet: Sheet, axes: Axes, names: list[str], notes: list[str], top: float = TOP) -> None:
    """Names left of the rows of ``axes`` and notes to their right."""
    axes.set_yticks(range(len(names)), [plain(elide(name, LABEL - 0.2, SMALL)) for name in names], size=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for place, note in enumerate(notes):
        sheet.text(LABEL + PLOT + 0.1, top + ROW * (place + 0.5) - 0.05, note, size=SMALL, color=QUIET)
