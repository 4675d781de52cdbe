import csv
import dataclasses
import html
import json
import re
from io import StringIO
from xml.etree import ElementTree as xml

import pytest

from human_eval import export
from human_eval.design import (
    KINDS,
    Alignability,
    Blocking,
    Options,
    design,
    synthetic_concepts,
    synthetic_neurons,
)
from human_eval.export import PLATFORMS, questions_of

HOST = "https://example.org/a b"
HOSTILE = "=cmd()|<script>alert(1)</script>\"'&amp; 😀 שלום [[Block:x]] ${trial} ]]>, a\tb\nc\r\n-1"
SIZES = Options(
    Alignability(sets=(("base_model", 5),), patches=2), count=2, pictures=2, blocking=Blocking(2, 3, 1, 1, 1)
)
NEURONS, CONCEPTS = synthetic_neurons(0, side=4), synthetic_concepts(0, side=4)


def study_of(kind):
    pool = NEURONS if kind in ("alignability", "evolution_label", "pairwise_coherence") else CONCEPTS
    return design(kind, pool, 0, "corrected", SIZES)


def hostile(questions):
    """The same questions with hostile text wherever there is text."""
    return [
        dataclasses.replace(
            question,
            form=dataclasses.replace(
                question.form,
                question=HOSTILE,
                texts=tuple(f"{HOSTILE}{n}" for n, _ in enumerate(question.form.texts)),
                option_question=HOSTILE if question.form.options else "",
                options=tuple(f"{HOSTILE}{n}" for n, _ in enumerate(question.form.options)),
            ),
        )
        for question in questions
    ]


def versions(kind):
    blocks = questions_of(study_of(kind), HOST)
    return [blocks, {name: hostile(questions) for name, questions in blocks.items()}]


def shown(markup):
    """Question and picture addresses of a fragment, as a browser would show them."""
    (text,) = re.findall(r'<p class="question">(.*?)</p>', markup)
    panels = [re.findall(r'<img src="(.*?)"', part) for part in markup.split('<div class="panel">')[1:]]
    assert "<" not in text
    return html.unescape(text), tuple(tuple(map(html.unescape, files)) for files in panels)


def asked_and_shown(question):
    return question.form.question, question.panels


def answered(question):
    """Everything a form asks beside its question, in order."""
    options = (question.form.option_question, *question.form.options) if question.form.options else ()
    return [*question.choices, *question.form.texts, *options]


def form_of(question):
    form = {**dataclasses.asdict(question.form), "trial": question.trial}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in form.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_qualtrics_asks_everything_in_order(kind):
    for blocks in versions(kind):
        lines = [line for line in export.qualtrics_txt(blocks).split("\n") if line]
        assert lines[0] == "[[AdvancedFormat]]"
        pages = "\n".join(lines).split("[[PageBreak]]")[:-1]
        questions = [question for block in blocks.values() for question in block]
        for page, question in zip(pages, questions, strict=True):
            texts = [line for line in page.split("\n") if line and not line.startswith("[[")]
            texts = [line for line in texts if line != "Your choice"]
            assert shown(texts[0]) == asked_and_shown(question)
            assert list(map(html.unescape, texts[1:])) == answered(question)
            assert f"[[ID:{question.trial}_show]]" in page


@pytest.mark.parametrize("kind", KINDS)
def test_limesurvey_asks_everything_in_order(kind):
    for blocks in versions(kind):
        for questions in blocks.values():
            text = export.limesurvey_tsv(HOSTILE, questions).removeprefix("\ufeff")
            rows = list(csv.DictReader(StringIO(text, newline=""), delimiter="\t", strict=True))
            (title,) = [row["text"] for row in rows if row["name"] == "surveyls_title"]
            assert html.unescape(title.removeprefix("'")) == HOSTILE
            starts = [place for place, row in enumerate(rows) if row["class"] == "G"]
            for start, end, question in zip(starts, [*starts[1:], len(rows)], questions, strict=True):
                assert rows[start]["name"] == f"t{question.trial}"
                texts = [row["text"].removeprefix("'") for row in rows[start + 1 : end]]
                assert shown(texts[0]) == asked_and_shown(question)
                texts = [html.unescape(text) for text in texts[1:] if text != "Your choice"]
                assert texts == answered(question)


@pytest.mark.parametrize("kind", KINDS)
def test_jspsych_and_label_studio_ask_everything(kind):
    for blocks in versions(kind):
        for questions in blocks.values():
            timeline = json.loads(export.jspsych_timeline(questions))
            tasks = json.loads(export.labelstudio_tasks(questions))
            for trial, task, question in zip(timeline, tasks, questions, strict=True):
                assert shown(trial["html"]) == shown(task["data"]["shown"]) == asked_and_shown(question)
                told = {name: value for name, value in form_of(question).items() if name != "question"}
                assert trial["data"] == told
                assert {name: value for name, value in task["data"].items() if name != "shown"} == told


def test_prolific_addresses_name_the_block_and_keep_their_placeholders():
    text = export.prolific_csv(["b1", "b2"], "https://example.org/s", "C0DE")
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["block"] for row in rows] == ["b1", "b2"]
    for row in rows:
        url = row["external_study_url"]
        assert url.startswith(f"https://example.org/s/{row['block']}/index.html?")
        assert "PROLIFIC_PID={{%PROLIFIC_PID%}}" in url
        assert row["completion_url"].endswith("?cc=C0DE")


def test_cells_are_no_formulas_and_lose_nothing():
    values = ["=cmd()", "+1", "-1", "@x", "'quoted", "plain", "", 'a "b", c\nd', "\t=1"]
    text = export.to_table(["a"], [{"a": value} for value in values])
    cells = [row["a"] for row in csv.DictReader(StringIO(text, newline=""), strict=True)]
    assert not any(cell.startswith(tuple("=+-@\t\r")) for cell in cells)
    assert [cell.removeprefix("'") for cell in cells] == values


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
def test_every_platform_gets_its_files_and_no_answer(platform, tmp_path):
    study = study_of("alignability")
    written = PLATFORMS[platform](study, tmp_path, HOST, "C0DE")
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert not any(word in text for word in ('"answer":', "base_model", "net0", '"condition"'))
    if platform != "prolific":
        shown = {name for block in study.blocks for name in block.trials}
        pictures = sum(len(panel) for trial in study.trials for panel in trial.panels if trial.id in shown)
        assert len(list((tmp_path / "pictures").iterdir())) >= pictures > 0


def test_qualtrics_text_has_only_its_own_marks():
    blocks = {
        name: hostile(questions)
        for name, questions in questions_of(study_of("label_agreement"), HOST).items()
    }
    lines = export.qualtrics_txt(blocks).splitlines()
    assert sum(line.startswith("[[Block:") for line in lines) == len(blocks)
    assert not any("[[" in line[2:] for line in lines)


def test_label_studio_files_are_well_formed():
    study = study_of("evolution_label")
    (question, *_) = hostile(questions_of(study, HOST)[study.blocks[0].id])
    view = xml.fromstring(export.labelstudio_config(question).replace("\r", ""))
    assert [choice.get("value")[:6] for choice in view.iter("Choice")] == ["=cmd()"] * 3


def test_the_timeline_names_the_plugin_of_jspsych_8():
    questions = next(iter(questions_of(study_of("alignability"), HOST).values()))
    timeline = json.loads(export.jspsych_timeline(questions))
    assert {trial["type"] for trial in timeline} == {"jsPsychSurveyHtmlForm"}
    assert all(trial["html"].count('name="choice"') == 6 for trial in timeline)
