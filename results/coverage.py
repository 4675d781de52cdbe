"""Coverage: concept purity against how much of the image pool the base model covers, per protocol."""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from evoscope.viz import Sheet, colour_of, label_of, remark
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import LARGE, QUIET, SMALL, width_of
from results.page_style import (
    PROTOCOLS,
    caption,
    doubles,
    interval_column,
    markdown,
    networks,
    notes,
    percent,
    protocol_name,
    rows_of,
    runs_of,
    with_interval,
)
from results.registry import About, Exhibits, Written, figure, table

# --- figure: coverage ------------------------------------------------------------------------------------------------

SETTING = ("protocol", "pool_images", "k", "coverage", "run")
COLUMNS = (
    *(*SETTING, "value", "low", "high", "null", "null_low", "null_high", "unlabelled", "placed"),
    *("random_vectors", "shared_stimuli"),
)  # fmt: skip
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")  # of k, from the smallest
# Inches.
LEFT, BETWEEN, HEADING, HEIGHT, AXIS, LINE = 0.5, 0.16, 0.22, 1.9, 0.45, 0.15


def coverage_words(exhibits: Exhibits, about: About) -> str:
    """Caption of the figure, without title and finding."""
    rows = rows_of(exhibits, "coverage", COLUMNS)
    settings = rows[["pool_images", "k"]].drop_duplicates().sort_values(["pool_images", "k"])
    pairs = ", ".join(f"{pool:,} images with k = {k}" for pool, k in settings.itertuples(index=False, name=None))
    what = (
        "Purity@10 is the share of a neuron's ten nearest neighbours from other models that answer to the same true "
        "concept; drawn is what it has above its null, the same with concept labels permuted within model and layer. "
        f"Coverage is varied through the pool and the number of stimuli k ({pairs}). Unlabelled and unplaced neurons "
        "are left out and counted in table_protocols."
    )
    n = f"{len(rows)} values of {len(runs_of(rows))} models"
    return swept_caption(what, rows, about, n, interval="95 %, bootstrap")


def coverage_finding(exhibits: Exhibits, about: About) -> str:
    """What purity is above chance where coverage is least and most, under each protocol."""
    rows = known(rows_of(exhibits, "coverage", COLUMNS))
    rows = rows[np.isfinite(rows["value"].astype(float)) & np.isfinite(rows["null"].astype(float))]
    whole = rows[rows["run"] == "all"] if (rows["run"] == "all").any() else rows
    parts = []
    for protocol in in_order(whole):
        own = whole[whole["protocol"] == protocol].sort_values("coverage")
        least, most = (
            (percent(float(row["coverage"])), float(row["value"] - row["null"])) for row in (own.iloc[0], own.iloc[-1])
        )
        parts.append(f"{protocol_name(protocol)} {least[1]:.2f} → {most[1]:.2f} ({least[0]} → {most[0]} covered)")
    return f"Concept purity above chance, from least to most coverage: {', '.join(parts)}" if parts else ""


@figure(
    "fig_coverage",
    title="Concept purity as a function of the base model's coverage",
    reads=("coverage",),
    says=coverage_finding,
    words=coverage_words,
    paper="Evoscope",
    shows="concept purity against coverage, per protocol",
    place=80,
)
def coverage_figure(exhibits: Exhibits, about: About) -> Figure:
    """A panel per protocol with the same axes: a colour per model, a marker per k."""
    rows = rows_of(exhibits, "coverage", COLUMNS)
    protocols, runs = in_order(rows), list(dict.fromkeys(known(rows)["run"]))
    legend: list[list[str]] = [[]]  # in lines that fit on the page
    for run in runs:
        if legend[-1] and sum(map(_legend_width, [*legend[-1], run])) > PAGE - LEFT:
            legend.append([])
        legend[-1].append(run)
    sheet = Sheet(PAGE, HEADING + HEIGHT + AXIS + LINE * (len(legend) + 1) + 0.15)
    width = min((PAGE - LEFT - 0.1) / max(len(protocols), 1) - BETWEEN, 3.2)
    for place, protocol in enumerate(protocols):
        left = LEFT + place * (width + BETWEEN)
        sheet.text(left, 0.05, protocol_name(protocol), room=width, size=LARGE, bold=True)
        axes = sheet.axes(left, 0.05 + HEADING, width, HEIGHT)
        _panel(axes, rows, protocol, runs)
        first = place == 0
        axes.set_xlabel("images that the base covers")
        axes.tick_params(axis="y", labelleft=first)
        if first:
            axes.set_ylabel("concept purity@10 above its null")
    _legend(sheet, HEADING + HEIGHT + AXIS + 0.08, legend, marker_of(rows))
    return sheet.figure


