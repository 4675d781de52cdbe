"""Qualtrics: the Advanced-format TXT of its survey import."""

import re

from evoscope.errors import EvoscopeError
from human_eval.export.asked import Asked
from human_eval.export.markup import flat, fragment, parse_fragment, unflat

HEAD = "[[AdvancedFormat]]"


def to_txt(blocks: dict[str, list[Asked]]) -> str:
    """All blocks; each trial has a page of its own, the parts of its answer are questions ``<trial>_<part>``."""
    lines = [HEAD]
    for block, questions in blocks.items():
        lines += ["", f"[[Block:{block}]]"]
        for asked in questions:
            lines += [*_question(asked), "", "[[PageBreak]]"]
    return "\n".join(lines) + "\n"


def _question(asked: Asked) -> list[str]:
    shown = fragment(asked.question, asked.panels, asked.names)
    lines = ["", "[[Question:DB]]", f"[[ID:{asked.trial}_show]]", shown]
    if asked.choose:
        lines += _choices(f"{asked.trial}_choice", "Your choice", asked.names)
    for place, text in enumerate(asked.texts):
        lines += ["", "[[Question:TE:SingleLine]]", f"[[ID:{asked.trial}_text{place}]]", flat(text)]
    if asked.options:
        lines += _choices(f"{asked.trial}_option", asked.option_question, asked.options)
    return lines


def _choices(name: str, question: str, labels: tuple[str, ...]) -> list[str]:
    head = ["", "[[Question:MC:SingleAnswer:Vertical]]", f"[[ID:{name}]]", flat(question)]
    return [*head, "[[Choices]]", *(flat(label) for label in labels)]


def from_txt(text: str) -> dict[str, list[Asked]]:
    """Read the blocks back.

    Raises
    ------
    EvoscopeError : it is not in the Advanced format.
    """
    if not text.startswith(HEAD):
        raise EvoscopeError(
            "the text is not in Qualtrics' Advanced format", "begin it with [[AdvancedFormat]]"
        )
    blocks: dict[str, list[Asked]] = {}
    for part in re.split(r"^\[\[Block:", text, flags=re.M)[1:]:
        name, _, rest = part.partition("]]\n")
        blocks[name] = [_page(page) for page in rest.split("[[PageBreak]]") if page.strip()]
    return blocks


def _page(page: str) -> Asked:
    parts = {}
    for question in re.split(r"^\[\[Question:.*\]\]\n", page, flags=re.M)[1:]:
        name, _, body = question.strip("\n").partition("\n")
        parts[name.removeprefix("[[ID:").removesuffix("]]")] = body.split("\n")
    trial = next(iter(parts)).removesuffix("_show")
    text, panels = parse_fragment(parts[f"{trial}_show"][0])
    fields = tuple(unflat(body[0]) for name, body in parts.items() if name.startswith(f"{trial}_text"))
    option = [unflat(line) for line in parts.get(f"{trial}_option", ["", "[[Choices]]"])]
    return Asked(trial, text, panels, f"{trial}_choice" in parts, fields, option[0], tuple(option[2:]))
