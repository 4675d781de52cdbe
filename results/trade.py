"""Reversal judged on images of all classes, and with another class's bins."""

import pandas as pd

from evoscope.figure_data import BIN_NAMES
from evoscope.viz import label_of
from results.page_style import (
    CLASS_INTERVAL,
    PERCENTILES,
    caption,
    markdown,
    networks,
    pair_words,
    rows_of,
    runs_of,
    with_interval,
)
from results.registry import About, Exhibits, Written, table

TRADE = (
    *("run", "pair", "from_epoch", "to_epoch", "condition", "judged", "value", "low", "high"),
    *("classes", "images"),
)  # fmt: skip
JUDGED = {
    "own": "images of the class",
    "others": "images of all other classes",
    "all": "all images",
    "exchanged": "images of the class, another class's bins",
    "own less exchanged": "class's own bins less another's",
    "false alarms": "other images said to be the class",
}


def finding(rows: pd.DataFrame) -> str:
    """What taking back the least important quarter does to the class and to the others, mean over the cells."""
    own = rows[rows["condition"] == BIN_NAMES[3]]
    means = 100 * own.groupby("judged")["value"].mean()
    if not {"own", "others"} <= set(means.index):
        return ""
    return (
        f"Taking back the quarter that is least important for a class changes accuracy on its images by "
        f"{means['own']:+.1f} points and on those of the other classes by {means['others']:+.1f}; {networks(own)}."
    )


@table(
    "table_reversal_trade",
    title="Reversal of a class's evolutions, judged on all classes",
    reads=("trade",),
    paper="ConceptEvo",
    shows="what reverting a class's evolutions costs the class and the others",
    place=142,
    finding=finding,
)
def reversal_trade_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV; in Markdown a row per run, pair and images, a column per bin."""
    rows = rows_of(exhibits, "trade", TRADE)
    above = caption(
        "Changes of top-1 accuracy on test images (fractions, negative for a loss) when a quarter of one layer's "
        "neurons gets the maps of the earlier network, mean over the layers; quarters by percentile of importance for "
        "a class, 0–25 the most important. The published reversal is judged on the class's own images; on those of the "
        "others a trade of one class for another shows, and with another class's bins what any bins do.",
        about,
        n=f"{int(rows['images'].max()) if len(rows) else 0:,} test images of all classes, bins of "
        f"{int(rows['classes'].max()) if len(rows) else 0} classes",
        runs=runs_of(rows),
        interval=CLASS_INTERVAL,
    )
    return rows, [above, markdown(by_judged(rows))]


def by_judged(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per run, pair and what the change is judged on; a column per bin, and random."""
    lines = []
    names = dict(zip(BIN_NAMES, (f"bin {name}" for name in PERCENTILES), strict=True)) | {"random": "random"}
    for (run, pair, first, last, judged), own in rows.groupby(
        ["run", "pair", "from_epoch", "to_epoch", "judged"], sort=False
    ):
        found = own[["condition", "value", "low", "high"]].itertuples(index=False, name=None)
        values = {str(name): tuple(map(float, numbers)) for name, *numbers in found}
        cells = {title: with_interval(*values[name]) if name in values else "–" for name, title in names.items()}
        words = pair_words(str(pair), int(str(first)), int(str(last)))
        head = {"model": label_of(str(run)), "pair": words, "judged on": JUDGED[str(judged)]}
        lines.append(head | cells)
    return pd.DataFrame(lines, columns=["model", "pair", "judged on", *names.values()])
