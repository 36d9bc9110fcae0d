"""The feed of a station in this process."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from bedside.events import ActionDone
from bedside.feed import BedSnapshot, Hop, Recording, WaveSlice
from bedside.picture import Picture


class LocalFeed:
    """The feed of a station in this process."""

    def __init__(
        self,
        pictures: Mapping[str, Picture],
        act: Callable[[str, str, str, str, Mapping[str, Any], Callable[[ActionDone], None]], None],
        clock_us: Callable[[], int],
        wall_clock_us: Callable[[], int],
        recording: Callable[[], Recording],
        user: str = "bedside",
        hops: Callable[[str], tuple[Hop, ...]] = lambda alert_id: (),
        contacts: tuple[str, ...] = (),
    ) -> None:
        self._pictures = pictures
        self._act = act
        self._clock_us = clock_us
        self._wall_clock_us = wall_clock_us
        self._user = user
        self._hops = hops
        self._contacts = contacts
        self._recording = recording
        self._results: deque[ActionDone] = deque(maxlen=100)

    def beds(self) -> tuple[str, ...]:
        """The beds of this station, in order of their names."""
        return tuple(sorted(self._pictures))

    def snapshot(self, bed: str) -> BedSnapshot:
        """What is known of a bed now. Raises KeyError for a bed that is not there."""
        return self._pictures[bed].snapshot(self._clock_us(), self._wall_clock_us())

    def wave(self, bed: str, since: int) -> WaveSlice:
        """The samples since a position, at most the last 40 s."""
        return self._pictures[bed].ring.read(since)

    def act(self, bed: str, name: str, arguments: Mapping[str, Any] | None = None) -> str:
        """Ask for an operator action; returns its id, whose answer `results` brings."""
        action_id = uuid.uuid4().hex
        self._act(bed, action_id, self._user, name, arguments or {}, self._results.append)
        return action_id

    def results(self) -> list[ActionDone]:
        """Answers to this face's actions since the last call."""
        answers = []
        while self._results:
            answers.append(self._results.popleft())
        return answers

    def hops(self, alert_id: str) -> tuple[Hop, ...]:
        """How far an alert has come, oldest step first."""
        return self._hops(alert_id)

    def contacts(self) -> tuple[str, ...]:
        """The names of those who are told, in their order; empty where none is named."""
        return self._contacts

    def recording(self) -> Recording:
        """What was recorded of its beds, for the thread that asks."""
        return self._recording()
