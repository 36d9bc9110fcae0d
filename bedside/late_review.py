"""Samples that came late: looked through apart from the live signal, never sounded as now.

What joins on to late samples, before and after, is looked at with them. So what the edge of an
outage cuts in two, each part too short to be decided, is judged whole.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from bedside.alarms.engine import EngineState
from bedside.anomaly.scoring import ModelFacts
from bedside.events import (
    AlarmChanged,
    Batch,
    BedState,
    FoundLate,
    Instance,
    Priority,
)
from bedside.monitor import Monitor

FIRST_WALL_US = 946_684_800_000_000
LAST_WALL_US = 4_102_444_800_000_000
"""From 2000 to 2100: a node's clock outside of that is not set, whatever it says."""

CONTEXT_S = 15.0
"""So much of what joins on is looked at on either side: longer than any high condition takes."""

MOST_STRETCHES = 16
"""The present, and stretches whose holes may still be closed; the oldest is forgotten."""

MOST_MONITORS = 4
"""Stretches of which a monitor waits for more late samples: half a megabyte each."""

MOST_FOUND = 8
"""Findings remembered of a stretch, so that what was found in it is not found again."""


@dataclass(frozen=True, slots=True)
class _Heard:
    batch: Batch
    late: bool


@dataclass(slots=True, eq=False)
class _Stretch:
    """Batches of one boot that join on to each other: their first and their last seconds.

    `monitor` has heard the last of them, as long as there were late ones within the context, and
    no others needed the room; `late_end` is the sample after the newest late one. `found` has code
    and onset of what the monitor found, on its own time.
    """

    boot_id: int
    first_sample: int
    end_sample: int
    head: list[_Heard] = field(default_factory=list)
    tail: deque[_Heard] = field(default_factory=deque)
    monitor: Monitor | None = None
    late_end: int = 0
    found: deque[tuple[str, int]] = field(default_factory=lambda: deque(maxlen=MOST_FOUND))

    def add(self, heard: _Heard) -> None:
        batch = heard.batch
        context = CONTEXT_S * batch.rate_hz
        self.end_sample = batch.end_sample
        if batch.first_sample < self.first_sample + context:
            self.head.append(heard)
        self.tail.append(heard)
        while self.tail[0].batch.end_sample <= self.end_sample - context:
            self.tail.popleft()


