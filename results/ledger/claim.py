"""A claim of a paper, the tables that bear on it, and the effects that decide it.

`Evidence` holds the tables of one data set and scale; a `Claim` makes measures of them, or says what is `Missing`;
`Claim.judge` has them judged (`results.ledger.effect`).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.data.tables import NAMES as TABLE_NAMES
from results.ledger.effect import NAN, Headline, Measure, Stated, Verdict, headline, stated, verdict
from results.page_style import with_interval

DRAWN, LAPTOP = "concept_scenes", "laptop"  # the data set and the scale of a plain command
CORRECTED, RELEASED = PROTOCOLS = ("corrected", "as_released")
ROOTED = "data.root=PATH"  # images that are not drawn lie somewhere
ORIGIN = re.compile(r"<!-- (.*) -->\s*$")
TABULAR = "table_tabular"
COMPAS = "compas"  # the one table that does not come with scikit-learn
DASH = "–"
ONE_SEED = "one seed"
PEOPLE = (
    "`python -m human_eval` makes the study, and its simulated observers can show that the questions are answerable "
    "from the pictures and how many raters they need, not what people see"
)


@dataclass(frozen=True)
class Evidence:
    """Tables of one ``data`` set at one ``scale``: ``tables`` by protocol of the job and then by name."""

    data: str
    scale: str
    tables: Mapping[str, Mapping[str, pd.DataFrame]]

    @property
    def where(self) -> str:
        """``concept_scenes, laptop``."""
        return f"{self.data}, {self.scale}"

    @property
    def images(self) -> bool:
        """Whether these are images, not a table of numbers (`TABULAR`)."""
        return any(set(tables) - {TABULAR} for tables in self.tables.values())

    def rows(self, name: str, protocol: str) -> pd.DataFrame:
        """Rows of a table under a protocol, with a column ``seed``; empty where it was not drawn.

        A table with a column ``protocol`` holds several, whichever the job's own was.
        """
        for drawn_under, tables in sorted(self.tables.items(), key=lambda item: item[0] != protocol):
            if name in tables and "protocol" in tables[name].columns:
                own = tables[name][tables[name]["protocol"] == protocol]
                if len(own):
                    return own.reset_index(drop=True)
            elif name in tables and drawn_under == protocol:
                return tables[name]
        return pd.DataFrame()


def collect(folders: Iterable[Path]) -> list[Evidence]:
    """All tables below ``folders`` by data set and scale, drawn images first.

    Tables of several seeds or of several networks are laid together; of two rows of the same network and seed the
    later table's count. A table without its Markdown file, which holds its origin, is passed over.
    """
    found: dict[tuple[str, str], dict[str, dict[str, pd.DataFrame]]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("table_*.csv")):
            origin = origin_of(path.with_suffix(".md"))
            if origin:
                place = found.setdefault((origin["Data"], origin["Scale"]), {})
                tables = place.setdefault(origin["Protocol"], {})
                rows = pd.read_csv(path)
                if "seed" not in rows.columns:
                    rows["seed"] = int(origin.get("Seed", 0))
                tables[path.stem] = laid_together(tables.get(path.stem), rows)
    places = sorted(found, key=lambda place: (place[0] != DRAWN, place))
    return [Evidence(data, scale, found[data, scale]) for data, scale in places]


def laid_together(before: pd.DataFrame | None, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of two tables of the same name; those of a network and seed that both hold are the later table's."""
    if before is None:
        return rows
    key = [name for name in ("run", "seed") if name in before.columns and name in rows.columns]
    new = set(rows[key].astype(str).itertuples(index=False, name=None))
    kept = [each not in new for each in before[key].astype(str).itertuples(index=False, name=None)]
    return pd.concat([before[kept], rows], ignore_index=True)


def origin_of(path: Path) -> dict[str, str]:
    """Stamp at the end of a table's Markdown file: commit, key, data, scale, protocol, seed; empty without one."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    match = ORIGIN.search(text)
    return dict(part.split("=", 1) for part in match[1].split("; ")) if match else {}


@dataclass(eq=False)
class Missing(Exception):
    """Raised where there is no effect to judge: what the verdict is then, and why."""

    verdict: Verdict
    why: str


Measured = Callable[[Evidence, str], Sequence[Measure]]


def not_run(why: str) -> Missing:
    """What was not measured, although it could be."""
    return Missing(Verdict.NOT_RUN, why)


def impossible(why: str) -> Missing:
    """What these images, or networks trained like these, cannot show either way."""
    return Missing(Verdict.IMPOSSIBLE, why)


def people(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """What only people can tell."""
    raise Missing(Verdict.PEOPLE, PEOPLE)


def known_rows(evidence: Evidence, protocol: str, table: str, unless: str = "") -> pd.DataFrame:
    """Rows of a table.

    Raises
    ------
    Missing : it was not drawn, or there is a reason ``unless``, for which it can show nothing here.
    """
    rows = evidence.rows(table, protocol)
    if unless:
        raise impossible(unless)
    if not len(rows):
        raise not_run(f"no `{table}` under this protocol")
    return rows


def of_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of single seeds, not those that sum them up; ``seed`` is a number."""
    single = rows["seed"].astype(str).str.fullmatch(r"\d+")
    return rows[single].assign(seed=rows.loc[single, "seed"].astype(int))


