"""What figures and tables of several subjects share: exhibits by name, words of captions, cells of tables, headings.

Nothing here belongs to one subject, and no subject module imports from another.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from evoscope.activations.stimuli import Status
from evoscope.arrays import Doubles
from evoscope.discovery.methods import METHODS
from evoscope.errors import EvoscopeError
from evoscope.figure_data import AS_IT_IS
from evoscope.viz import Limits, Sheet, background, label_of, map_frame
from evoscope.viz.charts import epoch_name, epochs_name
from evoscope.viz.style import LARGE, NORMAL, QUIET, SMALL, Look, look_of, width_of
from results.registry import About, Exhibits

Kind = TypeVar("Kind")

# --- exhibits --------------------------------------------------------------------------------------------------------

STATUS_NAMES = {Status.DEAD: "dead", Status.CONSTANT: "constant", Status.NON_FINITE: "non-finite"}


def exhibit(exhibits: Exhibits, name: str, kind: type[Kind]) -> Kind:
    """Return the exhibit ``name``.

    Raises
    ------
    EvoscopeError : it is missing or something else.
    """
    found = exhibits.get(name)
    if not isinstance(found, kind):
        state = "missing" if found is None else f"a {type(found).__name__}, not a {kind.__name__}"
        raise EvoscopeError(f"exhibit '{name}' is {state}", "run the experiment that makes it before drawing")
    return found


def rows_of(exhibits: Exhibits, name: str, columns: Collection[str]) -> pd.DataFrame:
    """Return the exhibit ``name``, a frame with at least ``columns``.

    Raises
    ------
    EvoscopeError : it is missing or lacks columns.
    """
    found = exhibit(exhibits, name, pd.DataFrame)
    lacking = [column for column in columns if column not in found.columns]
    if lacking:
        raise EvoscopeError(f"exhibit '{name}' lacks columns {', '.join(lacking)}", "make it again with this version")
    return found


def doubles(values: "pd.Series[float]") -> Doubles:
    """Return a column as float64."""
    return np.asarray(values, dtype=np.float64)


def notes(rows: pd.DataFrame) -> "pd.Series[str]":
    """Why values are missing: the column ``note`` where there is one, else empty."""
    if "note" not in rows.columns:
        return pd.Series("", index=rows.index)
    return rows["note"].fillna("").astype(str)


def runs_of(rows: pd.DataFrame) -> list[str]:
    """Runs that occur, each once, in their order."""
    return list(dict.fromkeys(rows["run"].astype(str)))


def networks(rows: pd.DataFrame) -> str:
    """``mean over 3 networks``, or the name of the only one."""
    names = runs_of(rows)
    return label_of(names[0]) if len(names) == 1 else f"mean over {len(names)} networks"


def spread(epochs: Sequence[int], most: int) -> list[int]:
    """At most ``most`` of the epochs: the first, the last and evenly many between."""
    known = sorted(set(epochs))
    if len(known) <= most:
        return known
    return [known[place] for place in np.linspace(0, len(known) - 1, most).round().astype(int)]


# --- captions --------------------------------------------------------------------------------------------------------

# Scales whose networks are trained as published; the others' recipes are their own.
PUBLISHED_SCALES = ("gpu", "imagenet")
PROTOCOLS = {"as_released": "as released", "v1": "first version", "corrected": "corrected"}


def caption(
    what: str,
    about: About,
    *,
    n: str,
    runs: Sequence[str] = (),
    interval: str = "none is drawn",
    pools: Collection[int] = (),
) -> str:
    """Caption in Markdown, without its title: what is seen, then n, intervals, data, scale, recipes and remarks.

    Parameters
    ----------
    what : what the figure shows, in full sentences.
    about : where it comes from.
    n : how many of what, for instance ``"38,912 neurons"``.
    runs : networks whose recipe matters to the figure.
    interval : what the intervals are.
    pools : images in the pools that are shown; none: the job's own pool.
    """
    facts = [
        f"n: {n}",
        f"interval: {interval}",
        f"data: {about.data}, {about.classes} classes, {_pools(pools or [about.images], about.unit)}",
        f"scale: {about.scale}",
        f"protocol: {about.protocol}",
        f"seed: {about.seed}",
    ]
    lines = [what, "", "; ".join(facts) + ".", *_training(about, runs)]
    if about.remarks:
        lines += ["", " ".join(f"{remark.rstrip('.')}." for remark in about.remarks)]
    return "\n".join(lines) + "\n"


def _pools(sizes: Collection[int], unit: str) -> str:
    if unit != "images":
        return f"{max(sizes):,} {unit}"
    *others, largest = (f"{size:,}" for size in sorted(set(sizes)))
    if not others:
        return f"pool of {largest} images"
    return f"pools of {', '.join(others)} and {largest} images"


def _training(about: About, runs: Sequence[str]) -> list[str]:
    if not runs:
        return []
    recipes = [f"- {label_of(run)}: {about.recipes.get(run, 'recipe not recorded')}" for run in runs if run != "all"]
    return ["", scale_note(about.scale), "", *recipes]


def scale_note(scale: str) -> str:
    """How far the networks are from the published ones."""
    if scale in PUBLISHED_SCALES:
        return f"Networks trained with the published recipe, at scale {scale}:"
    return f"Narrow networks, recipe of the {scale} scale, not the published one:"


def protocol_name(protocol: object) -> str:
    """Readable name of a protocol."""
    return PROTOCOLS.get(str(protocol), str(protocol))


def measured_under(rows: pd.DataFrame, about: About) -> About:
    """Return the origin of the rows: they have protocols of their own, not that of the job."""
    names = dict.fromkeys(map(protocol_name, rows["protocol"]))
    return replace(about, protocol=", ".join(names) or about.protocol)


def pair_words(pair: str, first: int, last: int) -> str:
    """``early to middle, epochs 3 to 7``."""
    return f"{pair}, {epochs_name(first, last)}"


def percent(share: float, digits: int = 0) -> str:
    """``62 %``, or a dash where nothing is known."""
    return f"{100 * share:.{digits}f} %" if np.isfinite(share) else "–"


# --- tables ----------------------------------------------------------------------------------------------------------


def markdown(frame: pd.DataFrame) -> str:
    """Return a frame as a Markdown table; numbers are aligned to the right."""
    marks = ["---:" if pd.api.types.is_numeric_dtype(frame[name]) else "---" for name in frame.columns]
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in ([*map(_cell, frame.columns)], marks, *rows))


def _cell(value: object) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return "–" if not np.isfinite(value) else f"{value:g}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def with_interval(value: float, low: float, high: float) -> str:
    """``0.412 [0.398, 0.425]``; without bounds only the value, a dash where there is none."""
    if not np.isfinite(value):
        return "–"
    digits = 3 if abs(value) >= 0.1 else 4
    if not (np.isfinite(low) and np.isfinite(high)):
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def interval_column(frame: pd.DataFrame, value: str, low: str, high: str) -> list[str]:
    """`with_interval` for every row."""
    numbers = frame[[value, low, high]].astype(float)
    return [with_interval(*row) for row in numbers.itertuples(index=False, name=None)]


def epoch_column(epochs: Iterable[int]) -> list[int | str]:
    """Epochs as they are, or ``as it is`` where one state is all that is known."""
    return [epoch_name(AS_IT_IS) if epoch == AS_IT_IS else epoch for epoch in epochs]


def model_column(runs: Iterable[str]) -> list[str]:
    """Readable names of runs."""
    return [label_of(str(run)) for run in runs]


# --- headings and maps -----------------------------------------------------------------------------------------------

WIDEST = 3.0  # inches for a run's name


def run_heading(sheet: Sheet, left: float, top: float, run: str, about: About) -> None:
    """Write a run's name behind a dot of its colour, then its recipe in grey."""
    name = full_name(look_of(run), run)
    sheet.swatch(left, top, look_of(run).colour, marker="o")
    sheet.text(left + 0.12, top, name, room=WIDEST, size=LARGE, bold=True)
    left += 0.12 + min(width_of(name, LARGE, bold=True), WIDEST) + 0.12
    room = max(sheet.width - left - 0.07, 0.1)
    sheet.text(left, top + 0.025, about.recipes.get(run, ""), room=room, size=SMALL, color=QUIET)


