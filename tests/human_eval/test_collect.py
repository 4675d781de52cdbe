import base64
import dataclasses
import json
import time
from io import BytesIO, StringIO

import pandas as pd
import pytest
from starlette.testclient import TestClient

from evoscope.errors import EvoscopeError
from human_eval.__main__ import main
from human_eval.answers import Answers, Dealing
from human_eval.collect import Offer, Throttle, application, keys_of, read_offers, studies_in
from human_eval.design import Blocking, Options, design, save_study, synthetic_concepts
from human_eval.export import Completion
from human_eval.texts import read_texts

SIZES = Options(blocking=Blocking(blocks=3, size=12, practice=1, catch=1, repeats=1))
STUDY = design("image_intruder", synthetic_concepts(0, side=4), 0, "corrected", SIZES)
OTHER = design("concept_naming", synthetic_concepts(0, side=4), 0, "corrected", SIZES)
OFFER = Offer(STUDY, read_texts(), Completion("C0DE"))
AT = "/image_intruder"
PID = {"PROLIFIC_PID": "5f1e0000000000000000000a", "STUDY_ID": "study-of-them", "SESSION_ID": "session-of-them"}


@pytest.fixture
def answers(tmp_path):
    return Answers(tmp_path / "a.sqlite", keys_of([OFFER]))


def client_of(answers, dealing=None, offers=(OFFER,), address="192.0.2.1"):
    app = application(offers, answers, "secret", dealing)
    return TestClient(app, follow_redirects=False, client=(address, 1))


@pytest.fixture
def client(answers):
    return client_of(answers, address="127.0.0.1")


def joined(client, ids=None, **more):
    return client.post(f"{AT}/consent", json={"ids": ids or {}, **more})


def answer(seat, number=0):
    name, panels = seat["plan"][number]
    fixed = {"texts": [], "option": None, "ms": 900, "resumed": False}
    who = {"participant": seat["participant"], "block": seat["block"]}
    return {**who, "trial": name, "place": number, "choice": panels[0], "position": 0, **fixed}


def answer_all(client, seat):
    for number in range(len(seat["plan"])):
        assert client.post(f"{AT}/answers", json=answer(seat, number)).status_code in (200, 201)


def finished(client, seat, **more):
    answer_all(client, seat)
    return client.post(f"{AT}/finish", json={"participant": seat["participant"], **more})


def dump(path):
    return "\n".join(Answers(path).connection.iterdump())


def test_nobody_joins_by_looking(client, answers):
    link = f"{AT}?PROLIFIC_PID=a&SESSION_ID=b"
    for method in ("GET", "HEAD"):
        assert client.request(method, link).status_code == 200
    assert client.get(link, headers={"Purpose": "prefetch"}).status_code == 200
    assert client.get("/?PROLIFIC_PID=a").headers["location"] == "image_intruder?PROLIFIC_PID=a"
    assert client.get(f"{AT}/consent").status_code == 405
    assert len(answers.people()) == 0
    assert "<!doctype html>" in client.get(link).text


