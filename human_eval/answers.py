"""Answers on disk: SQLite, written through to the disk before anything is acknowledged."""

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evoscope.errors import EvoscopeError

SCHEMA = """
CREATE TABLE IF NOT EXISTS study (key TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS participants (
    id TEXT PRIMARY KEY, block TEXT NOT NULL, pilot INTEGER NOT NULL, joined REAL NOT NULL,
    simulated INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS answers (
    participant TEXT NOT NULL REFERENCES participants(id) ON DELETE CASCADE,
    trial TEXT NOT NULL, body TEXT NOT NULL, received REAL NOT NULL, PRIMARY KEY (participant, trial)
);
"""


class Answers:
    """Participants and their answers.

    Ids are random and mean nothing. WAL with ``synchronous=FULL``: a transaction that has returned survives a killed
    process and a lost power supply; deleted rows are overwritten. Threads must take turns, as handlers in the server's
    event loop do.
    """

    def __init__(self, path: Path, key: str = "") -> None:
        try:
            self.connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
                self.connection.execute(f"PRAGMA {pragma}")
            self.connection.executescript(SCHEMA)
            self._upgrade()
            self._belongs(path, key)
        except sqlite3.Error as error:
            raise EvoscopeError(
                f"'{path}' is no database of answers ({error})", "give another file"
            ) from error

    def _upgrade(self) -> None:
        """Files written before there were simulated participants hold people only."""
        known = {row[1] for row in self.connection.execute("PRAGMA table_info(participants)")}
        if "simulated" not in known:
            self.connection.execute(
                "ALTER TABLE participants ADD COLUMN simulated INTEGER NOT NULL DEFAULT 0"
            )

    def _belongs(self, path: Path, key: str) -> None:
        with self._transaction():
            found = self.connection.execute("SELECT key FROM study").fetchone()
            if found is None and key:
                self.connection.execute("INSERT INTO study VALUES (?)", (key,))
        if found and key and found[0] != key:
            raise EvoscopeError(
                f"'{path}' holds answers to another study", "give each study a file of its own"
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def join(self, blocks: list[str], *, pilot: bool = False, simulated: bool = False) -> tuple[str, str]:
        """Admit a participant to a block that fewest of the same sort have joined; return the new id and the block."""
        with self._transaction():
            joined = dict.fromkeys(blocks, 0) | self._joined(blocks, (int(pilot), int(simulated)))
            fewest = [block for block in blocks if joined[block] == min(joined.values())]
            block, name = secrets.choice(fewest), secrets.token_hex(16)
            row = (name, block, int(pilot), time.time(), int(simulated))
            self.connection.execute("INSERT INTO participants VALUES (?, ?, ?, ?, ?)", row)
        return name, block

    def _joined(self, blocks: list[str], sort: tuple[int, int]) -> dict[str, int]:
        query = "SELECT block, COUNT(*) FROM participants WHERE pilot = ? AND simulated = ? GROUP BY block"
        return {block: n for block, n in self.connection.execute(query, sort) if block in blocks}

    def add(self, answer: dict[str, Any]) -> str:
        """Keep an answer: ``stored``, ``known`` (again), ``other`` (not the first one), ``stranger``."""
        who, trial = answer["participant"], answer["trial"]
        body = json.dumps(
            {name: value for name, value in answer.items() if name != "participant"}, sort_keys=True
        )
        with self._transaction():
            query = "SELECT 1 FROM participants WHERE id = ? AND block = ?"
            if not self.connection.execute(query, (who, answer["block"])).fetchone():
                return "stranger"
            query = "SELECT body FROM answers WHERE participant = ? AND trial = ?"
            first = self.connection.execute(query, (who, trial)).fetchone()
            if first:
                return "known" if first[0] == body else "other"
            row = (who, trial, body, time.time())
            self.connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", row)
        return "stored"

    def withdraw(self, participant: str) -> int:
        """Delete all there is of a participant, also from the log; return how many answers that were.

        Raises
        ------
        EvoscopeError : nobody has this id.
        """
        with self._transaction():
            query = "SELECT COUNT(*) FROM answers WHERE participant = ?"
            count = int(self.connection.execute(query, (participant,)).fetchone()[0])
            gone = self.connection.execute("DELETE FROM participants WHERE id = ?", (participant,)).rowcount
        if not gone:
            raise EvoscopeError(
                f"nobody has the id '{participant}'", "copy the id from the participant's last page"
            )
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.execute("VACUUM")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def progress(self) -> pd.DataFrame:
        """Participants and answers of each block, pilots and simulated participants apart."""
        sorts = "block, pilot, simulated"
        query = (
            f"SELECT {sorts}, COUNT(DISTINCT id) AS participants, COUNT(trial) AS answers FROM participants "
            f"LEFT JOIN answers ON participant = id GROUP BY {sorts} ORDER BY {sorts}"
        )
        return pd.read_sql_query(query, self.connection)

    def table(self, *, pilots: bool = False) -> pd.DataFrame:
        """One row per answer, as `human_eval.analyse` reads it; pilots only on request."""
        query = (
            "SELECT participant, body, received, simulated FROM answers JOIN participants ON id = participant "
            "WHERE pilot <= ? ORDER BY joined, received, trial"
        )
        rows = self.connection.execute(query, (int(pilots),)).fetchall()
        records = [
            {"participant": who, **json.loads(body), "received": at, "simulated": bool(simulated)}
            for who, body, at, simulated in rows
        ]
        return answer_table(records)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


def answer_table(records: list[dict[str, Any]]) -> pd.DataFrame:
    """Answers as a table of fixed columns and types, whatever is missing in them; not simulated unless they say so."""
    columns = [
        "participant",
        "block",
        "trial",
        "place",
        "choice",
        "texts",
        "option",
        "ms",
        "resumed",
        "received",
    ]
    frame = pd.DataFrame({name: [record.get(name) for record in records] for name in columns})
    frame["simulated"] = np.array([bool(record.get("simulated")) for record in records], dtype=bool)
    whole = dict.fromkeys(("place", "choice", "option", "ms"), "Int64")
    texts = dict.fromkeys(("participant", "block", "trial"), "string")
    return frame.astype({**whole, **texts, "resumed": "boolean", "received": "float64", "texts": "object"})
