"""What participants read: the words of the page in a language, and the Markdown that a lab edits."""

import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from evoscope.errors import EvoscopeError
from human_eval.design.trial import Kind, Study

PAGE = Path(__file__).with_name("page")  # its template, style, script and texts
EDITABLE = ("consent", "instructions", "debrief")
OPEN = re.compile(r"\[\[.*?\]\]", re.DOTALL)  # what a lab must fill in
# Seconds a question takes, as long as no pilot has told.
ESTIMATE: Mapping[Kind, float] = {
    "alignability": 28,
    "evolution_label": 40,
    "image_intruder": 12,
    "label_agreement": 12,
    "concept_naming": 20,
    "pairwise_coherence": 15,
}
READING = 90  # seconds for consent and instructions


@dataclass(frozen=True)
class Texts:
    """``title``; ``consent``, ``instructions``, ``debrief``: Markdown; ``language``: of the words of the page."""

    title: str
    consent: str
    instructions: str
    debrief: str
    language: str = "en"

    @property
    def version(self) -> str:
        """Checksum of the consent, which is stored with everyone who gives it."""
        return hashlib.sha256(self.consent.encode()).hexdigest()[:12]

    def unedited(self) -> list[str]:
        """What is still to be filled in, as it stands in the texts."""
        return [" ".join(found.split()) for name in EDITABLE for found in OPEN.findall(getattr(self, name))]


@cache
def words(language: str) -> Any:
    """Words of the page.

    Raises
    ------
    EvoscopeError : there is no such language; names those that there are.
    """
    known = sorted(path.stem for path in PAGE.glob("*.json"))
    if language not in known:
        raise EvoscopeError(f"the page has no language {language!r}", f"choose among {', '.join(known)}")
    return json.loads((PAGE / f"{language}.json").read_text(encoding="utf-8"))


def read_texts(
    folders: tuple[Path, ...] = (), given: Mapping[str, Path | None] | None = None, title: str = "",
    language: str = "en",
) -> Texts:  # fmt: skip
    """Texts from the files ``given``, else from the first of the ``folders`` that has them, else the package's own."""
    found = {}
    for name in EDITABLE:
        own = (given or {}).get(name)
        places = [own] if own else [folder / f"{name}.md" for folder in (*folders, PAGE)]
        found[name] = next((path for path in places if path.is_file()), places[-1]).read_text(encoding="utf-8")
    return Texts(title or str(words(language)["title"]), language=language, **found)


def write_texts(folder: Path) -> None:
    """Put the texts that a lab edits into ``folder``; those that are there stay."""
    for name in EDITABLE:
        if not (folder / f"{name}.md").exists():
            (folder / f"{name}.md").write_bytes((PAGE / f"{name}.md").read_bytes())


def duration(study: Study, measured: float | None, language: str = "en") -> str:
    """How long a study takes, in words: minutes ``measured`` in a pilot, or an estimate that says so."""
    longest = max(len(block.trials) for block in study.blocks)
    minutes = measured or (READING + longest * ESTIMATE[study.kind]) / 60
    form = "minutes" if measured else "minutes_estimated"
    return str(words(language)[form]).format(minutes=max(1, round(minutes)))


def filled(text: str, study: Study, minutes: float | None = None, language: str = "en") -> str:
    """A text with what only the study knows: ``{minutes}`` it takes, and ``{random}``, if a premise of it was false."""
    drawn_at_random = any(trial.condition == "random" for trial in study.trials)
    told = str(words(language)["random"]) if drawn_at_random else ""
    return text.replace("{minutes}", duration(study, minutes, language)).replace("{random}", told)


def to_html(text: str) -> str:
    """HTML of the Markdown ``text``, a block per line: no HTML in it, no pictures, links to the web and mail only."""
    parser = MarkdownIt("commonmark", {"html": False}).disable("image")
    parser.validateLink = lambda url: url.startswith(("http://", "https://", "mailto:"))  # type: ignore[method-assign]
    parser.add_render_rule("text", lambda _, tokens, place, *rest: html.escape(tokens[place].content))
    parser.add_render_rule("softbreak", lambda *_: " ")
    tokens = parser.parse(text)
    for token in tokens:
        # Only the end of an outermost block ends a line.
        token.block = token.level == 0 and token.nesting <= 0
        if token.type.startswith("heading"):
            # The page has its own first heading, so a Markdown # is a second one.
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        for part in token.children or []:
            if part.type == "link_open":
                part.attrSet("rel", "noreferrer")
    return str(parser.renderer.render(tokens, parser.options, {})).rstrip("\n")
