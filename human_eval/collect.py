"""A small server for a lab: assigns blocks, keeps every answer before it is acknowledged, shows nobody's to others."""

import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from evoscope.errors import EvoscopeError
from human_eval.answers import Answers
from human_eval.design.files import read_json

BODY_LIMIT, TEXT_LIMIT = 16_384, 200  # bytes of an answer, letters of a text in it
DAY_MS = 86_400_000
FIELDS = {"participant", "block", "trial", "place", "choice", "texts", "option", "ms", "resumed"}
SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
CHALLENGE = {"WWW-Authenticate": 'Basic realm="human_eval"', **SAFE}
STATUS = {"stored": 201, "known": 200, "other": 409, "stranger": 404}


@dataclass(frozen=True)
class Pages:
    """Rendered blocks by id: their ``folders`` and public ``trials`` by id; ``key``: of the study."""

    folders: dict[str, Path]
    key: str
    trials: dict[str, dict[str, dict[str, Any]]]

    @classmethod
    def read(cls, folder: Path) -> "Pages":
        """Read the blocks that `render` wrote below ``folder``.

        Raises
        ------
        EvoscopeError : there are none, or they are of different studies.
        """
        paths = sorted(folder.glob("*/study.json"))
        found = [read_json(path) for path in paths]
        try:
            keys = {document["key"] for document in found}
            trials = {d["block"]: {trial["id"]: trial for trial in d["trials"]} for d in found}
        except (KeyError, TypeError) as error:
            raise EvoscopeError(
                f"'{folder}' holds a block that cannot be read", "render the study again"
            ) from error
        if len(keys) != 1:
            raise EvoscopeError(
                f"'{folder}' holds blocks of {len(keys)} studies",
                "give the folder that `human_eval render` wrote",
            )
        folders = {document["block"]: path.parent for document, path in zip(found, paths, strict=True)}
        return cls(folders, keys.pop(), trials)


def fault(pages: Pages, answer: Any) -> str:
    """What is wrong with an answer as it was posted; "" if nothing is."""
    if not isinstance(answer, dict) or set(answer) != FIELDS:
        return "an answer has the fields " + ", ".join(sorted(FIELDS))
    for name in ("participant", "block", "trial"):
        if not _is_text(answer[name]):
            return f"{name} is not a short text"
    trial = pages.trials.get(answer["block"], {}).get(answer["trial"])
    if trial is None:
        return "there is no such trial in this block"
    if not (_is_count(answer["ms"], DAY_MS) and _is_count(answer["place"], 10_000)):
        return "ms and place are not whole numbers of a likely size"
    if type(answer["resumed"]) is not bool:
        return "resumed is neither true nor false"
    return _unfit(trial, answer)


def _unfit(trial: dict[str, Any], answer: dict[str, Any]) -> str:
    form = trial["form"]
    if not _fits(answer["choice"], len(trial["panels"]) if form["choose"] else 0):
        return "choice is not one of the panels"
    if not _fits(answer["option"], len(form["options"])):
        return "option is not one of the options"
    texts = answer["texts"]
    if not isinstance(texts, list) or len(texts) != len(form["texts"]) or not all(map(_is_text, texts)):
        return "texts are not one short text per field"
    return ""


def _fits(value: Any, alternatives: int) -> bool:
    return _is_count(value, alternatives - 1) if alternatives else value is None


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_text(value: Any) -> bool:
    """Whether it is a text of a permitted length that can be encoded (a lone surrogate cannot)."""
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def application(
    pages: Pages, answers: Answers, token: str, *, pilot: bool = False, simulated: bool = False
) -> Starlette:
    """Offer the ``pages``; one process only, because answers go through one connection.

    Parameters
    ----------
    pages, answers : what is shown, and where answers go.
    token : the password of the admin pages (user ``admin``).
    pilot : participants who join now are marked, and left out of exports.
    simulated : participants who join now are marked as no people; exports say so.
    """
    desk = _Desk(pages, answers, token, pilot, simulated)
    # Only the blocks themselves: what else lies beside them is nobody's business.
    shown = [
        Mount(f"/blocks/{name}", StaticFiles(directory=at, html=True)) for name, at in pages.folders.items()
    ]
    routes = [
        Route("/", desk.join, methods=["GET"]),
        Route("/answers", desk.answer, methods=["POST"]),
        Route("/admin", desk.admin, methods=["GET"]),
        Route("/admin/answers.parquet", desk.export, methods=["GET"]),
        *shown,
    ]
    return Starlette(routes=routes)


class _Desk:
    """Handlers; they talk to the database one at a time, in the event loop, so that no two writes meet."""

    def __init__(self, pages: Pages, answers: Answers, token: str, pilot: bool, simulated: bool) -> None:
        self.pages, self.answers, self.token = pages, answers, token
        self.pilot, self.simulated = pilot, simulated

    async def join(self, request: Request) -> Response:
        who, block = self.answers.join(sorted(self.pages.trials), pilot=self.pilot, simulated=self.simulated)
        query = urlencode({**dict(request.query_params), "participant": who})
        return RedirectResponse(f"blocks/{block}/index.html?{query}", 303, headers=SAFE)

    async def answer(self, request: Request) -> Response:
        body = await _limited(request)
        if body is None:
            return _refused(413, f"an answer has at most {BODY_LIMIT} bytes")
        try:
            answer: Any = json.loads(body)
        except (ValueError, RecursionError):
            return _refused(400, "the body is not JSON")
        wrong = fault(self.pages, answer)
        if wrong:
            return _refused(422, wrong)
        outcome = self.answers.add(answer)
        return JSONResponse({"outcome": outcome}, STATUS[outcome], headers=SAFE)

    async def admin(self, request: Request) -> Response:
        if not self._may(request):
            return PlainTextResponse("The admin page needs its token.", 401, headers=CHALLENGE)
        table = self.answers.progress().to_html(index=False, escape=True)
        mode = "simulated" if self.simulated else "pilot" if self.pilot else "collecting"
        link = '<a href="admin/answers.parquet">answers.parquet</a>'
        text = (
            f"<!doctype html><html lang=en><title>Progress</title><h1>Progress ({mode})</h1>{table}<p>{link}"
        )
        return HTMLResponse(text, headers=SAFE)

    async def export(self, request: Request) -> Response:
        if not self._may(request):
            return PlainTextResponse("The answers need the token.", 401, headers=CHALLENGE)
        stream = BytesIO()
        self.answers.table().to_parquet(stream)
        return Response(stream.getvalue(), media_type="application/vnd.apache.parquet", headers=SAFE)

    def _may(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(given, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        right = secrets.compare_digest(password, self.token.encode())
        return scheme.lower() == "basic" and user == b"admin" and right


async def _limited(request: Request) -> bytes | None:
    """Body of a request; None as soon as it is too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT:
            return None
    return bytes(body)


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status, headers=SAFE)
