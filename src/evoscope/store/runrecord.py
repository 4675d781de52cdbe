"""run.json: the circumstances of one computation, outside every checksum and every key."""

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import evoscope
from evoscope.store.canonical import JSON, pretty
from evoscope.store.manifest import RUN

LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "pyarrow",
    "torch",
    "torchvision",
    "numba",
    "umap-learn",
)


@cache
def library_versions() -> dict[str, str]:
    """Versions of Python, of this package and of the libraries that compute; absent ones are left out."""
    found = {"python": platform.python_version(), "evoscope": evoscope.__version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def git_commit() -> str | None:
    """Commit of the checkout this package lies in, ``-dirty`` when files differ; None outside one."""
    folder = Path(evoscope.__file__).parent
    if {"site-packages", "dist-packages"} & set(folder.parts):
        return None
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def peak_memory_bytes() -> int | None:
    """Most memory this process has held so far, whatever it did; None where the system does not tell."""
    status = Path("/proc/self/status")  # Linux; its getrusage would count the parent process too
    if status.exists():
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        return int(line.split()[1]) * 1024 if line else None
    if sys.platform == "win32":
        return None
    import resource  # absent on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def write_run(folder: Path, *, label: str, started: float, seconds: float, resumed: bool) -> None:
    """Write run.json; ``started`` is in seconds since 1970, ``seconds`` leave out interrupted calls."""
    versions: dict[str, JSON] = dict(library_versions())
    record: dict[str, JSON] = {
        "label": label,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "resumed": resumed,
        "process_peak_memory_bytes": peak_memory_bytes(),
        "git_commit": git_commit(),
        "libraries": versions,
    }
    (folder / RUN).write_bytes(pretty(record))


def read_run(folder: Path) -> dict[str, JSON]:
    """Read the record of an artefact; an empty one if it is damaged, for nothing depends on it."""
    try:
        record = json.loads((folder / RUN).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
