"""The outbox on disk: SQLite in WAL mode, every commit synced, one process at a time."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bedside.delivery.alert import Alert
from bedside.delivery.delivery import Delivery, DeliveryState
from bedside.errors import DeliveryError
from bedside.events import Priority

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


class OutboxInUseError(DeliveryError):
    """Another process has the outbox open."""


class OutboxFile:
    """Holds deliveries; each `save` is one transaction, on disk when it returns."""

    def __init__(self, path: Path, timeout_s: float = 1.0) -> None:
        """Open or make the file; another that has it open is waited for so long.

        Raises `DeliveryError` where it is damaged, `OutboxInUseError` where it is in use.
        """
        self._machine_boot = _machine_boot()
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._database = sqlite3.connect(path, timeout=timeout_s, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise DeliveryError(f"The outbox {path} cannot be opened: {error}.") from error
        try:
            # Two processes with one outbox would each send every alert.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._make_table()
        except sqlite3.Error as error:
            self._database.close()
            busy = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
            if busy:
                raise OutboxInUseError(
                    f"The outbox {path} is in use by another station: stop that one."
                ) from error
            raise DeliveryError(
                f"The outbox {path} is damaged ({error}): move it away and start again."
            ) from error

    def load(self) -> list[Delivery]:
        """What waits or may escalate, with a digest's members, and the latest of the rest.

        In the order of commit; raises sqlite3.Error. Whether an instance of an earlier run lasts
        is not known: none counts as active.
        """
        with self._lock, self._database:
            self._database.execute(
                f"DELETE FROM deliveries WHERE NOT {_OPEN}"
                " AND number <= (SELECT ifnull(max(number), 0) FROM deliveries) - ?",
                (_KEPT,),
            )
            rows = self._database.execute(
                f"SELECT {_COLUMNS} FROM deliveries WHERE {_OPEN}"
                f" OR within IN (SELECT alert_id FROM deliveries WHERE {_OPEN})"
                " OR number > (SELECT ifnull(max(number), 0) FROM deliveries) - ?"
                " ORDER BY number",
                (_REMEMBERED,),
            ).fetchall()
        return [self._delivery(row) for row in rows]

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

    def _make_table(self) -> None:
        [layout] = self._database.execute("PRAGMA user_version").fetchone()
        tables = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and layout != _LAYOUT:
            raise sqlite3.DatabaseError("written by another version of bedside")
        with self._database:
            self._database.execute(_SCHEMA)
            self._database.execute(f"PRAGMA user_version = {_LAYOUT}")

    def _delivery(self, row: tuple[Any, ...]) -> Delivery:
        number, _, alert, state, reason, acknowledged, queued_s, accepted_s, within, _, boot = row
        # Monotonic times can be compared only within one boot of the machine.
        known = boot == self._machine_boot
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

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()


def _alert(text: str) -> Alert:
    fields = json.loads(text)
    fields |= {"priority": Priority(fields["priority"]), "members": tuple(fields["members"])}
    return Alert(**fields)


def _machine_boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
