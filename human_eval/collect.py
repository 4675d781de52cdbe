"""The server of a lab: deals blocks, keeps every answer before it is acknowledged, shows nobody's to others."""

import base64
import binascii
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from evoscope.errors import EvoscopeError
from human_eval.answers import FINISHED, FULL, OPEN, STOPPED, UNKNOWN, WITHDRAWN, Answers, Arrival, Dealing, Seat
from human_eval.design import Study, load_study, personal_plan
from human_eval.design.files import KEY, PUBLIC, key_digest
from human_eval.export import PROLIFIC_IDS, Completion, frame_csv, slug_of
from human_eval.render import Album, block_trials, described, page
from human_eval.texts import Texts

BODY_LIMIT, TEXT_LIMIT, REMARK_LIMIT = 16_384, 200, 2000  # bytes of a body, letters of texts in it
DAY_MS, COUNT_LIMIT = 86_400_000, 10_000
FIELDS = {"participant", "block", "trial", "place", "choice", "texts", "option", "ms", "resumed"}
ADDED = {"position": None, "missing": 0, "failures": 0}  # fields that may be left out
SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
PICTURE = {**SAFE, "Cache-Control": "private, max-age=86400, immutable"}
CHALLENGE = {"WWW-Authenticate": 'Basic realm="human_eval"', **SAFE}
STATUS = {"stored": 201, "known": 200, "other": 409, WITHDRAWN: 410, STOPPED: 410, UNKNOWN: 404, FULL: 409}
MOST, WINDOW_S, ADDRESSES = 600, 60.0, 10_000  # posts of one address in a window; addresses remembered
LOCAL = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Offer:
    """A study as it is offered at ``/slug``: with its ``texts``, and what a finished participant is given."""

    study: Study
    texts: Texts
    completion: Completion

    @property
    def slug(self) -> str:
        """Address of the study below the server's."""
        return slug_of(self.study)


def studies_in(folder: Path) -> list[Path]:
    """Folders of the studies of a job, or the study's own.

    Raises
    ------
    EvoscopeError : there is none; says so if these are pages, which post to no server.
    """
    at = [folder, *sorted(path for path in folder.glob("*") if path.is_dir())]
    found = [path for path in at if (path / PUBLIC).is_file() and (path / KEY).is_file()]
    if found:
        return found[:1] if found[0] == folder else found
    if any(folder.glob("*/index.html")) or (folder / "index.html").is_file():
        raise EvoscopeError(
            f"'{folder}' holds rendered pages, which post to no server",
            "give the folder of the study or of the job: the server makes the pages itself",
        )
    raise EvoscopeError(
        f"'{folder}' holds no study", "give the folder that `human_eval design` or `experiment=human_eval` wrote"
    )


def read_offers(
    folders: Sequence[Path], texts: Mapping[Path, Texts], completion_url: str | None, pilot: bool
) -> list[Offer]:
    """Studies to offer.

    Raises
    ------
    EvoscopeError : two have one address, or a text has something to be filled in and this is no ``pilot``.
    """
    offers = [Offer(load_study(at), texts[at], Completion.of(at, completion_url)) for at in folders]
    names = [offer.slug for offer in offers]
    if len(set(names)) < len(names):
        raise EvoscopeError("two studies have one name, and so one address", "serve them apart")
    gaps = [gap for offer in offers for gap in offer.texts.unedited()]
    if gaps and not pilot:
        raise EvoscopeError(
            f"the texts for participants still hold {gaps[0]!r}",
            "edit consent.md beside the study (or give --consent FILE), or try it out with --pilot",
        )
    return offers


def fault(trials: Mapping[str, Mapping[str, Any]], answer: Any) -> str:
    """What is wrong with an answer to the ``trials`` of a block, by id, as it was posted; "" if nothing is."""
    if not isinstance(answer, dict) or not set(answer) >= FIELDS or not set(answer) <= {*FIELDS, *ADDED}:
        return "an answer has the fields " + ", ".join(sorted(FIELDS))
    trial = trials.get(answer["trial"]) if _is_text(answer["trial"]) else None
    if trial is None:
        return "there is no such trial in this block"
    if not (_is_count(answer["ms"], DAY_MS) and _is_count(answer["place"], COUNT_LIMIT)):
        return "ms and place are not whole numbers of a likely size"
    if not all(_is_count(answer.get(name, 0), COUNT_LIMIT) for name in ("missing", "failures")):
        return "missing and failures are not whole numbers of a likely size"
    if type(answer["resumed"]) is not bool:
        return "resumed is neither true nor false"
    return _unfit(trial, answer)


