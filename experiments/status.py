"""What became of a job, as left in ``status.json``."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Status:
    """State of a job: ``running``, ``done`` or ``failed`` (then ``error`` says why in one sentence)."""

    task: str | None
    overrides: list[str]
    state: str = "running"
    seconds: float = 0.0
    computed: int = 0
    cached: int = 0
    error: str | None = None
    outputs: list[str] = field(default_factory=list)

    def write(self, folders: Iterable[Path]) -> None:
        """Leave the status in each folder."""
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "status.json").write_text(json.dumps(asdict(self), indent=2) + "\n")
