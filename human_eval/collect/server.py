"""The server itself: pages out, answers in, an admin page behind a token."""

import base64
import binascii
import json
import secrets
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from human_eval.collect.database import Answers
from human_eval.collect.pages import Pages, fault

BODY_LIMIT = 16_384
SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
STATUS = {"stored": 201, "known": 200, "other": 409, "stranger": 404}
CHALLENGE = {"WWW-Authenticate": 'Basic realm="human_eval"', **SAFE}


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