def _unfit(trial: Mapping[str, Any], answer: dict[str, Any]) -> str:
    form, shown = trial["form"], not answer.get("missing")
    panels = len(trial["panels"]) if form["choose"] and shown else 0
    if not _fits(answer["choice"], panels):
        return "choice is not one of the panels"
    if answer.get("position") is not None and not _fits(answer["position"], panels):
        return "position is not one of the panels"
    if not _fits(answer["option"], len(form["options"]) if shown else 0):
        return "option is not one of the options"
    texts = answer["texts"]
    if not isinstance(texts, list) or len(texts) != len(form["texts"]) or not all(map(_is_text, texts)):
        return "texts are not one short text per field"
    return ""


def _fits(value: Any, alternatives: int) -> bool:
    return _is_count(value, alternatives - 1) if alternatives else value is None


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_text(value: Any, most: int = TEXT_LIMIT) -> bool:
    """Whether it is a text of a permitted length that can be encoded (a lone surrogate cannot)."""
    if not isinstance(value, str) or len(value) > most:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


class Throttle:
    """Lets each address post so many times in a window; addresses are kept in memory only, and for no longer."""

    def __init__(self, most: int = MOST, window_s: float = WINDOW_S) -> None:
        self.most, self.window = most, window_s
        self.since, self.counts = time.monotonic(), dict[str, int]()

    def admits(self, address: str) -> bool:
        """Whether this address may post once more; the machine itself always may."""
        if address in LOCAL:
            return True
        now = time.monotonic()
        if now - self.since > self.window or len(self.counts) > ADDRESSES:
            self.since, self.counts = now, {}
        self.counts[address] = self.counts.get(address, 0) + 1
        return self.counts[address] <= self.most


def application(
    offers: Sequence[Offer],
    answers: Answers,
    token: str,
    dealing: Dealing | None = None,
    throttle: Throttle | None = None,
) -> Starlette:
    """Offer studies; one process only, because answers go through one connection.

    Nobody joins by looking: only a post to ``/STUDY/consent`` makes a participant.

    Parameters
    ----------
    offers, answers : what is shown, and where answers go.
    token : the password of the admin pages (user ``admin``).
    dealing : how blocks are dealt, and how those who join now are marked.
    throttle : how often an address may post.
    """
    desks = [_Desk(offer, answers, dealing or Dealing()) for offer in offers]
    throttle = throttle or Throttle()
    routes = [
        Route("/", _front([offer.slug for offer in offers]), methods=["GET"]),
        *_Office(answers, token, dealing or Dealing()).routes(),
    ]
    for desk in desks:
        at = f"/{desk.offer.slug}"
        routes += [
            Route(at, desk.look, methods=["GET"]),
            Route(f"{at}/pictures/{{name}}", desk.picture, methods=["GET"]),
        ]
        for name in ("consent", "answers", "colours", "finish", "stop"):
            routes.append(Route(f"{at}/{name}", _posted(getattr(desk, name), throttle), methods=["POST"]))
    return Starlette(routes=routes)


def _front(slugs: Sequence[str]) -> Any:
    """The bare address leads to the only study; of several it names none."""

    async def front(request: Request) -> Response:
        if len(slugs) > 1:
            return PlainTextResponse("Please open the link that you were given.", 404, headers=SAFE)
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{slugs[0]}{query}", 303, headers=SAFE)

    return front


