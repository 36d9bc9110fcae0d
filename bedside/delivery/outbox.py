"""The outbox: an alert is on disk before anyone tries to send it, and leaves at least once.

Order: the newest active high alert first, then the oldest. An attempt that fails is repeated with
the same id after a jittered wait that doubles up to a cap; once one alert gets through, or the link
is back, all others are due again. An alert whose instance still lasts says so when it is late. Of
those whose instance has ended, the ones older than 15 minutes go out as one summary, as soon as one
alert has shown that the transport works again. A storm of alerts becomes a digest before it floods
a phone; a storm of others never holds up an active high one.

An alert that nobody acknowledged goes to the next contact, and after the last one to the first
again for as long as its alarm lasts.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bedside.delivery import outbox_file
from bedside.delivery.alert import Alert
from bedside.delivery.allowance import Allowance
from bedside.delivery.delivery import Delivery, DeliveryState, DeliveryStep
from bedside.delivery.digest import digest, may_join
from bedside.errors import DeliveryError
from bedside.events import Instance
from bedside.set_aside import set_aside_before

LATE_S = 30.0
"""Age from which an undelivered alert of a lasting instance says that it is still active."""

SUMMARY_AGE_S = 900.0
"""Age from which alerts of ended instances leave together."""

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 8.0
"""The wait after a failed attempt, before jitter: it doubles from the first to the longest."""

MOST_PER_MINUTE = 10
"""Messages that may leave singly; active high ones are counted apart from all others."""

_FAILURES_IN_A_ROW = 2
_REMEMBERED = 200
_LOGGER = logging.getLogger(__name__)


class Sender(Protocol):
    """The part of a transport that the outbox needs."""

    def send(self, alert: Alert) -> None:
        """Hand the alert over; returns when it was taken, raises `DeliveryError` when not."""
        ...


class Outbox:
    """Alerts on their way out.

    `commit`, `follow` and `acknowledge` may be called from any thread and never wait for the
    transport; one thread calls `drain`. `now_s` is always `time.monotonic()`.
    """

    def __init__(
        self,
        path: Path,
        transport: Sender,
        jitter: Callable[[], float] = random.random,
        *,
        contacts: int = 0,
        most_per_minute: float = MOST_PER_MINUTE,
        on_step: Callable[[DeliveryStep], None] = lambda step: None,
    ) -> None:
        """Open the outbox at `path` with what an earlier run left in it.

        `jitter` returns numbers in [0, 1). `on_step` hears every step of every delivery, on the
        thread that made it, and returns at once. A damaged file is set aside, and what can be read
        of it goes on. Raises `DeliveryError` where there can be no file or it is in use.
        """
        self._transport = transport
        self._jitter = jitter
        self._contacts = contacts
        self._on_step = on_step
        self._lock = threading.RLock()
        self._file, loaded = outbox_file.opened(path)
        self._deliveries = {each.alert.alert_id: each for each in loaded}
        self._set_aside = set_aside_before(path)
        self._disk_fault = ""
        self._attempts: Counter[str] = Counter()
        self._not_before_s: dict[str, float] = {}
        self._allowances = {urgent: Allowance(most_per_minute) for urgent in (True, False)}

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
            saved = self._deliveries[alert.alert_id].saved
            self._tell(self._deliveries[alert.alert_id])
            return saved

    def knows(self, alert_id: str) -> bool:
        """Whether an alert is in, or was."""
        with self._lock:
            return alert_id in self._deliveries or self._file.knows(alert_id)

    def follow(self, bed: str, instance: Instance) -> None:
        """An alarm instance changed: its alert learns whether it lasts and was acknowledged.

        An acknowledged alert that waits for its first contact still leaves, since somebody may
        count on it. An acknowledgement also holds for the same condition's alerts of an earlier
        run, whose instances nobody can acknowledge any more.
        """
        acknowledged = instance.acknowledged_us is not None
        with self._lock:
            for delivery in list(self._deliveries.values()):
                alert = delivery.alert
                if (alert.bed, alert.instance_id) == (bed, instance.instance_id):
                    ended = instance.ended_us is not None
                    self._settle(delivery, active=not ended, acknowledged=acknowledged)
                elif delivery.earlier and (alert.bed, alert.code) == (bed, instance.code):
                    self._settle(delivery, active=False, acknowledged=acknowledged)

    def patient_left(self, bed: str) -> None:
        """A bed's alarms have all ended with the state it was in: nobody further is told."""
        with self._lock:
            for delivery in list(self._deliveries.values()):
                ours = delivery.alert.bed == bed and delivery.alert.instance_id
                if ours and (delivery.waits or delivery.concerns):
                    self._settle(delivery, active=False, acknowledged=True)

    def acknowledge(self, alert_id: str) -> list[Alert]:
        """Somebody takes an alert on, or a digest with all in it; returns the alerts meant.

        An unknown id does nothing.
        """
        with self._lock:
            meant = self._members(alert_id) or [
                each for each in (self._deliveries.get(alert_id),) if each is not None
            ]
            for delivery in meant:
                self._settle(delivery, active=delivery.active, acknowledged=True)
            return [delivery.alert for delivery in meant]

    def retry_now(self) -> None:
        """The link is back: whatever waits is due."""
        with self._lock:
            self._not_before_s.clear()

    def drain(self, now_s: float) -> list[DeliveryStep]:
        """Send what is due, one at a time; stops after two failures in a row.

        Returns what the attempts came to.
        """
        results: list[DeliveryStep] = []
        tried: set[str] = set()
        failures = 0
        self._escalate(now_s)
        while failures < _FAILURES_IN_A_ROW:
            # Before every attempt: a long backlog must not keep alerts in memory only.
            self._save_unsaved()
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
                self._allowances[delivery.urgent].take()
                self.retry_now()
                self._summarise_ended(now_s)
        return results

    def waiting(self, now_s: float) -> list[Delivery]:
        """What has yet to leave, the oldest first."""
        with self._lock:
            self._begin_unknown_times(now_s)
            waiting = [each for each in self._deliveries.values() if each.waits]
            return sorted(waiting, key=lambda each: -each.age_s(now_s))

    def fault(self) -> str:
        """Why alerts are not safe on the disk, in words; empty while they are.

        A file that was damaged counts for as long as it lies there: it may hold alerts that have
        not left.
        """
        with self._lock:
            unsaved = sum(not each.saved for each in self._deliveries.values())
            if unsaved:
                return f"{unsaved} only in memory ({self._disk_fault})"
            damaged = next((path for path in self._set_aside if path.exists()), None)
            if damaged is not None:
                return f"the outbox was damaged: look into {damaged.name} and move it away"
            return ""

    def rows(self) -> list[Delivery]:
        """What waits and the latest of the rest, newest first."""
        with self._lock:
            return sorted(self._deliveries.values(), key=lambda each: -each.number)

    def close(self) -> None:
        """Close the file; what waits is there for the next run."""
        self._file.close()

    # ── what becomes of an alert ──────────────────────────────────────────────────────────────

    def _settle(self, delivery: Delivery, *, active: bool, acknowledged: bool) -> None:
        acknowledged = acknowledged or delivery.acknowledged
        now = replace(delivery, active=active, acknowledged=acknowledged)
        if acknowledged and delivery.state is DeliveryState.ACCEPTED:
            now = replace(now, state=DeliveryState.ACKNOWLEDGED)
        elif delivery.waits and delivery.told_before and not now.concerns:
            # Earlier contacts have been told: no later one need be.
            state = DeliveryState.ACKNOWLEDGED if acknowledged else DeliveryState.ACCEPTED
            now = replace(now, state=state, reason="")
        if (now.acknowledged, now.state, now.concerns) != (
            delivery.acknowledged,
            delivery.state,
            delivery.concerns,
        ):
            self._put(now)
            if now.acknowledged != delivery.acknowledged and not now.waits:
                self._tell(replace(now, state=DeliveryState.ACKNOWLEDGED))
        else:
            self._deliveries[delivery.alert.alert_id] = now
        if delivery.within in self._deliveries:
            members = self._members(delivery.within)
            self._settle(
                self._deliveries[delivery.within],
                active=any(each.active for each in members),
                acknowledged=all(each.acknowledged for each in members),
            )

    def _escalate(self, now_s: float) -> None:
        with self._lock:
            self._begin_unknown_times(now_s)
            for delivery in list(self._deliveries.values()):
                if not delivery.escalation_due(self._contacts, now_s):
                    continue
                queued = replace(
                    delivery,
                    alert=delivery.next_contact(self._contacts),
                    state=DeliveryState.QUEUED,
                    reason="",
                    queued_s=now_s,
                    accepted_s=None,
                )
                self._put(queued)
                self._tell(queued)

    def _next_due(self, now_s: float, tried: set[str]) -> Delivery | None:
        with self._lock:
            self._begin_unknown_times(now_s)
            due = [
                delivery
                for alert_id, delivery in self._deliveries.items()
                if delivery.waits
                and alert_id not in tried
                and self._not_before_s.get(alert_id, now_s) <= now_s
            ]
            due.sort(key=lambda each: each.turn)
            for urgent in (True, False):
                left = self._allowances[urgent].left(now_s)
                waiting = [each for each in due if each.urgent == urgent]
                if not waiting or left == 0:
                    continue
                if left == 1:
                    first = waiting[0].alert.contact
                    storm = [e for e in waiting if may_join(e) and e.alert.contact == first]
                    joined = self._join(storm, ended=False) if len(storm) > 1 else None
                    if joined is not None:
                        return joined
                return waiting[0]
            return None

    def _attempt(self, delivery: Delivery, now_s: float) -> DeliveryStep:
        alert = delivery.alert
        late = delivery.age_s(now_s) >= LATE_S or delivery.told_before
        self._attempts[alert.alert_id] += 1
        attempt = self._attempts[alert.alert_id]
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt - 1, 10))
        # Set before the attempt, so that whatever goes wrong in it holds up no other alert.
        self._not_before_s[alert.alert_id] = now_s + wait_s * (0.5 + self._jitter() / 2)
        self._tell(replace(delivery, state=DeliveryState.SENT, reason=""), attempt)
        reason = ""
        try:
            self._transport.send(
                replace(alert, still_active=late and delivery.active and not alert.test)
            )
        except DeliveryError as error:
            reason = str(error) or type(error).__name__
        with self._lock:
            current = self._deliveries[alert.alert_id]
            if reason:
                # Acknowledged meanwhile, an escalated alert waits no more.
                state = DeliveryState.FAILED if current.waits else current.state
                now = replace(current, state=state, reason=reason)
            else:
                del self._attempts[alert.alert_id]
                state = DeliveryState.ACCEPTED
                if current.acknowledged:
                    state = DeliveryState.ACKNOWLEDGED
                now = replace(current, state=state, reason="", accepted_s=now_s)
            if (now.state, now.reason) != (current.state, current.reason):
                self._put(now)
            outcome = DeliveryState.FAILED if reason else DeliveryState.ACCEPTED
            step = self._tell(replace(now, state=outcome), attempt)
            for member in self._members(alert.alert_id):
                self._tell(replace(member, state=outcome, reason=reason), attempt)
        return step

    # ── digests ───────────────────────────────────────────────────────────────────────────────

    def _summarise_ended(self, now_s: float) -> None:
        with self._lock:
            old = [
                delivery
                for delivery in self._deliveries.values()
                if may_join(delivery)
                and not delivery.active
                and not delivery.told_before
                and delivery.age_s(now_s) >= SUMMARY_AGE_S
            ]
            if len(old) > 1:
                self._join(old, ended=True)

    def _join(self, deliveries: list[Delivery], *, ended: bool) -> Delivery | None:
        own, *members = digest(deliveries, self._next_number(), ended=ended)
        try:
            self._file.save([own, *members])
        except sqlite3.Error as error:
            # Without a disk the alerts leave one by one: nothing may stand only in memory.
            _LOGGER.warning("no digest of %d alerts: %s", len(members), error)
            return None
        for delivery in (own, *members):
            self._deliveries[delivery.alert.alert_id] = delivery
            self._attempts.pop(delivery.alert.alert_id, None)
        self._forget_oldest()
        return own

    def _members(self, alert_id: str) -> list[Delivery]:
        if not alert_id:
            return []
        return [each for each in self._deliveries.values() if each.within == alert_id]

    # ── memory and disk ───────────────────────────────────────────────────────────────────────

    def _tell(self, delivery: Delivery, attempt: int = 0) -> DeliveryStep:
        alert = delivery.alert
        step = DeliveryStep(
            alert.alert_id,
            alert.bed,
            alert.instance_id,
            delivery.state,
            alert.contact,
            attempt,
            delivery.reason,
            delivery.saved,
        )
        self._on_step(step)
        return step

    def _put(self, delivery: Delivery) -> None:
        try:
            self._file.save([delivery])
            delivery = replace(delivery, saved=True)
            self._disk_fault = ""
        except sqlite3.Error as error:
            # Each drain tries again: the log hears of it once.
            if not self._disk_fault:
                _LOGGER.error("alert %s is only in memory: %s", delivery.alert.alert_id, error)
            self._disk_fault = str(error)
            delivery = replace(delivery, saved=False)
        self._deliveries[delivery.alert.alert_id] = delivery
        self._forget_oldest()

    def _save_unsaved(self) -> None:
        with self._lock:
            for delivery in [each for each in self._deliveries.values() if not each.saved]:
                self._put(delivery)
                if not self._deliveries[delivery.alert.alert_id].saved:
                    return

    def _begin_unknown_times(self, now_s: float) -> None:
        for alert_id, delivery in self._deliveries.items():
            if delivery.queued_s is None:
                self._deliveries[alert_id] = replace(delivery, queued_s=now_s)
            if delivery.accepted_s is None and delivery.state is DeliveryState.ACCEPTED:
                self._deliveries[alert_id] = replace(self._deliveries[alert_id], accepted_s=now_s)

    def _next_number(self) -> int:
        return max((each.number for each in self._deliveries.values()), default=0) + 1

    def _forget_oldest(self) -> None:
        unfinished = {
            alert_id
            for alert_id, each in self._deliveries.items()
            if each.waits or not each.saved or each.may_escalate(self._contacts)
        }
        done = [
            each
            for alert_id, each in self._deliveries.items()
            if alert_id not in unfinished and each.within not in unfinished
        ]
        done.sort(key=lambda each: each.number)
        for delivery in done[:-_REMEMBERED]:
            del self._deliveries[delivery.alert.alert_id]
