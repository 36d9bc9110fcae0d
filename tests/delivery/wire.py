"""A transport that tests can cut, and alerts to send through it."""

from __future__ import annotations

from bedside.delivery.alert import Alert
from bedside.delivery.outbox import Outbox
from bedside.errors import DeliveryError
from bedside.events import AlarmState, Instance, Priority


class Wire:
    """A transport that takes alerts while `up`, and refuses the ids in `refused`."""

    def __init__(self) -> None:
        self.up = True
        self.refused: set[str] = set()
        self.attempts: list[str] = []
        self.taken: list[Alert] = []

    def send(self, alert: Alert) -> None:
        self.attempts.append(alert.alert_id)
        if not self.up:
            raise DeliveryError("the link is down")
        if alert.alert_id in self.refused:
            raise DeliveryError("refused")
        self.taken.append(alert)

    @property
    def ids(self) -> list[str]:
        return [alert.alert_id for alert in self.taken]


def an_alert(name: str, priority: Priority = Priority.MEDIUM, code: str = "tachy") -> Alert:
    return Alert(
        alert_id=name,
        priority=priority,
        code=code,
        text=code,
        bed="icu-3",
        wall_us=1_795_435_200_000_000,
        heart_rate_bpm=130.0,
        instance_id=f"instance-{name}",
    )


def the_instance_of(alert: Alert, *, ended: bool = False, acknowledged: bool = False) -> Instance:
    return Instance(
        instance_id=alert.instance_id,
        code=alert.code,
        priority=alert.priority,
        state=AlarmState.ENDED if ended else AlarmState.ACTIVE,
        onset_us=0,
        at_us=2,
        active_us=1,
        ended_us=2 if ended else None,
        acknowledged_us=2 if acknowledged else None,
        acknowledged_by="nurse" if acknowledged else "",
    )


def states(outbox: Outbox) -> dict[str, str]:
    return {row.alert.alert_id: row.state.value for row in outbox.rows()}
