"""The outbox on disk: SQLite in WAL mode, every commit synced, one process at a time."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bedside import page_cache
from bedside.delivery.alert import Alert
from bedside.delivery.delivery import Delivery, DeliveryState
from bedside.errors import DeliveryError
from bedside.events import Priority
from bedside.set_aside import DAMAGED, code_of, set_aside

_SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY,
    alert_id TEXT NOT NULL UNIQUE,
    alert TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    acknowledged INTEGER NOT NULL,
    queued_s REAL,
    accepted_s REAL,
    within TEXT NOT NULL,
    concerns INTEGER NOT NULL,
    machine_boot TEXT NOT NULL
) STRICT
"""
_LAYOUT = 2
"""Of the file, in SQLite's user_version; the first had no number."""

_REMEMBERED = 200
_KEPT = 20_000
"""Rows on disk; older ones that nobody waits for are deleted at the start."""

_OPEN = "(state IN ('queued', 'failed') OR (state = 'accepted' AND concerns))"
_COLUMNS = (
    "number, alert_id, alert, state, reason, acknowledged, queued_s, accepted_s, within, concerns,"
    " machine_boot"
)


_LOGGER = logging.getLogger(__name__)


class OutboxInUseError(DeliveryError):
    """Another process has the outbox open."""


class OutboxDamagedError(DeliveryError):
    """The file is no database, or holds what it should not."""


def opened(path: Path) -> tuple[OutboxFile, list[Delivery]]:
    """The outbox at `path` and what waits in it; raises `DeliveryError`.

    A damaged file is set aside under another name and never deleted; what can be read of it goes
    into a new one.
    """
    rescued: list[Delivery] = []
    try:
        file = OutboxFile(path)
        try:
            return file, file.load()
        except OutboxDamagedError:
            file.close()
            raise
    except OutboxDamagedError as damage:
        aside = set_aside(path)
        rescued = _rescued(aside)
        _LOGGER.error("%s It lies at %s; %d alerts of it go on.", damage, aside, len(rescued))
    file = OutboxFile(path)
    try:
        file.save(rescued)
        return file, file.load()
    except sqlite3.Error as error:
        file.close()
        raise DeliveryError(f"The outbox {path} cannot be written ({error}).") from error


def in_use(path: Path) -> bool:
    """Whether another process, such as a station, has the outbox at `path` open."""
    try:
        if path.exists():
            OutboxFile(path, timeout_s=0.1).close()
    except OutboxInUseError:
        return True
    except DeliveryError:
        return False
    return False


def _rescued(aside: Path) -> list[Delivery]:
    """What can be read of a damaged file, from both ends of its table."""
    found: dict[int, Delivery] = {}
    address = f"{aside.absolute().as_uri()}?mode=ro"
    for order in ("ASC", "DESC"):
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(address, uri=True)) as database,
        ):
            query = f"SELECT {_COLUMNS} FROM deliveries NOT INDEXED ORDER BY number {order}"
            for row in database.execute(query):
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    found.setdefault(row[0], _delivery(row, _machine_boot()))
    return [found[number] for number in sorted(found)]


