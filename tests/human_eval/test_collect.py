import base64
import json
from io import BytesIO

import httpx
import pandas as pd
import pytest
from starlette.testclient import TestClient

from evoscope.errors import EvoscopeError
from human_eval.__main__ import main
from human_eval.answers import Answers
from human_eval.collect import Pages, application
from human_eval.design import Blocking, Options, design, synthetic_concepts
from human_eval.render import RenderOptions, render_study

SIZES = Options(blocking=Blocking(blocks=3, size=12, practice=1, catch=1, repeats=1))
STUDY = design("image_intruder", synthetic_concepts(0, side=4), 0, "corrected", SIZES)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    render_study(STUDY, folder, RenderOptions(post="/answers"))
    return Pages.read(folder)


@pytest.fixture
def answers(pages, tmp_path):
    return Answers(tmp_path / "a.sqlite", pages.key)


@pytest.fixture
def client(pages, answers):
    return TestClient(application(pages, answers, "secret"), follow_redirects=False)


def joined(client):
    url = httpx.URL(client.get("/").headers["location"])
    return url.params["participant"], url.path.split("/")[1]


def answer(pages, who, block, number=0):
    trial = list(pages.trials[block])[number]
    fixed = {"texts": [], "option": None, "ms": 900, "resumed": False}
    return {
        "participant": who,
        "block": block,
        "trial": trial,
        "place": number,
        "choice": number % 5,
        **fixed,
    }


def test_blocks_are_joined_evenly_and_their_pages_are_served(client):
    found = [joined(client) for _ in range(30)]
    assert pd.Series([block for _, block in found]).value_counts().tolist() == [10, 10, 10]
    assert len({who for who, _ in found}) == 30
    assert "<!doctype html>" in client.get(f"/blocks/{found[0][1]}/index.html").text


def test_an_answer_is_kept_once_and_the_first_one_counts(client, pages, answers):
    given = answer(pages, *joined(client))
    assert [client.post("/answers", json=given).status_code for _ in range(2)] == [201, 200]
    assert client.post("/answers", json={**given, "choice": 4}).status_code == 409
    row = answers.table().iloc[0]
    assert len(answers.table()) == 1
    assert (row["trial"], row["choice"], row["ms"], row["texts"]) == (given["trial"], 0, 900, [])


BAD = {
    "choice": [5, -1, True, 1.0, "1", None, 10**30, [1]],
    "option": [0, "x"],
    "texts": [["x"], None, "x"],
    "ms": [-1, 1.5, None, 10**12, "9"],
    "place": [-1, None],
    "resumed": [1, None],
    "trial": ["", "nothing", None, 3, "x" * 300],
    "block": ["", "nothing", None, [1]],
    "participant": [None, 3, "\ud800", "x" * 300],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in BAD.items() for value in values]
)
def test_malformed_answers_are_refused(field, value, client, pages, answers):
    given = {**answer(pages, *joined(client)), field: value}
    assert 400 <= client.post("/answers", content=json.dumps(given)).status_code < 500
    assert len(answers.table()) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 9000, b'{"a":1}', b"x" * 20_000])
def test_what_is_no_answer_is_refused(body, client):
    status = client.post("/answers", content=body).status_code
    assert status == 413 if len(body) > 16_384 else status in (400, 422)


def test_strangers_and_answers_to_another_block_are_refused(client, pages):
    who, block = joined(client)
    other = next(name for name in pages.trials if name != block)
    assert client.post("/answers", json=answer(pages, "0" * 32, block)).status_code == 404
    assert client.post("/answers", json=answer(pages, who, other)).status_code == 404


