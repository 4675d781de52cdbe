"""Answers that other tools save come back as they were given."""

import csv
import json
from io import StringIO

import numpy as np
import pandas as pd
import pytest

from evoscope.errors import EvoscopeError
from human_eval.analyse.answers import read_answers, tidy
from human_eval.design import KINDS, Alignability, Blocking, Options, design, synthetic_concepts, synthetic_neurons
from human_eval.design.build import NEURON_KINDS
from human_eval.export import labelstudio_config, labelstudio_tasks, limesurvey_tsv, questions_of

SIZES = Options(
    Alignability(sets=(("base_model", 5),), patches=2), count=2, pictures=2, blocking=Blocking(2, 3, 1, 1, 1)
)
NEURONS, CONCEPTS = synthetic_neurons(0, side=4), synthetic_concepts(0, side=4)


def study_of(kind):
    return design(kind, NEURONS if kind in NEURON_KINDS else CONCEPTS, 0, "corrected", SIZES)


def given_to(study, trial, number):
    """Place of the choice, place of the option, and texts: others for every trial."""
    form = trial.form
    choice = number % len(trial.panels) if form.choose else None
    option = number % len(form.options) if form.options else None
    return choice, option, [f"text {number} {place}" for place in range(len(form.texts))]


def found(study, path):
    table = read_answers(path, study)
    assert len(tidy(study, table)) == len(table)
    rows = {
        (row.participant, row.trial): (
            None if pd.isna(row.choice) else row.choice,
            None if pd.isna(row.option) else row.option,
            list(row.texts),
        )
        for row in table.itertuples()
    }
    return rows, set(table["block"])


@pytest.mark.parametrize("kind", KINDS)
def test_label_studio(kind, tmp_path):
    study = study_of(kind)
    block, trials = study.blocks[0], study.by_id()
    questions = questions_of(study, "https://uni.test")[block.id]
    config = labelstudio_config(questions[0])
    tasks = json.loads(labelstudio_tasks(questions))
    expected = {}
    for number, task in enumerate(tasks):
        trial = trials[task["data"]["trial"]]
        choice, option, texts = given_to(study, trial, number)
        result = [
            {"from_name": f"text{at}", "type": "textarea", "value": {"text": [text]}} for at, text in enumerate(texts)
        ]
        if choice is not None:
            result.append({"from_name": "choice", "value": {"choices": [questions[number].choices[choice]]}})
        if option is not None:
            result.append({"from_name": "option", "value": {"choices": [trial.form.options[option]]}})
        assert all(f'name="{each["from_name"]}"' in config for each in result)
        task["annotations"] = [
            {"completed_by": {"id": 7}, "lead_time": 2.5, "result": result},
            {"completed_by": 8, "was_cancelled": True, "result": []},
        ]
        expected["labelstudio-7", trial.id] = (choice, option, texts)
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    assert found(study, tmp_path / "export.json") == (expected, {block.id})
    assert set(read_answers(tmp_path, study)["ms"]) == {2500}


@pytest.mark.parametrize("kind", KINDS)
def test_limesurvey(kind, tmp_path):
    study = study_of(kind)
    block, trials = study.blocks[0], study.by_id()
    text = limesurvey_tsv("x", questions_of(study, "https://uni.test")[block.id]).removeprefix("\ufeff")
    rows = list(csv.DictReader(StringIO(text, newline=""), delimiter="\t", strict=True))
    names = [row["name"] for row in rows if row["class"] == "Q" and row["type/scale"] != "X"]
    response, expected = {"id": "3", "submitdate": "2026-01-01"}, {}
    for number, name in enumerate(block.trials):
        choice, option, texts = given_to(study, trials[name], number)
        closed = {"choice": choice, "option": option}
        own = {f"t{name}{part}": f"A{place}" for part, place in closed.items() if place is not None}
        own |= {f"t{name}text{at}": said for at, said in enumerate(texts)}
        response |= own
        expected["limesurvey-3", name] = (choice, option, texts)
    assert set(response) - {"id", "submitdate"} == set(names)
    with (tmp_path / "results.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(response))
        writer.writeheader()
        writer.writerow(response)
        writer.writerow(dict.fromkeys(response, "") | {"id": "4"})
    assert found(study, tmp_path / "results.csv") == (expected, {block.id})


def test_jspsych(tmp_path):
    for kind in KINDS:
        study = study_of(kind)
        block, trials = study.blocks[0], study.by_id()
        rows, expected = [{"trial_type": "preload"}], {}
        for number, name in enumerate(block.trials):
            trial = trials[name]
            choice, option, texts = given_to(study, trial, number)
            response = {f"text{at}": said for at, said in enumerate(texts)}
            response |= {"choice": str(choice)} if choice is not None else {}
            response |= {"option": str(option)} if option is not None else {}
            panels = list(range(len(trial.panels)))[::-1]
            told = {"choose": trial.form.choose, "texts": len(texts), "panels": panels, "place": number}
            shared = {"participant": "p", "block": block.id, "trial": name, "rt": 1234.6}
            rows.append({**shared, **told, "response": response})
            expected["p", name] = (choice, option, texts)
        (tmp_path / f"{kind}.json").write_text(json.dumps(rows))
        assert found(study, tmp_path / f"{kind}.json") == (expected, {block.id})
        table = read_answers(tmp_path / f"{kind}.json", study)
        assert set(table["ms"]) == {1235}
        if trials[block.trials[0]].form.choose:
            last = len(trials[block.trials[0]].panels) - 1
            assert np.array_equal(table["position"], last - table["choice"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{}"),
        ("a.json", "[1]"),
        ("a.json", '[{"trial": "x"}]'),
        ("a.json", '[{"annotations": [{}], "data": {}}]'),
        ("a.json", "{"),
        ("a.csv", "id,other\n1,2\n"),
        ("a.csv", ""),
        ("a.parquet", "x"),
    ],
)
def test_mangled_files_are_refused_by_name(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(EvoscopeError, match=name):
        read_answers(tmp_path / name, study_of("image_intruder"))
