"""Questions as HTML fragments for platforms that show HTML, and back."""

import html
import re
from html.parser import HTMLParser


def fragment(text: str, panels: tuple[tuple[str, ...], ...], names: tuple[str, ...]) -> str:
    """A question and its panels on one line; every text escaped."""
    sets = "".join(_panel(files, name) for files, name in zip(panels, names, strict=True))
    # Line breaks would end a question in line-based formats.
    return f'<p class="question">{_flat(text)}</p>{sets}'


def _panel(files: tuple[str, ...], name: str) -> str:
    pictures = "".join(
        f'<img src="{html.escape(file)}" alt="Picture {place}" width="120">'
        for place, file in enumerate(files, 1)
    )
    return f'<div class="panel"><strong>{html.escape(name)}</strong><br>{pictures}</div>'


def _flat(text: str) -> str:
    """Escaped text without line breaks; brackets too, for formats that use ``[[`` as marks."""
    escaped = html.escape(text).replace("[", "&#91;").replace("]", "&#93;").replace("$", "&#36;")
    return re.sub(r"[\r\n\t]", lambda found: f"&#{ord(found[0])};", escaped)


def flat(text: str) -> str:
    """Text for a line-based format that shows HTML."""
    return _flat(text)


def unflat(text: str) -> str:
    """What `flat` was given."""
    return html.unescape(text)


def parse_fragment(markup: str) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Question and picture addresses of a `fragment`."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return "".join(reader.text), tuple(tuple(panel) for panel in reader.panels)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.panels: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inside = tag == "p" and given.get("class") == "question"
        if tag == "div" and given.get("class") == "panel":
            self.panels.append([])
        if tag == "img":
            self.panels[-1].append(given.get("src") or "")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "p"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.text.append(data)
