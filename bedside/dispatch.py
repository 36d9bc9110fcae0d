"""The delivery of alerts: the outbox, its transport, and the two threads that serve them.

One thread commits, so that an alert is on disk within milliseconds whatever the network does; the
other sends, one alert at a time.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bedside.delivery.alert import Alert
from bedside.delivery.delivery import DeliveryStep
from bedside.delivery.outbox import LATE_S, Outbox
from bedside.delivery.transport import LinkNews, RemoteAcknowledgement, Transport
from bedside.events import Instance, Priority
from bedside.settings import AlertSettings
from bedside.worker import Worker

DRAIN_EVERY_S = 0.2
WATCH_EVERY_S = 1.0
TROUBLE_SHOWN_S = 60.0
STOP_S = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Followed:
    bed: str
    instance: Instance


@dataclass(frozen=True, slots=True)
class _PatientLeft:
    bed: str


@dataclass(frozen=True, slots=True)
class _WakeUp:
    """The sending thread shall try at once what is due, or, as the link is back, all that waits."""

    link_is_back: bool = False


_Committed = Alert | _Followed | _PatientLeft | RemoteAcknowledgement


class Office(Protocol):
    """Who hears what becomes of alerts; on any thread, and returns at once."""

    def stepped(self, step: DeliveryStep) -> None:
        """A delivery made a step."""

    def health(self, subject: str, ok: bool, detail: str, since_s: float | None = None) -> None:
        """How one of these fares; `since_s` is the monotonic time since when it does not.

        `cloud` is the link; `delivery` and `high-delivery` fail while an alert is overdue, the
        latter when a high one is among those that wait; `outbox` while an alert is not on disk, or
        may have been lost from it.
        """

    def acknowledged(self, alert: Alert, by: str) -> None:
        """Somebody far away took an alert on."""


class Dispatch:
    """Takes alerts and sees to it that they leave."""

    def __init__(
        self,
        path: Path,
        transport: Transport,
        alerts: AlertSettings,
        office: Office,
        overdue_s: float = LATE_S,
    ) -> None:
        """Open the outbox at `path`; nothing runs yet. Raises `DeliveryError`.

        An alert that waits for more than `overdue_s` fails.
        """
        self._transport = transport
        self._office = office
        self._overdue_s = overdue_s
        self._outbox = Outbox(
            path,
            transport,
            contacts=len(alerts.contacts),
            most_per_minute=alerts.most_per_minute,
            on_step=office.stepped,
        )
        self._waiting = 0, 0.0
        self._said: dict[str, tuple[bool, str]] = {}
        self._failures = 0
        self._trouble_s: float | None = None
        # It watches, too: sending may hang for as long as a transport does.
        self._committing = Worker[_Committed](
            "delivery", self._commit, capacity=1000, every_s=WATCH_EVERY_S, idle=self._watch
        )
        self._sending = Worker[_WakeUp](
            "sending", self._woken, capacity=1000, every_s=DRAIN_EVERY_S, idle=self._drain
        )

    def start(self) -> None:
        """Start the threads and the link. Raises `DeliveryError`."""
        self._committing.start()
        self._sending.start()
        self._transport.start(self._heard)

    def stop(self) -> None:
        """Commit what came in, try once more to send, and close."""
        committed = self._committing.stop(STOP_S)
        self._sending.stop(STOP_S)
        self._transport.close()
        # An attempt that was under way has failed with its link.
        if not (self._sending.stop(STOP_S) and committed):
            _log.warning("delivery did not end in time; what waits leaves next time")
        self._outbox.close()

    def put(self, alert: Alert) -> bool:
        """Take an alert; False, and an alarm, when too many wait to be committed."""
        taken = self._committing.put(alert)
        if not taken:
            _log.error("too many alerts wait for the disk, this is lost: %s", alert.message())
        return taken

    def knows(self, alert_id: str) -> bool:
        """Whether an alert was committed, now or by an earlier run."""
        return self._outbox.knows(alert_id)

    def follow(self, bed: str, instance: Instance) -> bool:
        """An alarm instance changed: its alert shall know."""
        return self._committing.put(_Followed(bed, instance))

    def patient_left(self, bed: str) -> bool:
        """A bed's alarms have all ended with the state it was in."""
        return self._committing.put(_PatientLeft(bed))

    @property
    def failures(self) -> int:
        """Faults and overflows of both threads since the start."""
        workers = (self._committing, self._sending)
        return sum(worker.failures + worker.overflows for worker in workers)

    @property
    def waiting(self) -> tuple[int, float]:
        """How many alerts have not left, and the age of the oldest in s, as last looked at."""
        return self._waiting

    # ── the committing thread ─────────────────────────────────────────────────────────────────

    def _commit(self, item: _Committed) -> None:
        match item:
            case Alert():
                self._outbox.commit(item, time.monotonic())
                self._wake()
            case _Followed():
                self._outbox.follow(item.bed, item.instance)
            case _PatientLeft():
                self._outbox.patient_left(item.bed)
            case RemoteAcknowledgement():
                meant = self._outbox.acknowledge(item.alert_id)
                if not meant:
                    _log.warning("%s acknowledged an unknown alert %s", item.by, item.alert_id)
                for alert in meant:
                    self._office.acknowledged(alert, item.by)

    def _wake(self) -> None:
        # A wake-up that waits already will find the new alert too.
        if not self._sending.waiting:
            self._sending.put(_WakeUp())

    def _watch(self) -> None:
        now_s = time.monotonic()
        if self.failures != self._failures:
            self._failures, self._trouble_s = self.failures, now_s
        waiting = self._outbox.waiting(now_s)
        self._waiting = len(waiting), waiting[0].age_s(now_s) if waiting else 0.0
        if waiting and waiting[0].age_s(now_s) >= self._overdue_s:
            since_s = now_s - waiting[0].age_s(now_s)
            reason = next((each.reason for each in reversed(waiting) if each.reason), "")
            high = any(each.alert.priority is Priority.HIGH for each in waiting)
            # The graver one first, so that the lesser one makes no alarm of its own.
            self._tell("high-delivery", not high, reason if high else "", since_s)
            self._tell("delivery", False, reason, since_s)
        elif self._trouble_s is not None and now_s - self._trouble_s < TROUBLE_SHOWN_S:
            since_s = self._trouble_s - self._overdue_s
            self._tell("delivery", False, "alerts were refused or failed: see the log", since_s)
            self._tell("high-delivery", True)
        else:
            self._tell("delivery", True)
            self._tell("high-delivery", True)
        fault = self._outbox.fault()
        self._tell("outbox", not fault, fault)

    def _tell(self, subject: str, ok: bool, detail: str = "", since_s: float | None = None) -> None:
        if self._said.get(subject) != (ok, detail):
            self._said[subject] = ok, detail
            self._office.health(subject, ok, detail, since_s)

    # ── the sending thread ────────────────────────────────────────────────────────────────────

    def _woken(self, up: _WakeUp) -> None:
        if up.link_is_back:
            self._outbox.retry_now()
        self._drain()

    def _drain(self) -> None:
        self._outbox.drain(time.monotonic())

    # ── the transport's thread ────────────────────────────────────────────────────────────────

    def _heard(self, news: LinkNews | RemoteAcknowledgement) -> None:
        match news:
            case LinkNews():
                self._office.health("cloud", news.up, news.detail)
                if news.up:
                    self._sending.put(_WakeUp(link_is_back=True))
            case RemoteAcknowledgement():
                self._committing.put(news)
