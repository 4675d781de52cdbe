"""What a sweep leaves at its end: a table of what ran, what was cached and what failed."""

import json
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from experiments.reporting import duration, say, table

_FAILED: list[str] = []


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
        _FAILED.extend(
            row[0] for row, status in zip(rows, statuses, strict=True) if status["state"] != "done"
        )
        say(f"{len(rows) - len(_FAILED)} of {len(rows)} jobs done")


def failed_jobs() -> list[str]:
    """Jobs of the sweep that this process led and that failed."""
    return list(_FAILED)


def forget_failures() -> None:
    """Begin anew (several commands in one process: notebooks, tests)."""
    _FAILED.clear()


def _statuses(config: DictConfig) -> list[Path]:
    return sorted(Path(config.hydra.sweep.dir).rglob("status.json"))


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
