"""A delivery: an alert and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from bedside.delivery.alert import Alert
from bedside.events import Priority

ESCALATION_S = {Priority.HIGH: 60.0, Priority.MEDIUM: 180.0, Priority.LOW: 180.0}
"""How long a contact has to acknowledge before the next one is told."""

LONGEST_ESCALATION_S = 900.0
"""The same in later rounds: it doubles with each round, up to this."""


class DeliveryState(StrEnum):
    """Where an alert stands.

    `queued` and `failed` wait to leave; a failed one is tried again. `sent` is under way: it is
    told and never stored, so that a killed process tries again. `expired` left in a digest.
    """

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    ACCEPTED = "accepted"
    ACKNOWLEDGED = "acknowledged"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert and how far it has come.

    `number` orders by commit. `queued_s` is the machine's monotonic time at which the alert was
    queued for its present contact, `accepted_s` when that contact's message was taken; both None
    while unknown after a reboot. `active`: the alarm instance lasts. `within`: the id of the digest
    in which it left. `saved`: it is on disk. `earlier`: an earlier run committed it.
    """

    number: int
    alert: Alert
    state: DeliveryState
    queued_s: float | None
    reason: str = ""
    acknowledged: bool = False
    active: bool = True
    accepted_s: float | None = None
    within: str = ""
    saved: bool = True
    earlier: bool = False

    @property
    def waits(self) -> bool:
        """Whether the alert has yet to leave."""
        return self.state in (DeliveryState.QUEUED, DeliveryState.FAILED)

    @property
    def told_before(self) -> bool:
        """Whether somebody has been told of it already, and now it is another contact's turn."""
        return (self.alert.contact, self.alert.round) != (1, 1)

    @property
    def urgent(self) -> bool:
        """Whether it goes before all others: a high alarm that lasts."""
        return self.alert.priority is Priority.HIGH and self.active and not self.alert.test

    @property
    def turn(self) -> tuple[bool, int]:
        """Sorts by who leaves first: the newest urgent one, then the oldest."""
        return (False, -self.number) if self.urgent else (True, self.number)

    @property
    def concerns(self) -> bool:
        """Whether the next contact would have to know.

        A high alarm stays until somebody acknowledged it, any other until its cause is gone.
        """
        lasts = self.active or self.alert.priority is Priority.HIGH
        return lasts and not self.acknowledged and not self.alert.test

    def age_s(self, now_s: float) -> float:
        """Seconds since it was queued, 0 while that is unknown."""
        return 0.0 if self.queued_s is None else now_s - self.queued_s

    def may_escalate(self, contacts: int) -> bool:
        """Whether another of `contacts` contacts would be told if nobody acknowledges.

        After the last, the first one's turn comes again for as long as the alarm lasts.
        """
        told = self.state is DeliveryState.ACCEPTED and self.concerns
        return told and (self.alert.contact < contacts or (self.active and contacts > 0))

    def escalation_due(self, contacts: int, now_s: float) -> bool:
        """Whether the present contact has had its time."""
        if self.accepted_s is None or not self.may_escalate(contacts):
            return False
        wait_s = ESCALATION_S[self.alert.priority] * 2.0 ** min(self.alert.round - 1, 10)
        return now_s - self.accepted_s >= min(wait_s, LONGEST_ESCALATION_S)

    def next_contact(self, contacts: int) -> Alert:
        """The alert for whose turn it is next."""
        if self.alert.contact < contacts:
            return replace(self.alert, contact=self.alert.contact + 1)
        return replace(self.alert, contact=1, round=self.alert.round + 1)


@dataclass(frozen=True, slots=True)
class DeliveryStep:
    """A step of a delivery. `attempt` counts from 1, and is 0 where none was made.

    `saved` False marks an alert that the disk has refused and that is only in memory.
    """

    alert_id: str
    bed: str
    instance_id: str
    state: DeliveryState
    contact: int
    attempt: int = 0
    reason: str = ""
    saved: bool = True
