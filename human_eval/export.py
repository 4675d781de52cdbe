"""A study for other platforms: the link of Prolific, a bundle for jsPsych, LimeSurvey and Label Studio."""

import csv
import html
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as xml

import pandas as pd

from evoscope.errors import EvoscopeError
from human_eval.design import personal_plan
from human_eval.design.files import read_json
from human_eval.design.trial import Form, Study
from human_eval.render import PLANS, Album, panel_files, write_pictures
from human_eval.texts import EDITABLE, PAGE, Texts, duration, filled, to_html, words

COMPLETION = "completion.json"  # beside the key, and as secret
PROLIFIC_IDS = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")
PROLIFIC_RETURN = "https://app.prolific.com/submissions/complete?cc="


@dataclass(frozen=True)
class Completion:
    """What proves that somebody has finished: a random ``code``, and the address to go to ("": none but Prolific's)."""

    code: str
    url: str = ""

    @classmethod
    def of(cls, folder: Path, url: str | None = None) -> "Completion":
        """The code of the study in ``folder``; drawn and kept there at the first call, whatever the study's seed is."""
        path = folder / COMPLETION
        if not path.exists():
            path.write_text(json.dumps({"code": secrets.token_hex(4).upper()}) + "\n", encoding="utf-8")
        known = read_json(path)
        if not isinstance(known, dict) or not isinstance(known.get("code"), str):
            raise EvoscopeError(f"'{path}' holds no completion code", "delete it, and another one is drawn")
        return cls(known["code"], (url or "").replace("{code}", known["code"]))

    def address(self, prolific: bool) -> str:
        """Where to go at the end, for somebody who came from Prolific or not."""
        return self.url or (PROLIFIC_RETURN + self.code if prolific else "")


def slug_of(study: Study) -> str:
    """Name of a study in an address."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", study.name).strip("-") or study.kind


def checked_host(host: str, platform: str) -> str:
    """Address below which pictures or pages are, without a slash at its end.

    Raises
    ------
    EvoscopeError : it is missing where a platform needs it, no web address, or the one of examples.
    """
    if not host:
        if platform in HOSTED:
            raise EvoscopeError(
                f"{platform} must be told where {HOSTED[platform]}",
                "give the address with --host https://... (in a job: study.host=https://...)",
            )
        return ""
    parts = urlsplit(host)
    name = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not name:
        raise EvoscopeError(f"'{host}' is no web address", "give one such as https://study.your-university.edu")
    if re.search(r"(^|\.)example\.(org|com|net)$", name):
        raise EvoscopeError(f"'{host}' is an example, at which nothing is", "give the address of your own server")
    return host.rstrip("/")


HOSTED = {"prolific": "participants find the study", "labelstudio": "its users find the pictures"}
# Where LimeSurvey has what is uploaded as resources of a survey; it puts in the survey's number itself.
LIMESURVEY_RESOURCES = "/upload/surveys/{SID}/images"


@dataclass(frozen=True)
class Question:
    """A trial as a platform shows it: its id, its form, the address of each panel's picture, and its block."""

    trial: str
    form: Form
    panels: tuple[str, ...]
    block: str

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
    files = {name: tuple(f"{host}/{file}" for file in panel_files(study, each)) for name, each in trials.items()}
    return {
        block.id: [Question(name, trials[name].form, files[name], block.id) for name in block.trials]
        for block in study.blocks
    }


def flat(text: str) -> str:
    """``text`` escaped for HTML, without line breaks or marks that platforms act on (``[[``, ``${``, ``{``)."""
    return re.sub(r"[\[\]${}\r\n\t]", lambda found: f"&#{ord(found[0])};", html.escape(text))


def fragment(question: Question) -> str:
    """The question and its panels as one line of HTML, every text escaped."""
    sets = "".join(map(_panel, question.panels, question.names))
    return f'<p class="question">{flat(question.form.question)}</p>{sets}'


def _panel(file: str, name: str) -> str:
    return (
        f'<div class="panel"><strong>{html.escape(name)}</strong><br>'
        f'<img src="{html.escape(file)}" alt="{html.escape(name)}" width="360" style="max-width:100%"></div>'
    )


def guarded(text: str) -> str:
    """``text`` with an apostrophe before what a spreadsheet would take for a formula (or for such an apostrophe)."""
    return f"'{text}" if text.startswith(tuple("=+-@\t\r'")) else text


