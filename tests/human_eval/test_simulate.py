"""Simulated participants through the whole chain: what is planted is found, and nothing is called human."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from starlette.testclient import TestClient

from benchmarks import studies
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from human_eval.__main__ import main
from human_eval.analyse.accuracy import accuracy
from human_eval.analyse.answers import exclusions, read_answers, tidy
from human_eval.analyse.report import analyse, write_report
from human_eval.answers import Answers, Dealing
from human_eval.collect import Offer, application, keys_of
from human_eval.design import Alignability, Blocking, Options, design, save_study, synthetic_concepts, synthetic_neurons
from human_eval.export import Completion
from human_eval.simulate import FAST, OBSERVERS, PERFECT, Embedding, Sided, Skilled, one_participant, simulate
from human_eval.texts import read_texts

SETS = Alignability(patches=1, sets=(("base_model", 12), ("random", 6)))
CONCEPTS = synthetic_concepts(0, side=16)
STUDIES = {
    "alignability": design(
        "alignability", synthetic_neurons(0, side=8), 0, "corrected", Options(SETS, blocking=Blocking(2))
    ),
    "image_intruder": design("image_intruder", CONCEPTS, 0, "corrected", Options(blocking=Blocking(2, 18))),
}


@pytest.mark.parametrize(("kind", "chance"), [("alignability", 1 / 6), ("image_intruder", 1 / 5)])
def test_random_observers_are_at_chance(kind, chance):
    study = STUDIES[kind]
    found = accuracy(tidy(study, simulate(study, {"random": 150}, 0)))
    share = float((found["accuracy"] * found["answers"]).sum() / found["answers"].sum())
    error = (chance * (1 - chance) / found["answers"].sum()) ** 0.5
    assert abs(share - chance) < 4 * error < 0.05
    assert found["chance"].to_numpy() == pytest.approx(chance)


def test_perfect_observers_are_right_and_sided_ones_keep_their_side():
    study = STUDIES["image_intruder"]
    every = tidy(study, simulate(study, {"perfect": 2}, 0))
    assert every["right"].all()
    sided = simulate(study, {"sided": 20}, 0)
    assert (sided["choice"] == 0).mean() == pytest.approx(0.92, abs=0.05)


def through_the_server(study, folder, people):
    """Let observers join, answer what is rendered and be collected; the answers as the admin exports them."""
    offer = Offer(study, read_texts(), Completion("C0DE"))
    answers = Answers(folder / "a.sqlite", keys_of([offer]))
    blocks, trials, planted = {block.id: block for block in study.blocks}, study.by_id(), {}
    app, at = application([offer], answers, "t", Dealing(simulated=True)), f"/{offer.slug}"
    with TestClient(app, client=("127.0.0.1", 1)) as client:
        for number, (name, observer) in enumerate(people):
            seat = client.post(f"{at}/consent", json={}).json()
            who, block = seat["participant"], blocks[seat["block"]]
            planted[who] = name
            for given in one_participant(observer, block, trials, generator(number, "test")):
                sent = client.post(f"{at}/answers", json={"participant": who, **given})
                assert sent.status_code == 201
        exported = client.get("/admin/answers.parquet", auth=("admin", "t")).content
    (folder / "answers.parquet").write_bytes(exported)
    answers.close()
    return read_answers(folder / "answers.parquet", study), planted


PLANTED = {"svd": 0.95, "neuron": 0.6, "random": 0.3}


def test_planted_effects_and_bad_raters_are_found():
    study, skilled = STUDIES["image_intruder"], Skilled(PLANTED, careful=1.0)
    tables = analyse(study, simulate(study, {"skilled": 50, "random": 8, "sided": 4, "fast": 4}, 0, skilled))
    rows = tables["exclusions"]
    gone = rows["excluded"].groupby(rows["participant"].str.split("-").str[1]).mean()
    assert gone["skilled"] <= 0.05
    assert gone["random"] >= 0.8
    assert gone["fast"] == gone["sided"] == 1
    found = tables["accuracy"].set_index("condition")["accuracy"]
    for condition, share in PLANTED.items():
        assert found[condition] == pytest.approx(share, abs=0.08)


def test_from_design_to_analysis_through_the_server(tmp_path):
    study = STUDIES["image_intruder"]
    people = [("skilled", Skilled({"svd": 1.0}, otherwise=0.3, careful=1.0))] * 5
    people += [("sided", Sided()), ("fast", FAST)]
    answers, names = through_the_server(study, tmp_path, people)
    tables = analyse(study, answers)
    gone = tables["exclusions"].set_index("participant")["excluded"].groupby(names).all()
    assert gone[["sided", "fast"]].all()
    assert not gone["skilled"]
    found = tables["accuracy"].set_index("condition")["accuracy"]
    assert found["svd"] == 1 > found["neuron"]
    everything_is_labelled(tables, tmp_path)


def everything_is_labelled(tables, folder):
    assert all((table["data"] == "simulated").all() for table in tables.values())
    for path in write_report(tables, folder / "report"):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            assert (pd.read_parquet(path)["data"] == "simulated").all()
        elif path.suffix == ".csv":
            assert all(line.endswith(b",simulated") for line in content.splitlines()[1:])
        elif path.suffix == ".png":
            assert Image.open(BytesIO(content)).text["Description"] == "SIMULATED participants, not people"
        else:
            assert b"SIMULATED participants, not people</p>" in content


def test_simulated_participants_are_left_out_where_there_are_people():
    study = STUDIES["alignability"]
    answers = simulate(study, {"perfect": 2, "random": 2}, 0)
    answers["simulated"] = answers["participant"].str.contains("random")
    tables = analyse(study, answers)
    assert len(tables["exclusions"]) == 2
    assert (tables["accuracy"]["data"] == "people").all()
    left_out = tables["about"].set_index("what").loc["answers of simulated participants left out", "value"]
    assert int(left_out) == answers["simulated"].sum()


def test_the_embedding_observer_sees_odd_pictures_without_the_key():
    study = STUDIES["image_intruder"]
    found = accuracy(tidy(study, simulate(study, {"embedding": 10}, 0))).set_index("condition")["accuracy"]
    assert found["svd"] > 0.6 > 0.35 > found["random"]
    blind = Embedding(study, np.ones((len(study.pictures), 3)))
    answers = [
        {"participant": f"p{n}", **given, "simulated": True}
        for n in range(60)
        for given in one_participant(blind, study.blocks[0], study.by_id(), generator(n, "blind"))
    ]
    (share,) = {round(accuracy(tidy(study, pd.DataFrame(answers)))["accuracy"].mean(), 6)}
    assert share == pytest.approx(0.2, abs=0.05)
    with pytest.raises(EvoscopeError, match="features"):
        Embedding(study, np.ones((1, 3)))


@pytest.mark.parametrize("kind", ["evolution_label", "pairwise_coherence", "label_agreement", "concept_naming"])
def test_every_observer_answers_every_kind(kind):
    pool = synthetic_neurons(0, side=4) if kind in ("evolution_label", "pairwise_coherence") else CONCEPTS
    study = design(kind, pool, 0, "corrected", Options(count=3, blocking=Blocking(1, 4)))
    answers = simulate(study, dict.fromkeys(OBSERVERS, 2), 0)
    pd.testing.assert_frame_equal(answers, simulate(study, dict.fromkeys(OBSERVERS, 2), 0))
    every = tidy(study, answers)
    gone = exclusions(study, every).set_index("participant")["excluded"]
    assert not gone[["simulated-perfect-0000", "simulated-embedding-0000"]].any()
    assert gone["simulated-fast-0000"]
    assert len(every) == 2 * len(OBSERVERS) * len(study.blocks[0].trials)


@pytest.mark.slow
@pytest.mark.parametrize("people", [40, 260])
@pytest.mark.parametrize("item_sd", [0, 1])
def test_the_interval_covers_in_92_to_98_percent_of_1000_studies(people, item_sd):
    covered, false = studies.coverage(1000, people, item_sd)
    assert 0.92 <= covered <= 0.98
    assert false <= 0.07


@pytest.mark.slow
def test_10000_participants_are_analysed_within_a_minute():
    _, seconds, answers = studies.timed(10_000)
    assert answers > 200_000
    assert seconds < 60


def test_from_the_command_line(tmp_path, capsys):
    save_study(STUDIES["alignability"], tmp_path / "study")
    where = [str(tmp_path / "study"), str(tmp_path / "a.parquet")]
    assert main(["simulate", *where, "--observers", "skilled=4", "fast=1"]) == 0
    assert "no people" in capsys.readouterr().out
    assert main(["analyse", *where, str(tmp_path / "report"), "--label-embedding", "characters"]) == 0
    assert "5 simulated participants (no people), 1 excluded" in capsys.readouterr().out
    for wrong in ("skilled", "skilled=x", "flying=3"):
        assert main(["simulate", *where, "--observers", wrong]) == 1
    assert main(["simulate", *where, "--accuracy", "2"]) == 1
    assert main(["analyse", *where, str(tmp_path / "r"), "--label-embedding", str(tmp_path / "no.txt")]) in (0, 1)
    assert PERFECT.otherwise == 1
