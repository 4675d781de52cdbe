"""Label Studio: tasks as JSON and a labelling configuration as XML."""

import json
from typing import Any
from xml.etree import ElementTree as xml

from human_eval.export.asked import Asked
from human_eval.export.markup import fragment, parse_fragment


def to_tasks(questions: list[Asked]) -> str:
    """One task per trial."""
    return json.dumps([{"data": _data(asked)} for asked in questions], ensure_ascii=False, indent=1) + "\n"


def _data(asked: Asked) -> dict[str, Any]:
    return {
        "trial": asked.trial,
        "shown": fragment(asked.question, asked.panels, asked.names),
        "choose": asked.choose,
        "texts": list(asked.texts),
        "option_question": asked.option_question,
        "options": list(asked.options),
    }


def to_config(asked: Asked) -> str:
    """Configuration for trials of the form of ``asked``; all trials of a study have the same but for their question."""
    view = xml.Element("View")
    xml.SubElement(view, "HyperText", name="shown", value="$shown")
    if asked.choose:
        _choices(view, "choice", "Your choice", asked.names)
    for place, text in enumerate(asked.texts):
        xml.SubElement(view, "Header", value=text)
        xml.SubElement(
            view, "TextArea", name=f"text{place}", toName="shown", maxSubmissions="1", required="true"
        )
    if asked.options:
        _choices(view, "option", asked.option_question, asked.options)
    return xml.tostring(view, encoding="unicode") + "\n"


def _choices(view: xml.Element, name: str, question: str, labels: tuple[str, ...]) -> None:
    xml.SubElement(view, "Header", value=question)
    choices = xml.SubElement(
        view, "Choices", name=name, toName="shown", choice="single-radio", required="true"
    )
    for label in labels:
        xml.SubElement(choices, "Choice", value=label)


def from_tasks(text: str) -> list[Asked]:
    """Read tasks back."""
    return [_asked(task["data"]) for task in json.loads(text)]


def _asked(data: dict[str, Any]) -> Asked:
    question, panels = parse_fragment(data["shown"])
    texts, options = tuple(data["texts"]), tuple(data["options"])
    return Asked(data["trial"], question, panels, data["choose"], texts, data["option_question"], options)