@dataclass(frozen=True)
class Judged:
    """What became of a claim on one data set: the ``verdict``, the ``effect`` behind it (None: none), and ``why``."""

    verdict: Verdict
    effect: Headline | None
    measures: Sequence[Measure]
    why: str

    @property
    def text(self) -> str:
        """``reproduced (one seed)``."""
        single = self.effect is not None and self.effect.seeds == 1
        return f"{self.verdict.value} ({ONE_SEED})" if single else self.verdict.value


@dataclass(frozen=True)
class Claim:
    """``id`` (E: ConceptEvo, C: CDISCO), the ``text``, and what was ``published`` for it.

    ``measure`` gives the measures of a data set under a protocol; ``experiment`` is what makes them;
    ``known``: the published effect of the same kind (NaN: none); ``shares``: which other claims rest on the same
    numbers, in words.
    """

    id: str
    text: str
    published: str
    experiment: str
    measure: Measured
    known: float = NAN
    shares: str = ""

    @property
    def paper(self) -> str:
        """Which paper makes it."""
        return "ConceptEvo" if self.id.startswith("E") else "CDISCO"

    @property
    def stated(self) -> Stated | None:
        """Its headline number and smallest effect of interest; None where only people can tell."""
        return stated().get(self.id)

    def judge(self, evidence: Evidence, protocol: str) -> Judged:
        """The verdict on a data set and scale under a protocol."""
        try:
            found = self.measure(evidence, protocol)
        except Missing as missing:
            return Judged(missing.verdict, None, (), missing.why)
        if self.stated is None:
            return Judged(Verdict.NOT_RUN, None, (), "no smallest effect of interest is stated")
        if not found:
            return Judged(Verdict.NOT_RUN, None, (), "no row of the tables bears on it")
        effect = headline(found)
        return Judged(verdict(effect, self.stated, self.known), effect, found, _why(effect, self.known))

    def row(self, evidence: Evidence) -> dict[str, object]:
        """The claim's row of the ledger for a data set and scale; no cell is empty."""
        own, released = (self.judge(evidence, protocol) for protocol in PROTOCOLS)
        effect, words = own.effect, self.stated
        return {
            "claim": self.id,
            "paper": self.paper,
            "text": self.text,
            "published": self.published,
            "data": evidence.data,
            "scale": evidence.scale,
            "verdict": own.text,
            "effect": effect.effect if effect else DASH,
            "low": effect.low if effect else DASH,
            "high": effect.high if effect else DASH,
            "smallest": words.smallest if words else DASH,
            "unit": words.unit if words else DASH,
            "networks": effect.networks if effect else 0,
            "seeds": effect.seeds if effect else 0,
            "items": effect.items if effect else 0,
            "by network": by_network(own.measures) or DASH,
            "why": own.why or DASH,
            "verdict as released": released.text,
            "as released": released.effect.words if released.effect else released.why,
            "headline": words.headline if words else DASH,
            "beyond": (words.beyond if words else "") or DASH,
            "shares": self.shares or DASH,
            "command": command(self.experiment, evidence.data, evidence.scale),
        }  # fmt: skip


def _why(effect: Headline, known: float) -> str:
    if np.isnan(effect.low):
        return "no interval"
    return "" if np.isnan(known) else f"published effect {known:.3g}"


def by_network(measures: Sequence[Measure]) -> str:
    """``VGG16 0.021 [0.010, 0.032]; ConvNeXt ...``: the headline of each network alone."""
    names = list(dict.fromkeys(each.network for each in measures))
    found = [(name, headline([each for each in measures if each.network == name])) for name in names]
    return "; ".join(f"{name} {with_interval(each.effect, each.low, each.high)}" for name, each in found)


def command(experiment: str, data: str = DRAWN, scale: str = LAPTOP, protocol: str = CORRECTED) -> str:
    """The command that measures ``experiment``, which may have options; one that starts with ``python`` is whole."""
    if experiment.startswith("python"):
        return experiment
    options = [] if data == DRAWN else _of_data(data)
    options += [f"scale={scale}"] if scale != LAPTOP else []
    options += [f"protocol={protocol}"] if protocol != CORRECTED else []
    return " ".join(["python run.py", f"experiment={experiment}", *options])


def _of_data(data: str) -> list[str]:
    """What names the data on a command line: a table of numbers is a setting of its experiment."""
    name = data.lower().partition(" (")[0]  # without where it comes from
    if name not in TABLE_NAMES:
        return [f"data={data}", ROOTED]
    return [f"tabular.name={name}", *([ROOTED] if name == COMPAS else [])]
