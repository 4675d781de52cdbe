"""The report: one HTML page with its pictures beside it, and a Markdown index, from folders of drawn results.

`write_report` gathers the drawn figures and tables (`galleries`) and has the ledger, the audit and the scorecard
written. The ``page`` begins with the verdicts and what the tables say, goes on with a card per claim, and has all else
folded below; long tables are links to their files.
"""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote, unquote

import pandas as pd
from markdown_it import MarkdownIt
from PIL import Image

from results import ledger, reference
from results.ledger.claim import CORRECTED, DRAWN, ORIGIN, collect, command, origin_of
from results.ledger.effect import Verdict
from results.ledger.pages import LEGEND, Around, cards, place_name, table
from results.ledger.provenance import lead
from results.ledger.summary import named
from results.ledger.write import write_ledger
from results.registry import entries, findings

HERE = Path(__file__).parent
# Written by the ledger, in the order of the index.
SUMMARIES = {
    "summary": "What holds, on one page",
    "claims": "Every claim",
    "scorecard": "Against the known concepts",
    "defects": "Audit of the released code",
}
INDEX = "README.md"
PAGE = "report.html"
FILES = (*(f"{stem}{ending}" for stem in SUMMARIES for ending in (".csv", ".md")), "measures.csv", PAGE, INDEX)
# What decides the page besides the results.
SOURCES = (HERE, HERE.parent, Path(ledger.__file__).parent, reference.HERE)
PICTURES = (".png", ".webp")
ENDINGS = (*PICTURES, ".svg", ".md", ".csv")  # of drawn results
TAIL = 500  # characters of the page that hold the digest
STAMPS = ("Data", "Scale", "Protocol", "Seed")
Place = tuple[str, str, str]  # data set, scale and, with its seed unless that is 0, protocol
TITLE = "Evoscope: what holds of ConceptEvo and CDISCO"
LEAD = (
    "<p>Published beside measured: the claims of "
    '<a href="https://arxiv.org/abs/2203.16475">ConceptEvo</a> (Park et al., CIKM 2023) and '
    '<a href="https://arxiv.org/abs/2307.06913">CDISCO</a> (Graziani et al., TMLR 2023), with intervals, on '
    "networks of our own. "
    '<a href="#what-holds-on-one-page">Where claims, numbers and data come from.</a></p>'
)
# Tags in the texts are shown, not obeyed; only the line breaks of our own tables are.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
MOST_ROWS = 30  # of a table that is shown
EXPLORER = "explorer"  # folder beside the page


@dataclass(frozen=True)
class Item:
    """A drawn figure or table: ``id``, its Markdown (``words``; of a film, the film), and its picture if it has one."""

    id: str
    words: Path
    picture: Path | None
    origin: Mapping[str, str]

    @property
    def place(self) -> Place:
        """Data set, scale and protocol of its job."""
        data, scale, protocol, seed = (self.origin.get(name, "unknown") for name in STAMPS)
        return data, scale, protocol if seed in ("0", "unknown") else f"{protocol}, seed {seed}"

    @property
    def title(self) -> str:
        """Title of the result."""
        return entries()[self.id].title

    @property
    def command(self) -> str:
        """The command that draws it again."""
        seed = self.origin.get("Seed", "0")
        more = f" seed={seed}" if seed != "0" else ""
        return command(f"results only=[{self.id}]", *(self.origin.get(name, "unknown") for name in STAMPS[:3])) + more

    def text(self) -> str:
        """Caption, and the table if it is one, in Markdown without the stamp; empty for a film."""
        if self.words.suffix != ".md":
            return ""
        return ORIGIN.sub("", self.words.read_text(encoding="utf-8")).strip()


