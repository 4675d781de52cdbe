"""Pictures of the documentation, taken from outputs of experiments.

``python -m results.pictures FOLDER...`` copies the newest of each drawn result that `PICTURES` names, below the
folders, to ``docs``. Draw the results first (``experiment=results``), so that they are up to date.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from evoscope.errors import EvoscopeError

DOCS = Path(__file__).resolve().parent.parent / "docs"
SCENES = "concept_scenes"
# Picture of the documentation, result, and the data that it is drawn from.
PICTURES = (
    ("hero.png", "fig_alignment.png", SCENES),
    ("animation.webp", "animation.webp", SCENES),
    ("evolution.png", "fig_evolution.png", SCENES),
    ("discovery.png", "fig_discovery.png", SCENES),
    ("reversal.png", "fig_reversal.png", SCENES),
    ("concept_truth.png", "fig_concept_truth.png", SCENES),
)


def copy_pictures(folders: Sequence[Path], to: Path = DOCS) -> list[Path]:
    """Copy every picture, or none.

    Raises
    ------
    EvoscopeError : a result is not below the folders.
    """
    found = {name: newest(folders, result, data) for name, result, data in PICTURES}
    missing = [f"{result} of {data}" for name, result, data in PICTURES if found[name] is None]
    if missing:
        raise EvoscopeError(
            f"not drawn: {', '.join(missing)}", "draw them (experiment=results), or name other folders"
        )
    return [Path(shutil.copyfile(path, to / name)) for name, path in found.items() if path is not None]


def newest(folders: Sequence[Path], result: str, data: str) -> Path | None:
    """The file of a result that was drawn last from some data, by the name of the job's folder."""
    paths = [
        path for folder in folders for path in folder.rglob(result) if path.parent.name.startswith(f"{data}-")
    ]
    return max(paths, key=lambda path: path.stat().st_mtime, default=None)


if __name__ == "__main__":
    try:
        sys.stdout.writelines(f"{path}\n" for path in copy_pictures([Path(word) for word in sys.argv[1:]]))
    except EvoscopeError as problem:
        sys.exit(f"evoscope: {problem}")
