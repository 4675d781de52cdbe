"""From Markdown files and pictures to one page."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from markdown_it import MarkdownIt

from results.report.gallery import Item, Place
from results.report.pictures import data_uri

HERE = Path(__file__).parent
TITLE = "Evoscope: what holds of ConceptEvo and CDISCO"
LEAD = (
    "<p>Published beside measured: the claims of "
    '<a href="https://arxiv.org/abs/2203.16475">ConceptEvo</a> (Park et al., CIKM 2023) and '
    '<a href="https://arxiv.org/abs/2307.06913">CDISCO</a> (Graziani et al., TMLR 2023), with intervals, on '
    "networks of our own; the defects of the released code; and every figure and table with its command.</p>"
)
# Tags in the texts are shown, not obeyed; only the line breaks of our own tables are.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
Section = tuple[str, str, str]  # anchor, title, HTML


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
    command = f'<p class="words"><code>{escape(item.command)}</code></p>'
    heading = f'<h3 id="{anchor}">{escape(item.title)}</h3>'
    words = rendered(item.text())
    if item.picture is None:
        return f'{heading}\n<div class="words">{words}</div>\n{command}'
    image = f'<img src="{data_uri(item.picture)}" alt="{escape(item.title)}" loading="lazy">'
    return f"{heading}\n<figure>{image}\n<figcaption>{words}</figcaption></figure>\n{command}"


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