def galleries(folders: Iterable[Path]) -> dict[Place, list[Item]]:
    """Figures and tables below ``folders`` by job, in the order of the registered results; of two alike the later."""
    ranks = {name: place for place, name in enumerate(entries())}
    found: dict[tuple[Place, str], Item] = {}
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.suffix in (".md", ".webp")):
            item = _item(path) if path.stem in ranks else None
            if item is not None:
                found[item.place, item.id] = item
    jobs: dict[Place, list[Item]] = {}
    for place, name in sorted(found, key=lambda key: (key[0][0] != DRAWN, key[0], ranks[key[1]])):
        jobs.setdefault(place, []).append(found[place, name])
    return jobs


def _item(path: Path) -> Item | None:
    """The result whose Markdown, or film, this is; none where its picture is missing."""
    if path.stem.startswith("table_"):
        return Item(path.stem, path, None, origin_of(path))
    if path.suffix != ".md" and path.with_suffix(".md").is_file():
        return None
    picture = next((each for ending in PICTURES if (each := path.with_suffix(ending)).is_file()), None)
    return Item(path.stem, path, picture, stamped(picture)) if picture else None


def stamped(picture: Path) -> dict[str, str]:
    """Where a picture says that it comes from."""
    with Image.open(picture) as image:
        texts = {str(name): str(text) for name, text in image.info.items() if isinstance(text, str)}
        described = image.info.get("xmp", b"").decode("utf-8", "replace")  # of WebP
    texts |= dict(part.split("=", 1) for part in described.split("; ") if "=" in part)
    return {name: texts[name] for name in ("Commit", "Key", *STAMPS) if name in texts}


def write_report(folders: Sequence[Path], to: Path) -> list[Path]:
    """Write claims, audit, scorecard, ``report.html`` and ``README.md`` into ``to``, and return the files.

    Parameters
    ----------
    folders : with drawn figures and tables, at any depth; of a result that occurs twice the later counts.
    to : made if missing; links and pictures are relative to it. An explorer in it is linked to.
    """
    views = views_of(to)
    inputs = digest_of(folders, views)
    made = to / PAGE
    if made.is_file() and inputs in made.read_text(encoding="utf-8")[-TAIL:] and (to / INDEX).is_file():
        return [to / name for name in FILES if (to / name).is_file()]
    jobs = galleries(folders)
    pictures = pictures_of(jobs, to)
    evidence = collect(folders)
    paths = write_ledger(evidence, to, Around(pictures))
    texts = {path.stem: path.read_text(encoding="utf-8") for path in paths if path.suffix == ".md"}
    verdicts = counted(to / "claims.csv")
    items = "".join(f"<li><strong>{count}</strong> {escape(name)}</li>" for name, count in verdicts.items())
    words = f"<li>{sum(verdicts.values())} verdicts, one for each claim and data set:</li>"
    first = rendered(lead(evidence)) + f'\n<ul class="verdicts">{words}{items}</ul>'
    (to / PAGE).write_text(page(to, first, texts, jobs, Around(pictures, views), inputs), encoding="utf-8")
    (to / INDEX).write_text(index(texts, jobs, verdicts, to), encoding="utf-8")
    return [*paths, to / PAGE, to / INDEX]