class LateReview:
    """A monitor of its own for each stretch of one bed's signal that late batches made longer.

    It counts time by the node's samples, since the moment at which a late batch arrives says
    nothing. Only findings of high priority come out, and of those that reach into live samples
    only what the live monitor has not raised itself.
    """

    def __init__(self, live: Monitor, model: ModelFacts) -> None:
        """Begin with nothing heard. `live` is the bed's own monitor, with the patient's limits."""
        self._live = live
        self._model = model
        self._stretches: list[_Stretch] = []

    def forget(self) -> None:
        """Another patient: nothing from before joins on to what comes from now on."""
        self._stretches.clear()

    def live(self, batch: Batch) -> list[FoundLate]:
        """Take a batch that came in time; what it completes of a finding that began late."""
        stretch = self._ending_where_begins(batch)
        if stretch is not self._stretches[-1]:  # else the present is the oldest in the end
            self._stretches.remove(stretch)
            self._stretches.append(stretch)
        heard = _Heard(batch, late=False)
        stretch.add(heard)
        return self._look(stretch, heard, batch.at_us)

    def heard(self, batch: Batch) -> list[FoundLate]:
        """Take a late batch; what would have alarmed, had it come in time."""
        stretch = self._ending_where_begins(batch)
        if stretch.monitor is None:
            self._make_room()
            stretch.monitor = self._begun(stretch)
        heard = _Heard(batch, late=True)
        stretch.add(heard)
        found = self._look(stretch, heard, batch.at_us)
        for after in self._stretches:
            if (after.boot_id, after.first_sample) == (stretch.boot_id, stretch.end_sample):
                return found + self._join(stretch, after, batch.at_us)
        return found

    def _ending_where_begins(self, batch: Batch) -> _Stretch:
        """The stretch that a batch makes longer; the newest is the last."""
        for stretch in reversed(self._stretches):
            if (stretch.boot_id, stretch.end_sample) == (batch.boot_id, batch.first_sample):
                return stretch
        stretch = _Stretch(batch.boot_id, batch.first_sample, batch.first_sample)
        self._stretches.append(stretch)
        if len(self._stretches) > MOST_STRETCHES:
            del self._stretches[0]
        return stretch

    def _make_room(self) -> None:
        """The oldest that wait for late samples begin anew with their tail, should any come."""
        waiting = [each for each in self._stretches if each.monitor and each.tail[-1].late]
        for each in waiting[: 1 - MOST_MONITORS]:
            each.monitor = None

    def _begun(self, stretch: _Stretch) -> Monitor:
        """A monitor that knows what came just before; whatever that held was live, or was found."""
        alarms = self._live.alarms
        monitor = Monitor(
            self._live.bed,
            self._model,
            state=BedState.ADMITTED,
            session="late",
            alarms=EngineState(
                population=alarms.population, limits=alarms.limits, disabled=alarms.disabled
            ),
        )
        for before in stretch.tail:
            monitor.step(_timed(before.batch))
        return monitor

    def _join(self, stretch: _Stretch, after: _Stretch, at_us: int) -> list[FoundLate]:
        """The hole between two stretches is closed: look on into the second one."""
        found = []
        for heard in after.head:
            stretch.add(heard)
            found += self._look(stretch, heard, at_us, after)
        if stretch.end_sample != after.end_sample:
            stretch.end_sample, stretch.tail = after.end_sample, after.tail
            stretch.monitor, stretch.late_end = after.monitor, after.late_end
        stretch.found.extend(after.found)
        self._stretches.remove(after)
        return found

    def _look(
        self, stretch: _Stretch, heard: _Heard, at_us: int, joined: _Stretch | None = None
    ) -> list[FoundLate]:
        """What the next batch of a stretch brings; it may belong to one that is being `joined`."""
        monitor, batch = stretch.monitor, heard.batch
        if monitor is None:
            return []
        if heard.late:
            stretch.late_end = batch.end_sample
        elif batch.first_sample >= stretch.late_end + CONTEXT_S * batch.rate_hz:
            stretch.monitor = None
            return []
        timed = _timed(batch)
        found = []
        for event in monitor.step(timed):
            if not isinstance(event, AlarmChanged):
                continue
            instance = event.instance
            if instance.priority is not Priority.HIGH or instance.active_us != timed.at_us:
                continue
            if not heard.late and self._is_known_live(instance, stretch, batch, timed.at_us):
                continue
            if joined is not None and _is_known_of(joined, instance, batch):
                continue
            stretch.found.append((instance.code, instance.onset_us))
            known = FIRST_WALL_US < batch.wall_us < LAST_WALL_US
            since_first_us = instance.onset_us - _time_us(batch, batch.first_sample)
            wall_us = batch.wall_us + since_first_us if known else 0
            found.append(FoundLate(at_us, instance.code, instance.text, wall_us))
        return found

    def _is_known_live(
        self, instance: Instance, stretch: _Stretch, batch: Batch, end_us: int
    ) -> bool:
        """Whether a finding began in live samples, or the live monitor has raised it itself."""
        if instance.onset_us >= _time_us(batch, stretch.late_end):
            return True
        since_us = batch.at_us - (end_us - instance.onset_us)
        return any(
            raised.code == instance.code and (raised.active_us or 0) >= since_us
            for raised in self._live.alarms.instances
        )


def _is_known_of(joined: _Stretch, instance: Instance, batch: Batch) -> bool:
    """Whether a finding was this stretch's own, or was found in it from where it began."""
    return instance.onset_us >= _time_us(batch, joined.first_sample) or any(
        code == instance.code and instance.onset_us <= onset_us for code, onset_us in joined.found
    )


def _time_us(batch: Batch, sample: int) -> int:
    return round(sample / batch.rate_hz * 1e6)


def _timed(batch: Batch) -> Batch:
    return replace(batch, at_us=_time_us(batch, batch.end_sample))
