"""The outbox: an alert is on disk before anyone tries to send it, and leaves at least once.

Order: the newest active high alert first, then the oldest. An attempt that fails is repeated with
the same id after a jittered wait that doubles up to a cap; once one alert gets through, all others
are due again. An alert whose instance still lasts says so when it is late. Of those whose instance
has ended, the ones older than 15 minutes go out as one summary, as soon as one alert has shown
that the transport works again.
"""

from __future__ import annotations

import hashlib
import logging
import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bedside.delivery.alert import Alert
from bedside.delivery.outbox_file import Delivery, DeliveryState, OutboxFile
from bedside.errors import DeliveryError
from bedside.events import Instance, Priority

LATE_S = 30.0
"""Age from which an undelivered alert of a lasting instance says that it is still active."""

SUMMARY_AGE_S = 900.0
"""Age from which alerts of ended instances leave together."""

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 8.0
"""The wait after a failed attempt, before jitter: it doubles from the first to the longest."""

_FAILURES_IN_A_ROW = 2
_REMEMBERED = 200
_LOGGER = logging.getLogger(__name__)


class Transport(Protocol):
    """A way out of the building."""

    def send(self, alert: Alert) -> None:
        """Hand the alert over; returns when it was taken, raises `DeliveryError` when not."""
        ...


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What one attempt came to: `sent`, or `failed` and why. `attempt` counts from 1."""

    alert_id: str
    bed: str
    instance_id: str
    state: DeliveryState
    attempt: int
    reason: str = ""


class Outbox:
    """Alerts on their way out.

    `commit` and `follow` may be called from any thread and never wait for the transport; one
    thread calls `drain`. `now_s` is always `time.monotonic()`.
    """

    def __init__(
        self, path: Path, transport: Transport, jitter: Callable[[], float] = random.random
    ) -> None:
        """Open the outbox at `path` with what an earlier run left in it.

        `jitter` returns numbers in [0, 1). Raises `DeliveryError` where the file is damaged or in
        use.
        """
        self._file = OutboxFile(path)
        self._transport = transport
        self._jitter = jitter
        self._lock = threading.RLock()
        try:
            self._deliveries = {each.alert.alert_id: each for each in self._file.load()}
        except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
            self._file.close()
            raise DeliveryError(
                f"The outbox {path} is damaged ({error}): move it away and start again."
            ) from error
        self._attempts: Counter[str] = Counter()
        self._not_before_s: dict[str, float] = {}

    def commit(self, alert: Alert, now_s: float) -> bool:
        """Put an alert in; it is on disk when this returns True.

        False: the disk refused; the alert is sent from memory, marked as not saved. An id that is
        in already changes nothing.
        """
        with self._lock:
            known = self._deliveries.get(alert.alert_id)
            if known is not None:
                return known.saved
            self._put(Delivery(self._next_number(), alert, DeliveryState.QUEUED, now_s))
            return self._deliveries[alert.alert_id].saved

    def follow(self, bed: str, instance: Instance) -> None:
        """An alarm instance changed: its alert learns whether it lasts and was acknowledged.

        An acknowledged alert that waits still leaves, since somebody may count on it.
        """
        with self._lock:
            for delivery in list(self._deliveries.values()):
                alert = delivery.alert
                if (alert.bed, alert.instance_id) != (bed, instance.instance_id):
                    continue
                acknowledged = instance.acknowledged_us is not None
                now = replace(
                    delivery,
                    active=instance.ended_us is None,
                    acknowledged=acknowledged,
                    state=DeliveryState.ACKNOWLEDGED
                    if acknowledged and delivery.state is DeliveryState.SENT
                    else delivery.state,
                )
                if now.acknowledged != delivery.acknowledged:
                    self._put(now)
                else:
                    self._deliveries[alert.alert_id] = now

    def drain(self, now_s: float) -> list[DeliveryResult]:
        """Send what is due, one at a time; stops after two failures in a row."""
        results: list[DeliveryResult] = []
        tried: set[str] = set()
        failures = 0
        self._save_unsaved()
        while failures < _FAILURES_IN_A_ROW:
            delivery = self._next_due(now_s, tried)
            if delivery is None:
                break
            tried.add(delivery.alert.alert_id)
            result = self._attempt(delivery, now_s)
            results.append(result)
            if result.state is DeliveryState.FAILED:
                failures += 1
            else:
                failures = 0
                self._not_before_s.clear()
                self._summarise(now_s)
        return results

    def pending(self) -> int:
        """How many alerts wait to leave."""
        with self._lock:
            return sum(delivery.waits for delivery in self._deliveries.values())

    def oldest_undelivered_age_s(self, now_s: float) -> float | None:
        """Seconds since the oldest waiting alert was committed; None when none waits."""
        with self._lock:
            self._begin_unknown_ages(now_s)
            waiting = [each for each in self._deliveries.values() if each.waits]
            return max((each.age_s(now_s) for each in waiting), default=None)

    def rows(self) -> list[Delivery]:
        """What waits and the latest of the rest, newest first."""
        with self._lock:
            return sorted(self._deliveries.values(), key=lambda each: -each.number)

    def close(self) -> None:
        """Close the file; what waits is there for the next run."""
        self._file.close()

    def _next_due(self, now_s: float, tried: set[str]) -> Delivery | None:
        with self._lock:
            self._begin_unknown_ages(now_s)
            due = [
                delivery
                for alert_id, delivery in self._deliveries.items()
                if delivery.waits
                and alert_id not in tried
                and self._not_before_s.get(alert_id, now_s) <= now_s
            ]
        return min(due, key=_turn, default=None)

    def _attempt(self, delivery: Delivery, now_s: float) -> DeliveryResult:
        alert = delivery.alert
        late = delivery.age_s(now_s) >= LATE_S
        self._attempts[alert.alert_id] += 1
        attempt = self._attempts[alert.alert_id]
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt - 1, 10))
        # Set before the attempt, so that whatever goes wrong in it holds up no other alert.
        self._not_before_s[alert.alert_id] = now_s + wait_s * (0.5 + self._jitter() / 2)
        reason = ""
        try:
            self._transport.send(replace(alert, still_active=late and delivery.active))
        except DeliveryError as error:
            reason = str(error) or type(error).__name__
        with self._lock:
            current = self._deliveries[alert.alert_id]
            if reason:
                state = DeliveryState.FAILED
            else:
                state = DeliveryState.SENT
                del self._attempts[alert.alert_id]
            shown = (
                DeliveryState.ACKNOWLEDGED
                if current.acknowledged and state is DeliveryState.SENT
                else state
            )
            if (shown, reason) != (current.state, current.reason):
                self._put(replace(current, state=shown, reason=reason))
        return DeliveryResult(alert.alert_id, alert.bed, alert.instance_id, state, attempt, reason)

    def _summarise(self, now_s: float) -> None:
        with self._lock:
            old = [
                delivery
                for delivery in self._deliveries.values()
                if delivery.waits
                and delivery.saved
                and not delivery.active
                and not delivery.alert.test
                and delivery.alert.code != "summary"
                and delivery.age_s(now_s) >= SUMMARY_AGE_S
            ]
            if len(old) < 2:
                return
            summary = Delivery(
                self._next_number(),
                _summary_of([delivery.alert for delivery in old]),
                DeliveryState.QUEUED,
                old[0].queued_s,
                active=False,
            )
            reason = f"in summary {summary.alert.alert_id}"
            expired = [replace(d, state=DeliveryState.EXPIRED, reason=reason) for d in old]
            try:
                self._file.save([summary, *expired])
            except sqlite3.Error as error:
                # Without a disk the alerts leave one by one: nothing may stand only in memory.
                _LOGGER.warning("no summary of late alerts: %s", error)
                return
            for delivery in (*expired, summary):
                self._deliveries[delivery.alert.alert_id] = delivery
            self._forget_oldest()

    def _put(self, delivery: Delivery) -> None:
        try:
            self._file.save([delivery])
            delivery = replace(delivery, saved=True)
        except sqlite3.Error as error:
            _LOGGER.warning("alert %s is only in memory: %s", delivery.alert.alert_id, error)
            delivery = replace(delivery, saved=False)
        self._deliveries[delivery.alert.alert_id] = delivery
        self._forget_oldest()

    def _save_unsaved(self) -> None:
        with self._lock:
            for delivery in [each for each in self._deliveries.values() if not each.saved]:
                self._put(delivery)

    def _begin_unknown_ages(self, now_s: float) -> None:
        for alert_id, delivery in self._deliveries.items():
            if delivery.queued_s is None:
                self._deliveries[alert_id] = replace(delivery, queued_s=now_s)

    def _next_number(self) -> int:
        return max((each.number for each in self._deliveries.values()), default=0) + 1

    def _forget_oldest(self) -> None:
        done = sorted(
            (each for each in self._deliveries.values() if not each.waits and each.saved),
            key=lambda each: each.number,
        )
        for delivery in done[:-_REMEMBERED]:
            del self._deliveries[delivery.alert.alert_id]


def _turn(delivery: Delivery) -> tuple[bool, int]:
    alert = delivery.alert
    urgent = alert.priority is Priority.HIGH and delivery.active and not alert.test
    return (False, -delivery.number) if urgent else (True, delivery.number)


def _summary_of(alerts: list[Alert]) -> Alert:
    counts = Counter(alert.code for alert in alerts)
    beds = sorted({alert.bed for alert in alerts})
    ids = " ".join(alert.alert_id for alert in alerts)
    by_urgency = sorted(alerts, key=lambda alert: list(Priority).index(alert.priority))
    return Alert(
        alert_id=hashlib.sha256(ids.encode()).hexdigest()[:8],
        priority=by_urgency[0].priority,
        code="summary",
        text=f"{len(alerts)} ended alerts that could not leave earlier, the first of them then: "
        + ", ".join(f"{code} {count}" for code, count in counts.most_common()),
        bed=beds[0] if len(beds) == 1 else "several",
        wall_us=min((alert.wall_us for alert in alerts if alert.wall_us), default=0),
        heart_rate_bpm=None,
        instance_id="",
    )
