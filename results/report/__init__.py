"""The report: one HTML page that needs nothing else, and a Markdown index, from folders of drawn results.

`write_report` has the ledger, the audit and the scorecard written, gathers the drawn figures and tables (`galleries`),
and puts all of it on one ``page``, with every picture inside.
"""

import base64
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from string import Template

import pandas as pd
from markdown_it import MarkdownIt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from results import ledger, reference
from results.ledger.claim import DRAWN, ORIGIN, collect, command, origin_of
from results.ledger.effect import Verdict
from results.ledger.summary import named
from results.ledger.write import write_ledger
from results.registry import entries

HERE = Path(__file__).parent
# Written by the ledger, in the order of the page.
SUMMARIES = {
    "summary": "What holds, on one page",
    "claims": "Every claim",
    "scorecard": "Against the known concepts",
    "defects": "Audit of the released code",
}
INDEX = "README.md"
PAGE = "report.html"
FILES = (
    *(f"{stem}{ending}" for stem in SUMMARIES for ending in (".csv", ".md")),
    "measures.csv",
    PAGE,
    INDEX,
)
SOURCES = (HERE, Path(ledger.__file__).parent, reference.HERE)  # what decides the page besides the results
ENDINGS = (".png", ".svg", ".md", ".csv")  # of drawn results
TAIL = 500  # characters of the page that hold the digest
STAMPS = ("Data", "Scale", "Protocol", "Seed")
Place = tuple[str, str, str]  # data set, scale and, with its seed unless that is 0, protocol
TITLE = "Evoscope: what holds of ConceptEvo and CDISCO"
LEAD = (
    "<p>Published beside measured: the claims of "
    '<a href="https://arxiv.org/abs/2203.16475">ConceptEvo</a> (Park et al., CIKM 2023) and '
    '<a href="https://arxiv.org/abs/2307.06913">CDISCO</a> (Graziani et al., TMLR 2023), with intervals, on '
    "networks of our own; the defects of the released code; and every figure and table with its command. The first "
    "section says where claims, numbers and data come from.</p>"
)
# Tags in the texts are shown, not obeyed; only the line breaks of our own tables are.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
WIDEST = 1200  # pixels: 7 inches at some 170 dpi
COLOURS = 256
QUALITY = 75
LARGE = 150_000  # bytes up to which the drawing is embedded as it is


@dataclass(frozen=True)
class Item:
    """A drawn figure or table: its ``id``, its Markdown, and its picture if it has one."""

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
        return (
            command(f"results only=[{self.id}]", *(self.origin.get(name, "unknown") for name in STAMPS[:3]))
            + more
        )

    def text(self) -> str:
        """Caption, and the table if it is one, in Markdown without the stamp."""
        return ORIGIN.sub("", self.words.read_text(encoding="utf-8")).strip()


def galleries(folders: Iterable[Path]) -> dict[Place, list[Item]]:
    """Figures and tables below ``folders`` by job, in the order of the registered results; of two alike the later."""
    ranks = {name: place for place, name in enumerate(entries())}
    found: dict[tuple[Place, str], Item] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.md")):
            item = _item(path) if path.stem in ranks else None
            if item is not None:
                found[item.place, item.id] = item
    jobs: dict[Place, list[Item]] = {}
    for place, name in sorted(found, key=lambda key: (key[0][0] != DRAWN, key[0], ranks[key[1]])):
        jobs.setdefault(place, []).append(found[place, name])
    return jobs


def _item(path: Path) -> Item | None:
    """The result whose Markdown file this is; none where its picture is missing."""
    if not path.stem.startswith("fig_"):
        return Item(path.stem, path, None, origin_of(path))
    picture = path.with_suffix(".png")
    if not picture.is_file():
        return None
    with Image.open(picture) as image:
        origin = {name: str(value) for name, value in image.info.items() if name in STAMPS}
    return Item(path.stem, path, picture, origin)


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
    summaries = {title: lowered(texts[stem]) for stem, title in SUMMARIES.items() if stem in texts}
    jobs = galleries(folders)
    verdicts = counted(to / "claims.csv")
    (to / PAGE).write_text(page(summaries, jobs, verdicts, inputs), encoding="utf-8")
    (to / INDEX).write_text(index(texts, jobs, verdicts, to), encoding="utf-8")
    return [*paths, to / PAGE, to / INDEX]


