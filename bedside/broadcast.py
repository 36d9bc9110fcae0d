"""What screens elsewhere hear of one bed: its state, its events by number, its trace while asked.

However many screens listen, each message is published once.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from bedside import station_topics
from bedside.event_json import to_json
from bedside.events import (
    AlarmChanged,
    Beat,
    BeatScored,
    BedChanged,
    CalibrationChanged,
    Event,
    LimitsChanged,
    ScoreRequest,
    SoundPaused,
    Wave,
)
from bedside.feed import LastBeat
from bedside.picture import Picture
from bedside.wave_message import WavePiece, encode, halved
from bedside.wave_ring import drawn_samples

WANTED_S = 10.0
"""A screen that wants the trace says so again within this time."""

STATE_EVERY_S = 1.0
"""A bed that is as it was says so this often; a screen calls it silent after three times that."""

REMEMBERED_EVENTS = 500
MOST_BEATS = 8

_SHOWN_AT_ONCE = AlarmChanged | BedChanged | CalibrationChanged | LimitsChanged | SoundPaused

Publish = Callable[[str, bytes, int, bool], bool]
"""Topic, payload, QoS, retained."""


class Broadcast:
    """Publishes one bed. `run` is a number that no other start of a station has."""

    def __init__(self, station: str, bed: str, run: int, picture: Picture, publish: Publish):
        self._station = station
        self._bed = bed
        self._run = run
        self._picture = picture
        self._publish = publish
        self._events: deque[dict[str, Any]] = deque(maxlen=REMEMBERED_EVENTS)
        self._number = 0
        self._wanted_until_us = 0
        self._said: dict[str, Any] = {}
        self._said_us = 0
        self._beats: deque[LastBeat] = deque(maxlen=MOST_BEATS)

    def heard(self, event: Event, at_us: int, wall_us: int) -> None:
        """An event of the bed, which is in its picture already."""
        if isinstance(event, Wave):
            if wall_us < self._wanted_until_us:
                self._trace(event)
            return
        if isinstance(event, BeatScored):
            last = self._picture.last_beat
            if last is not None:
                self._beats.append(last)
        if isinstance(event, _SHOWN_AT_ONCE):
            self.state(at_us, wall_us)
        if not isinstance(event, Beat | ScoreRequest):
            self._event(event, wall_us)

    def state(self, at_us: int, wall_us: int) -> None:
        """The bed as it is now, unless it was said within the last second and is the same."""
        content = station_topics.bed_json(self._picture.snapshot(at_us, wall_us), self._run)
        same = content | {"wall_us": 0, "age_s": 0}
        if same == self._said and 0 <= wall_us - self._said_us < STATE_EVERY_S * 1e6:
            return
        topic = station_topics.bed_topic(self._station, self._bed, "state")
        if self._publish(topic, json.dumps(content).encode(), 1, True):
            self._said, self._said_us = same, wall_us

    def want(self, wall_us: int) -> None:
        """A screen wants the trace, for 10 s."""
        self._wanted_until_us = wall_us + round(WANTED_S * 1e6)

    def since(self, number: int) -> dict[str, Any]:
        """What a screen missed that has heard the events up to `number`.

        The events themselves, or, where they are no longer remembered, log and strip whole.
        """
        missed = [event for event in self._events if event["number"] > number]
        if 0 < number <= self._number and self._number - number == len(missed):
            return {"number": self._number, "events": missed}
        return {"number": self._number, "history": station_topics.history_json(self._picture)}

    def _event(self, event: Event, wall_us: int) -> None:
        content = to_json(event)
        if content is None:
            return
        self._number += 1
        line = {
            "version": station_topics.VERSION,
            "number": self._number,
            "run": self._run,
            "wall_us": wall_us,
        }
        self._events.append(line | content)
        topic = station_topics.bed_topic(self._station, self._bed, "events")
        self._publish(topic, json.dumps(line | content).encode(), 1, False)

    def _trace(self, wave: Wave) -> None:
        position, samples = halved(wave.position, drawn_samples(wave))
        piece = WavePiece(
            self._run, position, wave.flags, samples, wave.marks[:255], tuple(self._beats)
        )
        self._beats.clear()
        topic = station_topics.bed_topic(self._station, self._bed, "wave")
        self._publish(topic, encode(piece), 0, False)
