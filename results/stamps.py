"""Stamps: accuracy on unseen images with and without their stamp, beside the published values."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.viz import Sheet, label_of, level_line, remark
from evoscope.viz.charts import bounded
from evoscope.viz.sheet import COLUMN
from evoscope.viz.style import INK, LARGE, QUIET, SMALL, width_of
from results.page_style import (
    CASE,
    SEED_INTERVAL,
    caption,
    case_words,
    doubles,
    markdown,
    over_seeds,
    percent,
    rows_of,
    runs_of,
    seeds_of,
    subject,
    with_interval,
)
from results.reference import published_stamps
from results.registry import About, Exhibits, Written, figure, table

ACCURACY = (*CASE, "condition", "value", "low", "high", "images", "epochs", "note")

# --- figure: stamp accuracy ------------------------------------------------------------------------------------------

CONDITIONS = {"stamped": ("with stamp", "#d95f02"), "plain": ("without stamp", "#0072b2")}
# Inches.
LEFT, HEADING, HEIGHT, AXIS, KEY = 0.46, 0.24, 1.75, 0.42, 0.36
WIDTH = COLUMN - LEFT - 0.08


def stamp_accuracy_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    every = rows_of(exhibits, "stamp_accuracy", ACCURACY)
    rows = over_seeds(every[every["setting"] == "stamp"])
    epochs = every.loc[(every["setting"] == "stamp") & (every["seed"] != "all"), "epochs"]
    trained = f"{epochs.min():.0f} to {epochs.max():.0f} epochs" if len(epochs) else "no epochs"
    images = int(every.loc[every["seed"] != "all", "images"].max()) if len(every) else 0
    what = (
        "Networks trained from scratch on images whose stamp has the colour of their class, except that with "
        "probability p the colour is drawn anew; accuracy is on test images that were not seen in training, with "
        "stamps drawn in the same way and without any. Training ends when the loss on a held-out fifth of the training "
        f"images has not fallen for five epochs ({trained} here), and the last weights are kept. Diamonds: published "
        "values, of tench and church of Imagenette; in the released code the stamped test set seems to overlap the "
        "training images."
    )
    n = f"{seeds_of(every)}, {images:,} test images each, of {subject(rows)}"
    return caption(what, about, n=n, runs=runs_of(rows), interval=SEED_INTERVAL)


def stamp_accuracy_finding(exhibits: Exhibits, about: About) -> str:
    """What the stamp is worth to the networks that rely on it most."""
    rows = over_seeds(rows_of(exhibits, "stamp_accuracy", ACCURACY))
    rows = rows[(rows["setting"] == "stamp") & rows["value"].notna()]
    both = rows.pivot_table(index="p", columns="condition", values="value")
    if both.empty or not set(CONDITIONS) <= set(both.columns):
        return ""
    row = both.iloc[int((both["stamped"] - both["plain"]).to_numpy().argmax())]
    p, stamped, plain = float(str(row.name)), float(row["stamped"]), float(row["plain"])
    return f"Without its stamp, a network trained with p = {p:g} falls from {percent(stamped)} to {percent(plain)}"


@figure(
    "fig_stamp_accuracy",
    title="Accuracy with and without the stamp",
    reads=("stamp_accuracy",),
    says=stamp_accuracy_finding,
    words=stamp_accuracy_words,
    paper="CDISCO",
    shows="accuracy with and without a confounding stamp",
    place=350,
)
def stamp_accuracy_figure(exhibits: Exhibits, about: About) -> Figure:
    """One panel: measured values with intervals, published ones as open diamonds beside them."""
    rows = over_seeds(rows_of(exhibits, "stamp_accuracy", ACCURACY))
    rows = rows[rows["setting"] == "stamp"]
    sheet = Sheet(COLUMN, HEADING + HEIGHT + AXIS + KEY)
    if rows.empty:
        sheet.text(LEFT, 0.1, "no stamped images were judged", color=QUIET)
        return sheet.figure
    sheet.text(0.07, 0.03, label_of(runs_of(rows)[0]), room=COLUMN - 0.14, size=LARGE, bold=True)
    axes = sheet.axes(LEFT, HEADING, WIDTH, HEIGHT)
    steps = sorted({float(p) for p in rows["p"]})
    for place, condition in enumerate(CONDITIONS):
        _condition(axes, rows, condition, steps, aside=0.09 * (2 * place - 1))
    number, _, rest = str(rows["classes"].iloc[0]).partition(" ")
    classes = int(number) if rest == "classes" and number.isdigit() else 2  # ``6 classes`` or ``tench, church``
    level_line(axes, 100 / classes)
    axes.set_xlim(-0.5, len(steps) - 0.5)
    axes.set_xticks(range(len(steps)), [f"{p:g}" for p in steps])
    axes.set_xlabel("probability that a stamp is redrawn")
    axes.set_ylabel("test accuracy, %")
    axes.set_ylim(0, 103)
    axes.grid(axis="y")
    _key(sheet, 0.07, HEADING + HEIGHT + AXIS)
    return sheet.figure


def _condition(axes: Axes, rows: pd.DataFrame, condition: str, steps: list[float], aside: float) -> None:
    own = rows[rows["condition"] == condition].sort_values("p")
    x = np.array([steps.index(float(p)) for p in own["p"]], dtype=np.float64) + aside
    value = 100 * doubles(own["value"])
    low, high = bounded(value, 100 * doubles(own["low"]), 100 * doubles(own["high"]))
    colour = CONDITIONS[condition][1]
    axes.vlines(x, low, high, color=colour, lw=1.2, zorder=3)
    axes.plot(x, value, color=colour, marker="o", markersize=3.4, lw=0.9, zorder=4)
    if not np.isfinite(value).any():
        remark(axes, "not measured")
    theirs = published_stamps().set_index("p")[condition]
    known = [p for p in steps if p in theirs.index]
    place = np.array([steps.index(p) for p in known]) + 1.9 * aside
    marks = axes.plot(place, [100 * float(theirs[p]) for p in known], linestyle="none", marker="D", zorder=5)
    for line in marks:
        line.set(mfc="white", mec=colour, markersize=3.4, mew=0.9)


def _key(sheet: Sheet, left: float, top: float) -> None:
    for name, colour in CONDITIONS.values():
        sheet.swatch(left, top, colour, marker="o")
        sheet.text(left + 0.15, top, name, size=SMALL)
        left += width_of(name, SMALL) + 0.35
    sheet.swatch(left - 0.04, top, QUIET, dashes="dotted")
    sheet.text(left + 0.2, top, "chance", size=SMALL)
    sheet.swatch(0.07, top + 0.15, INK, marker="D").set(mfc="white", mew=0.9, markersize=3.4)
    sheet.text(0.22, top + 0.15, "published (ResNet-50, tench and church)", size=SMALL)


# --- table: stamp accuracy -------------------------------------------------------------------------------------------


def finding(rows: pd.DataFrame) -> str:
    """What a network that learnt from stamped images does without the stamp, mean over the seeds."""
    own = rows[(rows["setting"] == "stamp") & (rows["p"] == 0) & (rows["seed"].astype(str) != "all")]
    means = own.groupby("condition")["value"].mean()
    if not set(CONDITIONS) <= set(means.index):
        return ""
    return (
        f"Where the stamp always agrees with the class, the network is right on {percent(means['stamped'])} of stamped "
        f"test images and on {percent(means['plain'])} of the same without it ({seeds_of(own)})."
    )


@table(
    "table_stamp_accuracy",
    title="Accuracy with and without the stamp, beside the published values",
    reads=("stamp_accuracy",),
    paper="CDISCO",
    shows="accuracy with and without a confounding stamp",
    place=370,
    finding=finding,
)
def stamp_accuracy_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (every seed) and text of the Markdown (means over the seeds)."""
    rows = rows_of(exhibits, "stamp_accuracy", ACCURACY)
    means = over_seeds(rows)
    above = caption(
        "Accuracy (shares) of networks trained from scratch on stamped images, on test images not seen in training, "
        "with stamps drawn in the same way and without any; the last row is of networks trained without stamps on "
        "partly wrong labels, judged by right ones. Epochs: mean over the seeds, ended by patience. In the released "
        "code the stamped test set seems to overlap the training images.",
        about,
        n=f"{seeds_of(rows)}, images of {subject(means)}",
        runs=runs_of(means),
        interval=SEED_INTERVAL,
    )
    return rows, [above, markdown(shown(means))]


def shown(means: pd.DataFrame) -> pd.DataFrame:
    """One row per network, setting and p."""
    theirs = published_stamps()
    lines = []
    for (run, setting, p), own in means.groupby(["run", "setting", "p"], sort=False):
        line = {"model": label_of(str(run)), "images": case_words(str(setting), float(str(p)))}
        for condition, (name, _) in CONDITIONS.items():
            part = own[own["condition"] == condition]
            same = theirs.loc[(theirs["p"] == p) & (setting == "stamp"), condition]
            line[name] = with_interval(*map(float, part.iloc[0][["value", "low", "high"]])) if len(part) else "–"
            line[f"{name}, published"] = f"{float(same.iloc[0]):.3f}" if len(same) else "–"
        epochs = float(own["epochs"].iloc[0])
        lines.append({**line, "epochs": f"{epochs:.1f}" if np.isfinite(epochs) else "–"})
    names = ["model", "images", *(name for name, _ in CONDITIONS.values()), "epochs"]
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=names)