def digest_of(folders: Sequence[Path]) -> str:
    """Digest of the drawn files below ``folders``, of the code and of the published numbers behind the report."""
    code = [path for folder in SOURCES for path in sorted(folder.glob("*")) if path.is_file()]
    names, every = set(entries()), [path for folder in folders for path in sorted(folder.rglob("*"))]
    digest = hashlib.sha256()
    for path in [*code, *(path for path in every if path.stem in names and path.suffix in ENDINGS)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _still(to: Path, inputs: str) -> bool:
    """Whether the page was made of these very inputs."""
    path = to / PAGE
    return path.is_file() and inputs in path.read_text(encoding="utf-8")[-TAIL:] and (to / INDEX).is_file()


def counted(path: Path) -> dict[str, int]:
    """How many rows of the ledger ended how, in the order of `Verdict`."""
    texts = pd.read_csv(path)["verdict"] if path.stat().st_size > 1 else ()
    counts = Counter(named(str(text)) for text in texts)
    return {each.value: counts[each] for each in Verdict}


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


def lowered(text: str) -> str:
    """A page of its own as a section: without its title, its headings one level down."""
    return re.sub(r"^##", "###", re.sub(r"\A# .*\n", "", text), flags=re.MULTILINE)


def rendered(text: str) -> str:
    """Markdown as HTML; tables can be scrolled."""
    html = str(_MARKDOWN.render(text)).replace("&lt;br&gt;", "<br>")
    return re.sub(r"(<table>.*?</table>)", r'<div class="wide">\1</div>', html, flags=re.DOTALL)


def page(
    summaries: Mapping[str, str],
    jobs: Mapping[Place, Sequence[Item]],
    verdicts: Mapping[str, int],
    inputs: str,
) -> str:
    """The whole page.

    Parameters
    ----------
    summaries : Markdown by title: claims, scorecard, audit.
    jobs : figures and tables by data set, scale and protocol.
    verdicts : how many claims ended how.
    inputs : digest of the files it is made of, kept in its last line.
    """
    sections = [(_anchor(title), title, rendered(text)) for title, text in summaries.items()]
    links = [_link(anchor, title) for anchor, title, _ in sections]
    body = ["\n".join(f'<h2 id="{anchor}">{escape(title)}</h2>\n{html}' for anchor, title, html in sections)]
    for place, items in jobs.items():
        name = ", ".join(part.replace("_", " ") for part in place)
        body.append(f'<h2 id="{_anchor(name)}">{escape(name)}</h2>')
        body += [_shown(item, f"{_anchor(name)}-{item.id}") for item in items]
        inner = "\n".join(_link(f"{_anchor(name)}-{item.id}", item.title) for item in items)
        folded = f"<details><summary>{len(items)} results</summary>\n<ul>\n{inner}\n</ul></details>"
        links.append(_link(_anchor(name), name).replace("</li>", f"\n{folded}</li>"))
    text = Template((HERE / "page.html").read_text(encoding="utf-8"))
    return text.substitute(
        title=TITLE, style=(HERE / "page.css").read_text(encoding="utf-8"), lead=LEAD + _counts(verdicts),
        contents="<ul>\n" + "\n".join(links) + "\n</ul>", body="\n".join(body), foot=_foot(jobs), inputs=inputs,
    )  # fmt: skip


def _shown(item: Item, anchor: str) -> str:
    """Heading, picture or table, caption and command of one result."""
    again = f'<p class="words"><code>{escape(item.command)}</code></p>'
    heading = f'<h3 id="{anchor}">{escape(item.title)}</h3>'
    words = rendered(item.text())
    if item.picture is None:
        return f'{heading}\n<div class="words">{words}</div>\n{again}'
    image = f'<img src="{data_uri(item.picture)}" alt="{escape(item.title)}" loading="lazy">'
    return f"{heading}\n<figure>{image}\n<figcaption>{words}</figcaption></figure>\n{again}"


def _counts(verdicts: Mapping[str, int]) -> str:
    items = "".join(f"<li><strong>{count}</strong> {escape(name)}</li>" for name, count in verdicts.items())
    return f'\n<ul class="verdicts">{items}</ul>'


def _link(anchor: str, title: str) -> str:
    return f'<li><a href="#{anchor}">{escape(title)}</a></li>'


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _foot(jobs: Mapping[Place, Sequence[Item]]) -> str:
    commits = sorted(
        {item.origin["Commit"] for items in jobs.values() for item in items if "Commit" in item.origin}
    )
    return f"Drawn from commits {escape(', '.join(commits))}." if commits else "No result was drawn."


def data_uri(path: Path) -> str:
    """The figure as ``data:``: its SVG where that is small (text stays sharp), else its PNG as WebP."""
    drawing = path.with_suffix(".svg")
    if drawing.is_file() and drawing.stat().st_size <= LARGE:
        return _uri("image/svg+xml", drawing.read_bytes())
    return _uri("image/webp", smaller(path))


def smaller(path: Path) -> bytes:
    """WebP of at most `WIDEST` pixels across."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    height = round(picture.height * WIDEST / picture.width)
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, height), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    picture.save(buffer, "webp", quality=QUALITY)
    return buffer.getvalue()


def with_palette(path: Path) -> bytes:
    """PNG of the same size with a palette of its own, and the texts that say where it comes from."""
    with Image.open(path) as image:
        texts, picture = PngInfo(), image.convert("RGB")
        for name, text in image.info.items():
            if isinstance(name, str) and isinstance(text, str):
                texts.add_itxt(name, str(text))
        resolution = image.info.get("dpi", (200, 200))
    buffer = BytesIO()
    reduced = picture.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG)
    reduced.save(buffer, "png", pnginfo=texts, dpi=resolution, optimize=True)
    return buffer.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
