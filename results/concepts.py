"""What the figures and tables of concept discovery share: names of methods, blocks per layer, names of directions."""

from collections.abc import Iterable, Iterator

import pandas as pd

from evoscope.viz import Sheet, label_of
from evoscope.viz.style import NORMAL
from results.about import About
from results.headings import run_heading

METHODS = {
    "svd": "SVD",
    "pca": "centred PCA",
    "neurons": "neurons",
    "rotation": "random rotation",
    "nmf": "NMF",
    "ica": "ICA",
    "kmeans": "k-means",
    "probes": "probes (labels)",
}
LAYER = ["run", "layer"]
HEADING = 0.36  # inches of `layer_heading`
NOTHING = "no concept vector was sought"


def method_name(method: str) -> str:
    """Readable name of a method that finds directions; of ``package.module:name`` the last part."""
    return METHODS.get(method, method.rpartition(":")[2])


def methods_of(rows: pd.DataFrame) -> list[str]:
    """Methods that occur, the published ones first, unknown ones last."""
    found = list(dict.fromkeys(rows["method"].astype(str)))
    return [*(name for name in METHODS if name in found), *(name for name in found if name not in METHODS)]


def layers_of(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Rows of each run and layer, in the order of the exhibit."""
    for _, own in rows.groupby(LAYER, sort=False):
        yield own


def runs_of(rows: pd.DataFrame) -> list[str]:
    """Runs that occur, in their order."""
    return list(dict.fromkeys(rows["run"].astype(str)))


def direction_name(direction: float, side: float) -> str:
    """``#12 +``: index in the basis, and which side of it; ``none`` below zero, where a class has no candidate."""
    if not direction >= 0:
        return "none"
    return f"#{int(direction)} {'+' if side >= 0 else '−'}"


def layer_heading(
    sheet: Sheet, left: float, top: float, rows: pd.DataFrame, about: About, more: str = ""
) -> None:
    """Write the run and its recipe, then the layer and whatever ``more`` there is to say; takes `HEADING` inches."""
    run_heading(sheet, left, top, str(rows["run"].iloc[0]), about)
    room = max(sheet.width - left - 0.07, 0.1)
    sheet.text(left, top + 0.17, f"layer {rows['layer'].iloc[0]}{more}", room=room, size=NORMAL, cut="middle")


def model_column(runs: Iterable[str]) -> list[str]:
    """Readable names of runs."""
    return [label_of(str(run)) for run in runs]
