"""Importance against the truth: whether neurons of a class's own concepts score higher than others."""

from pathlib import Path

import pandas as pd

from evoscope.viz import label_of
from results.about import About, caption
from results.fig_reversal import pair_words
from results.reading import Exhibits, notes, table
from results.tables import interval_column, markdown, write_table

ID = "table_importance"
TITLE = "Importance of evolutions against the concepts that define a class"
READS: tuple[str, ...] = ("truth",)

PAIR = ["run", "pair", "from_epoch", "to_epoch"]
COLUMNS = (
    *PAIR, "class_name", "kind", "auc", "low", "high", "null", "null_low", "null_high", "p", "neurons", "of", "note",
)  # fmt: skip
KINDS = {
    "defining": "whose concept defines the class",
    "distractor": "whose concept no class uses",
}


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV (every row) and Markdown (means over classes, then the classes)."""
    rows = table(exhibits, READS[0], COLUMNS)
    single = rows["class_name"].fillna("") != ""
    above = caption(
        TITLE,
        "AUC with which the importance of a neuron's evolution for a class tells the named neurons from all others of "
        "the network: 0.5 is chance; the null is the same with the neurons' concepts permuted, p how often it reaches "
        "the value. Neurons whose concept defines the class should lie above the null, neurons of a concept that no "
        "class uses should not.",
        about,
        n="named neurons, of all, in the columns on the right; a mean is over "
        f"{rows.loc[single, 'class_name'].nunique()} classes",
        runs=list(dict.fromkeys(rows["run"])),
        interval="95 %, bootstrap over classes; of the null, 95 % of the permutations",
    )
    means, classes = lines(rows[~single], "auc [95 %]"), lines(rows[single], "auc")
    if means.empty or classes.empty:
        return write_table(rows, classes if means.empty else means, folder, ID, above, about.origin())
    above = f"{above.strip()}\n\n**Means over the classes**\n\n{markdown(means)}\n\n**Every class**"
    return write_table(rows, classes, folder, ID, above, about.origin())


def lines(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Readable rows, those of a run and pair together; the class where one is named, the note where there is any."""
    rows = rows.reset_index(drop=True)
    shown = pd.DataFrame({"model": [label_of(run) for run in rows["run"]]})
    pairs = rows[["pair", "from_epoch", "to_epoch"]].itertuples(index=False, name=None)
    shown["pair"] = [pair_words(str(pair), int(first), int(last)) for pair, first, last in pairs]
    if (rows["class_name"].fillna("") != "").any():
        shown["class"] = rows["class_name"]
    shown["neurons"] = [KINDS.get(kind, str(kind)) for kind in rows["kind"]]
    shown[value] = interval_column(rows, "auc", "low", "high")
    shown["null [95 %]"] = interval_column(rows, "null", "null_low", "null_high")
    shown["p"] = rows["p"].astype(float).round(4)
    shown["n"] = count(rows["neurons"])
    shown["of"] = count(rows["of"])
    if (notes(rows) != "").any():
        shown["note"] = notes(rows)
    return shown


def count(numbers: "pd.Series[float]") -> list[str]:
    """Whole numbers (means may have a decimal), a dash where unknown."""
    return ["–" if pd.isna(number) else f"{round(float(number), 1):,g}" for number in numbers]
