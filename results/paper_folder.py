"""Keep drawn results with the code: ``python -m results.paper_folder FOLDER...`` copies them into ``results/paper``.

Every folder is an output of an experiment (``outputs/results/...``). Its figures and tables go to
``results/paper/<data>-<scale>/figures`` and ``tables`` (under another protocol than the corrected one, its name
follows); then the ledger, the audit, the scorecard, the page and the index are written anew from all that is there.
Drawings (SVG) with photographs inside are large: above `LARGE` bytes they are left out, and named; pictures (PNG) above
it are kept with 256 colours.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from evoscope.errors import EvoscopeError
from results.report import write_report
from results.report.gallery import Item, Place, galleries
from results.report.pictures import with_palette

PAPER = Path(__file__).resolve().parent / "paper"
LARGE = 350_000
LIMIT = 25_000_000


def keep(folders: Sequence[Path], to: Path = PAPER) -> tuple[list[Path], list[Path]]:
    """Copy the results below ``folders`` and report on all of ``to``.

    Returns
    -------
    The files written, and the drawings left out.

    Raises
    ------
    EvoscopeError : a folder without results, or more than `LIMIT` bytes in the end.
    """
    for folder in folders:
        if not galleries([folder]):
            raise EvoscopeError(f"{folder} has no drawn results", "name an output folder of an experiment")
    kept: list[Path] = []
    left: list[Path] = []
    for place, items in galleries(folders).items():
        for item in items:
            for path in _files(item):
                large = path.suffix == ".svg" and path.stat().st_size > LARGE
                (left if large else kept).append(path if large else _copied(path, to / _name(place)))
    kept += write_report([to], to)
    _check_size(to)
    return kept, left


def _name(place: Place) -> str:
    data, scale, protocol = place
    return f"{data}-{scale}" if protocol == "corrected" else f"{data}-{scale}-{protocol}"


def _files(item: Item) -> list[Path]:
    endings = (".csv", ".md") if item.picture is None else (".png", ".svg", ".md")
    return [path for path in (item.words.with_suffix(ending) for ending in endings) if path.is_file()]


def _copied(path: Path, folder: Path) -> Path:
    target = folder / ("figures" if path.stem.startswith("fig_") else "tables") / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png" and path.stat().st_size > LARGE:
        target.write_bytes(with_palette(path))
    else:
        shutil.copyfile(path, target)
    return target


def _check_size(folder: Path) -> None:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > LIMIT:
        raise EvoscopeError(
            f"{folder} holds {size / 1e6:.0f} MB, more than the {LIMIT / 1e6:.0f} MB that belong into a repository",
            "remove a data set's folder from it",
        )


def main(arguments: Sequence[str]) -> int:
    """Exit status of the command."""
    if not arguments:
        sys.stderr.write("usage: python -m results.paper_folder FOLDER...\n")
        return 2
    try:
        kept, left = keep([Path(name) for name in arguments])
    except EvoscopeError as problem:
        sys.stderr.write(f"evoscope: {problem}\n")
        return 1
    sys.stdout.write(f"{len(kept)} files in {PAPER}\n")
    sys.stdout.writelines(f"left out, {path.stat().st_size / 1e6:.1f} MB: {path}\n" for path in left)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
