"""Tables on disk: all digits as CSV, a readable Markdown version with the caption."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd


def write_table(
    full: pd.DataFrame, shown: pd.DataFrame, folder: Path, stem: str, caption: str, origin: Mapping[str, str]
) -> list[Path]:
    """Write ``stem.csv`` (``full``, every digit) and ``stem.md`` (``shown``, texts, below the caption).

    The origin is a comment at the end of the Markdown file; a CSV has no place for it that every reader would skip.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = "; ".join(f"{name}={value}" for name, value in sorted(origin.items()))
    paths = [folder / f"{stem}.csv", folder / f"{stem}.md"]
    full.to_csv(paths[0], index=False, lineterminator="\n")
    paths[1].write_text(f"{caption.strip()}\n\n{markdown(shown)}\n\n<!-- {stamp} -->\n", encoding="utf-8")
    return paths


def markdown(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table; numbers are aligned to the right."""
    marks = ["---:" if pd.api.types.is_numeric_dtype(frame[name]) else "---" for name in frame.columns]
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return "\n".join(_line(cells) for cells in ([*map(_cell, frame.columns)], marks, *rows))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


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