def full_name(look: Look, run: str) -> str:
    """Return the family and what sets the run apart in it, if anything; an unknown run's own name."""
    return f"{look.family}, {look.variant}" if look.variant else look.family


def placed(neurons: pd.DataFrame) -> "pd.Series[bool]":
    """Which neurons have a place on the map."""
    return neurons["x"].notna() & neurons["y"].notna()


def status_counts(neurons: pd.DataFrame) -> list[str]:
    """How many neurons are dead, constant, non-finite, or unplaced though healthy; nothing for what does not occur."""
    counts = {name: int((neurons["status"] == status).sum()) for status, name in STATUS_NAMES.items()}
    counts["unplaced"] = int(((neurons["status"] == Status.OK) & ~placed(neurons)).sum())
    return [f"{count:,} {name}" for name, count in counts.items() if count]


def runs_shown(neurons: pd.DataFrame, wanted: Sequence[str]) -> list[str]:
    """Those of the ``wanted`` runs that the map has; where it has none of them, every run but the base."""
    present = list(dict.fromkeys(neurons.loc[~neurons["base"], "run"]))
    return [run for run in wanted if run in present] or present


def one_seed(curves: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Of every run the rows of ``seed``, or of its first seed where it was not trained with that one."""
    kept = [
        rows[rows["seed"] == (seed if seed in set(rows["seed"]) else rows["seed"].iloc[0])]
        for _, rows in curves.groupby("run", sort=False)
    ]
    return pd.concat(kept) if kept else curves


def base_of(neurons: pd.DataFrame) -> pd.DataFrame:
    """Rows of the map that are the base model's."""
    return neurons[neurons["base"]]


def map_panel(sheet: Sheet, left: float, top: float, side: float, limits: Limits, base: pd.DataFrame | None) -> Axes:
    """Square of ``side`` inches for a map; ``base``: the neurons that are its background, if any."""
    axes = map_frame(sheet.axes(left, top, side, side), limits)
    return axes if base is None else background(axes, doubles(base["x"]), doubles(base["y"]))


# --- concept vectors -------------------------------------------------------------------------------------------------

LAYER = ["run", "layer"]
HEADING = 0.36  # inches of `layer_heading`
NOTHING = "no concept vector was sought"


def method_name(method: str) -> str:
    """Readable name of a method that finds directions; of ``package.module:name`` the last part."""
    return METHODS[method].title if method in METHODS else method.rpartition(":")[2]


def methods_of(rows: pd.DataFrame) -> list[str]:
    """Methods that occur, the published ones first, unknown ones last."""
    found = list(dict.fromkeys(rows["method"].astype(str)))
    known = sorted((name for name in METHODS if name in found), key=lambda name: METHODS[name].place)
    return [*known, *(name for name in found if name not in METHODS)]


def layers_of(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Rows of each run and layer, in the order of the exhibit."""
    for _, own in rows.groupby(LAYER, sort=False):
        yield own


def direction_name(direction: float, side: float) -> str:
    """``#12 +``: index in the basis, and which side of it; ``none`` below zero, where a class has no candidate."""
    if not direction >= 0:
        return "none"
    return f"#{int(direction)} {'+' if side >= 0 else '−'}"


def layer_heading(sheet: Sheet, left: float, top: float, rows: pd.DataFrame, about: About, more: str = "") -> None:
    """Write the run and its recipe, then the layer and whatever ``more`` there is to say; takes `HEADING` inches."""
    run_heading(sheet, left, top, str(rows["run"].iloc[0]), about)
    room = max(sheet.width - left - 0.07, 0.1)
    sheet.text(left, top + 0.17, f"layer {rows['layer'].iloc[0]}{more}", room=room, size=NORMAL, cut="middle")


# --- outliers and stamps ---------------------------------------------------------------------------------------------

CASE = ("setting", "data", "classes", "run", "layer", "p", "seed")
PERCENTILES = ("0–25", "25–50", "50–75", "75–100")
"""The bins of importance, the most important first."""
CLASS_INTERVAL = "95 %, Student over classes (20 and more: bootstrap)"
SEED_INTERVAL = "95 %, Student over seeds; with one seed, bootstrap over images"


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Those of the rows that hold the mean over the seeds."""
    return rows[rows["seed"] == "all"].reset_index(drop=True)


def seeds_of(rows: pd.DataFrame) -> str:
    """How many seeds a table holds: ``3 seeds``."""
    count = int(rows.loc[rows["seed"] != "all", "seed"].nunique())
    return f"{count} seed{'s' * (count != 1)}"


def subject(rows: pd.DataFrame) -> str:
    """Which images these are: ``imagenette (tench, church)``."""
    known = rows[["data", "classes"]].drop_duplicates()
    return "; ".join(f"{data} ({classes})" for data, classes in known.itertuples(index=False, name=None))


def case_words(setting: str, p: float) -> str:
    """``stamps, p = 0.1`` or ``5 % of the labels wrong``."""
    return f"stamps, p = {p:g}" if setting == "stamp" else f"{100 * p:.3g} % of the labels wrong"


# --- training --------------------------------------------------------------------------------------------------------

TIMES_CHANCE = 3.0  # from which best test accuracy on a network has learnt what it could lose
_PEAK = re.compile(r"peak ([\d.]+)% \(at least ([\d.]+)%\)")  # of twice chance


def learnt_anything(statement: str) -> bool:
    """Whether a network whose collapse is judged had anything to lose, by the ``statement`` of that criterion."""
    found = _PEAK.search(statement)
    return found is not None and float(found[1]) >= TIMES_CHANCE * float(found[2]) / 2


# --- reversal --------------------------------------------------------------------------------------------------------

CELL = ["run", "pair", "from_epoch", "to_epoch", "protocol", "split", "metric"]
COUNTED = {"as_released": "listed"}  # how layers are counted under a protocol; once under every other


def counted_its_way(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each protocol the rows with the layers counted its way, or, where that was not done, another way."""
    parts = []
    for protocol, own in rows[rows["layers"] != "together"].groupby("protocol", sort=False):
        wanted = COUNTED.get(str(protocol), "once")
        known = list(dict.fromkeys(own["layers"]))
        parts.append(own[own["layers"] == (wanted if wanted in known else known[0])])
    return pd.concat(parts) if parts else rows.iloc[:0]
