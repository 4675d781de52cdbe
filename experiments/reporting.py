"""What the user sees while and after a job runs: progress, messages, a job's status and findings, a sweep's end."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from tqdm import tqdm

from evoscope.progress import Progress, silent

Item = TypeVar("Item")
LATEST = "latest"  # below the outputs: leads to the folder of the last job
FAILED: list[str] = []
"""Jobs that failed: of this process, and of the sweep that it led."""


def say(text: str = "") -> None:
    """Write one line to standard output."""
    _write(sys.stdout, text)


def complain(text: str) -> None:
    """Write one line to standard error."""
    _write(sys.stderr, text)


def _write(stream: TextIO, text: str) -> None:
    """Write a line; where nobody reads any more (``| head``), the work goes on and is not told."""
    try:
        stream.write(text + "\n")
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def bar(items: Iterable[Item], *, total: int, what: str, unit: str = "it", size: int = 1) -> Iterator[Item]:
    """Progress bar with a rate and an estimate (an `evoscope.progress.Progress`)."""
    with tqdm(total=total, desc=what, unit=f" {unit}", leave=False, mininterval=0.2, ncols=100) as line:
        for item in items:
            yield item
            line.update(min(size, total - line.n))


def progress(wanted: bool) -> Progress:
    """The bar where somebody watches it; in a file, the line that every stage ends with is enough."""
    return bar if wanted and sys.stderr.isatty() else silent


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Text table with aligned columns."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
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


@dataclass
class Status:
    """State of a job: ``running``, ``done`` or ``failed`` (then ``error`` says why in one sentence).

    ``outdated``: artefacts that were used although other code made them; ``found``: what the tables say, a sentence
    each; ``opens``: the one file to open.
    """

    task: str | None
    overrides: list[str]
    state: str = "running"
    seconds: float = 0.0
    computed: int = 0
    cached: int = 0
    error: str | None = None
    outputs: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    opens: str | None = None

    def write(self, folders: Iterable[Path]) -> None:
        """Leave the status in each folder."""
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "status.json").write_text(json.dumps(asdict(self), indent=2) + "\n")


def to_open(outputs: Sequence[str]) -> str | None:
    """The one file of a job to open: its report, else another page, else the first picture, else the first file."""
    wanted = (
        next((path for path in outputs if Path(path).name.endswith(name)), None)
        for name in ("report.html", ".html", ".png", "")
    )
    return next((path for path in wanted if path is not None), None)


def ending(status: Status, latest: Path) -> str:
    """What a job found, and what to open; ``latest`` leads to the file's folder."""
    lines = ["found:", *(f"  {sentence}" for sentence in status.found)] if status.found else []
    return "\n".join([*lines, f"open: {status.opens} ({latest} leads to its folder)"])


def point_latest(outputs: Path, folder: Path) -> Path:
    """Let ``outputs/latest`` lead to a job's folder: a link, or a text with its path where links are refused.

    A job does not fail for it: where neither can be written, nothing is.
    """
    latest, fresh = outputs / LATEST, outputs / f".{LATEST}-{os.getpid()}"
    try:
        try:
            fresh.symlink_to(os.path.relpath(folder, outputs), target_is_directory=True)
        except OSError:
            fresh.write_text(f"{folder.absolute()}\n", encoding="utf-8")
        fresh.replace(latest)
    except OSError:
        fresh.unlink(missing_ok=True)
    return latest


class SweepReport(Callback):
    """Hydra callback around a multirun; the jobs themselves may run elsewhere (joblib, a cluster)."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Forget the statuses of an earlier sweep in the same folder."""
        for old in _statuses(config):
            old.unlink()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the closing table."""
        statuses = [json.loads(path.read_text()) for path in _statuses(config)]
        shared = set.intersection(*[set(status["overrides"]) for status in statuses]) if statuses else set()
        rows = [_row(status, shared) for status in statuses]
        say(table(rows, ["job", "state", "time", "computed", "cached", "error"]))
        failed = [row[0] for row in rows if row[1] != "done"]
        FAILED.extend(failed)
        say(f"{len(rows) - len(failed)} of {len(rows)} jobs done")


def _statuses(config: DictConfig) -> list[Path]:
    """Statuses of the jobs of a sweep, whose folders are numbered."""
    found = Path(config.hydra.sweep.dir).rglob("status.json")
    return sorted(found, key=lambda path: (len(path.parent.name), path.parent.name))


def _row(status: dict[str, Any], shared: set[str]) -> list[str]:
    own = [override for override in status["overrides"] if override not in shared]
    return [
        " ".join(own) or str(status["task"]),
        status["state"],
        duration(status["seconds"]),
        str(status["computed"]),
        str(status["cached"]),
        (status["error"] or "")[:100],
    ]
