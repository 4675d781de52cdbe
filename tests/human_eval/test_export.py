import csv
import dataclasses
import json
from io import StringIO
from xml.etree import ElementTree as xml

import pytest

from human_eval.design import KINDS, Alignability, Blocking, Options, design, drawn_concepts, drawn_neurons
from human_eval.export import PLATFORMS, jspsych, labelstudio, limesurvey, mturk, prolific, qualtrics
from human_eval.export.asked import asked_of
from human_eval.export.tables import RISKY, from_table, to_table

HOST = "https://example.org/a b"
HOSTILE = "=cmd()|<script>alert(1)</script>\"'&amp; 😀 שלום [[Block:x]] ${trial} ]]>, a\tb\nc\r\n-1"
SIZES = Options(
    Alignability(sets=(("base_model", 5),), patches=2), count=2, pictures=2, blocking=Blocking(2, 3, 1, 1, 1)
)
NEURONS, CONCEPTS = drawn_neurons(0, side=4), drawn_concepts(0, side=4)


def study_of(kind):
    pool = NEURONS if kind in ("alignability", "evolution_label", "pairwise_coherence") else CONCEPTS
    return design(kind, pool, 0, "corrected", SIZES)


def hostile(questions):
    """The same questions with hostile text wherever there is text."""
    return [
        dataclasses.replace(
            asked,
            question=HOSTILE,
            texts=tuple(f"{HOSTILE}{n}" for n, _ in enumerate(asked.texts)),
            option_question=HOSTILE if asked.options else "",
            options=tuple(f"{HOSTILE}{n}" for n, _ in enumerate(asked.options)),
        )
        for asked in questions
    ]


def versions(kind):
    blocks = asked_of(study_of(kind), HOST)
    return [blocks, {name: hostile(questions) for name, questions in blocks.items()}]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_exported_comes_back(kind):
    for blocks in versions(kind):
        assert qualtrics.from_txt(qualtrics.to_txt(blocks)) == blocks
        for questions in blocks.values():
            assert limesurvey.from_tsv(limesurvey.to_tsv(HOSTILE, questions)) == questions
            assert jspsych.from_timeline(jspsych.to_timeline(questions)) == questions
            assert labelstudio.from_tasks(labelstudio.to_tasks(questions)) == questions
            assert mturk.from_csv(mturk.to_csv(questions)) == questions


def test_prolific_addresses_come_back_and_keep_their_placeholders():
    text = prolific.to_csv(["b1", "b2"], "https://example.org/s", "C0DE&+ 1")
    assert prolific.from_csv(text)[:2] == (["b1", "b2"], "https://example.org/s")
    assert "PROLIFIC_PID={{%PROLIFIC_PID%}}" in text
    assert prolific.from_csv(prolific.to_csv(["b1"], "https://e.org", "C0DE"))[2] == "C0DE"


def test_cells_are_no_formulas_and_come_back():
    values = ["=cmd()", "+1", "-1", "@x", "'quoted", "plain", "", 'a "b", c\nd', "\t=1"]
    rows = [{"a": value} for value in values]
    text = to_table(["a"], rows)
    assert not any(cell.startswith(RISKY) for (cell, *_) in csv.reader(StringIO(text, newline="")))
    assert from_table(text) == rows


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
        name: hostile(questions) for name, questions in asked_of(study_of("label_agreement"), HOST).items()
    }
    lines = qualtrics.to_txt(blocks).splitlines()
    assert sum(line.startswith("[[Block:") for line in lines) == len(blocks)
    assert not any("[[" in line[2:] for line in lines)


def test_label_studio_and_mturk_files_are_well_formed():
    (asked, *_) = hostile(
        asked_of(study_of("evolution_label"), HOST)[study_of("evolution_label").blocks[0].id]
    )
    view = xml.fromstring(labelstudio.to_config(asked).replace("\r", ""))
    assert [choice.get("value")[:6] for choice in view.iter("Choice")] == ["=cmd()"] * 3
    question = xml.fromstring(mturk.to_question())
    assert "${shown}" in "".join(question.itertext())
    assert question.tag.endswith("HTMLQuestion")


def test_the_timeline_names_the_plugin_of_jspsych_8():
    questions = next(iter(asked_of(study_of("alignability"), HOST).values()))
    timeline = json.loads(jspsych.to_timeline(questions))
    assert {trial["type"] for trial in timeline} == {"jsPsychSurveyHtmlForm"}
    assert all(trial["html"].count('name="choice"') == 6 for trial in timeline)
