"""Which alarms leave the building, and when.

A physiological alarm of high or medium priority leaves at once; a technical one of those
priorities after 60 s unacknowledged, since a loose electrode must not text a doctor.
"""

from __future__ import annotations

from bedside.alarms.conditions import CONDITIONS
from bedside.events import AlarmState, Instance, Priority

TECHNICAL_DELAY_S = 60.0


class Notifications:
    """Remembers which instances wait; says which are to become an alert."""

    def __init__(self) -> None:
        self._waiting: dict[str, Instance] = {}

    def changed(self, instance: Instance) -> list[Instance]:
        """An instance made a transition; returns it when an alert leaves at once."""
        if instance.state is not AlarmState.ACTIVE:
            self._waiting.pop(instance.instance_id, None)
            return []
        if instance.priority is Priority.LOW or instance.active_us != instance.at_us:
            return []
        if CONDITIONS[instance.code].technical:
            self._waiting[instance.instance_id] = instance
            return []
        return [instance]

    def tick(self, at_us: int) -> list[Instance]:
        """Time goes on; returns the technical instances that nobody acknowledged in time."""
        due = [
            instance
            for instance in self._waiting.values()
            if at_us - (instance.active_us or at_us) >= TECHNICAL_DELAY_S * 1e6
        ]
        for instance in due:
            del self._waiting[instance.instance_id]
        return due