def digest_of(folders: Sequence[Path], views: Mapping[tuple[str, str], str] | None = None) -> str:
    """Digest of the drawn files below ``folders``, of code and published numbers, and of the explorer's ``views``."""
    code = [path for folder in SOURCES for path in sorted(folder.glob("*")) if path.is_file()]
    names, every = set(entries()), [path for folder in folders for path in sorted(folder.rglob("*"))]
    digest = hashlib.sha256(repr(sorted((views or {}).items())).encode())
    for path in [*code, *(path for path in every if path.stem in names and path.suffix in ENDINGS)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def pictures_of(jobs: Mapping[Place, Sequence[Item]], to: Path) -> dict[tuple[str, str], str]:
    """Path of every figure by data set and id, from ``to``; of several jobs that of the corrected protocol counts."""
    found: dict[tuple[str, str], str] = {}
    for (data, _, _), items in _corrected_first(jobs):
        for item in items:
            if item.picture is not None:
                found.setdefault((data, item.id), _relative(item.picture, to))
    return found


def _corrected_first(jobs: Mapping[Place, Sequence[Item]]) -> list[tuple[Place, Sequence[Item]]]:
    return sorted(jobs.items(), key=lambda each: each[0][2] != CORRECTED)


def views_of(folder: Path) -> dict[tuple[str, str], str]:
    """Address of every network's last look in the explorer of ``folder``, by data set and the network's label."""
    data = folder / EXPLORER / "data.js"
    if not data.is_file():
        return {}
    head = json.loads(data.read_text(encoding="ascii").partition("=")[2].rstrip().rstrip(";"))
    return {
        (head["data"], run["label"]): f"{EXPLORER}/index.html#run={quote(run['name'])}"
        f"&epoch={run['looks'][-1]['epoch']}"
        for run in head["runs"]
    }


def counted(path: Path) -> dict[str, int]:
    """How many rows of the ledger ended how, in the order of `Verdict`."""
    counts = Counter(named(str(text)) for text in claims_in(path)["verdict"])
    return {each.value: counts[each] for each in Verdict}


def claims_in(path: Path) -> pd.DataFrame:
    """The rows of the ledger; none where there was nothing to judge."""
    if path.stat().st_size > 1:
        return pd.read_csv(path)
    return pd.DataFrame(columns=["claim", "paper", "data", "scale", "verdict"])


def index(texts: Mapping[str, str], jobs: Mapping[Place, Sequence[Item]], verdicts: Mapping[str, int], to: Path) -> str:
    """Markdown that GitHub shows: links to the summaries, then every result with its picture."""
    counts = ", ".join(f"{count} {name}" for name, count in verdicts.items())
    lines = ["# Results", "", f"Rows of the ledger by verdict: {counts}. One page with everything: `{PAGE}`.", ""]
    lines += [f"- [{title}]({stem}.md)" for stem, title in SUMMARIES.items() if stem in texts]
    for place, items in jobs.items():
        lines += ["", f"## {', '.join(place)}", ""]
        for item in items:
            lines.append(f"- [{item.title}]({_relative(item.words, to)}): `{item.command}`")
            if item.picture is not None:
                lines += ["", f"  ![{item.title}]({_relative(item.picture, to)})", ""]
    return "\n".join(lines) + "\n"


def _relative(path: Path, to: Path) -> str:
    return Path(os.path.relpath(path, to)).as_posix()


# --- the page --------------------------------------------------------------------------------------------------------


def page(
    to: Path, first: str, texts: Mapping[str, str], jobs: Mapping[Place, Sequence[Item]], around: Around, inputs: str
) -> str:
    """The whole page.

    Parameters
    ----------
    to : folder of the page and of ``claims.csv``.
    first : HTML above all else.
    texts : Markdown of the summaries by their stems.
    jobs : figures and tables by data set, scale and protocol.
    around : pictures and views of the explorer, for the cards.
    inputs : digest of the files it is made of, kept in its last line.
    """
    claims = claims_in(to / "claims.csv")
    sections = {
        "What holds": rendered(f"{table(claims)}\n\n{LEGEND}"),
        "What the tables say": _sayings(jobs),
        "The claims, one by one": _cards(claims, around),
        "Appendix": _appendix(to, texts, jobs),
    }
    links = "\n".join(f'<li><a href="#{_anchor(title)}">{escape(title)}</a></li>' for title in sections)
    body = sized(
        "\n".join(f'<h2 id="{_anchor(title)}">{escape(title)}</h2>\n{html}' for title, html in sections.items()), to
    )
    text = Template((HERE / "page.html").read_text(encoding="utf-8"))
    return text.substitute(
        title=TITLE, style=(HERE / "page.css").read_text(encoding="utf-8"),
        lead=LEAD + first, contents=f"<ul>\n{links}\n</ul>", body=body,
        foot=_foot(jobs), inputs=inputs,
    )  # fmt: skip


def _sayings(jobs: Mapping[Place, Sequence[Item]]) -> str:
    """The sentence of every table that has one, of the first job that drew it."""
    found: dict[str, str] = {}
    for (data, scale, _), items in _corrected_first(jobs):
        for item in items:
            for sentence in findings([item.id], item.words.parent) if item.id not in found else ():
                found[item.id] = f"<strong>{escape(place_name(data, scale))}.</strong> {escape(sentence)}"
    return "<ul>\n" + "\n".join(f"<li>{found[name]}</li>" for name in entries() if name in found) + "\n</ul>"


def _cards(claims: pd.DataFrame, around: Around) -> str:
    """The cards one level down, every heading with an address."""
    html = rendered(lowered(cards(claims, around)))
    return re.sub(r"<(h[34])>(.*?)</\1>", lambda tag: f'<{tag[1]} id="{_anchor(tag[2])}">{tag[2]}</{tag[1]}>', html)


def _appendix(to: Path, texts: Mapping[str, str], jobs: Mapping[Place, Sequence[Item]]) -> str:
    """What is folded: the other summaries, then every result of every job."""
    parts = [
        _folded(_anchor(title), title, rendered(shortened(lowered(texts[stem]), f"{stem}.csv")))
        for stem, title in SUMMARIES.items()
        if stem in texts and stem != "claims"
    ]
    for place, items in jobs.items():
        name = ", ".join(part.replace("_", " ") for part in place)
        inner = "\n".join(_shown(item, f"{_anchor(name)}-{item.id}", to) for item in items)
        parts.append(_folded(_anchor(name), f"{name}: {len(items)} results", inner))
    return "\n".join(parts)


def _folded(anchor: str, title: str, html: str) -> str:
    return f'<details id="{anchor}"><summary>{escape(title)}</summary>\n{html}\n</details>'


def _shown(item: Item, anchor: str, to: Path) -> str:
    """Heading, picture or table, caption and command of one result."""
    again = f'<p class="words"><code>{escape(item.command)}</code></p>'
    heading = f'<h3 id="{anchor}">{escape(item.title)}</h3>'
    words = rendered(shortened(item.text(), _relative(item.words.with_suffix(".csv"), to)))
    if item.picture is None:
        return f'{heading}\n<div class="words">{words}</div>\n{again}'
    image = rendered(f"![{item.title}]({quote(_relative(item.picture, to))})")
    return f"{heading}\n<figure>{image}\n<figcaption>{words}</figcaption></figure>\n{again}"


def lowered(text: str) -> str:
    """A page of its own as a section: without its title, its headings one level down."""
    return re.sub(r"^##", "###", re.sub(r"\A# .*\n", "", text), flags=re.MULTILINE)


def shortened(text: str, rows: str) -> str:
    """Markdown in which a link to the file ``rows`` stands for every table of more than `MOST_ROWS` rows."""
    parts = []
    for part in text.split("\n\n"):
        count = len(part.strip().splitlines()) - 2 if part.lstrip().startswith("|") else 0
        parts.append(f"{count} rows: [{Path(rows).name}]({rows})" if count > MOST_ROWS else part)
    return "\n\n".join(parts)


def rendered(text: str) -> str:
    """Markdown as HTML; tables can be scrolled, and pictures are loaded when they come into view."""
    html = str(_MARKDOWN.render(text)).replace("&lt;br&gt;", "<br>").replace("<img ", '<img loading="lazy" ')
    return re.sub(r"(<table>.*?</table>)", r'<div class="wide">\1</div>', html, flags=re.DOTALL)


def sized(html: str, to: Path) -> str:
    """HTML whose pictures say their size in pixels, so that those further down are not loaded with the page."""

    def found(tag: re.Match[str]) -> str:
        with Image.open(to / unquote(tag[1])) as image:
            return f'{tag[0]} width="{image.width}" height="{image.height}"'

    return re.sub(r'<img loading="lazy" src="([^"]*)"', found, html)


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _foot(jobs: Mapping[Place, Sequence[Item]]) -> str:
    commits = sorted({item.origin["Commit"] for items in jobs.values() for item in items if "Commit" in item.origin})
    return f"Drawn from commits {escape(', '.join(commits))}." if commits else "No result was drawn."
