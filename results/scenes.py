"""Scenes: what the drawn images look like, what is known about them, and how hard they are."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evoscope.arrays import Bytes
from evoscope.figure_data import SceneSheet
from evoscope.viz import Sheet, interval_rows, patch_grid
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import BACKDROP, INK, LARGE, QUIET, SMALL, elide, plain, wrap
from results.page_style import caption, doubles, exhibit, percent
from results.registry import About, Exhibits, figure

ACROSS = 7  # pictures per row
# Inches.
MARGIN, PITCH, PICTURE, WORDS, HEADING, ROW = 0.07, 0.985, 0.92, 0.3, 0.24, 0.2


def finding(difficulty: pd.DataFrame) -> str:
    """What simple classifiers reach on held-out scenes."""
    listed = ", ".join(f"{row['classifier']} {percent(row['accuracy'])}" for _, row in difficulty.iterrows())
    return f"Held-out scenes that simple classifiers put into their class: {listed}." if listed else ""


def scenes_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without its title."""
    scenes = exhibit(exhibits, "scenes", SceneSheet)
    what = (
        "Scenes drawn by the library: a class is a rule over concepts (shapes, colours, textures, parts, backgrounds), "
        "and every concept has a mask. Below, the accuracy of simple classifiers on held-out scenes, which a "
        "network has to beat."
    )
    n = f"{len(scenes.images)} scenes shown"
    return caption(what, about, n=n, interval="95 %, over held-out scenes")


def scenes_finding(exhibits: Exhibits, about: About) -> str:
    """How far simple classifiers come."""
    rows = exhibit(exhibits, "scenes", SceneSheet).difficulty
    known = rows[rows["accuracy"].notna()]
    if known.empty:
        return ""
    best = known.iloc[int(np.argmax(doubles(known["accuracy"])))]
    share = percent(float(best["accuracy"]))
    chance = percent(1 / about.classes)
    return f"Simple classifiers tell {share} of the scenes at most ({best['classifier']}); chance is {chance}"


@figure(
    "fig_scenes",
    title="Drawn scenes whose concepts are known",
    reads=("scenes",),
    says=scenes_finding,
    words=scenes_words,
    paper="Evoscope",
    shows="the drawn scenes, their concepts and their difficulty",
    place=90,
)
def scenes_figure(exhibits: Exhibits, about: About) -> Figure:
    """Contact sheet, one scene with its concepts, and the accuracy of simple classifiers."""
    scenes = exhibit(exhibits, "scenes", SceneSheet)
    parts = (_sheet_height(len(scenes.images)), _sheet_height(len(scenes.mask_images)), _bars_height(scenes))
    sheet = Sheet(PAGE, sum(parts) + 0.08)
    _pictures(sheet, 0.05, "One scene of each class", scenes.images, scenes.titles)
    _pictures(sheet, 0.05 + parts[0], "One scene and where its concepts are", scenes.mask_images, scenes.mask_titles)
    if len(scenes.difficulty):
        _difficulty(sheet, 0.05 + parts[0] + parts[1], scenes, about.classes)
    return sheet.figure


def _sheet_height(pictures: int) -> float:
    return HEADING + -(-pictures // ACROSS) * (PICTURE + WORDS) + 0.08 if pictures else 0.0


def _bars_height(scenes: SceneSheet) -> float:
    return HEADING + ROW * len(scenes.difficulty) + 0.4 if len(scenes.difficulty) else 0.0


def _pictures(sheet: Sheet, top: float, heading: str, images: Bytes, titles: tuple[str, ...]) -> None:
    if not len(images):
        return
    sheet.text(MARGIN, top, heading, size=LARGE, bold=True)
    for place, (image, title) in enumerate(zip(images, titles, strict=True)):
        row, column = divmod(place, ACROSS)
        left, low = MARGIN + column * PITCH, top + HEADING + row * (PICTURE + WORDS)
        patch_grid(sheet.axes(left, low, PICTURE, PICTURE), image[None], 1, BACKDROP)
        sheet.text(left, low + PICTURE + 0.03, wrap(title, PICTURE + 0.04, SMALL, 2), size=SMALL)


def _difficulty(sheet: Sheet, top: float, scenes: SceneSheet, classes: int) -> None:
    rows = scenes.difficulty
    sheet.text(MARGIN, top, "Accuracy on held-out scenes", size=LARGE, bold=True)
    axes = sheet.axes(2.4, top + HEADING, 3.4, ROW * len(rows))
    value = 100 * doubles(rows["accuracy"])
    interval_rows(axes, value, 100 * doubles(rows["low"]), 100 * doubles(rows["high"]), [INK] * len(rows))
    axes.axvline(100 / classes, color=QUIET, lw=0.8, linestyle=(0, (1, 1.8)), zorder=0)
    labels = [plain(elide(str(name), 2.2, SMALL)) for name in rows["classifier"]]
    axes.set_yticks(range(len(rows)), labels, size=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, 100)
    axes.grid(axis="x")
    axes.set_xlabel("top-1 accuracy, % (dotted: chance)")
    for place, share in enumerate(value):
        text = f"{share:.1f} %" if np.isfinite(share) else "not known"
        sheet.text(5.9, top + HEADING + ROW * (place + 0.5) - 0.045, text, size=SMALL, color=QUIET)