class OutboxFile:
    """Holds deliveries; each `save` is one transaction, on disk when it returns."""

    def __init__(self, path: Path, timeout_s: float = 1.0) -> None:
        """Open or make the file; another that has it open is waited for so long.

        Raises `OutboxDamagedError`, `OutboxInUseError`, or `DeliveryError` for whatever else.
        """
        self._machine_boot = _machine_boot()
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._database = sqlite3.connect(path, timeout=timeout_s, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            why = getattr(error, "strerror", None) or error
            raise DeliveryError(
                f"The outbox {path} cannot be opened ({why}): choose a station.data_dir that"
                " bedside may write."
            ) from error
        try:
            # Two processes with one outbox would each send every alert.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(page_cache.BOUND)
            self._make_table(path)
        except sqlite3.Error as error:
            self._database.close()
            code = code_of(error)
            if code == sqlite3.SQLITE_BUSY:
                raise OutboxInUseError(
                    f"The outbox {path} is in use by another station: stop that one."
                ) from error
            if code in DAMAGED:
                raise OutboxDamagedError(f"The outbox {path} is damaged ({error}).") from error
            raise DeliveryError(
                f"The outbox {path} cannot be opened ({error}): make room on the disk, or choose"
                " another station.data_dir."
            ) from error
        except DeliveryError:
            self._database.close()
            raise

    def load(self) -> list[Delivery]:
        """What waits or may escalate, with a digest's members, and the latest of the rest.

        In the order of commit; raises `OutboxDamagedError`. Whether an instance of an earlier run
        lasts is not known: none counts as active.
        """
        try:
            return [_delivery(row, self._machine_boot) for row in self._rows()]
        except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
            raise OutboxDamagedError(f"The outbox holds what it should not ({error}).") from error

    def _rows(self) -> list[tuple[Any, ...]]:
        with self._lock, self._database:
            # A full disk refuses even this; the rows are read all the same.
            with contextlib.suppress(sqlite3.OperationalError):
                self._database.execute(
                    f"DELETE FROM deliveries WHERE NOT {_OPEN}"
                    " AND number <= (SELECT ifnull(max(number), 0) FROM deliveries) - ?",
                    (_KEPT,),
                )
            return self._database.execute(
                f"SELECT {_COLUMNS} FROM deliveries WHERE {_OPEN}"
                f" OR within IN (SELECT alert_id FROM deliveries WHERE {_OPEN})"
                " OR number > (SELECT ifnull(max(number), 0) FROM deliveries) - ?"
                " ORDER BY number",
                (_REMEMBERED,),
            ).fetchall()

    def knows(self, alert_id: str) -> bool:
        """Whether an alert was ever committed; False where the file cannot tell."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            query = "SELECT 1 FROM deliveries WHERE alert_id = ?"
            return self._database.execute(query, (alert_id,)).fetchone() is not None
        return False

    def save(self, deliveries: Iterable[Delivery]) -> None:
        """Write deliveries as they are now, all or none; raises sqlite3.Error."""
        rows = [
            (
                delivery.number,
                delivery.alert.alert_id,
                json.dumps(asdict(delivery.alert)),
                delivery.state.value,
                delivery.reason,
                delivery.acknowledged,
                delivery.queued_s,
                delivery.accepted_s,
                delivery.within,
                delivery.concerns,
                self._machine_boot,
            )
            for delivery in deliveries
        ]
        with self._lock, self._database:
            self._database.executemany(
                f"INSERT INTO deliveries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (number) DO UPDATE SET alert = excluded.alert,"
                " state = excluded.state, reason = excluded.reason,"
                " acknowledged = excluded.acknowledged, queued_s = excluded.queued_s,"
                " accepted_s = excluded.accepted_s, within = excluded.within,"
                " concerns = excluded.concerns, machine_boot = excluded.machine_boot"
                " ON CONFLICT (alert_id) DO NOTHING",
                rows,
            )

    def _make_table(self, path: Path) -> None:
        [layout] = self._database.execute("PRAGMA user_version").fetchone()
        tables = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and layout != _LAYOUT:
            raise DeliveryError(
                f"The outbox {path} was written by another version of bedside: send what waits in"
                " it with that version, or move it away."
            )
        if not tables:
            with self._database:
                self._database.execute(_SCHEMA)
                self._database.execute(f"PRAGMA user_version = {_LAYOUT}")
        [found] = self._database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise OutboxDamagedError(f"The outbox {path} is damaged ({found}).")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()


def _delivery(row: tuple[Any, ...], machine_boot: str) -> Delivery:
    number, _, alert, state, reason, acknowledged, queued_s, accepted_s, within, _, boot = row
    # Monotonic times can be compared only within one boot of the machine.
    known = boot == machine_boot
    return Delivery(
        number=number,
        alert=_alert(alert),
        state=DeliveryState(state),
        queued_s=queued_s if known else None,
        reason=reason,
        acknowledged=bool(acknowledged),
        active=False,
        accepted_s=accepted_s if known else None,
        within=within,
        earlier=True,
    )


def _alert(text: str) -> Alert:
    fields = json.loads(text)
    fields |= {"priority": Priority(fields["priority"]), "members": tuple(fields["members"])}
    return Alert(**fields)


def _machine_boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
