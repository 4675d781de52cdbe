"""Many participants at once, and a server that is killed while they answer; the loopback only, and bounded."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from human_eval.answers import Answers
from human_eval.design import Blocking, Options, design, save_study, synthetic_concepts
from tests.human_eval.browser import free_port

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

ROOT = Path(__file__).resolve().parents[2]
SIZES = Options(blocking=Blocking(blocks=3, size=8, practice=1, catch=1, repeats=1))
STUDY = design("image_intruder", synthetic_concepts(0, side=4), 0, "corrected", SIZES)
TRIALS = len(STUDY.blocks[0].trials)
PATIENCE = 150  # seconds, for everything


class Killable:
    """The server as a user starts it; ``kill`` is SIGKILL."""

    def __init__(self, study, database, *more):
        self.port, self.where = free_port(), [str(study), "--database", str(database), *more]
        self.address = f"http://127.0.0.1:{self.port}"
        self.errors = database.with_suffix(".err").open("ab")
        self.start()

    def start(self):
        command = [sys.executable, "-m", "human_eval", "serve", *self.where, "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=self.errors, start_new_session=True
        )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=10).close()
                return
            except OSError:
                time.sleep(0.1)
        self.kill()
        raise AssertionError("the server did not start")

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


async def persistently(send, deadline):
    """Send until there is a reply, as the page does; requests are bounded by the deadline."""
    while time.monotonic() < deadline:
        try:
            return await send()
        except httpx.TransportError:
            await asyncio.sleep(0.5)
    raise AssertionError("no reply in time")


async def participant(client, number, acknowledged, deadline):
    ids = {"ids": {"PROLIFIC_PID": f"person-{number}"}}
    reply = await persistently(lambda: client.post("/image_intruder/consent", json=ids), deadline)
    seat = reply.json()
    who = {name: seat[name] for name in ("participant", "block")}
    for place, (trial, panels) in enumerate(seat["plan"]):
        at = (number + place) % 5
        fixed = {"texts": [], "option": None, "ms": 900, "resumed": False, "place": place}
        given = {**who, "trial": trial, "choice": panels[at], "position": at, **fixed}
        send = lambda given=given: client.post("/image_intruder/answers", json=given)  # noqa: E731
        reply = await persistently(send, deadline)
        assert reply.status_code in (200, 201)
        acknowledged.append((number, trial, panels[at]))
    again = (await persistently(lambda: client.post("/image_intruder/consent", json=ids), deadline)).json()
    assert len(again["answered"]) == len(seat["plan"])
    finish = lambda: client.post("/image_intruder/finish", json=who)  # noqa: E731
    assert (await persistently(finish, deadline)).json()["completion"]["code"]


async def interrupted(server, acknowledged, after, deadline):
    while len(acknowledged) < after:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
    server.kill()
    before = len(acknowledged)
    await asyncio.to_thread(server.start)
    return before


async def crowd(server, people):
    acknowledged, deadline = [], time.monotonic() + PATIENCE
    limits = httpx.Limits(max_connections=people, max_keepalive_connections=people)
    timeout = httpx.Timeout(60)
    async with httpx.AsyncClient(base_url=server.address, limits=limits, timeout=timeout, trust_env=False) as client:
        killed = interrupted(server, acknowledged, people * TRIALS // 2, deadline)
        answering = [participant(client, n, acknowledged, deadline) for n in range(people)]
        before, *_ = await asyncio.gather(killed, *answering)
    return acknowledged, before


def dropped(port):
    """A connection that announces a body and is gone before it is sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as lost:
        lost.sendall(b"POST /image_intruder/answers HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{")


@pytest.mark.parametrize("people", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_what_is_acknowledged_is_there_exactly_once_after_a_kill(people, tmp_path):
    save_study(STUDY, tmp_path / "study")
    (tmp_path / "study" / "consent.md").write_text("Write to lab@uni.test.")
    server = Killable(tmp_path / "study", tmp_path / "a.sqlite")
    try:
        acknowledged, before = asyncio.run(crowd(server, people))
        for _ in range(3):
            dropped(server.port)
        time.sleep(0.3)
    finally:
        server.kill()
    answers = Answers(tmp_path / "a.sqlite")
    persons = dict(answers.connection.execute("SELECT id, person FROM participants"))
    rows = answers.connection.execute("SELECT participant, trial, json_extract(body, '$.choice') FROM answers")
    kept = Counter((int(persons[who].removeprefix("person-")), trial, choice) for who, trial, choice in rows)
    assert Counter(acknowledged) == kept
    assert set(kept.values()) == {1}
    assert len(kept) == people * TRIALS > before >= people * TRIALS // 2
    finished = answers.people().groupby("block")["status"].value_counts().unstack()
    assert finished["finished"].sum() == people == len(persons)
    assert finished["finished"].max() - finished["finished"].min() <= 1
    assert b"Traceback" not in (tmp_path / "a.err").read_bytes()
