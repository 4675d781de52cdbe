"""What the user sees while and after a job runs: progress bars, messages, tables."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

from evoscope.progress import Progress, silent

Item = TypeVar("Item")


def say(text: str = "") -> None:
    """Write one line to standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def bar(items: Iterable[Item], *, total: int, what: str, unit: str = "it", size: int = 1) -> Iterator[Item]:
    """Progress bar with a rate and an estimate (an `evoscope.progress.Progress`)."""
    quiet = not sys.stderr.isatty()
    with tqdm(
        total=total, desc=what, unit=f" {unit}", leave=False, mininterval=10.0 if quiet else 0.2, ncols=100
    ) as line:
        for item in items:
            yield item
            line.update(min(size, total - line.n))


def progress(wanted: bool) -> Progress:
    """The bar, or nothing."""
    return bar if wanted else silent


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Text table with aligned columns."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([text[0], "  ".join("-" * width for width in widths), *text[1:]])


def duration(seconds: float) -> str:
    """Seconds as ``3 s``, ``4 min 10 s`` or ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(number: float) -> str:
    """Bytes as ``12 MB`` or ``3.4 GB``."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
