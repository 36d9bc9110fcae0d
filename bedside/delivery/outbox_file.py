"""The outbox on disk: SQLite in WAL mode, every commit synced, one process at a time."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from bedside.delivery.alert import Alert
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
    machine_boot TEXT NOT NULL
) STRICT
"""
_REMEMBERED = 200


class DeliveryState(StrEnum):
    """Where an alert stands. `queued` and `failed` wait; a failed one is tried again."""

    QUEUED = "queued"
    FAILED = "failed"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert and how far it has come.

    `number` orders by commit. `queued_s` is the machine's monotonic time of the commit, None while
    unknown after a reboot. `active`: the alarm instance lasts. `saved`: it is on disk.
    """

    number: int
    alert: Alert
    state: DeliveryState
    queued_s: float | None
    reason: str = ""
    acknowledged: bool = False
    active: bool = True
    saved: bool = True

    @property
    def waits(self) -> bool:
        """Whether the alert has yet to leave."""
        return self.state in (DeliveryState.QUEUED, DeliveryState.FAILED)

    def age_s(self, now_s: float) -> float:
        """Seconds since the commit, 0 while that is unknown."""
        return 0.0 if self.queued_s is None else now_s - self.queued_s


class OutboxFile:
    """Holds deliveries; each `save` is one transaction, on disk when it returns."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; raises `DeliveryError` where it is damaged or in use."""
        self._machine_boot = _machine_boot()
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._database = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise DeliveryError(f"The outbox {path} cannot be opened: {error}.") from error
        try:
            # Two processes with one outbox would each send every alert.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            with self._database:
                self._database.execute(_SCHEMA)
        except sqlite3.Error as error:
            self._database.close()
            busy = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
            raise DeliveryError(
                f"The outbox {path} is in use by another station: stop that one."
                if busy
                else f"The outbox {path} is damaged ({error}): move it away and start again."
            ) from error

    def load(self) -> list[Delivery]:
        """What waits and the latest of the rest, in the order of commit; raises sqlite3.Error.

        Whether an instance of an earlier run lasts is not known: none counts as active.
        """
        with self._lock:
            rows = self._database.execute(
                "SELECT number, alert, state, reason, acknowledged, queued_s, machine_boot"
                " FROM deliveries WHERE state IN ('queued', 'failed')"
                " OR number > (SELECT ifnull(max(number), 0) FROM deliveries) - ?"
                " ORDER BY number",
                (_REMEMBERED,),
            ).fetchall()
        return [
            Delivery(
                number=number,
                alert=_alert(alert),
                state=DeliveryState(state),
                queued_s=queued_s if machine_boot == self._machine_boot else None,
                reason=reason,
                acknowledged=bool(acknowledged),
                active=False,
            )
            for number, alert, state, reason, acknowledged, queued_s, machine_boot in rows
        ]

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
                self._machine_boot,
            )
            for delivery in deliveries
        ]
        with self._lock, self._database:
            self._database.executemany(
                "INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO"
                " UPDATE SET state = excluded.state, reason = excluded.reason,"
                " acknowledged = excluded.acknowledged, queued_s = excluded.queued_s,"
                " machine_boot = excluded.machine_boot ON CONFLICT (alert_id) DO NOTHING",
                rows,
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()


def _alert(text: str) -> Alert:
    fields = json.loads(text)
    return Alert(**(fields | {"priority": Priority(fields["priority"])}))


def _machine_boot() -> str:
    # Monotonic times can be compared only within one boot of the machine.
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