def test_nobody_reads_answers_without_the_token(client, pages):
    client.post("/answers", json=answer(pages, *joined(client)))
    for path in ("/admin", "/admin/answers.parquet"):
        assert client.get(path).status_code == 401
        for given in (
            "Basic x",
            "Bearer secret",
            "Basic " + base64.b64encode(b"admin:wrong").decode(),
            "Basic é",
        ):
            assert client.get(path, headers={"Authorization": given.encode("latin1")}).status_code == 401
    assert client.get("/answers").status_code == 405
    assert client.get("/blocks/../a.sqlite").status_code == 404
    read = client.get("/admin/answers.parquet", auth=("admin", "secret"))
    assert len(pd.read_parquet(BytesIO(read.content))) == 1
    assert "Progress" in client.get("/admin", auth=("admin", "secret")).text


def test_pilots_are_left_out_and_do_not_unbalance(pages, answers):
    pilot = TestClient(application(pages, answers, "t", pilot=True), follow_redirects=False)
    pilot.post("/answers", json=answer(pages, *joined(pilot)))
    assert len(answers.table()) == 0
    assert len(answers.table(pilots=True)) == 1
    assert answers.progress()["answers"].sum() == 1


def test_simulated_participants_are_marked_and_do_not_unbalance(pages, answers, client):
    unreal = TestClient(application(pages, answers, "t", simulated=True), follow_redirects=False)
    marked = {joined(unreal)[0] for _ in range(2)}
    person, _ = joined(client)
    for who in (*marked, person):
        mine = answers.connection.execute("SELECT block FROM participants WHERE id = ?", (who,)).fetchone()[0]
        client.post("/answers", json=answer(pages, who, mine))
    table = answers.table()
    assert set(table.loc[table["simulated"], "participant"]) == marked
    assert set(table.loc[~table["simulated"], "participant"]) == {person}


def test_a_file_from_before_there_were_simulated_participants_goes_on(pages, tmp_path):
    first = Answers(tmp_path / "old.sqlite", pages.key)
    first.connection.execute("ALTER TABLE participants DROP COLUMN simulated")
    first.close()
    again = Answers(tmp_path / "old.sqlite", pages.key)
    who, block = again.join(sorted(pages.trials))
    assert again.add(answer(pages, who, block)) == "stored"
    assert again.table()["simulated"].tolist() == [False]


def test_only_the_blocks_are_served(client, pages):
    block = next(iter(pages.folders))
    beside = pages.folders[block].parent / "key.json"
    beside.write_text("secret")
    assert client.get(f"/blocks/{block}/study.json").status_code == 200
    for path in (
        "/blocks/key.json",
        f"/blocks/{block}/../key.json",
        f"/blocks/{block}/%2e%2e/key.json",
        "/key.json",
    ):
        found = client.get(path)
        assert found.status_code == 404
        assert "secret" not in found.text


def test_answers_are_not_kept_where_everybody_can_read_them(pages, capsys):
    folder = next(iter(pages.folders.values())).parent
    assert main(["serve", str(folder), "--database", str(folder / "a.sqlite")]) == 1
    assert "everybody can read" in capsys.readouterr().err
    assert not (folder / "a.sqlite").exists()


def test_withdrawal_leaves_no_trace(client, pages, answers, tmp_path):
    who, block = joined(client)
    keep = joined(client)
    client.post("/answers", json=answer(pages, who, block))
    client.post("/answers", json=answer(pages, *keep))
    assert answers.withdraw(who) == 1
    assert answers.table()["participant"].tolist() == [keep[0]]
    assert not any(who.encode() in path.read_bytes() for path in tmp_path.iterdir())
    assert any(keep[0].encode() in path.read_bytes() for path in tmp_path.iterdir())
    with pytest.raises(EvoscopeError, match="nobody"):
        answers.withdraw(who)


def test_a_database_of_another_study_or_another_file_is_refused(answers, tmp_path):
    with pytest.raises(EvoscopeError, match="another study"):
        Answers(tmp_path / "a.sqlite", "other")
    (tmp_path / "b").write_text("no database at all, but long enough to be looked at" * 20)
    with pytest.raises(EvoscopeError, match="no database"):
        Answers(tmp_path / "b", "k")
