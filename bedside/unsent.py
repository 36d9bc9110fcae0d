"""Alarms that are logged and whose alert is not in the outbox, as the station ended in between.

An alarm is on disk before it is shown, its alert some milliseconds later: a kill or a power cut in
those takes the alert. Whoever starts the station again builds it from the log, with the id that it
would have had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bedside.alarms.log import LogRow
from bedside.alarms.notification import Notifications
from bedside.delivery.alert import Alert, alert_of
from bedside.event_json import read_logged
from bedside.events import AlarmChanged

RECENT_S = 600.0
"""What was logged so long before the end was committed, and may have been forgotten since."""


def unsent(bed: str, rows: Sequence[LogRow], knows: Callable[[str], bool]) -> list[Alert]:
    """The alerts that a bed's last rows call for and whose id the outbox does not know."""
    notifications = Notifications()
    since_us = rows[-1].at_us - RECENT_S * 1e6 if rows else 0
    found = []
    for row in rows:
        if row.at_us < since_us:
            continue
        event = read_logged(row.payload)
        if not isinstance(event, AlarmChanged):
            continue
        for instance in notifications.changed(event.instance):
            alert = alert_of(instance, bed, row.wall_us, None)
            if not knows(alert.alert_id):
                found.append(alert)
    return found
