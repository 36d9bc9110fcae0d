"""The alarms of the station itself: its links, its disk, its analysis, its clock and its sound.

They stand in every bed's picture. Any thread may call, so that an analysis that has stalled cannot
keep its own alarm from being raised.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from bedside.alarms.engine import EngineState
from bedside.alarms.notification import Notifications
from bedside.alarms.surroundings import Surroundings
from bedside.counts import Counts
from bedside.delivery.alert import alert_of
from bedside.event_json import to_json
from bedside.events import Action, AlarmChanged, Event, Health, Instance, SoundPaused, Tick
from bedside.limits import Limits
from bedside.picture import Picture
from bedside.ports import LogEntry, Ports


class StationAlarms:
    """One lock around the engine of the station's own alarms and what follows from them."""

    def __init__(
        self,
        name: str,
        run: str,
        limits: Limits,
        ports: Ports,
        pictures: Mapping[str, Picture],
        counts: Counts,
        publish_states: Callable[[], None],
    ) -> None:
        """Nothing is known to fail yet. `run` makes the ids of instances differ between runs."""
        self._name = name
        self._ports = ports
        self._pictures = pictures
        self._counts = counts
        self._publish_states = publish_states
        self._surroundings = Surroundings(f"station{run}-", limits)
        self._notifications = Notifications()
        self._health: dict[str, Health] = {}
        self._lock = threading.RLock()

    def go_on(self, earlier: EngineState) -> None:
        """Take over what an earlier run left latched."""
        with self._lock:
            self._emit(self._surroundings.go_on(earlier))

    def health(self, health: Health) -> None:
        """How a link or part fares."""
        with self._lock:
            self._health[health.subject] = health
            # A link that is away is shown; what alarms is an alert that cannot leave.
            if health.subject != "cloud":
                self._emit(self._surroundings.step(health))

    def tick(self, at_us: int) -> None:
        """Time goes on."""
        with self._lock:
            self._emit(self._surroundings.step(Tick(at_us)))
            for instance in self._notifications.tick(at_us):
                self._alert(instance)

    def acknowledge(self, action: Action) -> str | None:
        """An operator has seen an alarm: why not, empty where done, None if it is a bed's."""
        with self._lock:
            if not self._surroundings.knows(str(action.arguments.get("instance", ""))):
                return None
            events, refusal = self._surroundings.acknowledge(action)
            self._emit(events)
            return refusal

    def pause_sound(self, seconds: float, user: str, at_us: int) -> None:
        """The sounds of these alarms pause with those of the beds."""
        with self._lock:
            self._emit(self._surroundings.pause_sound(seconds, user, at_us))

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The alarms that are not finished, oldest first."""
        return self._surroundings.instances

    def health_of(self, subject: str) -> Health | None:
        """The latest that was heard of a link or part."""
        return self._health.get(subject)

    def _emit(self, events: list[Event]) -> None:
        wall_us = self._ports.wall_us()
        for event in events:
            if isinstance(event, AlarmChanged | SoundPaused):
                content = (to_json(event) or {}) | {"bed": ""}
                kind = "alarm" if isinstance(event, AlarmChanged) else "sound"
                self._ports.log(LogEntry(kind, content, wall_us, event.at_us))
        if any(isinstance(event, AlarmChanged) for event in events):
            self._ports.written()
        for event in events:
            self._counts.event(event)
            if isinstance(event, AlarmChanged):
                for leaving in self._notifications.changed(event.instance):
                    self._alert(leaving)
                self._ports.follow(self._name, event.instance)
                for picture in list(self._pictures.values()):
                    picture.apply(event, wall_us)
                self._publish_states()
            self._ports.show("", event, wall_us)

    def _alert(self, instance: Instance) -> None:
        self._counts.alerts += 1
        self._ports.alert(alert_of(instance, self._name, self._ports.wall_us(), None))
