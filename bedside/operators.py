"""What operators want of the beds of a ward: done once, logged, answered."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bedside.alarms.engine import PAUSE_S
from bedside.delivery.alert import test_alert, test_id
from bedside.events import Action, ActionDone, Event
from bedside.ports import LogEntry, Ports
from bedside.served_bed import ServedBed
from bedside.settings import Settings
from bedside.station_alarms import StationAlarms

Answer = Callable[[ActionDone], None]

REMEMBERED_ACTIONS = 1000

_QUESTIONS = ("want-wave", "events-since")


class Operators:
    """Takes their actions, on the thread of the ward."""

    def __init__(
        self,
        settings: Settings,
        ports: Ports,
        beds: Mapping[str, ServedBed],
        station: StationAlarms,
        emit: Callable[[str, list[Event]], None],
    ) -> None:
        """`emit` takes what follows for a bed, to whoever logs or looks."""
        self._settings = settings
        self._ports = ports
        self._beds = beds
        self._station = station
        self._emit = emit
        self._done: deque[str] = deque(maxlen=REMEMBERED_ACTIONS)

    def act(self, name: str, action: Action, answer: Answer | None) -> None:
        """Do what an operator wants of a bed, once; `answer` hears what became of it."""
        if action.name in _QUESTIONS:
            if answer is not None:
                answer(self._answered(name, action))
            return
        if action.action_id in self._done:
            done = _refused(action, "this action was done already")
        elif action.name == "test-alert":
            done = self._test_alert(name, action)
        elif action.name == "pause-sound":
            done = self._pause_sound(name, action)
        elif (
            action.name == "acknowledge"
            and (refusal := self._station.acknowledge(action)) is not None
        ):
            done = _refused(action, refusal) if refusal else _done(action)
        elif name not in self._beds:
            done = _refused(action, f"this station has no bed {name}")
        else:
            *events, last = self._beds[name].monitor.step(action)
            self._emit(name, events)
            assert isinstance(last, ActionDone)
            done = last
        self._done.append(action.action_id)
        wall_us = self._ports.wall_us()
        self._ports.log(LogEntry("action", _action_json(name, action, done), wall_us, action.at_us))
        # Whoever hears that it is done may count on it, whatever happens to this process.
        self._ports.written()
        if name in self._beds:
            self._emit(name, [done])
        if answer is not None:
            answer(done)

    def _answered(self, name: str, action: Action) -> ActionDone:
        """What a screen elsewhere asks for; it changes nothing."""
        bed = self._beds.get(name)
        number = action.arguments.get("number", 0)
        if bed is None:
            return _refused(action, f"this station has no bed {name}")
        if action.name == "want-wave":
            bed.broadcast.want(self._ports.wall_us())
            return _done(action)
        if not isinstance(number, int):
            return _refused(action, f"{number!r} is no number of an event")
        return replace(_done(action), told=bed.broadcast.since(number))

    def _pause_sound(self, name: str, action: Action) -> ActionDone:
        """All sounds of the station pause: one loudspeaker serves every bed."""
        if name not in self._beds:
            return _refused(action, f"this station has no bed {name}")
        answers: list[ActionDone] = []
        for bed in self._beds:
            *events, done = self._beds[bed].monitor.step(action)
            self._emit(bed, events)
            assert isinstance(done, ActionDone)
            answers.append(done)
        if any(done.done for done in answers):
            seconds = float(action.arguments.get("seconds", PAUSE_S))
            self._station.pause_sound(seconds, action.user, action.at_us)
            return _done(action)
        return answers[0]

    def _test_alert(self, name: str, action: Action) -> ActionDone:
        contact = action.arguments.get("contact", 1)
        known = max(1, len(self._settings.alerts.contacts))
        if not isinstance(contact, int) or not 1 <= contact <= known:
            return _refused(action, f"contacts are numbered from 1 to {known}")
        bed = name if name in self._beds else self._settings.station.name
        alert = test_alert(test_id(action.action_id), bed, self._ports.wall_us(), contact)
        if not self._ports.alert(alert):
            return _refused(action, "too many alerts wait")
        return _done(action)


def _action_json(bed: str, action: Action, done: ActionDone) -> dict[str, Any]:
    wanted = {name: value for name, value in action.arguments.items() if _is_plain(value)}
    return {
        "event": "action",
        "bed": bed,
        "action": action.name,
        "arguments": wanted,
        "id": action.action_id,
        "user": action.user,
        "done": done.done,
        "reason": done.reason,
    }


def _is_plain(value: object) -> bool:
    """Whether a value of somebody else's JSON can stand in the log; NaN cannot."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _done(action: Action) -> ActionDone:
    return ActionDone(action.at_us, action.action_id, action.user, True)


def _refused(action: Action, reason: str) -> ActionDone:
    return ActionDone(action.at_us, action.action_id, action.user, False, reason)
