"""Tie the sources of the stages to their versions: ``python -m experiments.stages.lock [SAME,RESULTS]``."""

import sys
from pathlib import Path

from evoscope.errors import EvoscopeError
from evoscope.store import write_lock
from experiments.reporting import complain, say
from experiments.stages.registry import STAGES

LOCK = Path(__file__).with_name("versions.json")


def main(same: str = "") -> int:
    """Write the lock; ``same`` names stages (comma-separated) whose results did not change."""
    try:
        write_lock(STAGES, LOCK, same_results=[name for name in same.split(",") if name])
    except EvoscopeError as problem:
        complain(f"evoscope: {problem}")
        return 1
    say(f"{len(STAGES)} stages recorded in {LOCK.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
