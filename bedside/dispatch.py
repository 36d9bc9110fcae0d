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
from bedside.delivery.outbox import Outbox
from bedside.delivery.transport import LinkNews, RemoteAcknowledgement, Transport
from bedside.errors import BedsideError
from bedside.events import Instance
from bedside.settings import AlertSettings
from bedside.worker import Worker

DRAIN_EVERY_S = 0.2
STOP_S = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Followed:
    bed: str
    instance: Instance


@dataclass(frozen=True, slots=True)
class _WakeUp:
    """The sending thread shall try what waits at once."""


class Office(Protocol):
    """Who hears what becomes of alerts; on any thread, and returns at once."""

    def stepped(self, step: DeliveryStep) -> None:
        """A delivery made a step."""

    def health(self, subject: str, ok: bool, detail: str) -> None:
        """How `delivery` (whether all alerts have left), `cloud` (the link) or `disk` fares."""

    def acknowledged(self, alert: Alert, by: str) -> None:
        """Somebody far away took an alert on."""


class Dispatch:
    """Takes alerts and sees to it that they leave."""

    def __init__(
        self, path: Path, transport: Transport, alerts: AlertSettings, office: Office
    ) -> None:
        """Open the outbox at `path`; nothing runs yet. Raises `DeliveryError`."""
        self._transport = transport
        self._office = office
        self._outbox = Outbox(
            path,
            transport,
            contacts=max(1, len(alerts.contacts)),
            most_per_minute=alerts.most_per_minute,
            on_step=office.stepped,
        )
        self._clear: bool | None = None
        self._committing = Worker[Alert | _Followed | RemoteAcknowledgement](
            "delivery", self._commit, capacity=1000, failed=self._failed
        )
        self._sending = Worker[_WakeUp](
            "sending",
            lambda _: self._drain(),
            capacity=1000,
            every_s=DRAIN_EVERY_S,
            idle=self._drain,
            failed=self._failed,
        )

    def start(self) -> None:
        """Start the threads and the link. Raises `DeliveryError`."""
        self._committing.start()
        self._sending.start()
        self._transport.start(self._heard)

    def stop(self) -> None:
        """Commit what came in, try once more to send, and close."""
        for worker in (self._committing, self._sending):
            if not worker.stop(STOP_S):
                _log.warning("%s did not end in time; what waits leaves next time", worker.name)
        self._transport.close()
        self._outbox.close()

    def put(self, alert: Alert) -> bool:
        """Take an alert; False when too many wait to be committed."""
        return self._committing.put(alert)

    def follow(self, bed: str, instance: Instance) -> bool:
        """An alarm instance changed: its alert shall know."""
        return self._committing.put(_Followed(bed, instance))

    @property
    def failures(self) -> int:
        """Faults and overflows of both threads since the start."""
        workers = (self._committing, self._sending)
        return sum(worker.failures + worker.overflows for worker in workers)

    # ── the committing thread ─────────────────────────────────────────────────────────────────

    def _commit(self, item: Alert | _Followed | RemoteAcknowledgement) -> None:
        match item:
            case Alert():
                if not self._outbox.commit(item, time.monotonic()):
                    self._office.health("disk", False, "an alert could not be saved")
                self._wake()
            case _Followed():
                self._outbox.follow(item.bed, item.instance)
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

    # ── the sending thread ────────────────────────────────────────────────────────────────────

    def _drain(self) -> None:
        reason = ""
        for step in self._outbox.drain(time.monotonic()):
            reason = step.reason or reason
        clear = self._outbox.pending() == 0
        if clear != self._clear:
            self._clear = clear
            self._office.health("delivery", clear, reason)

    # ── the transport's thread ────────────────────────────────────────────────────────────────

    def _heard(self, news: LinkNews | RemoteAcknowledgement) -> None:
        match news:
            case LinkNews():
                self._office.health("cloud", news.up, news.detail)
                if news.up:
                    self._outbox.retry_now()
                    self._wake()
            case RemoteAcknowledgement():
                self._committing.put(news)

    def _failed(self, error: BaseException) -> None:
        reason = str(error) if isinstance(error, BedsideError) else repr(error)
        self._office.health("delivery", False, reason)
