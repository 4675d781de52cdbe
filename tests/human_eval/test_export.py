import csv
import dataclasses
import html
import json
import re
from io import StringIO
from xml.etree import ElementTree as xml

import pytest

from evoscope.errors import EvoscopeError
from human_eval import export
from human_eval.design import KINDS, Alignability, Blocking, Options, design, synthetic_concepts, synthetic_neurons
from human_eval.export import PLATFORMS, Completion, questions_of
from human_eval.texts import read_texts

HOST = "https://uni.test/a b"
HOSTILE = "=cmd()|<script>alert(1)</script>\"'&amp; 😀 שלום [[Block:x]] ${trial} ]]>, a\tb\nc\r\n-1"
SIZES = Options(
    Alignability(sets=(("base_model", 5),), patches=2), count=2, pictures=2, blocking=Blocking(2, 3, 1, 1, 1)
)
TEXTS, DONE = read_texts(), Completion("C0DE")
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
    panels = re.findall(r'<img src="(.*?)"', markup)
    assert "<" not in text
    return html.unescape(text), tuple(map(html.unescape, panels))


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
def test_label_studio_asks_everything(kind):
    for blocks in versions(kind):
        for block, questions in blocks.items():
            tasks = json.loads(export.labelstudio_tasks(questions))
            for task, question in zip(tasks, questions, strict=True):
                assert shown(task["data"]["shown"]) == asked_and_shown(question)
                told = {name: value for name, value in form_of(question).items() if name != "question"}
                expected = {**told, "block": block}
                assert {name: value for name, value in task["data"].items() if name != "shown"} == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_of_jspsych_asks_everything_and_nothing_is_markup(kind):
    study = study_of(kind)
    for blocks in versions(kind):
        for block, questions in blocks.items():
            page = export.jspsych_page(study, block, questions, TEXTS)
            data = page.split('id="timeline">')[1].split("</script>")[0]
            timeline = json.loads(data)
            assert {name for plan in timeline["plans"] for name, _ in plan} == set(timeline["trials"])
            for question in questions:
                trial = timeline["trials"][question.trial]
                assert html.unescape(trial["question"]) == question.form.question
                assert "<" not in trial["question"]
                assert tuple(trial["panels"]) == question.panels
                fields = trial["fields"]
                assert fields.count("<input") == len(question.form.texts) + len(question.form.options)
                assert "<script" not in fields
            for part in ("integrity=", "jsPsychPreload", "PROLIFIC_PID", "localSave"):
                assert part in page


def test_the_link_of_prolific_is_one_and_keeps_its_placeholders():
    study = study_of("alignability")
    (row,) = csv.DictReader(StringIO(export.prolific_csv(study, "https://uni.test/s", DONE)))
    assert row["external_study_url"].startswith("https://uni.test/s/alignability?PROLIFIC_PID={{%PROLIFIC_PID%}}&")
    assert row["completion_code"] == "C0DE"
    assert row["completion_url"].endswith("?cc=C0DE")


@pytest.mark.parametrize(
    ("host", "platform", "words"),
    [
        ("", "prolific", "find the study"),
        ("", "labelstudio", "find the pictures"),
        ("https://example.org/study", "jspsych", "is an example"),
        ("http://www.example.com", "limesurvey", "is an example"),
        ("uni.test/study", "prolific", "no web address"),
    ],
)
def test_an_address_that_cannot_be_is_refused(host, platform, words):
    with pytest.raises(EvoscopeError, match=words):
        export.checked_host(host, platform)
    assert export.checked_host("https://uni.test/s/", platform) == "https://uni.test/s"


def test_completion_codes_are_drawn_and_stay(tmp_path):
    codes = []
    for name in "ab":
        (tmp_path / name).mkdir()
        codes += [Completion.of(tmp_path / name).code for _ in range(2)]
    assert codes[0] == codes[1] != codes[2] == codes[3]
    (tmp_path / "a" / "completion.json").write_text("[]")
    with pytest.raises(EvoscopeError, match="no completion code"):
        Completion.of(tmp_path / "a")


def test_cells_are_no_formulas_and_lose_nothing():
    values = ["=cmd()", "+1", "-1", "@x", "'quoted", "plain", "", 'a "b", c\nd', "\t=1"]
    text = export.to_table(["a"], [{"a": value} for value in values])
    cells = [row["a"] for row in csv.DictReader(StringIO(text, newline=""), strict=True)]
    assert not any(cell.startswith(tuple("=+-@\t\r")) for cell in cells)
    assert [cell.removeprefix("'") for cell in cells] == values


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
def test_every_platform_gets_its_files_and_no_answer(platform, tmp_path):
    study = study_of("alignability")
    written = export.export(platform, study, tmp_path, HOST, DONE, TEXTS)
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert not any(word in text for word in ('"answer":', "base_model", "net0", '"condition"'))
        assert ("C0DE" in text) == (platform == "prolific")
    if platform != "prolific":
        names = {name for block in study.blocks for name in block.trials}
        pictures = sum(len(trial.panels) for trial in study.trials if trial.id in names)
        assert len(list(tmp_path.rglob("*.webp"))) >= pictures > 0


def test_label_studio_files_are_well_formed():
    study = study_of("evolution_label")
    (question, *_) = hostile(questions_of(study, HOST)[study.blocks[0].id])
    view = xml.fromstring(export.labelstudio_config(question).replace("\r", ""))
    assert [choice.get("value")[:6] for choice in view.iter("Choice")] == ["=cmd()"] * 3


def test_limesurvey_finds_its_own_pictures_without_an_address():
    study = study_of("alignability")
    text = export.limesurvey_tsv("a", questions_of(study, export.LIMESURVEY_RESOURCES)[study.blocks[0].id])
    assert 'src=""/upload/surveys/{SID}/images/pictures/' in text
