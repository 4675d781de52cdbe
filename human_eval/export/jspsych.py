"""jsPsych 8: a timeline of survey-html-form trials as JSON."""

import html
import json
from typing import Any

from human_eval.export.asked import Asked
from human_eval.export.markup import fragment, parse_fragment

PLUGIN = "jsPsychSurveyHtmlForm"


def to_timeline(questions: list[Asked]) -> str:
    """A block's timeline; the page sets each trial's ``type`` to the plugin of that name.

    Use: ``timeline.map(t => ({...t, type: window[t.type]}))``, with jsPsych 8 and its survey-html-form plugin loaded.
    """
    return json.dumps([_trial(asked) for asked in questions], ensure_ascii=False, indent=1) + "\n"


def _trial(asked: Asked) -> dict[str, Any]:
    names = asked.names if asked.choose else ()
    form = _radios("choice", names) + "".join(_field(n, text) for n, text in enumerate(asked.texts))
    form += (f"<p>{html.escape(asked.option_question)}</p>" if asked.options else "") + _radios(
        "option", asked.options
    )
    return {
        "type": PLUGIN,
        "html": fragment(asked.question, asked.panels, asked.names) + form,
        "button_label": "Next",
        "data": {
            "trial": asked.trial,
            "choose": asked.choose,
            "texts": list(asked.texts),
            "option_question": asked.option_question,
            "options": list(asked.options),
        },
    }


def _radios(name: str, labels: tuple[str, ...]) -> str:
    return "".join(
        f'<label><input type="radio" name="{name}" value="{place}" required> {html.escape(label)}</label> '
        for place, label in enumerate(labels)
    )


def _field(place: int, prompt: str) -> str:
    return f'<p><label>{html.escape(prompt)} <input name="text{place}" maxlength="200" required></label></p>'


def from_timeline(text: str) -> list[Asked]:
    """Read a timeline back."""
    return [_asked(trial) for trial in json.loads(text)]


def _asked(trial: dict[str, Any]) -> Asked:
    question, panels = parse_fragment(trial["html"])
    data = trial["data"]
    texts, options = tuple(data["texts"]), tuple(data["options"])
    return Asked(data["trial"], question, panels, data["choose"], texts, data["option_question"], options)
