"""The explorer's page: one folder that opens from disk and asks nothing of the network."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from results.page_style import placed, runs_of, status_counts

PAGE = Path(__file__).parent
SCRIPTS = ("draw.js", "points.js", "colours.js", "maps.js", "card.js", "explorer.js")
ASSETS = ("index.html", "explorer.css", *SCRIPTS)


def write_site(folder: Path, data: Sequence[Path]) -> Path:
    """Copy the page and its data into ``folder``; what an earlier page left there goes. The path of the page."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in [*(PAGE / name for name in ASSETS), *data]:
        shutil.copyfile(path, folder / path.name)
    return folder / ASSETS[0]


def finding(neurons: pd.DataFrame) -> str:
    """How many neurons the page shows at the last epochs, and how many of them have a place on the map."""
    share = f"{int(placed(neurons).sum()):,} of {len(neurons):,} neurons of {len(runs_of(neurons))} networks"
    others = ", ".join(status_counts(neurons))
    return f"{share} have a place on the map at the last epoch{f' ({others})' if others else ''}."
