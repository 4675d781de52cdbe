"""The released, the first and the corrected protocol side by side."""

from pathlib import Path

import pandas as pd

from evoscope.viz import label_of
from results.about import About, caption
from results.fig_coverage import COLUMNS, PROTOCOLS, in_order, left_out, swept
from results.reading import Exhibits, percent, table
from results.tables import interval_column, write_table

ID = "table_protocols"
TITLE = "Concept purity per protocol and coverage"
READS: tuple[str, ...] = ("coverage",)

SETTING = ["pool_images", "k", "run"]


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV (a row per value) and Markdown (protocols side by side)."""
    rows = table(exhibits, READS[0], COLUMNS)
    text = caption(
        TITLE,
        "Purity@10 with its interval, the null behind it, then the covered share of the pool, the placed and the "
        "unlabelled share of the neurons." + left_out(rows),
        swept(rows, about),
        n=f"{len(rows)} values",
        runs=list(dict.fromkeys(rows["run"])),
        interval="95 %, bootstrap; of the null, 95 % of the permutations",
        pools=rows["pool_images"].tolist(),
    )
    return write_table(rows, side_by_side(rows), folder, ID, text, about.origin())


def side_by_side(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per pool, k and model, three columns per protocol."""
    cells = rows[["protocol", *SETTING]].copy()
    cells["purity"] = interval_column(rows, "value", "low", "high")
    cells["null"] = interval_column(rows, "null", "null_low", "null_high")
    cells["shares"] = [
        f"{percent(coverage, 1)}, {percent(placed, 1)}, {percent(unlabelled, 1)}"
        for coverage, placed, unlabelled in rows[["coverage", "placed", "unlabelled"]].itertuples(
            index=False, name=None
        )
    ]
    wide = cells.drop_duplicates(SETTING)[SETTING].sort_values(SETTING[:2], kind="stable")
    for protocol in in_order(rows):
        own = cells[cells["protocol"] == protocol].drop(columns="protocol")
        name = PROTOCOLS.get(protocol, protocol)
        titles = {
            "purity": f"{name}: purity@10", "null": f"{name}: null", "shares": f"{name}: covered, placed, unlabelled",
        }  # fmt: skip
        wide = wide.merge(own.rename(columns=titles), on=SETTING, how="left")
    wide = wide.fillna("–")
    wide["run"] = [label_of(run) for run in wide["run"]]
    return wide.rename(columns={"pool_images": "images in the pool", "run": "model"})