def to_table(columns: list[str], rows: Iterable[Mapping[Any, str]], delimiter: str = ",") -> str:
    """Rows as separated text, guarded and quoted where needed."""
    stream = StringIO()
    writer = csv.DictWriter(stream, columns, delimiter=delimiter, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows({name: guarded(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def frame_csv(frame: pd.DataFrame) -> str:
    """A table as CSV, guarded."""
    texts = frame.astype(object).where(frame.notna(), "").map(str)
    return to_table(list(map(str, texts)), texts.to_dict("records"))


PROLIFIC_PLACEHOLDERS = "&".join(f"{name}={{{{%{name}%}}}}" for name in PROLIFIC_IDS)


def prolific_csv(study: Study, host: str, completion: Completion) -> str:
    """What is entered at Prolific: the one link of a study that `serve` offers below ``host``, and the code."""
    row = {
        "study": study.name,
        "external_study_url": f"{host}/{slug_of(study)}?{PROLIFIC_PLACEHOLDERS}",
        "completion_code": completion.code,
        "completion_url": completion.address(prolific=True),
        "minutes": duration(study, None),
    }
    return to_table(list(row), [row])


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


def jspsych_page(study: Study, block: str, questions: list[Question], texts: Texts) -> str:
    """A block as a page that runs by itself in jsPsych 8, which it gets, in one version, from a public address.

    It asks for consent, waits for its pictures, keeps the ids of a panel, and saves a file that `analyse` reads, or
    hands the answers to JATOS where that runs it.
    """
    found = next(each for each in study.blocks if each.id == block)
    timeline = {
        "study": study.name,
        "block": block,
        "parameters": PROLIFIC_IDS,
        "plans": [personal_plan(study, found, f"page {number}") for number in range(PLANS)],
        "trials": {question.trial: _jspsych_trial(question) for question in questions},
        "words": words(texts.language),
    }
    data = json.dumps(timeline, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    return Template((PAGE / "jspsych.html").read_text(encoding="utf-8")).substitute(
        language=texts.language,
        title=html.escape(texts.title),
        **{name: to_html(filled(getattr(texts, name), study, None, texts.language)) for name in EDITABLE},
        timeline=data,
    )


def _jspsych_trial(question: Question) -> dict[str, Any]:
    """Question with its panels and its other fields apart, so that the page can order the panels."""
    form = question.form
    fields = "".join(
        f'<p><label>{html.escape(prompt)} <input name="text{place}" maxlength="200" required></label></p>'
        for place, prompt in enumerate(form.texts)
    )
    fields += f"<p>{html.escape(form.option_question)}</p>" if form.options else ""
    return {
        "question": html.escape(form.question),
        "panels": question.panels,
        "fields": fields
        + "".join(
            f'<label><input type="radio" name="option" value="{place}" required> {html.escape(label)}</label> '
            for place, label in enumerate(form.options)
        ),
        "choose": form.choose,
        "texts": len(form.texts),
    }


def labelstudio_tasks(questions: list[Question]) -> str:
    """Tasks for Label Studio as JSON, one per trial."""
    tasks = []
    for question in questions:
        known = {"trial": question.trial, "block": question.block, "shown": fragment(question)}
        form = {name: value for name, value in asdict(question.form).items() if name != "question"}
        tasks.append({"data": {**known, **form}})
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def labelstudio_config(question: Question) -> str:
    """Labelling configuration for Label Studio as XML; the trials of a study share it, but for their question."""
    view = xml.Element("View")
    xml.SubElement(view, "HyperText", name="shown", value="$shown")
    if question.form.choose:
        _labelstudio_choices(view, "choice", "Your choice", question.names)
    for place, text in enumerate(question.form.texts):
        xml.SubElement(view, "Header", value=text)
        xml.SubElement(view, "TextArea", name=f"text{place}", toName="shown", maxSubmissions="1", required="true")
    if question.form.options:
        _labelstudio_choices(view, "option", question.form.option_question, question.form.options)
    return xml.tostring(view, encoding="unicode") + "\n"


def _labelstudio_choices(view: xml.Element, name: str, question: str, labels: tuple[str, ...]) -> None:
    xml.SubElement(view, "Header", value=question)
    choices = xml.SubElement(view, "Choices", name=name, toName="shown", choice="single-radio", required="true")
    for label in labels:
        xml.SubElement(choices, "Choice", value=label)


def _write(folder: Path, files: dict[str, str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return [folder / name for name in files]


def _jspsych(study: Study, folder: Path, host: str, texts: Texts) -> list[Path]:
    album, written = Album(study), list[Path]()
    trials = study.by_id()
    for block, questions in questions_of(study, host or ".").items():
        own = folder / block
        write_pictures(album.pictures(trials[question.trial] for question in questions), own)
        written += _write(own, {"index.html": jspsych_page(study, block, questions, texts)})
    return written


# What is still to be done after an export.
ADVICE = {
    "prolific": "Enter the link and the code at Prolific (URL parameters), and serve the study at that address.",
    "jspsych": "Put each folder on a web server or into JATOS; each participant's file goes to `analyse`.",
    "limesurvey": "Put the files of pictures/ below --host; without --host, upload them at Survey, Resources "
    "(LimeSurvey at the root of its address). Export responses with question codes and answer codes for `analyse`.",
    "labelstudio": "Put pictures/ below --host. Export the annotations as JSON for `analyse`.",
}
PLATFORMS = tuple(ADVICE)


def export(platform: str, study: Study, folder: Path, host: str, completion: Completion, texts: Texts) -> list[Path]:
    """Write a study for a platform into ``folder``.

    Raises
    ------
    EvoscopeError : ``host`` is missing or cannot be one.
    """
    host = checked_host(host, platform)
    if platform == "prolific":
        return _write(folder, {"prolific.csv": prolific_csv(study, host, completion)})
    if platform == "jspsych":
        return _jspsych(study, folder, host, texts)
    write_pictures(Album(study).shown(), folder)
    if platform == "limesurvey":
        blocks = questions_of(study, host or LIMESURVEY_RESOURCES)
        return _write(folder, {f"{name}.tsv": limesurvey_tsv(study.name, own) for name, own in blocks.items()})
    blocks = questions_of(study, host)
    tasks = {f"{name}.json": labelstudio_tasks(own) for name, own in blocks.items()}
    return _write(folder, {"config.xml": labelstudio_config(next(iter(blocks.values()))[0]), **tasks})