def _posted(handle: Any, throttle: Throttle) -> Any:
    """Handler of a post: its JSON, if the address does not post too often and the body is not too long."""

    async def posted(request: Request) -> Response:
        if not throttle.admits(request.client.host if request.client else ""):
            return _refused(429, "too many requests", {"Retry-After": str(round(WINDOW_S))})
        try:
            body = await _limited(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return _refused(413, f"a body has at most {BODY_LIMIT} bytes")
        try:
            given: Any = json.loads(body) if body else {}
        except (ValueError, RecursionError):
            return _refused(400, "the body is not JSON")
        if not isinstance(given, dict):
            return _refused(422, "the body is no JSON object")
        found: Response = handle(given, request)
        return found

    return posted


async def _limited(request: Request) -> bytes | None:
    """Body of a request; None as soon as it is too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT:
            return None
    return bytes(body)


class _Desk:
    """Handlers of one study; they talk to the database one at a time, in the event loop, so that no two writes meet."""

    def __init__(self, offer: Offer, answers: Answers, dealing: Dealing) -> None:
        self.offer, self.store, self.dealing = offer, answers, dealing
        study = offer.study
        self.blocks = {block.id: block for block in study.blocks}
        self.trials = {name: block_trials(study, block) for name, block in self.blocks.items()}
        self.by_id = {name: {trial["id"]: trial for trial in trials} for name, trials in self.trials.items()}
        self.files = Album(study).shown()
        minutes = None if dealing.pilot else answers.pilot_minutes(offer.slug)
        self.html = page(study, described(study, None), offer.texts, minutes, dealing.pilot)

    async def look(self, request: Request) -> Response:
        return HTMLResponse(self.html, headers=SAFE)

    async def picture(self, request: Request) -> Response:
        found = self.files.get(f"pictures/{request.path_params['name']}")
        if found is None:
            return PlainTextResponse("There is no such picture.", 404, headers=SAFE)
        return Response(found, media_type="image/webp", headers=PICTURE)

    def consent(self, given: dict[str, Any], request: Request) -> Response:
        """Seat whoever consents; ids of a panel come in the body, or in the address."""
        told = {**request.query_params, **given, **_texts(given.get("ids"))}
        # A placeholder that no panel has filled in is nobody's id.
        given_ids = {name: told[name] for name in PROLIFIC_IDS if _is_text(told.get(name))}
        ids = {name: value for name, value in given_ids.items() if value and "{" not in value}
        own = str(given["participant"]) if _is_text(given.get("participant")) else ""
        consent = {"version": self.offer.texts.version, **_texts(given.get("consent")), "received": _now()}
        device = given.get("device")
        told_of = device.items() if isinstance(device, dict) else ()
        kept = {str(name)[:20]: value for name, value in told_of if _is_plain(value)}
        arrival = Arrival(ids, own, consent, dict(list(kept.items())[:12]))
        seat = self.store.join(self.offer.slug, sorted(self.blocks), arrival, self.dealing)
        if seat.status not in (OPEN, FINISHED):
            return _closed(seat.status)
        return JSONResponse(self._seated(seat), headers=SAFE)

    def _seated(self, seat: Seat) -> dict[str, Any]:
        plan = personal_plan(self.offer.study, self.blocks[seat.block], seat.participant)
        return {
            "participant": seat.participant,
            "block": seat.block,
            "trials": self.trials[seat.block],
            "plan": plan,
            "answered": seat.answered,
            "completion": self._completion(seat.participant) if seat.status == FINISHED else None,
        }

    def _completion(self, participant: str) -> dict[str, str]:
        done, (_, sent) = self.offer.completion, self.store.seat(participant)
        return {"code": done.code, "url": done.address(prolific=sent)}

    def answers(self, given: dict[str, Any], request: Request) -> Response:
        if not all(_is_text(given.get(name)) for name in ("participant", "block")):
            return _refused(422, "participant or block is not a short text")
        status = self.store.status(given["participant"], self.offer.slug)
        if status in (UNKNOWN, WITHDRAWN, STOPPED):
            return _closed(status)
        wrong = fault(self.by_id.get(given["block"], {}), given)
        if wrong:
            return _refused(422, wrong)
        outcome = self.store.add({**ADDED, **given})
        if outcome in (UNKNOWN, WITHDRAWN):
            return _closed(outcome)
        return JSONResponse({"outcome": outcome}, STATUS[outcome], headers=SAFE)

    def colours(self, given: dict[str, Any], request: Request) -> Response:
        if not (_is_text(given.get("participant")) and _is_text(given.get("colours"), 20)):
            return _refused(422, "colours is not a short text")
        self.store.note(given["participant"], "colours", given["colours"])
        return JSONResponse({}, headers=SAFE)

    def finish(self, given: dict[str, Any], request: Request) -> Response:
        who, remark = given.get("participant"), given.get("remark", "")
        if not (_is_text(who) and _is_text(remark, REMARK_LIMIT)):
            return _refused(422, "participant or remark is not a short text")
        status = self.store.status(str(who), self.offer.slug)
        if status not in (OPEN, FINISHED):
            return _closed(status)
        block, _ = self.store.seat(str(who))
        if not self.store.finish(str(who), len(self.trials[block]), remark):
            return _refused(409, "not all answers have arrived")
        return JSONResponse({"completion": self._completion(str(who))}, headers=SAFE)

    def stop(self, given: dict[str, Any], request: Request) -> Response:
        """Leave with (``stopped``) or without (``withdrawn``) one's answers; ``open``: go on elsewhere."""
        who, how = given.get("participant"), given.get("how")
        if not _is_text(who) or how not in (STOPPED, WITHDRAWN, OPEN):
            return _refused(422, "how is neither stopped nor withdrawn")
        status = self.store.status(str(who), self.offer.slug)
        if status in (UNKNOWN, WITHDRAWN):
            return _closed(status)
        if how == WITHDRAWN:
            self.store.withdraw(str(who))
        elif how == STOPPED:
            self.store.note(str(who), "status", STOPPED)
        return JSONResponse({"status": how}, headers=SAFE)


class _Office:
    """What the researcher sees, with the password."""

    def __init__(self, answers: Answers, token: str, dealing: Dealing) -> None:
        self.answers, self.token, self.dealing = answers, token, dealing

    def routes(self) -> list[Route]:
        return [
            Route("/admin", self.admin, methods=["GET"]),
            Route("/admin/answers.parquet", self.export, methods=["GET"]),
            Route("/admin/{name}.csv", self.table, methods=["GET"]),
        ]

    async def admin(self, request: Request) -> Response:
        if not self._may(request):
            return PlainTextResponse("The admin page needs its token.", 401, headers=CHALLENGE)
        table = self.answers.progress().to_html(index=False, escape=True)
        mode = "simulated" if self.dealing.simulated else "pilot" if self.dealing.pilot else "collecting"
        files = ("answers.parquet", "participants.csv", "approve.csv", "return.csv")
        links = " ".join(f'<a href="admin/{file}">{file}</a>' for file in files)
        text = f"<!doctype html><html lang=en><title>Progress</title><h1>Progress ({mode})</h1>{table}<p>{links}"
        return HTMLResponse(text, headers=SAFE)

    async def export(self, request: Request) -> Response:
        if not self._may(request):
            return PlainTextResponse("The answers need the token.", 401, headers=CHALLENGE)
        stream = BytesIO()
        self.answers.table().to_parquet(stream)
        return Response(stream.getvalue(), media_type="application/vnd.apache.parquet", headers=SAFE)

    async def table(self, request: Request) -> Response:
        if not self._may(request):
            return PlainTextResponse("The table needs the token.", 401, headers=CHALLENGE)
        made = {"participants": self.answers.people, **{
            name: lambda name=name: self.answers.payments()[name] for name in ("approve", "return")
        }}  # fmt: skip
        name = request.path_params["name"]
        if name not in made:
            return PlainTextResponse("There is no such table.", 404, headers=SAFE)
        return Response(frame_csv(made[name]()), media_type="text/csv", headers=SAFE)

    def _may(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(given, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        right = secrets.compare_digest(password, self.token.encode())
        return scheme.lower() == "basic" and user == b"admin" and right


def keys_of(offers: Sequence[Offer]) -> dict[str, str]:
    """Checksum of each study's key, by its address: what a database of answers belongs to."""
    return {offer.slug: key_digest(offer.study)[:16] for offer in offers}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _texts(given: Any) -> dict[str, str]:
    """The short texts of an object."""
    return {name: text for name, text in given.items() if _is_text(text)} if isinstance(given, dict) else {}


def _is_plain(value: Any) -> bool:
    return isinstance(value, (bool, int, float)) or _is_text(value, 300)


def _closed(reason: str) -> Response:
    """Tell a participant for good why nothing more is taken; the page does not ask again."""
    return JSONResponse({"error": reason, "reason": reason}, STATUS[reason], headers=SAFE)


def _refused(status: int, why: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": why}, status, headers={**SAFE, **(headers or {})})