def test_the_same_id_is_the_same_participant_where_they_were(client, answers):
    first = joined(client, PID).json()
    for number in range(3):
        client.post(f"{AT}/answers", json=answer(first, number))
    again = [joined(client, {**PID, "SESSION_ID": name}).json() for name in "abcde"]
    assert {(seat["participant"], seat["block"]) for seat in again} == {(first["participant"], first["block"])}
    assert all(seat["plan"] == first["plan"] for seat in again)
    assert again[0]["answered"] == [name for name, _ in first["plan"][:3]]
    assert len(answers.people()) == 1
    anonymous = joined(client).json()
    assert joined(client, participant=anonymous["participant"]).json()["block"] == anonymous["block"]
    assert joined(client).json()["participant"] != anonymous["participant"]
    unfilled = {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"}
    assert len({joined(client, unfilled).json()["participant"] for _ in range(2)}) == 2


def test_raw_ids_are_in_the_database_only(client, answers, tmp_path):
    consent = {"version": "abc", "at": "2026-01-01T00:00:00Z"}
    device = {"width": 390, "height": 844, "agent": "x", "nested": [1]}
    seat = joined(client, PID, consent=consent, device=device).json()
    assert finished(client, seat, remark="=nice").json()["completion"]["code"] == "C0DE"
    assert PID["PROLIFIC_PID"] in dump(tmp_path / "a.sqlite")
    (row,) = answers.people().to_dict("records")
    assert (row["consent_version"], row["consent_at"]) == ("abc", "2026-01-01T00:00:00Z")
    assert (row["device_width"], row["device_height"]) == (390, 844)
    assert (row["status"], row["remark"]) == ("finished", "=nice")
    assert row["minutes"] >= 0
    public = answers.people().to_csv() + answers.table().to_csv()
    assert not any(value in public for value in PID.values())
    (name,) = set(answers.table()["participant"])
    assert name not in (seat["participant"], PID["PROLIFIC_PID"])
    assert not any(value in client.get(AT).text + json.dumps(seat) for value in ("C0DE", *PID.values()))


def test_ids_in_the_address_of_the_post_are_kept_too(client, tmp_path):
    query = "&".join(f"{name}={value}" for name, value in PID.items())
    seat = client.post(f"{AT}/consent?{query}").json()
    assert set(seat) >= {"participant", "block"}
    assert PID["PROLIFIC_PID"] in dump(tmp_path / "a.sqlite")


def test_blocks_are_dealt_by_who_finished(answers, client):
    seats = [joined(client).json() for _ in range(30)]
    assert pd.Series([seat["block"] for seat in seats]).value_counts().tolist() == [10, 10, 10]
    # Those who never came back hold no place once their time is over.
    answers.connection.execute("UPDATE participants SET seen = 0")
    block = seats[0]["block"]
    kept = [seat for seat in seats if seat["block"] == block][:2]
    for seat in kept:
        finished(client, seat)
    answers.connection.execute("UPDATE participants SET seen = 0")
    assert [joined(client).json()["block"] == block for _ in range(4)] == [False] * 4


def test_a_quota_closes_the_study(answers):
    client = client_of(answers, Dealing(quota=1))
    seats = [joined(client).json() for _ in range(3)]
    assert len({seat["block"] for seat in seats}) == 3
    full = joined(client)
    assert (full.status_code, full.json()["reason"]) == (409, "full")
    assert joined(client, participant=seats[0]["participant"]).status_code == 200


def test_an_answer_is_kept_once_and_the_first_one_counts(client, answers):
    given = answer(joined(client).json())
    assert [client.post(f"{AT}/answers", json=given).status_code for _ in range(2)] == [201, 200]
    other = client.post(f"{AT}/answers", json={**given, "choice": (given["choice"] + 1) % 5})
    assert (other.status_code, other.json()) == (409, {"outcome": "other"})
    row = answers.table().iloc[0]
    assert len(answers.table()) == 1
    assert (row["trial"], row["choice"], row["ms"], row["texts"]) == (given["trial"], given["choice"], 900, [])


def test_pictures_that_were_not_shown_are_no_answer(client, answers):
    given = answer(joined(client).json())
    for field in ("choice", "position"):
        wrong = {**given, "missing": 3, "failures": 9}
        assert client.post(f"{AT}/answers", json={**wrong, field: 0}).status_code == 422
    lost = {**given, "missing": 3, "failures": 9, "choice": None, "position": None}
    assert client.post(f"{AT}/answers", json=lost).status_code == 201
    assert answers.people()["picture_failures"].tolist() == [9]


BAD = {
    "choice": [5, -1, True, 1.0, "1", None, 10**30, [1]],
    "position": [5, "x", 0.5],
    "option": [0, "x"],
    "texts": [["x"], None, "x"],
    "ms": [-1, 1.5, None, 10**12, "9"],
    "place": [-1, None],
    "missing": [-1, "x"],
    "resumed": [1, None],
    "trial": ["", "nothing", None, 3, "x" * 300],
    "block": ["", "nothing", None, [1]],
    "participant": [None, 3, "\ud800", "x" * 300],
    "more": [1],
}


def test_malformed_answers_are_refused(client, answers):
    given = answer(joined(client).json())
    for field, values in BAD.items():
        for value in values:
            reply = client.post(f"{AT}/answers", content=json.dumps({**given, field: value}))
            assert 400 <= reply.status_code < 500, (field, value)
    assert len(answers.table()) == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"\xff", b"[" * 9000, b'{"a":1}', b"x" * 20_000])
@pytest.mark.parametrize("path", ["answers", "finish", "stop", "colours"])
def test_what_is_no_answer_is_refused(body, path, client):
    status = client.post(f"{AT}/{path}", content=body).status_code
    assert status == 413 if len(body) > 16_384 else status in (400, 422)


def test_strangers_and_those_who_left_are_told_so_for_good(client, answers):
    seats = [joined(client, {"PROLIFIC_PID": str(n)}).json() for n in range(2)]
    foreign = client.post(f"{AT}/answers", json={**answer(seats[0]), "participant": "0" * 32})
    assert (foreign.status_code, foreign.json()["reason"]) == (404, "unknown")
    other = next(block.id for block in STUDY.blocks if block.id != seats[0]["block"])
    assert client.post(f"{AT}/answers", json={**answer(seats[0]), "block": other}).status_code in (404, 422)
    for seat, how in zip(seats, ("stopped", "withdrawn"), strict=True):
        client.post(f"{AT}/answers", json=answer(seat))
        assert client.post(f"{AT}/stop", json={"participant": seat["participant"], "how": how}).status_code == 200
        late = client.post(f"{AT}/answers", json=answer(seat, 1))
        assert (late.status_code, late.json()["reason"]) == (410, how)
        assert client.post(f"{AT}/finish", json={"participant": seat["participant"]}).status_code == 410
    again = [joined(client, {"PROLIFIC_PID": str(n)}) for n in range(2)]
    assert [reply.json()["reason"] for reply in again] == ["stopped", "withdrawn"]
    assert len(answers.table()) == 1


