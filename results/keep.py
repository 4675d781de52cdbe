"""Keep drawn results with the code, and the way to each of them.

``python -m results.keep paper FOLDER...`` copies the results of outputs of experiments (``outputs/results/...``) into
``results/paper``: figures and tables to ``<data>-<scale>/figures`` and ``tables`` (under another protocol than the
corrected one, its name follows; of another seed than 0, the seed). Those of the scale ``desk``, of which each network
takes a job of its own, go to ``desk/<network>-<data>-<seed>``. Files of results that are drawn no more go. The ledger,
the audit, the scorecard, the page, the index and ``docs/repro.md`` are then written anew from all that is there.
Pictures (PNG) above `LARGE` bytes hold photographs: they are kept as WebP, with all colours and in the same size, never
with a palette. Drawings (SVG) above it are left out, and named.

``python -m results.keep repro [OUTPUTS...]`` writes ``docs/repro.md``, one row per result: what it shows, the command
that draws it, what was measured (the claims that the kept tables decide, see `results.ledger`), and the time of the
call that drew it, where the job's ``status.json`` below ``outputs`` still tells. Which claim reads which table is
seen from what its measure asks for.

``python -m results.keep readme`` writes the findings and pictures of ``README.md`` from what is kept.
"""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from evoscope.errors import EvoscopeError
from evoscope.viz.sheet import origin_line
from results.ledger.claim import CORRECTED, DASH, DRAWN, LAPTOP, Claim, Evidence, Missing, collect
from results.ledger.claim import command as command_of
from results.ledger.summary import findings
from results.ledger.write import CLAIMS, ledger
from results.page_style import markdown, with_interval
from results.registry import TABLE, Drawn, Entry, entries
from results.report import ENDINGS, PICTURES, Item, galleries, stamped, write_report

ROOT = Path(__file__).resolve().parent.parent
PAPER = ROOT / "results" / "paper"
DESK = "desk"
LARGE = 350_000
LOSSLESS = 700_000  # bytes up to which a WebP is kept without loss
QUALITY = 90  # of WebP with loss
LIMIT = 25_000_000

DOCUMENT = ROOT / "docs" / "repro.md"
README = ROOT / "README.md"
WRITTEN = re.compile(r"(<!-- (?P<what>[a-z]+):start -->\n).*?(<!-- (?P=what):end -->)", re.DOTALL)
# Pictures of the front page, the first of those that are kept at its top, where it leaves room for the first command.
FRONT = {"animation": "Neurons on the map while networks train", "fig_alignment": "Networks in one space"}
WIDE, HIGH = 838, 350  # pixels of a page on GitHub
# Jobs made of others: their time says nothing of one result.
COMPOSED = ("results", "paper", "quickstart")
# Overrides of a call that is still the experiment as it stands.
PLAIN = ("experiment", "threads", "progress", "data.root", "~protocols.v1", "~protocols.as_released")
SEE = "see the file"
PAPERS = ("ConceptEvo", "CDISCO", "Evoscope")
LONG = 90  # seconds, from which on minutes are written
HEAD = """# From each result to its command

Written by `python -m results.keep repro` from the registered results, the tables in `results/paper` and the
`status.json` of calls. Every command takes `data=... data.root=PATH` and `scale=...` too, computes what is missing, and
draws into `outputs/results/`.

* Measured: the claims of the [ledger](../results/paper/claims.md) that this table, or a table of the same exhibits,
  decides on drawn images at laptop scale, with the effect behind each verdict. The files are in
  [results/paper](../results/paper/README.md).
* Time: of the call, on two cores, that computed most of the experiment that draws it, and how many of its stages were
  not there already.
"""


def keep(folders: Sequence[Path], to: Path = PAPER) -> tuple[list[Path], list[Path]]:
    """Copy the results below ``folders`` and report on all of ``to``.

    Returns
    -------
    The files written, and the drawings left out.

    Raises
    ------
    EvoscopeError : a folder without results, a result of artefacts that other code made (both before anything is
        copied), or more than `LIMIT` bytes in the end.
    """
    for folder in folders:
        if not galleries([folder]):
            raise EvoscopeError(f"{folder} has no drawn results", "name an output folder of an experiment")
    jobs = galleries(folders)
    _check_code(item for items in jobs.values() for item in items)
    _drop_unknown(to)
    kept: list[Path] = []
    left: list[Path] = []
    for item in (item for items in jobs.values() for item in items):
        first = item.origin.get("Seed", "0") == "0"  # pictures of one seed only, for the repository's size
        for path in (path for path in _files(item) if first or path.stem.startswith("table_")):
            target = to / _name(item) / ("tables" if path.stem.startswith("table_") else "figures") / path.name
            if path.suffix == ".svg" and path.stat().st_size > LARGE:
                target.unlink(missing_ok=True)  # of an earlier drawing
                left.append(path)
            else:
                kept.append(_copied(path, target))
    kept += write_report([to], to)
    size = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    if size > LIMIT:
        raise EvoscopeError(
            f"{to} holds {size / 1e6:.0f} MB, more than the {LIMIT / 1e6:.0f} MB that belong into a repository",
            "remove a data set's folder from it",
        )
    return kept, left


