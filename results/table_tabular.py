"""Concepts of a table's networks as a table: what they follow, what their loss costs, and the gaps between groups."""

from pathlib import Path

import pandas as pd

from evoscope.figure_data import TabularConcepts
from results.about import About, caption
from results.fig_tabular import CAUTION, LEVEL, accuracy_words, between_words
from results.reading import Exhibits, exhibit, percent
from results.tables import interval_column, markdown, write_table

ID = "table_tabular"
TITLE = "Concepts of networks for a table"
READS: tuple[str, ...] = ("tabular",)

KEY = ["seed", "layer", "direction"]
STRONGEST = 3  # inputs that are named for a concept


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV (every correlation) and Markdown (a row per concept, then the gaps)."""
    found = exhibit(exhibits, "tabular", TabularConcepts)
    above = caption(
        TITLE,
        "A row per concept: its share of the layer's variance, how well a concept of another network follows it "
        "(largest |correlation|, mean over the other networks), the inputs that its score follows most over the test "
        "rows (in brackets: no more than chance gives), the protected ones, and the change of test accuracy when it is "
        f"projected out, beside random directions of equal variance. Network: {'; '.join(about.recipes.values())}. "
        f"{accuracy_words(found.networks)} {between_words(found)} {CAUTION}",
        about,
        n=f"{int(found.networks['test_rows'].iloc[0]):,} test rows, {len(found.networks)} networks",
        interval="95 %, bootstrap over test rows; of random directions, the middle 95 %",
    )
    full = found.correlations.merge(found.concepts[[*KEY, "class_name", "z", "share", "again"]], on=KEY)
    if not found.gaps.empty:
        above = f"{above.strip()}\n\n{_gap_words(found)}\n\n{markdown(gaps(found))}\n\n**Concepts**"
    return write_table(full, concepts(found), folder, ID, above, about.origin())


def concepts(found: TabularConcepts) -> pd.DataFrame:
    """Readable rows, one per concept."""
    rows = found.concepts
    shown = pd.DataFrame({"seed": rows["seed"], "layer": rows["layer"]})
    shown["concept"] = [f"v{number}" for number in rows["direction"]]
    shown["class"] = rows["class_name"]
    shown["z"] = rows["z"].round(2)
    shown["variance"] = [percent(share, 1) for share in rows["share"]]
    shown["elsewhere"] = rows["again"].round(2)
    follows = {key: _follows(own) for key, own in found.correlations.groupby(KEY)}
    keys = list(rows[KEY].itertuples(index=False, name=None))
    shown["follows"] = [follows[key][0] for key in keys]
    if found.protected:
        shown["protected"] = [follows[key][1] for key in keys]
    shown["accuracy without [95 %]"] = interval_column(rows, "accuracy_change", "low", "high")
    shown["random [95 %]"] = interval_column(rows, "random", "random_low", "random_high")
    return shown


def _follows(own: pd.DataFrame) -> tuple[str, str]:
    """The inputs with the largest correlations, and all protected ones."""
    strongest = own[~own["protected"]].assign(size=own["value"].abs()).sort_values("size", ascending=False)
    return _listed(strongest.head(STRONGEST)), _listed(own[own["protected"]])


def _listed(rows: pd.DataFrame) -> str:
    cells = []
    for column, value, p in rows[["column", "value", "p"]].itertuples(index=False, name=None):
        text = f"{column} {value:+.2f}" if pd.notna(value) else f"{column} –"
        cells.append(text if p < LEVEL else f"({text})")
    return ", ".join(cells)


def _gap_words(found: TabularConcepts) -> str:
    return (
        f"**Gaps.** Share predicted {found.shown} among the rows above the cut of a protected input minus that below, "
        "with the intact network and without each concept (change [95 %], and the middle 95 % of random directions of "
        "equal variance). A gap of predictions is not by itself unfair or fair, and one that shrinks without a concept "
        "does not make that concept the attribute."
    )


def gaps(found: TabularConcepts) -> pd.DataFrame:
    """Readable rows, one per concept and protected input."""
    rows = found.gaps
    shown = pd.DataFrame({"seed": rows["seed"], "layer": rows["layer"]})
    shown["concept"] = [f"v{number}" for number in rows["direction"]]
    shown["groups"] = [f"{column} > {cut:g}" for column, cut in zip(rows["column"], rows["cut"], strict=True)]
    shown["gap"] = rows["gap"].round(3)
    shown["without it"] = rows["gap_without"].round(3)
    shown["change [95 %]"] = interval_column(rows, "change", "low", "high")
    shown["random low"] = rows["random_low"].round(3)
    shown["random high"] = rows["random_high"].round(3)
    return shown
