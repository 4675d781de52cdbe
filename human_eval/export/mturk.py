"""Mechanical Turk (archival: the service's closure was announced for September 2026): HTMLQuestion and CSV."""

import json
from xml.sax.saxutils import escape

from human_eval.export.asked import Asked
from human_eval.export.markup import fragment, parse_fragment
from human_eval.export.tables import from_table, to_table

SCHEMA = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
COLUMNS = ["trial", "shown", "form"]
PAGE = """<!doctype html>
<html><head><meta charset="utf-8">
<script src="https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"></script></head>
<body><!-- Archival: the service's closure was announced for September 2026. -->
<form name="mturk_form" method="post" id="mturk_form" action="https://www.mturk.com/mturk/externalSubmit">
<input type="hidden" value="" name="assignmentId" id="assignmentId">
<input type="hidden" value="${trial}" name="trial">
${shown}
<p><label>Your answer <input name="answer" maxlength="200" required></label></p>
<p><input type="submit" value="Submit"></p>
</form><script>turkSetAssignmentID();</script></body></html>"""


def to_question() -> str:
    """The HTMLQuestion into which each row of the CSV is put for ``${...}``."""
    body = PAGE.replace("]]>", "]]]]><![CDATA[>")
    content = f"<HTMLContent><![CDATA[{body}]]></HTMLContent><FrameHeight>800</FrameHeight>"
    return f'<HTMLQuestion xmlns="{escape(SCHEMA)}">{content}</HTMLQuestion>\n'


def to_csv(questions: list[Asked]) -> str:
    """One row per trial: its id, the HTML shown (answers are written in one field), and its form."""
    return to_table(COLUMNS, [_row(asked) for asked in questions])


def _row(asked: Asked) -> dict[str, str]:
    form = {
        "choose": asked.choose,
        "texts": asked.texts,
        "option_question": asked.option_question,
        "options": asked.options,
    }
    shown = fragment(asked.question, asked.panels, asked.names)
    for text in (*asked.texts, asked.option_question, *asked.options):
        shown += fragment(text, (), ()).replace(' class="question"', "") if text else ""
    return {"trial": asked.trial, "shown": shown, "form": json.dumps(form, ensure_ascii=False)}


def from_csv(text: str) -> list[Asked]:
    """Read the rows back."""
    return [_asked(row) for row in from_table(text)]


def _asked(row: dict[str, str]) -> Asked:
    question, panels = parse_fragment(row["shown"])
    form = json.loads(row["form"])
    texts, options = tuple(form["texts"]), tuple(form["options"])
    return Asked(row["trial"], question, panels, form["choose"], texts, form["option_question"], options)