def known(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose coverage is known: the space could be built."""
    return rows[np.isfinite(rows["coverage"].astype(float))]


def left_out(rows: pd.DataFrame) -> str:
    """Sentence on the settings without a value and why; nothing where there are none."""
    why = rows.assign(note=notes(rows)).query("note != ''")
    cells = why[["protocol", "pool_images", "k", "note"]].drop_duplicates()
    listed = [
        f"{protocol_name(protocol)}, {pool:,} images, k = {k}: {note.rstrip('.')}"
        for protocol, pool, k, note in cells.itertuples(index=False, name=None)
    ]
    return f" No value for {'; '.join(listed)}." if listed else ""


def in_order(rows: pd.DataFrame) -> list[str]:
    """Protocols from the released to the corrected one, unknown ones last."""
    present = list(dict.fromkeys(rows["protocol"]))
    return [name for name in PROTOCOLS if name in present] + [name for name in present if name not in PROTOCOLS]


def marker_of(rows: pd.DataFrame) -> dict[int, str]:
    """Marker of each k."""
    return dict(zip(sorted({int(k) for k in known(rows)["k"]}), MARKERS * 9, strict=False))


def _panel(axes: Axes, rows: pd.DataFrame, protocol: str, runs: list[str]) -> None:
    seen, markers = known(rows), marker_of(rows)
    here = seen[seen["protocol"] == protocol]
    for row in here.itertuples():
        aside = 0.006 * (runs.index(str(row.run)) - (len(runs) - 1) / 2)
        x, null = float(str(row.coverage)) + aside, float(str(row.null))
        value, low, high = (float(str(getattr(row, name))) - null for name in ("value", "low", "high"))
        colour = colour_of(str(row.run))
        axes.plot([x, x], [low, high], color=colour, lw=1.0, zorder=2)
        axes.plot(x, value, marker=markers[int(str(row.k))], markersize=4, color=colour, mew=0, zorder=3)
    if not np.isfinite(doubles(here["value"])).any():
        remark(axes, "purity not defined")
    low, high = (float(seen["coverage"].min()), float(seen["coverage"].max())) if len(seen) else (0.0, 1.0)
    axes.set_xlim(max(low - 0.1, -0.05), min(high + 0.1, 1.05))
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
    above = seen[["value", "low", "high"]].to_numpy(dtype=np.float64) - doubles(seen["null"])[:, None]
    above = np.append(above[np.isfinite(above)], [0.0, 0.05])
    room = 0.06 * float(np.ptp(above))
    axes.set_ylim(float(above.min()) - room, float(above.max()) + room)
    axes.axhline(0, color=QUIET, lw=0.7, zorder=1)
    axes.grid(axis="y")


def _legend_width(run: str) -> float:
    return min(width_of(label_of(run), SMALL), 3.0) + 0.5


def _legend(sheet: Sheet, top: float, lines: list[list[str]], markers: dict[int, str]) -> None:
    for number, line in enumerate(lines):
        left = LEFT
        for run in line:
            sheet.swatch(left, top + LINE * number, colour_of(run))
            sheet.text(left + 0.26, top + LINE * number, label_of(run), room=3.0, size=SMALL)
            left += _legend_width(run)
    top, left = top + LINE * len(lines), LEFT
    for k, marker in markers.items():
        sheet.swatch(left, top, QUIET, marker=marker).set(mec=QUIET)
        text = f"k = {k}"
        sheet.text(left + 0.14, top, text, size=SMALL, color=QUIET)
        left += width_of(text, SMALL) + 0.3


def swept_caption(what: str, rows: pd.DataFrame, about: About, n: str, interval: str) -> str:
    """Caption of rows that have pools and protocols of their own, not those of the job; names what has no value."""
    protocols = ", ".join(map(protocol_name, in_order(rows)))
    return caption(
        what + left_out(rows),
        replace(about, protocol=protocols),
        n=n,
        runs=runs_of(rows),
        interval=interval,
        pools=rows["pool_images"].tolist(),
    )


# --- table: protocols ------------------------------------------------------------------------------------------------

SWEEP = ["pool_images", "k", "run"]


def finding(rows: pd.DataFrame) -> str:
    """Purity where the base covers least, by protocol, mean over the networks."""
    own = rows[(rows["run"] != "all") & rows["value"].notna()]
    own = own[own["coverage"] == own["coverage"].min()]
    if own.empty:
        return ""
    means = own.groupby("protocol", sort=False)[["value", "null"]].mean()
    listed = ", ".join(
        f"{row['value']:.3f} {protocol_name(name)} (permuted concepts {row['null']:.3f})"
        for name, row in means.iterrows()
    )
    share = percent(float(own["coverage"].iloc[0]), 1)
    return f"Where the base covers least of the pool ({share}), purity@10 is {listed}; {networks(own)}."


@table(
    "table_protocols",
    title="Concept purity per protocol and coverage",
    reads=("coverage",),
    paper="Evoscope",
    shows="protocols side by side",
    place=120,
    finding=finding,
)
def protocols_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (a row per value) and text of the Markdown (protocols side by side)."""
    rows = rows_of(exhibits, "coverage", COLUMNS)
    what = (
        "Purity@10 with its interval, the null behind it, the purity of the same neurons by random image vectors and "
        "by the stimuli they share, without a learned space, then the covered share of the pool, the placed and the "
        "unlabelled share of the neurons."
    )
    interval = "95 %, bootstrap; of the null, 95 % of the permutations"
    above = swept_caption(what, rows, about, f"{len(rows)} values", interval)
    return rows, [above, markdown(side_by_side(rows))]


def side_by_side(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per pool, k and model, three columns per protocol."""
    cells, nan = rows[["protocol", *SWEEP]].copy(), float("nan")
    cells["purity"] = interval_column(rows, "value", "low", "high")
    cells["null"] = interval_column(rows, "null", "null_low", "null_high")
    cells["beside"] = [
        f"{with_interval(random, nan, nan)}, {with_interval(shared, nan, nan)}"
        for random, shared in rows[["random_vectors", "shared_stimuli"]].itertuples(index=False, name=None)
    ]
    cells["shares"] = [
        f"{percent(coverage, 1)}, {percent(placed, 1)}, {percent(unlabelled, 1)}"
        for coverage, placed, unlabelled in rows[["coverage", "placed", "unlabelled"]].itertuples(
            index=False, name=None
        )
    ]
    wide = cells.drop_duplicates(SWEEP)[SWEEP].sort_values(SWEEP[:2], kind="stable")
    for protocol in in_order(rows):
        own = cells[cells["protocol"] == protocol].drop(columns="protocol")
        name = protocol_name(protocol)
        titles = {
            "purity": f"{name}: purity@10", "null": f"{name}: null",
            "beside": f"{name}: random vectors, shared stimuli", "shares": f"{name}: covered, placed, unlabelled",
        }  # fmt: skip
        wide = wide.merge(own.rename(columns=titles), on=SWEEP, how="left")
    wide = wide.fillna("–")
    wide["run"] = [label_of(run) for run in wide["run"]]
    return wide.rename(columns={"pool_images": "images in the pool", "run": "model"})


# --- table: switches -------------------------------------------------------------------------------------------------


@table(
    "table_space_switches",
    title="Defects of the released embedding, one switch at a time",
    reads=("space_switches",),
    paper="Evoscope",
    shows="purity with each defect alone mended, and alone put back",
    place=122,
)
def switches_table(exhibits: Exhibits, about: About) -> Written:
    """Rows of the CSV (a row per value) and text of the Markdown (switches side by side)."""
    rows = rows_of(exhibits, "space_switches", COLUMNS)
    what = (
        "Purity@10 where the base covers least. Mended: the released protocol with this choice alone from the "
        "corrected one; put back: the corrected protocol with this choice alone from the released one. The "
        "unswitched protocols are in table_protocols."
    )
    above = swept_caption(what, rows, about, f"{len(rows)} values", "95 %, bootstrap")
    cells = rows[["protocol", "pool_images", "k"]].assign(
        run=[label_of(str(run)) for run in rows["run"]], purity=interval_column(rows, "value", "low", "high")
    )
    place = ["protocol", "pool_images", "k"]
    wide = cells.pivot_table("purity", place, "run", aggfunc="first", sort=False).reset_index()
    return rows, [above, markdown(wide.fillna("–"))]