def test_the_code_is_given_to_those_who_answered(client):
    seat = joined(client, PID).json()
    early = client.post(f"{AT}/finish", json={"participant": seat["participant"]})
    assert early.status_code == 409
    assert "C0DE" not in early.text
    done = finished(client, seat).json()["completion"]
    assert done == {"code": "C0DE", "url": "https://app.prolific.com/submissions/complete?cc=C0DE"}
    assert joined(client, PID).json()["completion"] == done
    assert finished(client, joined(client).json()).json()["completion"]["url"] == ""


def test_whom_to_pay_and_whom_to_return(client, answers, tmp_path):
    names = ("done", "stops", "silent", "busy")
    seats = {name: joined(client, {"PROLIFIC_PID": name, "SESSION_ID": f"s-{name}"}).json() for name in names}
    finished(client, seats["done"], remark="=1+1")
    client.post(f"{AT}/stop", json={"participant": seats["stops"]["participant"], "how": "stopped"})
    answers.connection.execute("UPDATE participants SET seen = 0 WHERE person = 'silent'")
    joined(client)
    answers.close()
    assert main(["payments", str(tmp_path / "out"), "--database", str(tmp_path / "a.sqlite")]) == 0
    read = {name: pd.read_csv(tmp_path / "out" / f"{name}.csv") for name in ("approve", "return", "participants")}
    assert read["approve"]["PROLIFIC_PID"].tolist() == ["done"]
    assert read["approve"]["SESSION_ID"].tolist() == ["s-done"]
    assert read["approve"]["remark"].tolist() == ["'=1+1"]
    assert read["return"]["PROLIFIC_PID"].tolist() == ["stops", "silent"]
    assert not any(f"s-{name}" in (tmp_path / "out" / "participants.csv").read_text() for name in names)


def test_nobody_reads_answers_without_the_token(client):
    client.post(f"{AT}/answers", json=answer(joined(client, PID).json()))
    wrong = base64.b64encode(b"admin:wrong").decode()
    for path in ("/admin", "/admin/answers.parquet", "/admin/approve.csv"):
        assert client.get(path).status_code == 401
        for given in ("Basic x", "Bearer secret", f"Basic {wrong}", "Basic é"):
            assert client.get(path, headers={"Authorization": given.encode("latin1")}).status_code == 401
    assert client.get(f"{AT}/answers").status_code == 405
    admin = {"auth": ("admin", "secret")}
    assert len(pd.read_parquet(BytesIO(client.get("/admin/answers.parquet", **admin).content))) == 1
    assert "Progress" in client.get("/admin", **admin).text
    assert len(pd.read_csv(StringIO(client.get("/admin/participants.csv", **admin).text))) == 1
    assert client.get("/admin/other.csv", **admin).status_code == 404


@pytest.mark.parametrize("dealing", [Dealing(pilot=True), Dealing(simulated=True)])
def test_pilots_and_simulated_participants_are_apart(dealing, answers, client):
    apart = client_of(answers, dealing)
    seat = joined(apart, PID).json()
    assert finished(apart, seat).status_code == 200
    person = joined(client, PID).json()
    assert person["participant"] != seat["participant"]
    client.post(f"{AT}/answers", json=answer(person))
    table = answers.table()
    if dealing.pilot:
        assert len(table) == 1
        assert "banner" in apart.get(AT).text.split("</style>")[1]
        assert answers.pilot_minutes("image_intruder", 1) is not None
    else:
        assert table["simulated"].sum() == len(seat["plan"])
    assert 'class="banner"' not in client.get(AT).text


def test_the_pilot_tells_how_long_it_takes(answers):
    pilot = client_of(answers, Dealing(pilot=True))
    assert "by our estimate" in client_of(answers).get(AT).text
    for _ in range(3):
        finished(pilot, joined(pilot).json())
    answers.connection.execute("UPDATE participants SET ended = joined + 420")
    page = client_of(answers).get(AT).text
    assert "about 7 minutes." in page
    assert "by our estimate" not in page


