"""The way to every result: ``python -m results.repro [OUTPUTS]`` writes ``docs/repro.md``.

One row per entry of the manifest: what it shows, the command that draws it, what was measured (the claims that the
kept tables of ``results/paper`` decide, see `results.ledger`), and the time of the call that drew it, where the job's
``status.json`` below ``outputs`` still tells. Which claim reads which table is seen from what its checks ask for.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from results.ledger.checks import verdict
from results.ledger.claim import DRAWN, Claim
from results.ledger.evidence import Evidence, collect
from results.ledger.write import CLAIMS
from results.page_style import markdown
from results.paper_folder import PAPER
from results.registry import TABLE, Entry, entries

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "repro.md"
SCALE, PROTOCOL = "laptop", "corrected"
# Jobs made of others: their time says nothing of one result.
COMPOSED = ("results", "paper", "quickstart")
# Overrides of a call that is still the experiment as it stands.
PLAIN = ("experiment", "threads", "progress", "data.root", "~protocols.v1", "~protocols.as_released")
SEE = "see the file"
PAPERS = ("ConceptEvo", "CDISCO", "Evoscope")
LONG = 90  # seconds, from which on minutes are written
HEAD = """# From each result to its command

Written by `python -m results.repro` from the manifest, the tables in `results/paper` and the `status.json` of calls.
Every command takes `data=... data.root=PATH` and `scale=...` too, computes what is missing, and draws into
`outputs/results/`.

* Measured: the claims of the [ledger](../results/paper/claims.md) that this table, or a table of the same exhibits,
  decides on drawn images at laptop scale; in brackets the checks that pass. The files are in
  [results/paper](../results/paper/README.md).
* Time: of the call, on two cores, that computed most of the experiment that draws it, and how many of its stages were
  not there already.
"""


@dataclass(frozen=True)
class Asking(Evidence):
    """No tables at all; ``asked`` are the names of those that were asked for."""

    asked: set[str] = field(default_factory=set)

    def rows(self, name: str, protocol: str) -> pd.DataFrame:
        """Nothing, but it is remembered."""
        self.asked.add(name)
        return super().rows(name, protocol)


def tables_read(claim: Claim) -> set[str]:
    """Names of the tables that decide a claim."""
    asking = Asking(DRAWN, SCALE, {})
    claim.checks(asking, PROTOCOL)
    return asking.asked


def claims_of(entry: Entry) -> list[Claim]:
    """Claims decided by the table, or by a table of the same exhibits as the figure."""
    own = entry.endings == TABLE
    return [
        claim
        for claim in CLAIMS
        if any(
            name == entry.id if own else set(entries()[name].reads) & set(entry.reads)
            for name in tables_read(claim)
        )
    ]


def measured(entry: Entry, evidence: Evidence | None) -> str:
    """``E3b holds (23 of 24)`` for every claim, or `SEE` where none was measured."""
    found = {claim.id: claim.checks(evidence, PROTOCOL) for claim in claims_of(entry)} if evidence else {}
    words = []
    for name, checks in found.items():
        known = [check for check in checks if np.isfinite(check.value)]
        if known:
            passed = sum(check.passes for check in known)
            words.append(f"{name} {verdict(known).value} ({passed} of {len(known)})")
    return ", ".join(words) or SEE


def command(entry: Entry) -> str:
    """The command that draws one result."""
    return f"python run.py experiment=results only=[{entry.id}]"


def jobs(folders: Iterable[Path]) -> list[Mapping[str, Any]]:
    """What became of the plain calls below ``folders`` on drawn images, or a table, at laptop scale, corrected."""
    stems = tuple(f"{data}-{SCALE}-{PROTOCOL}-" for data in (DRAWN, "table"))
    paths = [path for folder in folders for path in sorted(folder.rglob("status.json"))]
    known = [
        json.loads(path.read_text(encoding="utf-8")) for path in paths if path.parent.name.startswith(stems)
    ]
    return [job for job in known if job["state"] == "done" and _plain(job)]


def _plain(job: Mapping[str, Any]) -> bool:
    keys = {each.partition("=")[0] for each in job["overrides"]}
    return job["task"] not in COMPOSED and keys <= set(PLAIN)


def duration(entry: Entry, known: Sequence[Mapping[str, Any]]) -> str:
    """``17 min (151 of 171 stages)`` of the job that computed most to draw an entry, a dash where none is known."""
    drew = [job for job in known if any(Path(name).stem == entry.id for name in job["outputs"])]
    if not drew:
        return "–"
    job = max(drew, key=lambda each: (each["computed"], each["seconds"]))
    seconds, stages = float(job["seconds"]), job["computed"] + job["cached"]
    time = f"{seconds / 60:.0f} min" if seconds >= LONG else f"{seconds:.0f} s"
    return f"{time} ({job['computed']} of {stages} stages)"


def rows(evidence: Evidence | None, known: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per entry of the manifest."""
    return pd.DataFrame(
        [
            {
                "paper": entry.paper,
                "result": f"`{entry.id}`",
                "shows": entry.shows,
                "command": f"`{command(entry)}`",
                "measured": measured(entry, evidence),
                "time": duration(entry, known),
            }
            for entry in sorted(entries().values(), key=lambda each: PAPERS.index(each.paper))
        ]
    )


def document(paper: Path, outputs: Sequence[Path]) -> str:
    """The whole document, from the kept results and what the jobs left."""
    kept = [each for each in collect([paper]) if (each.data, each.scale) == (DRAWN, SCALE)]
    return f"{HEAD}\n{markdown(rows(kept[0] if kept else None, jobs(outputs)))}\n"


def main(arguments: Sequence[str]) -> int:
    """Write the document; ``arguments``: folders of outputs, ``outputs`` unless given."""
    folders = [Path(name) for name in arguments] or [ROOT / "outputs"]
    DOCUMENT.write_text(document(PAPER, folders), encoding="utf-8")
    sys.stdout.write(f"{DOCUMENT}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
