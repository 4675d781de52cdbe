import json

import pandas as pd
import pytest

from evoscope import artefacts
from human_eval.__main__ import main
from human_eval.analyse.answers import COLUMNS
from human_eval.answers import Answers, Arrival, Dealing
from human_eval.design import NeuronPool, load_study, synthetic_neurons


def run(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture
def designed(tmp_path):
    small = ("--blocks", 2, "--block-size", 4, "--pictures", 1)
    assert run("design", "image_intruder", tmp_path / "study", *small) == 0
    return tmp_path / "study"


def test_from_design_to_analysis(designed, tmp_path, capsys):
    study = load_study(designed)
    answers = Answers(tmp_path / "a.sqlite", {"image_intruder": "k"})
    seat = answers.join(
        "image_intruder", [block.id for block in study.blocks], Arrival({"PROLIFIC_PID": "raw-id"}), Dealing()
    )
    block = next(block for block in study.blocks if block.id == seat.block)
    for place, name in enumerate(block.trials):
        fixed = {"texts": [], "option": None, "ms": 2000, "resumed": False, "place": place}
        choice = study.by_id()[name].answer
        given = {"participant": seat.participant, "block": seat.block, "trial": name, "choice": choice, **fixed}
        answers.add(given)
    answers.close()
    assert run("analyse", designed, tmp_path / "a.sqlite", tmp_path / "report") == 0
    assert (pd.read_csv(tmp_path / "report" / "accuracy.csv")["accuracy"] == 1).all()
    assert not any(b"raw-id" in path.read_bytes() for path in (tmp_path / "report").iterdir())
    assert run("withdraw", "raw-id", "--database", tmp_path / "a.sqlite") == 0
    assert "answers deleted" in capsys.readouterr().out


def test_pages_are_rendered_with_the_texts_beside_the_study(designed, tmp_path, capsys):
    assert "[[NAME" in (designed / "consent.md").read_text()
    assert run("render", designed, tmp_path / "first") == 0
    assert "fill in '[[NAME" in capsys.readouterr().out
    (designed / "consent.md").write_text("Our own consent.")
    assert run("render", designed, tmp_path / "second") == 0
    pages = list((tmp_path / "second").glob("*/index.html"))
    assert len(pages) == 2
    assert all("Our own consent." in page.read_text() for page in pages)


def test_the_design_writes_its_preregistration(designed):
    """All of AsPredicted's questions, the contrast of the key, the rules, and a line for every column of answers."""
    study = load_study(designed)
    text = (designed / "preregistration.md").read_text()
    assert all(f"**{number}) " in text for number in range(1, 9))
    assert study.primary.text in text
    assert json.loads((designed / "study.json").read_text())["key_sha256"] in text
    assert "fails 2 attention checks or more" in text
    assert "[[NUMBER]] participants of [[PANEL]]" in (designed / "methods.md").read_text()
    book = (designed / "codebook.md").read_text()
    assert all(f"| `{name}` |" in book for name in COLUMNS)


def test_a_database_of_another_study_is_refused(designed, tmp_path, capsys):
    answers = Answers(tmp_path / "b.sqlite", {"other": "k"})
    seat = answers.join("other", ["other-block"], Arrival(), Dealing())
    given = {"trial": "t", "choice": 0, "texts": [], "option": None, "ms": 2000, "resumed": False, "place": 0}
    answers.add({"participant": seat.participant, "block": "other-block", **given})
    answers.close()
    assert run("analyse", designed, tmp_path / "b.sqlite", tmp_path / "report") == 1
    assert "other studies than 'image_intruder'" in capsys.readouterr().err


def test_a_saved_pool_is_read(tmp_path, capsys):
    artefacts.save(synthetic_neurons(0, side=4), tmp_path / "pool")
    assert run("design", "alignability", tmp_path / "s", "--pool", tmp_path / "pool", "--pictures", 1) == 0
    assert "77 trials in 6 blocks" in capsys.readouterr().out
    assert artefacts.load(NeuronPool, tmp_path / "pool").patches.shape[1] == 9


def test_power_and_export(designed, tmp_path, capsys):
    assert run("power", 0.4, "--participants", 5, "--trials", 10) == 0
    assert "participants" in capsys.readouterr().out
    assert run("export", "prolific", designed, tmp_path / "out", "--host", "https://uni.test") == 0
    assert json.loads(capsys.readouterr().out) == [(tmp_path / "out" / "prolific.csv").as_posix()]


@pytest.mark.parametrize(
    "arguments",
    [
        ("render", "nothing", "out"),
        ("analyse", "nothing", "nothing", "out"),
        ("serve", "nothing"),
        ("withdraw", "nobody", "--database", "nothing"),
        ("power", "0.1"),
        ("power", "nan"),
        ("design", "alignability", "out", "--pool", "nothing"),
        ("design", "image_intruder", "out", "--blocks", "0"),
        ("design", "image_intruder", "out", "--items", "60"),
        ("export", "jspsych", "nothing", "out"),
        ("payments", "out", "--database", "nothing"),
    ],
)
def test_bad_input_gets_one_sentence_and_a_status(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    message = capsys.readouterr().err
    assert message.startswith("human_eval: ")
    assert message.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("fly",), ("design", "unknown", "out"), ("power", "x")])
def test_wrong_arguments_are_refused_by_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err
