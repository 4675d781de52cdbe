"""A study for other platforms: Prolific, Qualtrics, LimeSurvey, jsPsych and Label Studio."""

import csv
import html
import json
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

from human_eval.design.trial import Form, Study, Trial
from human_eval.render import picture_files, write_pictures

# From a study, a folder, the address where pictures or pages are hosted, and a completion code, to the files written.
Exporter = Callable[[Study, Path, str, str], list[Path]]


@dataclass(frozen=True)
class Question:
    """A trial as a platform shows it: its id, its form, and the addresses of the pictures of each panel."""

    trial: str
    form: Form
    panels: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the panels, as they are chosen."""
        return tuple(f"Set {chr(ord('A') + place)}" for place in range(len(self.panels)))

    @property
    def choices(self) -> tuple[str, ...]:
        """Names of the panels where one is chosen; () elsewhere."""
        return self.names if self.form.choose else ()


def questions_of(study: Study, host: str) -> dict[str, list[Question]]:
    """Questions of every block in order, with pictures below ``host``."""
    trials = study.by_id()
    return {
        block.id: [_question(study, trials[name], host) for name in block.trials] for block in study.blocks
    }


def _question(study: Study, trial: Trial, host: str) -> Question:
    panels = tuple(tuple(f"{host}/{file}" for file in files) for files in picture_files(study, trial))
    return Question(trial.id, trial.form, panels)


def flat(text: str) -> str:
    """``text`` escaped for HTML, without line breaks and without the marks of line-based formats (``[[``, ``${``)."""
    escaped = html.escape(text).replace("[", "&#91;").replace("]", "&#93;").replace("$", "&#36;")
    return re.sub(r"[\r\n\t]", lambda found: f"&#{ord(found[0])};", escaped)


def fragment(question: Question) -> str:
    """The question and its panels as one line of HTML, every text escaped."""
    sets = "".join(map(_panel, question.panels, question.names))
    return f'<p class="question">{flat(question.form.question)}</p>{sets}'


def _panel(files: tuple[str, ...], name: str) -> str:
    pictures = "".join(
        f'<img src="{html.escape(file)}" alt="Picture {place}" width="120">'
        for place, file in enumerate(files, 1)
    )
    return f'<div class="panel"><strong>{html.escape(name)}</strong><br>{pictures}</div>'


def guarded(text: str) -> str:
    """``text`` with an apostrophe before what a spreadsheet would take for a formula (or for such an apostrophe)."""
    return f"'{text}" if text.startswith(tuple("=+-@\t\r'")) else text


def to_table(columns: list[str], rows: Iterable[dict[str, str]], delimiter: str = ",") -> str:
    """Rows as separated text, guarded and quoted where needed."""
    stream = StringIO()
    writer = csv.DictWriter(stream, columns, delimiter=delimiter, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows({name: guarded(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


PROLIFIC_COLUMNS = ["block", "external_study_url", "completion_code", "completion_url"]
PROLIFIC_PLACEHOLDERS = "PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"
PROLIFIC_RETURN = "https://app.prolific.com/submissions/complete?cc="


def prolific_csv(blocks: Sequence[str], host: str, code: str) -> str:
    """A row per block, whose rendered folder lies below ``host``: its address with Prolific's placeholders."""
    urls = {block: f"{host}/{block}/index.html?{PROLIFIC_PLACEHOLDERS}" for block in blocks}
    fixed = {"completion_code": code, "completion_url": PROLIFIC_RETURN + code}
    return to_table(
        PROLIFIC_COLUMNS, [{"block": block, "external_study_url": urls[block], **fixed} for block in blocks]
    )


def qualtrics_txt(blocks: dict[str, list[Question]]) -> str:
    """All blocks in the Advanced format of Qualtrics' survey import.

    Each trial has a page of its own; the parts of its answer are questions ``<trial>_<part>``.
    """
    lines = ["[[AdvancedFormat]]"]
    for block, questions in blocks.items():
        lines += ["", f"[[Block:{block}]]"]
        for question in questions:
            lines += [*_qualtrics_question(question), "", "[[PageBreak]]"]
    return "\n".join(lines) + "\n"


def _qualtrics_question(question: Question) -> list[str]:
    form, name = question.form, question.trial
    lines = ["", "[[Question:DB]]", f"[[ID:{name}_show]]", fragment(question)]
    if form.choose:
        lines += _qualtrics_choices(f"{name}_choice", "Your choice", question.names)
    for place, text in enumerate(form.texts):
        lines += ["", "[[Question:TE:SingleLine]]", f"[[ID:{name}_text{place}]]", flat(text)]
    if form.options:
        lines += _qualtrics_choices(f"{name}_option", form.option_question, form.options)
    return lines


def _qualtrics_choices(name: str, question: str, labels: tuple[str, ...]) -> list[str]:
    head = ["", "[[Question:MC:SingleAnswer:Vertical]]", f"[[ID:{name}]]", flat(question)]
    return [*head, "[[Choices]]", *map(flat, labels)]


LIMESURVEY_COLUMNS = [
    *("id", "related_id", "class", "type/scale", "name", "relevance"),
    *("text", "help", "language", "mandatory"),
]
DISPLAY, LIST, SHORT = "X", "L", "S"


def limesurvey_tsv(title: str, questions: list[Question]) -> str:
    """One LimeSurvey survey of one block, a group per trial; with the byte order mark that LimeSurvey writes."""
    rows = [_row("S", "", "sid", "1"), _row("S", "", "language", "en"), _row("S", "", "format", "G")]
    rows.append({**_row("SL", "", "surveyls_title", flat(title)), "language": "en"})
    for place, question in enumerate(questions):
        rows += _limesurvey_group(place, question)
    return "\ufeff" + to_table(LIMESURVEY_COLUMNS, rows, "\t")


def _row(kind: str, scale: str, name: str, text: str) -> dict[str, str]:
    return {"class": kind, "type/scale": scale, "name": name, "text": text}


def _limesurvey_question(scale: str, name: str, text: str) -> dict[str, str]:
    mandatory = "N" if scale == DISPLAY else "Y"
    return {**_row("Q", scale, name, text), "relevance": "1", "language": "en", "mandatory": mandatory}


def _limesurvey_group(place: int, question: Question) -> list[dict[str, str]]:
    # Question codes begin with a letter and have no underscore.
    form, code = question.form, f"t{question.trial}"
    rows = [{**_row("G", "", code, ""), "id": str(place + 1), "language": "en", "relevance": "1"}]
    rows.append(_limesurvey_question(DISPLAY, f"{code}show", fragment(question)))
    rows += _limesurvey_list(f"{code}choice", "Your choice", question.choices)
    rows += [_limesurvey_question(SHORT, f"{code}text{n}", flat(text)) for n, text in enumerate(form.texts)]
    return rows + _limesurvey_list(f"{code}option", form.option_question, form.options)


def _limesurvey_list(name: str, question: str, labels: tuple[str, ...]) -> list[dict[str, str]]:
    answers = [{**_row("A", "0", f"A{n}", flat(label)), "language": "en"} for n, label in enumerate(labels)]
    return [_limesurvey_question(LIST, name, flat(question)), *answers] if labels else []


def jspsych_timeline(questions: list[Question]) -> str:
    """Timeline of a block for jsPsych 8 as JSON; the page sets each trial's ``type`` to the plugin of that name.

    Use: ``timeline.map(t => ({...t, type: window[t.type]}))``, with the survey-html-form plugin loaded.
    """
    return _json([_jspsych_trial(question) for question in questions])


def _jspsych_trial(question: Question) -> dict[str, Any]:
    form = question.form
    fields = _radios("choice", question.choices) + "".join(
        map(_text_field, range(len(form.texts)), form.texts)
    )
    fields += f"<p>{html.escape(form.option_question)}</p>" if form.options else ""
    return {
        "type": "jsPsychSurveyHtmlForm",
        "html": fragment(question) + fields + _radios("option", form.options),
        "button_label": "Next",
        "data": {"trial": question.trial, **_form_data(form)},
    }


def _radios(name: str, labels: tuple[str, ...]) -> str:
    return "".join(
        f'<label><input type="radio" name="{name}" value="{place}" required> {html.escape(label)}</label> '
        for place, label in enumerate(labels)
    )


def _text_field(place: int, prompt: str) -> str:
    return f'<p><label>{html.escape(prompt)} <input name="text{place}" maxlength="200" required></label></p>'


def _form_data(form: Form) -> dict[str, Any]:
    return {
        "choose": form.choose,
        "texts": form.texts,
        "option_question": form.option_question,
        "options": form.options,
    }


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def labelstudio_tasks(questions: list[Question]) -> str:
    """Tasks for Label Studio as JSON, one per trial."""
    return _json(
        [
            {"data": {"trial": question.trial, "shown": fragment(question), **_form_data(question.form)}}
            for question in questions
        ]
    )


def labelstudio_config(question: Question) -> str:
    """Labelling configuration for Label Studio as XML; the trials of a study share it, but for their question."""
    view = xml.Element("View")
    xml.SubElement(view, "HyperText", name="shown", value="$shown")
    if question.form.choose:
        _labelstudio_choices(view, "choice", "Your choice", question.names)
    for place, text in enumerate(question.form.texts):
        xml.SubElement(view, "Header", value=text)
        xml.SubElement(
            view, "TextArea", name=f"text{place}", toName="shown", maxSubmissions="1", required="true"
        )
    if question.form.options:
        _labelstudio_choices(view, "option", question.form.option_question, question.form.options)
    return xml.tostring(view, encoding="unicode") + "\n"


def _labelstudio_choices(view: xml.Element, name: str, question: str, labels: tuple[str, ...]) -> None:
    xml.SubElement(view, "Header", value=question)
    choices = xml.SubElement(
        view, "Choices", name=name, toName="shown", choice="single-radio", required="true"
    )
    for label in labels:
        xml.SubElement(choices, "Choice", value=label)


def _prolific(study: Study, folder: Path, host: str, code: str) -> list[Path]:
    blocks = [block.id for block in study.blocks]
    return _write(folder, {"prolific.csv": prolific_csv(blocks, host, code or secrets.token_hex(4).upper())})


def _with_pictures(make: Callable[[Study, dict[str, list[Question]]], dict[str, str]]) -> Exporter:
    def export(study: Study, folder: Path, host: str, code: str) -> list[Path]:
        write_pictures(study, study.trials, folder)
        return _write(folder, make(study, questions_of(study, host)))

    return export


def _write(folder: Path, files: dict[str, str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return [folder / name for name in files]


def _qualtrics(study: Study, blocks: dict[str, list[Question]]) -> dict[str, str]:
    return {"qualtrics.txt": qualtrics_txt(blocks)}


def _limesurvey(study: Study, blocks: dict[str, list[Question]]) -> dict[str, str]:
    return {f"{name}.tsv": limesurvey_tsv(study.name, questions) for name, questions in blocks.items()}


def _jspsych(study: Study, blocks: dict[str, list[Question]]) -> dict[str, str]:
    return {f"{name}.json": jspsych_timeline(questions) for name, questions in blocks.items()}


def _labelstudio(study: Study, blocks: dict[str, list[Question]]) -> dict[str, str]:
    tasks = {f"{name}.json": labelstudio_tasks(questions) for name, questions in blocks.items()}
    return {"config.xml": labelstudio_config(next(iter(blocks.values()))[0]), **tasks}


PLATFORMS: dict[str, Exporter] = {
    "prolific": _prolific,
    "qualtrics": _with_pictures(_qualtrics),
    "limesurvey": _with_pictures(_limesurvey),
    "jspsych": _with_pictures(_jspsych),
    "labelstudio": _with_pictures(_labelstudio),
}
