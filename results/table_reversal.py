"""Reversal as a table: every bin with its interval, the published row, and whether the published order holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evoscope.viz import label_of
from results.about import About, caption
from results.fig_coverage import PROTOCOLS
from results.fig_reversal import (
    CELL,
    COLUMNS,
    INTERVALS,
    ORDER,
    PERCENTILES,
    SETTING,
    by_condition,
    measured_under,
    pair_words,
    published,
    sizes,
    verdicts,
)
from results.reading import Exhibits, table
from results.reference import BINS
from results.tables import markdown, write_table

ID = "table_reversal"
TITLE = "Reversal of evolutions, bin by bin, beside the published values"
READS: tuple[str, ...] = ("reversal", "order")

COUNTED = {"as_released": "listed"}  # how layers are counted under a protocol; once under every other
DASH = "–"
FIRST = ("corrected", "as_released")


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV (every row) and Markdown (a row per measurement, then whole layers and networks)."""
    rows, order = table(exhibits, READS[0], COLUMNS), table(exhibits, READS[1], ORDER)
    main = shown(rows)
    above = caption(
        TITLE,
        "Changes of accuracy (fractions, negative for a loss) when a quarter of one layer's neurons gets the maps of "
        "the earlier network, mean over the layers; quarters by percentile of importance for the class, 0–25 the most "
        "important. Beside it the published values for the same architecture and pair, of other networks on other "
        f"images (results/reference). {verdicts(main, order)}{_doubts(main)}",
        measured_under(main, about),
        n=sizes(rows),
        runs=list(dict.fromkeys(rows["run"])),
        interval=f"{INTERVALS}; se: over random draws",
    )
    first, second = by_bin(main, order), at_once(rows)
    if second.empty:
        return write_table(rows, first, folder, ID, above, about.origin())
    note = "**All neurons of a layer, and all layers at once.** The same change when more than a quarter is put back."
    above = f"{above.strip()}\n\n{markdown(first)}\n\n{note}"
    return write_table(rows, second, folder, ID, above, about.origin())


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each protocol the rows with the layers counted its way, or, where that was not done, another way."""
    parts = []
    for protocol, own in rows[rows["layers"] != "together"].groupby("protocol", sort=False):
        wanted = COUNTED.get(str(protocol), "once")
        known = list(dict.fromkeys(own["layers"]))
        parts.append(own[own["layers"] == (wanted if wanted in known else known[0])])
    return pd.concat(parts) if parts else rows.iloc[:0]


def by_bin(rows: pd.DataFrame, order: pd.DataFrame) -> pd.DataFrame:
    """One row per run, pair, split, metric and protocol."""
    lines = []
    for own in cells(rows):
        verdict = own.iloc[[0]][SETTING].merge(order, on=SETTING)
        holds, why = _verdict(verdict.iloc[0]) if len(verdict) else (DASH, "")
        bins = dict(zip((f"bin {name}" for name in PERCENTILES), changes(own, BINS), strict=True))
        lines.append(
            heading(own)
            | {"accuracy": fraction(float(own["accuracy"].iloc[0]))}
            | bins
            | {
                "random": _random(own),
                "published: bins; random": theirs(own),
                "order holds": holds,
                "why not": why,
            }
        )
    names = ["model", "pair", "images", "protocol", "accuracy"]
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=names)


def at_once(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per run, pair, split, metric and protocol for which whole layers or all layers were put back."""
    together = rows["layers"] == "together"
    whole = rows[(rows["condition"] == "all") & ~together]
    lines = []
    for own in cells(pd.concat([shown(whole), rows[together]])):
        once, every = own[own["layers"] != "together"], own[own["layers"] == "together"]
        bins = (f"all layers at once, {name}" for name in PERCENTILES)
        lines.append(
            heading(own, layers=False)
            | {"all neurons of one layer": changes(once, ["all"])[0]}
            | dict(zip(bins, changes(every, BINS), strict=True))
            | {"all layers at once, random": _random(every)}
            | {"all layers at once, all neurons": changes(every, ["all"])[0]}
        )
    return pd.DataFrame(lines)


