"""The alarm log: what happened and who did what, append-only and chained by hashes.

Every row holds the SHA-256 of the row before it and of its own content, so that a changed, missing
or reordered row shows. SQLite in WAL mode with every append synced: a row that was appended
survives a power cut. The chain does not stop someone who may write the file and computes all hashes
anew; who needs that keeps `head()` elsewhere from time to time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedside import page_cache
from bedside.errors import BedsideError
from bedside.set_aside import DAMAGED, code_of, set_aside

BUSY_S = 2.0
"""So long it waits for another program that holds the file."""

BEFORE_THE_FIRST = "0" * 64
"""The hash that the first row holds as that of the row before it."""

AFTER_THE_LAST = 2**63 - 1
"""Above every number and every moment."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    wall_us INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS rows_of_kind ON rows (kind, number);
CREATE INDEX IF NOT EXISTS rows_of_bed ON rows (json_extract(payload, '$.bed'), number);
CREATE TRIGGER IF NOT EXISTS rows_stay BEFORE DELETE ON rows
    BEGIN SELECT RAISE(ABORT, 'the alarm log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS rows_keep BEFORE UPDATE ON rows
    BEGIN SELECT RAISE(ABORT, 'the alarm log is append-only'); END;
"""
_LOGGER = logging.getLogger(__name__)
_COLUMNS = "number, kind, payload, wall_us, at_us, previous, hash"


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row. `wall_us` is Unix time (0: clock not set), `at_us` the station's monotonic time."""

    number: int
    kind: str
    payload: Mapping[str, Any]
    wall_us: int
    at_us: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: `fault` is empty, or `changed`, `missing` or `reordered` at `number`."""

    rows: int
    fault: str = ""
    number: int | None = None

    @property
    def intact(self) -> bool:
        """Whether the whole chain holds."""
        return not self.fault

    def __str__(self) -> str:
        if self.intact:
            return f"The alarm log is intact: {self.rows} rows."
        return f"Row {self.number} of the alarm log was {_FAULT_WORDS[self.fault]}."


_FAULT_WORDS = {"changed": "changed", "missing": "removed", "reordered": "moved"}


class LogDamagedError(BedsideError):
    """The file is no sound database."""


def opened(path: Path, wall_us: int) -> AlarmLog:
    """The log at `path`, for the one who writes it; raises `BedsideError`.

    A damaged file is set aside under another name. The rows since the last start that can be read
    of it go into a new log, behind one of kind `damaged`: what alarmed still stands.
    """
    try:
        log = AlarmLog(path)
        try:
            log.check()
        except BedsideError:
            log.close()
            raise
        return log
    except LogDamagedError as damage:
        aside = set_aside(path)
        rows = _rescued(aside)
        _LOGGER.error("%s It lies at %s; %d rows of it go on.", damage, aside, len(rows))
    log = AlarmLog(path)
    told = {"bed": "", "event": "damaged", "file": aside.name, "rows": len(rows)}
    log.append_all([("damaged", told, wall_us, 0), *rows])
    return log


def _rescued(aside: Path) -> list[tuple[str, Mapping[str, Any], int, int]]:
    """The rows of the last run that a damaged file still holds as they were written, in order."""
    found: dict[int, tuple[str, Mapping[str, Any], int, int]] = {}
    for order in ("DESC", "ASC"):
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(
                sqlite3.connect(f"{aside.absolute().as_uri()}?mode=ro", uri=True)
            ) as database,
        ):
            query = f"SELECT {_COLUMNS} FROM rows NOT INDEXED ORDER BY number {order}"
            for number, kind, payload, wall_us, at_us, previous, row_hash in database.execute(
                query
            ):
                with contextlib.suppress(ValueError, TypeError):
                    if _hash(previous, kind, payload, wall_us, at_us) == row_hash:
                        found[number] = kind, json.loads(payload), wall_us, at_us
    starts = [number for number, row in found.items() if row[0] == "start"]
    return [found[number] for number in sorted(found) if number >= max(starts, default=0)]


class AlarmLog:
    """The log in one file; any thread may call it, and several processes may read it."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; raises `BedsideError` where it is damaged or locked."""
        self._path = path
        self._lock = threading.Lock()
        with self._faults_in_words():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._database = sqlite3.connect(
                path, timeout=BUSY_S, check_same_thread=False, isolation_level=None
            )
        try:
            with self._faults_in_words():
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = FULL")
                self._database.execute(page_cache.BOUND)
                self._database.executescript(_SCHEMA)
        except BedsideError:
            self._database.close()
            raise

    def append(self, kind: str, payload: Mapping[str, Any], wall_us: int, at_us: int) -> LogRow:
        """Add a row; it is on disk when this returns.

        `payload` is a JSON object; `bed` in it names the bed. Raises `BedsideError` when the disk
        refuses, ValueError when the payload is no JSON (NaN included).
        """
        return self.append_all([(kind, payload, wall_us, at_us)])[0]

    def append_all(
        self, entries: Iterable[tuple[str, Mapping[str, Any], int, int]]
    ) -> list[LogRow]:
        """Add rows of (kind, payload, wall_us, at_us): all of them are on disk, or none is."""
        texts = [
            (kind, canonical(payload), wall_us, at_us) for kind, payload, wall_us, at_us in entries
        ]
        rows = []
        with self._lock, self._faults_in_words(), self._transaction():
            last = self._database.execute(
                "SELECT hash FROM rows ORDER BY number DESC LIMIT 1"
            ).fetchone()
            previous = last[0] if last else BEFORE_THE_FIRST
            for kind, text, wall_us, at_us in texts:
                row_hash = _hash(previous, kind, text, wall_us, at_us)
                cursor = self._database.execute(
                    "INSERT INTO rows (kind, payload, wall_us, at_us, previous, hash)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (kind, text, wall_us, at_us, previous, row_hash),
                )
                assert cursor.lastrowid is not None
                rows.append(
                    LogRow(cursor.lastrowid, kind, json.loads(text), wall_us, at_us, row_hash)
                )
                previous = row_hash
        return rows

    def rows(self, since: int = 0, limit: int = 1000) -> list[LogRow]:
        """Rows with a number above `since`, oldest first, at most `limit`."""
        return self._select("WHERE number > ? ORDER BY number LIMIT ?", since, limit)

    def of_bed(
        self,
        bed: str,
        kinds: Sequence[str],
        limit: int,
        before: int = AFTER_THE_LAST,
        to_wall_us: int = AFTER_THE_LAST,
    ) -> list[LogRow]:
        """The last rows of a bed of some kinds, newest first, at most `limit`.

        Only those with a number below `before` that were written before `to_wall_us`.
        """
        marks = ", ".join("?" * len(kinds))
        return self._select(
            "WHERE json_extract(payload, '$.bed') = ? AND number < ? AND wall_us < ?"
            f" AND kind IN ({marks}) ORDER BY number DESC LIMIT ?",
            *(bed, before, to_wall_us, *kinds, limit),
        )

    def all_rows(self, since: int = 0) -> Iterator[LogRow]:
        """Every row with a number above `since`, oldest first, a thousand at a time."""
        while rows := self.rows(since):
            yield from rows
            since = rows[-1].number

    def latest(self, limit: int = 100) -> list[LogRow]:
        """The last rows, newest first."""
        return self._select("ORDER BY number DESC LIMIT ?", limit)

    def check(self) -> None:
        """Raises `LogDamagedError` where a page of the file is not what it should be."""
        with self._lock, self._faults_in_words():
            [found] = self._database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise LogDamagedError(f"The alarm log {self._path} is damaged ({found}).")

    def head(self) -> str:
        """The hash of the last row; two logs with the same head hold the same rows."""
        last = self.latest(1)
        return last[0].hash if last else BEFORE_THE_FIRST

    def of_last_run(self) -> dict[str, list[LogRow]]:
        """The rows since the station started last, by bed; its own are under the empty name.

        A start is a row of kind `start`. It is written with how every bed stands then, so that
        nothing before it is needed to know how they stand now.
        """
        beds: dict[str, list[LogRow]] = {}
        for row in self._select(
            "WHERE number > (SELECT ifnull(max(number), 0) FROM rows WHERE kind = 'start')"
            " ORDER BY number"
        ):
            beds.setdefault(str(row.payload.get("bed", "")), []).append(row)
        return beds

    def verify(self) -> Verdict:
        """Check the whole chain; names the first row that was changed, removed or moved."""
        with self._lock, self._faults_in_words():
            database = self._database
            last_ever = database.execute(
                "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'rows'"
            ).fetchone()[0]
            expected, previous = 1, BEFORE_THE_FIRST
            for number, kind, payload, wall_us, at_us, says_previous, row_hash in database.execute(
                f"SELECT {_COLUMNS} FROM rows ORDER BY number"
            ):
                if number != expected:
                    return Verdict(expected - 1, "missing", expected)
                if _hash(says_previous, kind, payload, wall_us, at_us) != row_hash:
                    return Verdict(expected - 1, "changed", number)
                if says_previous != previous:
                    elsewhere = database.execute(
                        "SELECT 1 FROM rows WHERE hash = ?", (says_previous,)
                    ).fetchone()
                    moved = elsewhere or says_previous == BEFORE_THE_FIRST
                    return Verdict(expected - 1, "reordered" if moved else "missing", number)
                expected, previous = expected + 1, row_hash
        if last_ever >= expected:
            return Verdict(expected - 1, "missing", expected)
        return Verdict(expected - 1)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _select(self, clause: str, *values: object) -> list[LogRow]:
        with self._lock, self._faults_in_words():
            found = self._database.execute(
                f"SELECT {_COLUMNS} FROM rows {clause}", values
            ).fetchall()
            return [
                LogRow(number, kind, json.loads(payload), wall_us, at_us, row_hash)
                for number, kind, payload, wall_us, at_us, _, row_hash in found
            ]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # IMMEDIATE: nobody else appends between reading the last hash and writing the next.
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    @contextmanager
    def _faults_in_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            advice = (
                "stop the other program that holds it"
                if "locked" in str(error)
                else "free space or set another folder"
            )
            raise BedsideError(f"The alarm log {self._path} failed ({error}): {advice}.") from error
        except (OSError, sqlite3.DatabaseError, json.JSONDecodeError) as error:
            damaged = isinstance(error, sqlite3.Error) and code_of(error) in DAMAGED
            raise (LogDamagedError if damaged else BedsideError)(
                f"The alarm log {self._path} is damaged or unreadable ({error}):"
                " move it away and start again."
            ) from error


def canonical(payload: Mapping[str, Any]) -> str:
    """The text of a payload, the same for the same content."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _hash(previous: str, kind: str, payload: str, wall_us: int, at_us: int) -> str:
    content = json.dumps([previous, kind, payload, wall_us, at_us])
    return hashlib.sha256(content.encode()).hexdigest()
