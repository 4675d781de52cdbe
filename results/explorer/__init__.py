"""The explorer's page: one folder that opens from disk and asks nothing of the network."""

import shutil
from collections.abc import Sequence
from pathlib import Path

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
