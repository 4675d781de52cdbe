"""Which experiments there are: one file in ``conf/experiment`` and one module of the same name each."""

from pathlib import Path

CONF = Path(__file__).resolve().parent.parent / "conf"


def names() -> tuple[str, ...]:
    """Experiments in alphabetical order."""
    return tuple(sorted(path.stem for path in (CONF / "experiment").glob("*.yaml")))