def _check_code(items: Iterable[Item]) -> None:
    """Refuse results that were drawn from artefacts of other code than the code of their day."""
    found = [
        f"{item.words.with_suffix('')} ({', '.join(stages)})"
        for item in items
        if (stages := Drawn(item.words.parent).other_code(item.id))
    ]
    if found:
        raise EvoscopeError(
            f"artefacts that other code made are behind {', '.join(found)}",
            "compute these stages again, draw the results again, and keep them then",
        )


def _name(item: Item) -> str:
    """``concept_scenes-laptop``, ``..-as_released-seed1``; ``desk/vgg16_bn-cifar10-0``, ``desk/all-cifar10-0``."""
    (data, scale, _), protocol = item.place, item.origin.get("Protocol", CORRECTED)
    seed = item.origin.get("Seed", "0")
    if scale == DESK:
        network = item.origin.get("Key", "").removeprefix(f"{data}-{scale}-{protocol}-").rpartition("-")[0]
        return f"{DESK}/{network or 'all'}-{data}-{seed}"
    more = [protocol] if protocol != CORRECTED else []
    more += [f"seed{seed}"] if seed != "0" else []
    return "-".join([data.partition(" (")[0], scale, *more])


def _files(item: Item) -> list[Path]:
    if item.words.suffix != ".md":
        return [item.words]
    endings = (".csv", ".md") if item.picture is None else (*PICTURES, ".svg", ".md")
    return [path for path in (item.words.with_suffix(ending) for ending in endings) if path.is_file()]


def _copied(path: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    photographs = path.suffix == ".png" and path.stat().st_size > LARGE
    if path.suffix == ".png":
        target.with_suffix(".png" if photographs else ".webp").unlink(missing_ok=True)
    return as_webp(path, target.with_suffix(".webp")) if photographs else Path(shutil.copyfile(path, target))


def as_webp(path: Path, target: Path) -> Path:
    """A picture as WebP of the same size, without loss where that is small, with the texts on where it comes from."""
    origin = origin_line(stamped(path)).encode()
    with Image.open(path) as image:
        pixels = image.convert("RGB")
    for lossless in (True, False):
        pixels.save(target, "webp", lossless=lossless, quality=QUALITY, xmp=origin)
        if target.stat().st_size <= LOSSLESS:
            break
    return target


def _drop_unknown(folder: Path) -> None:
    """Remove figures and tables whose ids are registered no more."""
    for path in chain(folder.glob("*/figures/*"), folder.glob("*/tables/*")):
        if path.suffix in ENDINGS and path.stem not in entries():
            path.unlink()


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
    asking = Asking(DRAWN, LAPTOP, {})
    with suppress(Missing):
        claim.measure(asking, CORRECTED)
    return asking.asked


def claims_of(entry: Entry) -> list[Claim]:
    """Claims decided by the table, or by a table of the same exhibits as the figure."""
    if entry.endings == TABLE:
        return [claim for claim in CLAIMS if entry.id in tables_read(claim)]
    reads = set(entry.reads)
    return [
        claim
        for claim in CLAIMS
        if any(reads & set(entries()[name].reads) for name in tables_read(claim) & set(entries()))
    ]


def measured(entry: Entry, evidence: Evidence | None) -> str:
    """``E3b weaker than published (one seed) 0.020 [0.011, 0.029]`` for every claim, or `SEE` where none was judged."""
    if evidence is None:
        return SEE
    judged = [(claim.id, claim.judge(evidence, CORRECTED)) for claim in claims_of(entry)]
    words = [
        f"{name} {each.text} {with_interval(each.effect.effect, each.effect.low, each.effect.high)}"
        for name, each in judged
        if each.effect
    ]
    return ", ".join(words) or SEE


def command(entry: Entry) -> str:
    """The command that draws one result."""
    return command_of(f"results only=[{entry.id}]")


def jobs(folders: Iterable[Path]) -> list[Mapping[str, Any]]:
    """What became of the plain calls below ``folders`` on drawn images, or a table, at laptop scale, corrected."""
    stems = tuple(f"{data}-{LAPTOP}-{CORRECTED}-" for data in (DRAWN, "table"))
    paths = [path for folder in folders for path in sorted(folder.rglob("status.json"))]
    known = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.parent.name.startswith(stems)]
    return [job for job in known if job["state"] == "done" and _plain(job)]


