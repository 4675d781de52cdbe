"""Participants and answers on disk: SQLite, written through to the disk before anything is acknowledged."""

import hashlib
import hmac
import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evoscope.errors import EvoscopeError

FORMAT = 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS salt (value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS studies (name TEXT PRIMARY KEY, key TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS participants (
    id TEXT PRIMARY KEY, study TEXT NOT NULL, block TEXT NOT NULL, pilot INTEGER NOT NULL, simulated INTEGER NOT NULL,
    person TEXT, ids TEXT NOT NULL, consent TEXT NOT NULL, device TEXT NOT NULL, joined REAL NOT NULL,
    seen REAL NOT NULL, status TEXT NOT NULL, ended REAL, remark TEXT NOT NULL, colours TEXT,
    UNIQUE (study, person, pilot, simulated)
);
CREATE TABLE IF NOT EXISTS answers (
    participant TEXT NOT NULL REFERENCES participants(id) ON DELETE CASCADE,
    trial TEXT NOT NULL, body TEXT NOT NULL, received REAL NOT NULL, PRIMARY KEY (participant, trial)
);
CREATE TABLE IF NOT EXISTS withdrawn (mark TEXT PRIMARY KEY);
"""
OPEN, FINISHED, STOPPED, WITHDRAWN, UNKNOWN, FULL = ("open", "finished", "stopped", "withdrawn", "unknown", "full")
PERSON = "PROLIFIC_PID"  # the id that stays one person's on every device
ENOUGH = 0.9  # share of a block that must have arrived for it to be finished


@dataclass(frozen=True)
class Dealing:
    """Who gets which block.

    ``pilot`` and ``simulated`` participants are counted apart; ``quota``: of finished participants a block, 0: none;
    ``timeout_s``: without an answer for so long, a participant holds no place any more.
    """

    pilot: bool = False
    simulated: bool = False
    quota: int = 0
    timeout_s: float = 3600.0


@dataclass(frozen=True)
class Arrival:
    """Who comes: ``ids`` of a panel, an own ``participant`` id ("": none), ``consent`` and ``device`` to be kept."""

    ids: Mapping[str, str] = field(default_factory=dict)
    participant: str = ""
    consent: Mapping[str, str] = field(default_factory=dict)
    device: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Seat:
    """A participant in a block, or why there is none; ``answered``: trials whose answers are stored."""

    participant: str
    block: str
    status: str
    answered: tuple[str, ...] = ()


class Answers:
    """Participants and their answers to any number of studies.

    Ids are random and mean nothing. WAL with ``synchronous=FULL``: a transaction that has returned survives a killed
    process and a lost power supply; deleted rows are overwritten. Threads must take turns, as handlers in the server's
    event loop do. Ids of a panel never leave the file but for payment: exports have a salted hash of them.
    """

    def __init__(self, path: Path, keys: Mapping[str, str] | None = None) -> None:
        try:
            self.connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
                self.connection.execute(f"PRAGMA {pragma}")
            self._prepare(path)
            self._belongs(path, keys or {})
        except sqlite3.Error as error:
            raise EvoscopeError(f"'{path}' is no database of answers ({error})", "give another file") from error

    def _prepare(self, path: Path) -> None:
        tables = self._one("SELECT COUNT(*) FROM sqlite_master")
        if tables and self._one("PRAGMA user_version") != FORMAT:
            raise EvoscopeError(f"'{path}' was written by another version of the server", "start with a new file")
        self.connection.executescript(SCHEMA)
        self.connection.execute(f"PRAGMA user_version={FORMAT}")
        with self._transaction():
            if self._one("SELECT value FROM salt") is None:
                self.connection.execute("INSERT INTO salt VALUES (?)", (secrets.token_hex(32),))
        self.salt = str(self._one("SELECT value FROM salt"))

    def _belongs(self, path: Path, keys: Mapping[str, str]) -> None:
        known = dict(self.connection.execute("SELECT name, key FROM studies").fetchall())
        for name, key in keys.items():
            if known.get(name, key) != key:
                raise EvoscopeError(
                    f"'{path}' holds answers to another study of the name '{name}'",
                    "keep the answers to another design in another file",
                )
        rows = [(name, key) for name, key in keys.items() if name not in known]
        with self._transaction():
            self.connection.executemany("INSERT INTO studies VALUES (?, ?)", rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _one(self, query: str, values: Sequence[Any] = ()) -> Any:
        row = self.connection.execute(query, values).fetchone()
        return row[0] if row else None

    def _mark(self, *names: str) -> str:
        """Salted hash of a name, by which it is known again but not read."""
        return hmac.new(self.salt.encode(), "/".join(names).encode(), hashlib.sha256).hexdigest()[:16]

    def join(self, study: str, blocks: Sequence[str], arrival: Arrival, dealing: Dealing) -> Seat:
        """Seat a participant: where they sat before, else in the block that fewest have finished or are busy with."""
        person = arrival.ids.get(PERSON) or None
        sort = (study, int(dealing.pilot), int(dealing.simulated))
        now = time.time()
        with self._transaction():
            known = self.connection.execute(
                "SELECT id, block, status FROM participants WHERE study = ? AND pilot = ? AND simulated = ? "
                "AND (person = ? OR (person IS NULL AND id = ?))",
                (*sort, person, arrival.participant),
            ).fetchone()
            if known:
                ids = json.dumps(dict(arrival.ids), sort_keys=True)
                self.connection.execute("UPDATE participants SET ids = ?, seen = ? WHERE id = ?", (ids, now, known[0]))
                name, block, status = known
                return Seat(name, block, status, self.answered(name))
            if self._is_withdrawn(arrival.participant, study, person):
                return Seat("", "", WITHDRAWN)
            block = self._free(blocks, sort, dealing, now)
            if block is None:
                return Seat("", "", FULL)
            name = secrets.token_hex(16)
            told = (json.dumps(dict(each), sort_keys=True) for each in (arrival.ids, arrival.consent, arrival.device))
            row = (name, study, block, *sort[1:], person, *told, now, now, OPEN, None, "", None)
            self.connection.execute(f"INSERT INTO participants VALUES ({', '.join('?' * len(row))})", row)
        return Seat(name, block, OPEN)

    def _free(self, blocks: Sequence[str], sort: tuple[Any, ...], dealing: Dealing, now: float) -> str | None:
        query = (
            "SELECT block, COUNT(*) FROM participants WHERE study = ? AND pilot = ? AND simulated = ? "
            "AND (status = ? OR (status = ? AND seen > ?)) GROUP BY block"
        )
        found = self.connection.execute(query, (*sort, FINISHED, OPEN, now - dealing.timeout_s))
        held = dict.fromkeys(blocks, 0) | {block: count for block, count in found if block in blocks}
        free = [block for block in blocks if not dealing.quota or held[block] < dealing.quota]
        fewest = min((held[block] for block in free), default=0)
        return secrets.choice([block for block in free if held[block] == fewest]) if free else None

    def _is_withdrawn(self, participant: str, study: str = "", person: str | None = None) -> bool:
        marks = (self._mark("id", participant), self._mark("person", study, person or ""))
        return bool(self._one("SELECT 1 FROM withdrawn WHERE mark IN (?, ?)", marks))

    def answered(self, participant: str) -> tuple[str, ...]:
        """Trials whose answers by this participant are stored, in the order they came."""
        query = "SELECT trial FROM answers WHERE participant = ? ORDER BY received, rowid"
        return tuple(name for (name,) in self.connection.execute(query, (participant,)))

    def seat(self, participant: str) -> tuple[str, bool]:
        """Block of a participant, and whether a panel sent them."""
        query = "SELECT block, person IS NOT NULL FROM participants WHERE id = ?"
        block, sent = self.connection.execute(query, (participant,)).fetchone()
        return str(block), bool(sent)

    def status(self, participant: str, study: str) -> str:
        """Whether a participant of a study is ``open``, ``finished``, ``stopped``, ``withdrawn`` or ``unknown``."""
        query = "SELECT status FROM participants WHERE id = ? AND study = ?"
        found = self._one(query, (participant, study))
        return str(found or (WITHDRAWN if self._is_withdrawn(participant) else UNKNOWN))

    def add(self, answer: Mapping[str, Any]) -> str:
        """Keep an answer: ``stored``, ``known`` (again), ``other`` (not the first), or why it has no owner."""
        who, trial, now = answer["participant"], answer["trial"], time.time()
        body = json.dumps({name: value for name, value in answer.items() if name != "participant"}, sort_keys=True)
        with self._transaction():
            query = "SELECT 1 FROM participants WHERE id = ? AND block = ?"
            if not self._one(query, (who, answer["block"])):
                return WITHDRAWN if self._is_withdrawn(who) else UNKNOWN
            first = self._one("SELECT body FROM answers WHERE participant = ? AND trial = ?", (who, trial))
            if first is not None:
                return "known" if first == body else "other"
            self.connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", (who, trial, body, now))
            self.connection.execute("UPDATE participants SET seen = ? WHERE id = ?", (now, who))
        return "stored"

    def finish(self, participant: str, asked: int, remark: str) -> bool:
        """Note that a participant has finished a block of ``asked`` trials, if enough answers have arrived."""
        if len(self.answered(participant)) < ENOUGH * asked:
            return False
        query = "UPDATE participants SET status = ?, ended = COALESCE(ended, ?), remark = ? WHERE id = ?"
        self.connection.execute(query, (FINISHED, time.time(), remark, participant))
        return True

    def note(self, participant: str, column: str, value: str) -> None:
        """Keep the ``status`` or the ``colours`` of a participant who has not finished."""
        ended = ", ended = COALESCE(ended, seen)" if column == "status" else ""
        query = f"UPDATE participants SET {column} = ?{ended} WHERE id = ? AND status = ?"
        self.connection.execute(query, (value, participant, OPEN))

    def withdraw(self, participant: str) -> int:
        """Delete all there is of a participant, also from the log; return how many answers that were.

        Parameters
        ----------
        participant : own id, id in an export, or id of the panel. A salted hash stays, so that an old link says so.

        Raises
        ------
        EvoscopeError : nobody has this id.
        """
        rows = self.connection.execute("SELECT id, study, person FROM participants").fetchall()
        found = [row for row in rows if participant in (row[0], row[2], self._public(*row))]
        with self._transaction():
            names = [(name,) for name, *_ in found]
            count = sum(len(self.answered(name)) for (name,) in names)
            marks = [self._mark("id", name) for name, *_ in found]
            marks += [self._mark("person", study, person) for _, study, person in found if person]
            self.connection.executemany("DELETE FROM participants WHERE id = ?", names)
            self.connection.executemany("INSERT OR IGNORE INTO withdrawn VALUES (?)", [(m,) for m in marks])
        if not found:
            raise EvoscopeError(f"nobody has the id '{participant}'", "copy the id from the participant's last page")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.execute("VACUUM")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def _public(self, participant: str, study: str, person: str | None) -> str:
        """Id in exports: a salted hash of the panel's, or the own one."""
        return self._mark("public", study, person) if person else participant

    def pilot_minutes(self, study: str, least: int = 3) -> float | None:
        """Median minutes from consent to end of the pilot participants who finished; None below ``least`` of them."""
        query = "SELECT ended - joined FROM participants WHERE study = ? AND pilot = 1 AND status = ?"
        taken = [seconds for (seconds,) in self.connection.execute(query, (study, FINISHED))]
        return float(np.median(taken)) / 60 if len(taken) >= least else None

    def progress(self) -> pd.DataFrame:
        """Participants, those who finished, and answers of each block, pilots and simulated participants apart."""
        sorts = "study, block, pilot, simulated"
        query = (
            f"SELECT {sorts}, COUNT(*) AS participants, SUM(status = '{FINISHED}') AS finished, SUM(given) AS answers "
            "FROM (SELECT *, (SELECT COUNT(*) FROM answers WHERE participant = id) AS given FROM participants) "
            f"GROUP BY {sorts} ORDER BY {sorts}"
        )
        return pd.read_sql_query(query, self.connection)

    def people(self, study: str = "", *, pilots: bool = False, raw: bool = False) -> pd.DataFrame:
        """One row per participant: block, status, consent, device, total time, remark, and what went wrong.

        ``raw``: with the ids of the panel, for payment only; else they are hashed into ``participant``.
        """
        query = (
            "SELECT id, study, person, block, pilot, simulated, status, joined, seen, ended, remark, colours, ids, "
            "consent, device, (SELECT COUNT(*) FROM answers WHERE participant = id) AS answers, "
            "(SELECT COALESCE(SUM(json_extract(body, '$.failures')), 0) FROM answers WHERE participant = id) "
            "AS picture_failures "
            "FROM participants WHERE pilot <= ? AND (? = '' OR study = ?) ORDER BY joined, id"
        )
        frame = pd.read_sql_query(query, self.connection, params=(int(pilots), study, study))
        persons = frame["person"].astype(object).where(frame["person"].notna(), None)
        parts = zip(frame["id"], frame["study"], persons, strict=True)
        frame.insert(0, "participant", [self._public(*part) for part in parts])
        for column in ("consent", "device", *(["ids"] if raw else [])):
            found = [json.loads(text) for text in frame[column]]
            for name in dict.fromkeys(name for each in found for name in each):
                named = name if column == "ids" else f"{column}_{name}"
                frame[named] = [each.get(name, "") for each in found]
        frame["minutes"] = (frame["ended"] - frame["joined"]) / 60
        return frame.drop(columns=["id", "person", "ids", "consent", "device"])

    def payments(self, study: str = "", silent_s: float = 3600.0) -> dict[str, pd.DataFrame]:
        """Whom a panel is to approve (finished) and to return (stopped, or silent for so long), by the panel's ids."""
        people = self.people(study, raw=True)
        people = people[people.get(PERSON, pd.Series("", index=people.index)) != ""]
        wanted = [PERSON, "SESSION_ID", "study", "status", "answers", "minutes", "picture_failures", "remark"]
        rows = people.reindex(columns=wanted)
        done = people["status"] == FINISHED
        gone = (people["status"] == STOPPED) | (people["seen"] < time.time() - silent_s)
        return {"approve": rows[done], "return": rows[~done & gone]}

    def table(self, study: str = "", *, pilots: bool = False) -> pd.DataFrame:
        """One row per answer, as `human_eval.analyse` reads it; of one study, or of all; pilots only on request."""
        query = (
            "SELECT id, study, person, body, received, simulated FROM answers JOIN participants ON id = participant "
            "WHERE pilot <= ? AND (? = '' OR study = ?) ORDER BY joined, received, trial"
        )
        rows = self.connection.execute(query, (int(pilots), study, study)).fetchall()
        records = [
            {"participant": self._public(*who), **json.loads(body), "received": at, "simulated": bool(simulated)}
            for *who, body, at, simulated in rows
        ]
        return answer_table(records)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


def answer_table(records: list[dict[str, Any]]) -> pd.DataFrame:
    """Answers as a table of fixed columns and types, whatever is missing in them; not simulated unless they say so.

    ``choice``: panel in the order of the design; ``position``: where it was on the screen; ``missing``: pictures that
    were not shown; ``failures``: attempts at loading them that failed.
    """
    whole = dict.fromkeys(("place", "choice", "position", "option", "ms", "missing", "failures"), "Int64")
    texts = dict.fromkeys(("participant", "block", "trial"), "string")
    columns = [*texts, *whole, "texts", "resumed", "received"]
    frame = pd.DataFrame({name: [record.get(name) for record in records] for name in columns})
    frame["simulated"] = np.array([bool(record.get("simulated")) for record in records], dtype=bool)
    return frame.astype({**whole, **texts, "resumed": "boolean", "received": "float64", "texts": "object"})