def test_only_pictures_of_the_study_are_served(client):
    seat = joined(client).json()
    for trial in seat["trials"]:
        for file in trial["panels"]:
            found = client.get(f"{AT}/{file}")
            assert (found.status_code, found.headers["content-type"]) == (200, "image/webp")
    for path in ("key.json", "pictures/key.json", "pictures/..%2fkey.json", "completion.json"):
        assert client.get(f"{AT}/{path}").status_code == 404


def test_withdrawal_leaves_no_trace(client, answers, tmp_path):
    gone, kept = joined(client, PID).json(), joined(client).json()
    for seat in (gone, kept):
        client.post(f"{AT}/answers", json=answer(seat))
    hashed = answers.table()["participant"].tolist()
    assert answers.withdraw(next(name for name in hashed if name != kept["participant"])) == 1
    assert answers.table()["participant"].tolist() == [kept["participant"]]
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(name.encode() in written for name in (gone["participant"], PID["PROLIFIC_PID"]))
    assert kept["participant"].encode() in written
    with pytest.raises(EvoscopeError, match="nobody"):
        answers.withdraw(gone["participant"])


def test_a_database_of_another_study_or_version_or_another_file_is_refused(answers, tmp_path):
    with pytest.raises(EvoscopeError, match="another study"):
        Answers(tmp_path / "a.sqlite", {"image_intruder": "other"})
    answers.connection.execute("PRAGMA user_version=1")
    with pytest.raises(EvoscopeError, match="another version"):
        Answers(tmp_path / "a.sqlite")
    (tmp_path / "b").write_text("no database at all, but long enough to be looked at" * 20)
    with pytest.raises(EvoscopeError, match="no database"):
        Answers(tmp_path / "b", {"k": "k"})


def test_several_studies_have_one_address_and_one_file(tmp_path):
    offers = [OFFER, Offer(OTHER, read_texts(), Completion("E1SE"))]
    answers = Answers(tmp_path / "b.sqlite", keys_of(offers))
    client = client_of(answers, offers=offers)
    assert client.get("/").status_code == 404
    assert client.get("/concept_naming").status_code == 200
    one, two = joined(client, PID).json(), client.post("/concept_naming/consent", json={"ids": PID}).json()
    assert one["participant"] != two["participant"]
    client.post(f"{AT}/answers", json=answer(one))
    fitting = {"texts": ["x"], "choice": None, "position": None}
    client.post("/concept_naming/answers", json={**answer(two), **fitting})
    assert len(answers.table()) == 2
    assert len(answers.table("image_intruder")) == 1
    assert client.post("/concept_naming/answers", json=answer(one)).status_code == 404


def test_an_address_that_posts_too_often_waits(answers):
    app = application([OFFER], answers, "secret", throttle=Throttle(3))
    client = TestClient(app, client=("192.0.2.1", 1))
    statuses = [client.post(f"{AT}/answers", json={}).status_code for _ in range(4)]
    assert statuses == [422, 422, 422, 429]
    assert client.get(AT).status_code == 200
    patient = Throttle(1, 0.01)
    assert [patient.admits("a"), patient.admits("a"), patient.admits("127.0.0.1")] == [True, False, True]
    time.sleep(0.02)
    assert patient.admits("a")


def served(folder, study, name):
    at = folder / name
    save_study(study, at)
    return at


def test_what_can_be_served(tmp_path):
    one, two = served(tmp_path, STUDY, "one"), served(tmp_path, OTHER, "two")
    assert studies_in(tmp_path) == [one, two]
    assert studies_in(one) == [one]
    texts = {one: read_texts(), two: read_texts()}
    with pytest.raises(EvoscopeError, match="NAME of the responsible"):
        read_offers([one], texts, None, pilot=False)
    assert [offer.slug for offer in read_offers([one, two], texts, None, pilot=True)] == [
        "image_intruder", "concept_naming",
    ]  # fmt: skip
    edited = dataclasses.replace(read_texts(), consent="Write to us: lab@uni.test")
    (offer,) = read_offers([one], {one: edited}, "https://x.test/?c={code}", pilot=False)
    assert offer.completion.address(prolific=False).endswith(f"?c={offer.completion.code}")
    assert read_offers([one], {one: edited}, None, pilot=False)[0].completion.code == offer.completion.code
    codes = {Completion.of(at).code for at in (one, two)}
    assert len(codes) == 2
    with pytest.raises(EvoscopeError, match="one name"):
        read_offers([one, one], texts, None, pilot=True)


def test_pages_that_post_nowhere_are_not_served(tmp_path, capsys):
    (tmp_path / "pages" / "b").mkdir(parents=True)
    (tmp_path / "pages" / "b" / "index.html").write_text("x")
    for folder, said in (("pages", "post to no server"), ("nothing", "holds no study")):
        assert main(["serve", str(tmp_path / folder), "--database", str(tmp_path / "a.sqlite")]) == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "a.sqlite").exists()
