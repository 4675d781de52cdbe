"""LimeSurvey: the tab-separated structure of a survey."""

from human_eval.export.asked import Asked
from human_eval.export.markup import flat, fragment, parse_fragment, unflat
from human_eval.export.tables import from_table, to_table

COLUMNS = [
    "id",
    "related_id",
    "class",
    "type/scale",
    "name",
    "relevance",
    "text",
    "help",
    "language",
    "mandatory",
]
DISPLAY, LIST, SHORT = "X", "L", "S"


def to_tsv(title: str, questions: list[Asked]) -> str:
    """One survey of one block, a group per trial; with the byte order mark that LimeSurvey writes."""
    rows = [_row("S", "", "sid", "1"), _row("S", "", "language", "en"), _row("S", "", "format", "G")]
    rows.append({**_row("SL", "", "surveyls_title", flat(title)), "language": "en"})
    for place, asked in enumerate(questions):
        rows += _group(place, asked)
    return "\ufeff" + to_table(COLUMNS, rows, "\t")


def _row(kind: str, scale: str, name: str, text: str) -> dict[str, str]:
    return {"class": kind, "type/scale": scale, "name": name, "text": text}


def _question(scale: str, name: str, text: str) -> dict[str, str]:
    mandatory = "N" if scale == DISPLAY else "Y"
    return {**_row("Q", scale, name, text), "relevance": "1", "language": "en", "mandatory": mandatory}


def _group(place: int, asked: Asked) -> list[dict[str, str]]:
    # Question codes begin with a letter and have no underscore.
    code = f"t{asked.trial}"
    shown = fragment(asked.question, asked.panels, asked.names)
    rows = [{**_row("G", "", code, ""), "id": str(place + 1), "language": "en", "relevance": "1"}]
    rows.append(_question(DISPLAY, f"{code}show", shown))
    if asked.choose:
        rows += _list(f"{code}choice", "Your choice", asked.names)
    rows += [_question(SHORT, f"{code}text{n}", flat(text)) for n, text in enumerate(asked.texts)]
    return rows + (_list(f"{code}option", asked.option_question, asked.options) if asked.options else [])


def _list(name: str, question: str, labels: tuple[str, ...]) -> list[dict[str, str]]:
    answers = [{**_row("A", "0", f"A{n}", flat(label)), "language": "en"} for n, label in enumerate(labels)]
    return [_question(LIST, name, flat(question)), *answers]


def from_tsv(text: str) -> list[Asked]:
    """Read a block's questions back."""
    groups: list[list[dict[str, str]]] = []
    for row in from_table(text.removeprefix("\ufeff"), "\t"):
        if row["class"] == "G":
            groups.append([])
        if groups:
            groups[-1].append(row)
    return [_asked(group) for group in groups]


def _asked(group: list[dict[str, str]]) -> Asked:
    code = group[0]["name"]
    asked = {row["name"]: row["text"] for row in group if row["class"] == "Q"}
    question, panels = parse_fragment(asked[f"{code}show"])
    fields = tuple(unflat(text) for name, text in asked.items() if name.startswith(f"{code}text"))
    after = [row["name"] for row in group].index(f"{code}option") if f"{code}option" in asked else len(group)
    options = tuple(unflat(row["text"]) for row in group[after + 1 :])
    prompt = unflat(asked.get(f"{code}option", ""))
    return Asked(code[1:], question, panels, f"{code}choice" in asked, fields, prompt, options)