def cells(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows of each run, pair, split, metric and protocol; protocols next to each other, the corrected one first."""
    if rows.empty:
        return []
    ranks = {name: place for place, name in enumerate([*FIRST, *sorted(set(rows["protocol"]) - {*FIRST})])}
    keys = rows[CELL].drop_duplicates().reset_index(drop=True)
    for column in ("run", "pair", "from_epoch", "to_epoch"):
        keys[f"_{column}"] = keys[column].map({name: n for n, name in enumerate(dict.fromkeys(keys[column]))})
    keys["_split"] = keys["split"] != "train"
    keys["_protocol"] = keys["protocol"].map(ranks)
    ranked = ["_run", "_pair", "_from_epoch", "_to_epoch", "_split", "metric", "_protocol"]
    keys = keys.sort_values(ranked, kind="stable")[CELL]
    return [keys.iloc[[place]].merge(rows, on=CELL) for place in range(len(keys))]


def heading(rows: pd.DataFrame, layers: bool = True) -> dict[str, str]:
    """What one row of a table is about."""
    head = rows.iloc[0]
    protocol = PROTOCOLS.get(head["protocol"], str(head["protocol"]))
    if layers and head["layers"] != "once":
        protocol += f", layers as {head['layers']}"
    return {
        "model": label_of(str(head["run"])),
        "pair": pair_words(str(head["pair"]), int(head["from_epoch"]), int(head["to_epoch"])),
        "images": f"{head['split']}, {str(head['metric']).replace('top', 'top-')}",
        "protocol": protocol,
    }


def fraction(value: float) -> str:
    """Three decimals, a dash where there is no value."""
    return f"{round(value, 3) + 0.0:.3f}" if np.isfinite(value) else DASH


def change(value: float, low: float, high: float) -> str:
    """``-0.129 [-0.150, -0.108]``."""
    if not (np.isfinite(value) and np.isfinite(low) and np.isfinite(high)):
        return fraction(value)
    return f"{fraction(value)} [{fraction(low)}, {fraction(high)}]"


def changes(rows: pd.DataFrame, conditions: Sequence[str]) -> list[str]:
    """`change` of each condition of one cell."""
    columns = [by_condition(rows, conditions, name) for name in ("value", "low", "high")]
    return [change(*map(float, numbers)) for numbers in zip(*columns, strict=True)]


def _random(rows: pd.DataFrame) -> str:
    text, se = changes(rows, ["random"])[0], float(by_condition(rows, ["random"], "se")[0])
    return f"{text} (se {se:.4f})" if np.isfinite(se) else text


def theirs(rows: pd.DataFrame) -> str:
    """The published bins and random value of one cell: ``-0.129, -0.037, -0.017, 0.007; -0.036``."""
    found = published(rows)
    if found.empty:
        return DASH
    row = found.iloc[0]
    text = ", ".join(fraction(float(row[name])) for name in BINS) + f"; {fraction(float(row['random']))}"
    return text + " (suspect)" if row["suspect"] else text


def _verdict(row: "pd.Series[Any]") -> tuple[str, str]:
    return ("yes" if row["holds"] else "no"), "" if pd.isna(row["why"]) else str(row["why"])


def _doubts(rows: pd.DataFrame) -> str:
    """What the source's own notes say against published rows that are shown; one sentence per note."""
    found = published(rows).query("note != ''")
    parts = []
    for note, own in found.groupby("note", sort=False):
        listed = [
            f"{label_of(str(row.run))} {row.pair}, {row.split} {str(row.metric).replace('top', 'top-')}"
            for row in own.itertuples()
        ]
        parts.append(f"{'; '.join(listed)}: {note}.")
    return " Published rows with caveats. " + " ".join(parts) if parts else ""