def _plain(job: Mapping[str, Any]) -> bool:
    keys = {each.partition("=")[0] for each in job["overrides"]}
    return job["task"] not in COMPOSED and keys <= set(PLAIN)


def duration(entry: Entry, known: Sequence[Mapping[str, Any]]) -> str:
    """``17 min (151 of 171 stages)`` of the job that computed most to draw an entry, a dash where none is known."""
    drew = [job for job in known if any(Path(name).stem == entry.id for name in job["outputs"])]
    if not drew:
        return DASH
    job = max(drew, key=lambda each: (each["computed"], each["seconds"]))
    seconds, stages = float(job["seconds"]), job["computed"] + job["cached"]
    time = f"{seconds / 60:.0f} min" if seconds >= LONG else f"{seconds:.0f} s"
    return f"{time} ({job['computed']} of {stages} stages)"


def rows(evidence: Evidence | None, known: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per registered result, by paper."""
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
    kept = [each for each in collect([paper]) if (each.data, each.scale) == (DRAWN, LAPTOP)]
    return f"{HEAD}\n{markdown(rows(kept[0] if kept else None, jobs(outputs)))}\n"


def with_kept(text: str, paper: Path = PAPER) -> str:
    """A page with its blocks (`WRITTEN`) written anew: the findings of the tables in ``paper``, and its pictures."""
    first, *others = [_shown(name, paper) for name in FRONT if _pictures(name, paper)] or [""]
    blocks = {"findings": findings(ledger(collect([paper]))), "top": first, "picture": "\n\n".join(others)}
    return WRITTEN.sub(lambda found: f"{found[1]}{blocks[found['what']]}\n{found[3]}", text)


def _pictures(name: str, paper: Path) -> list[Path]:
    """Kept pictures of that name on drawn images."""
    found = paper.glob(f"{DRAWN}-{LAPTOP}/*/{name}.*")
    return sorted(path for path in found if path.suffix in PICTURES)


def _shown(name: str, paper: Path) -> str:
    path = _pictures(name, paper)[0]
    with Image.open(path) as image:
        width = min(WIDE, HIGH * image.width // image.height)
    where = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()
    return f'<img src="{where}" alt="{FRONT[name]}" width="{width}">'


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m results.keep", description="Keep drawn results with the code.")
    commands = parser.add_subparsers(dest="command", required=True)
    paper = commands.add_parser(
        "paper", help="copy drawn results into results/paper, report on them, and write docs/repro.md"
    )
    paper.add_argument("folders", nargs="+", type=Path, help="outputs of experiments")
    repro = commands.add_parser("repro", help="write docs/repro.md, the command of every result")
    repro.add_argument("folders", nargs="*", type=Path, help="outputs to take times from; outputs unless given")
    commands.add_parser("readme", help="write only the findings and pictures of README.md")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Carry out a command line; returns its exit status, 1 after a refusal (`keep`)."""
    options = _arguments(words)
    if options.command == "paper":
        try:
            kept, left = keep(options.folders, PAPER)
        except EvoscopeError as problem:
            sys.stderr.write(f"evoscope: {problem}\n")
            return 1
        sys.stdout.write(f"{len(kept)} files in {PAPER}\n")
        sys.stdout.writelines(f"left out, {path.stat().st_size / 1e6:.1f} MB: {path}\n" for path in left)
    if options.command in ("paper", "repro"):
        timed = options.folders if options.command == "repro" else []
        outputs = timed or [ROOT / "outputs", *options.folders]
        DOCUMENT.write_text(document(PAPER, outputs), encoding="utf-8")
        sys.stdout.write(f"{DOCUMENT}\n")
    if options.command in ("paper", "readme"):
        README.write_text(with_kept(README.read_text(encoding="utf-8")), encoding="utf-8")
        sys.stdout.write(f"{README}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
