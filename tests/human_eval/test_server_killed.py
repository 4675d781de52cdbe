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
from human_eval.collect import Pages
from human_eval.design import Blocking, Options, design, synthetic_concepts
from human_eval.render import RenderOptions, render_study
from tests.human_eval.browser import free_port

ROOT = Path(__file__).resolve().parents[2]
SIZES = Options(blocking=Blocking(blocks=3, size=8, practice=1, catch=1, repeats=1))
STUDY = design("image_intruder", synthetic_concepts(0, side=4), 0, "corrected", SIZES)
PATIENCE = 150  # seconds, for everything


class Killable:
    """The server as a user starts it; ``kill`` is SIGKILL."""

    def __init__(self, pages, database):
        self.port, self.where = free_port(), [str(pages), "--database", str(database)]
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        command = [sys.executable, "-m", "human_eval", "serve", *self.where, "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
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


async def participant(client, pages, number, acknowledged, deadline):
    reply = await persistently(lambda: client.get("/"), deadline)
    url = httpx.URL(reply.headers["location"])
    who, block = url.params["participant"], url.path.split("/")[1]
    for place, trial in enumerate(pages.trials[block]):
        choice = (number + place) % 5
        fixed = {"texts": [], "option": None, "ms": 900, "resumed": False, "place": place, "choice": choice}
        given = {"participant": who, "block": block, "trial": trial, **fixed}
        reply = await persistently(lambda given=given: client.post("/answers", json=given), deadline)
        assert reply.status_code in (200, 201)
        acknowledged.append((who, trial, choice))


async def interrupted(server, acknowledged, after, deadline):
    while len(acknowledged) < after:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
    server.kill()
    before = len(acknowledged)
    await asyncio.to_thread(server.start)
    return before


async def crowd(server, pages, people):
    acknowledged, deadline = [], time.monotonic() + PATIENCE
    limits = httpx.Limits(max_connections=people, max_keepalive_connections=people)
    timeout = httpx.Timeout(60)
    async with httpx.AsyncClient(
        base_url=server.address, limits=limits, timeout=timeout, trust_env=False
    ) as client:
        trials = len(next(iter(pages.trials.values())))
        killed = interrupted(server, acknowledged, people * trials // 2, deadline)
        answering = [participant(client, pages, n, acknowledged, deadline) for n in range(people)]
        before, *_ = await asyncio.gather(killed, *answering)
    return acknowledged, before


@pytest.mark.parametrize("people", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_what_is_acknowledged_is_there_exactly_once_after_a_kill(people, tmp_path):
    render_study(STUDY, tmp_path / "pages", RenderOptions(post="/answers"))
    pages = Pages.read(tmp_path / "pages")
    server = Killable(tmp_path / "pages", tmp_path / "a.sqlite")
    try:
        acknowledged, before = asyncio.run(crowd(server, pages, people))
    finally:
        server.kill()
    found = Answers(tmp_path / "a.sqlite").table()
    kept = Counter(map(tuple, found[["participant", "trial", "choice"]].to_numpy()))
    total = people * len(next(iter(pages.trials.values())))
    assert Counter(acknowledged) == kept
    assert set(kept.values()) == {1}
    assert len(kept) == total > before >= total // 2
    assert found.groupby("block")["participant"].nunique().sum() == people
