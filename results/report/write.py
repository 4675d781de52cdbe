"""The report on disk: ledger, audit, scorecard, page and index."""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from results import ledger
from results.ledger.checks import Verdict
from results.ledger.evidence import collect
from results.ledger.write import write_ledger
from results.registry import entries
from results.report.gallery import Item, Place, galleries
from results.report.html import page

# Written by the ledger, in the order of the page.
SUMMARIES = {
    "claims": "What holds",
    "scorecard": "Against the known concepts",
    "defects": "Audit of the released code",
}
INDEX = "README.md"
PAGE = "report.html"
FILES = (*(f"{stem}{ending}" for stem in SUMMARIES for ending in (".csv", ".md")), "checks.csv", PAGE, INDEX)
SOURCES = (Path(__file__).parent, Path(ledger.__file__).parent)
DRAWN, CODE = (".png", ".svg", ".md", ".csv"), (".py", ".css")
TAIL = 500  # characters of the page that hold the digest


def write_report(folders: Sequence[Path], to: Path) -> list[Path]:
    """Write claims, audit, scorecard, ``report.html`` and ``README.md`` into ``to``, and return the files.

    Parameters
    ----------
    folders : with drawn figures and tables, at any depth; of a result that occurs twice the later counts.
    to : made if missing; links of the index are relative to it.
    """
    inputs = digest_of(folders)
    if _still(to, inputs):
        return [to / name for name in FILES if (to / name).is_file()]
    paths = write_ledger(collect(folders), to)
    texts = {path.stem: path.read_text(encoding="utf-8") for path in paths if path.suffix == ".md"}
    summaries = {title: texts[stem] for stem, title in SUMMARIES.items() if stem in texts}
    jobs = galleries(folders)
    verdicts = counted(to / "claims.csv")
    (to / PAGE).write_text(page(summaries, jobs, verdicts, inputs), encoding="utf-8")
    (to / INDEX).write_text(index(texts, jobs, verdicts, to), encoding="utf-8")
    return [*paths, to / PAGE, to / INDEX]


def digest_of(folders: Sequence[Path]) -> str:
    """Digest of the drawn files below ``folders`` and of the code of this report."""
    digest = hashlib.sha256()
    for folder in (*SOURCES, *folders):
        for path in sorted(folder.rglob("*")):
            if (path.stem in entries() and path.suffix in DRAWN) or path.suffix in CODE:
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _still(to: Path, inputs: str) -> bool:
    """Whether the page was made of these very inputs."""
    path = to / PAGE
    return path.is_file() and inputs in path.read_text(encoding="utf-8")[-TAIL:] and (to / INDEX).is_file()


def counted(path: Path) -> dict[str, int]:
    """How many rows of the ledger ended how, in the order of `Verdict`."""
    counts = Counter(pd.read_csv(path)["verdict"]) if path.stat().st_size > 1 else Counter()
    return {each.value: counts[each.value] for each in Verdict}


def index(
    texts: Mapping[str, str], jobs: Mapping[Place, Sequence[Item]], verdicts: Mapping[str, int], to: Path
) -> str:
    """Markdown that GitHub shows: links to the summaries, then every result with its picture."""
    counts = ", ".join(f"{count} {name}" for name, count in verdicts.items())
    lines = [
        "# Results",
        "",
        f"Rows of the ledger by verdict: {counts}. One page with everything: `{PAGE}`.",
        "",
    ]
    lines += [f"- [{title}]({stem}.md)" for stem, title in SUMMARIES.items() if stem in texts]
    for place, items in jobs.items():
        lines += ["", f"## {', '.join(place)}", ""]
        for item in items:
            lines += _listed(item, to)
    return "\n".join(lines) + "\n"


def _listed(item: Item, to: Path) -> list[str]:
    words = f"[{item.title}]({_relative(item.words, to)}): `{item.command}`"
    if item.picture is None:
        return [f"- {words}"]
    return [f"- {words}", "", f"  ![{item.title}]({_relative(item.picture, to)})", ""]


def _relative(path: Path, to: Path) -> str:
    return Path(os.path.relpath(path, to)).as_posix()
