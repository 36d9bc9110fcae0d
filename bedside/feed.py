"""What a face reads of a station, and how it acts on it.

A face (the screen, the headless printer) sees frozen snapshots, pulls samples from a ring at its
own pace, and sends operator actions back. It decides nothing.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bedside.alarms.conditions import CONDITIONS
from bedside.events import (
    LEAD_OFF,
    ActionDone,
    AlarmChanged,
    AlarmState,
    Beat,
    BeatScored,
    BedChanged,
    BedState,
    CalibrationChanged,
    Event,
    Flags,
    Float32Array,
    FoundLate,
    Gap,
    Instance,
    LimitsChanged,
    Priority,
    SoundPaused,
    Vitals,
    Wave,
)
from bedside.limits import BOUNDS, Limits, Population

RING_SAMPLES = 250 * 40
"""Samples kept for the screen's sweep: 40 s at 250 Hz."""

LOG_LINES = 200
STRIP_BEATS = 60


@dataclass(frozen=True, slots=True)
class LinkState:
    """One link of the chain (node, broker, analysis, disk, cloud); `ok` is None while unknown."""

    name: str
    ok: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A row of the alarm log as the screen shows it."""

    number: int
    wall_us: int
    mark: str
    text: str
    state: str
    delivery: str = ""
    instance_id: str = ""


@dataclass(frozen=True, slots=True)
class Hop:
    """A step of an alert on its way out: to which contact, in which state, and why it failed."""

    alert_id: str
    wall_us: int
    state: str
    contact: int
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class LastBeat:
    """A scored beat with its reconstruction, both of shape (192,) in mV at 250 Hz."""

    wall_us: int
    error: float
    threshold: float
    abnormal: bool
    window_mv: Float32Array
    reconstruction_mv: Float32Array
    beat_class: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class BedSnapshot:
    """All that a screen shows of one bed but the trace. Unknown numbers are None, drawn `--`.

    `relaxed` says in words which lethal conditions alarm later than the population's preset, and
    `disabled` holds the codes of conditions that do not alarm at all: both are shown for as long
    as they are. `sound_paused_s` and `standby_s` are the seconds left, None where nothing is
    paused and nobody stands by. `fault` says why the picture may be believed no more, a station
    elsewhere having fallen silent.
    """

    bed: str
    bed_state: BedState
    session: str
    title: str
    synthetic: bool
    vitals: Vitals | None
    population: Population
    limits: Limits
    disabled: tuple[str, ...]
    relaxed: tuple[str, ...]
    sound_paused_s: float | None
    standby_s: float | None
    instances: tuple[Instance, ...]
    errors: tuple[float, ...]
    abnormal: tuple[bool, ...]
    gauge_threshold: float | None
    calibrated: str
    calibration: str
    last_beat: LastBeat | None
    last_abnormal: LastBeat | None
    log: tuple[LogLine, ...]
    links: tuple[LinkState, ...]
    wall_us: int
    age_s: float
    fault: str = ""

    @property
    def high_bpm(self) -> float:
        """The heart rate above which the bed alarms."""
        return self.limits.tachy_bpm

    @property
    def low_bpm(self) -> float:
        """The heart rate below which the bed alarms."""
        return self.limits.brady_bpm


@dataclass(frozen=True, slots=True, eq=False)
class WaveSlice:
    """Samples from `position` to `newest`, shape (newest − position,), mV at 250 Hz.

    NaN where nothing was received or an electrode is off; `lead_off`, of the same shape, tells
    which of the two. `marks` are positions of R peaks.
    """

    position: int
    newest: int
    samples_mv: Float32Array
    marks: tuple[int, ...]
    lead_off: NDArray[np.bool_]


class Feed(Protocol):
    """What a face may ask and do."""

    def beds(self) -> tuple[str, ...]:
        """The beds of this station, in order."""

    def snapshot(self, bed: str) -> BedSnapshot:
        """What is known of a bed now. Raises KeyError for a bed that is not there."""

    def wave(self, bed: str, since: int) -> WaveSlice:
        """The samples since a position, at most the last 40 s."""

    def act(self, bed: str, name: str, arguments: Mapping[str, Any] | None = None) -> str:
        """Ask for an operator action; returns its id, whose answer `results` brings."""

    def results(self) -> list[ActionDone]:
        """Answers to this face's actions since the last call."""

    def hops(self, alert_id: str) -> tuple[Hop, ...]:
        """How far an alert has come, oldest step first."""


def drawn_samples(wave: Wave) -> Float32Array:
    """The samples of a piece as they are drawn: what a loose electrode picks up is not."""
    if wave.flags & LEAD_OFF:
        return np.full_like(wave.samples_mv, np.nan)
    return wave.samples_mv


class WaveRing:
    """The last 40 s of filtered samples of one bed, written by analysis, read by screens."""

    def __init__(self) -> None:
        self._samples = np.full(RING_SAMPLES, np.nan, dtype=np.float32)
        self._newest = 0
        self._marks: deque[int] = deque(maxlen=400)
        self._lead_off = np.zeros(RING_SAMPLES, dtype=np.bool_)
        self._lock = threading.Lock()

    def write(self, wave: Wave) -> None:
        """Append a piece; a jump in position leaves NaN behind."""
        lead_off = bool(wave.flags & LEAD_OFF)
        samples = drawn_samples(wave)
        with self._lock:
            self._marks.extend(wave.marks)
            hole = min(wave.position - self._newest, RING_SAMPLES)
            if hole > 0:
                missing = np.full(hole, np.nan, dtype=np.float32)
                self._place(wave.position - hole, missing, lead_off=False)
            self._place(wave.position, samples, lead_off)
            self._newest = wave.position + len(samples)

    def read(self, since: int) -> WaveSlice:
        """The samples from `since` on, or from the oldest that is still held."""
        with self._lock:
            start = min(max(since, self._newest - RING_SAMPLES, 0), self._newest)
            where = np.arange(start, self._newest) % RING_SAMPLES
            marks = tuple(mark for mark in self._marks if mark >= start)
            return WaveSlice(
                start, self._newest, self._samples[where], marks, self._lead_off[where]
            )

    def _place(self, position: int, samples: Float32Array, lead_off: bool) -> None:
        where = np.arange(position, position + len(samples)) % RING_SAMPLES
        self._samples[where] = samples
        self._lead_off[where] = lead_off


class Picture:
    """One bed as its events have painted it; the station writes it, faces take snapshots."""

    def __init__(self, bed: str, title: str = "", limits: Limits | None = None):
        self.ring = WaveRing()
        self._lock = threading.Lock()
        self._instances: dict[str, Instance] = {}
        self._errors: deque[tuple[float, bool]] = deque(maxlen=STRIP_BEATS)
        self._classes: dict[int, str] = {}
        self._log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self._lines = 0
        self._heard_at_us = 0
        self._sound_paused_until_us: int | None = None
        self._standby_until_us: int | None = None
        self._snapshot = BedSnapshot(
            bed=bed,
            bed_state=BedState.DISCHARGED,
            session="",
            title=title,
            synthetic=False,
            vitals=None,
            population=Population.ADULT,
            limits=limits or Limits(),
            disabled=(),
            relaxed=(),
            sound_paused_s=None,
            standby_s=None,
            instances=(),
            errors=(),
            abnormal=(),
            gauge_threshold=None,
            calibrated="not calibrated",
            calibration="",
            last_beat=None,
            last_abnormal=None,
            log=(),
            links=(),
            wall_us=0,
            age_s=0.0,
        )

    def apply(self, event: Event, wall_us: int) -> None:
        """Paint an event; `wall_us` is the Unix time in µs to show beside it."""
        if isinstance(event, Wave):
            self.ring.write(event)
            with self._lock:
                self._heard_at_us = event.at_us
                synthetic = bool(event.flags & Flags.SYNTHETIC)
                if synthetic != self._snapshot.synthetic:
                    self._snapshot = replace(self._snapshot, synthetic=synthetic)
            return
        with self._lock:
            self._snapshot = self._painted(event, wall_us)

    def set_links(self, links: tuple[LinkState, ...]) -> None:
        """Replace the states of the links."""
        with self._lock:
            self._snapshot = replace(self._snapshot, links=links)

    def set_calibrated(self, words: str) -> None:
        """Say whose threshold the gauge shows."""
        with self._lock:
            self._snapshot = replace(self._snapshot, calibrated=words)

    def set_delivery(self, instance_id: str, state: str) -> None:
        """Write the delivery state of an instance beside its rows."""
        with self._lock:
            for index, line in enumerate(self._log):
                if line.instance_id == instance_id and line.delivery != state:
                    self._log[index] = replace(line, delivery=state)
            self._snapshot = replace(self._snapshot, log=tuple(self._log))

    def snapshot(self, at_us: int, wall_us: int) -> BedSnapshot:
        """The picture at a moment, with its age: the time since the last sample arrived."""
        with self._lock:
            age_s = (at_us - self._heard_at_us) / 1e6 if self._heard_at_us else float("inf")
            return replace(
                self._snapshot,
                wall_us=wall_us,
                age_s=age_s,
                sound_paused_s=_left_s(self._sound_paused_until_us, at_us),
                standby_s=_left_s(self._standby_until_us, at_us),
            )

    def remember(
        self, log: Sequence[LogLine], errors: Sequence[float], abnormal: Sequence[bool]
    ) -> None:
        """Take over the history that another picture of this bed has: log (newest first), strip."""
        with self._lock:
            self._log = deque(log, maxlen=LOG_LINES)
            self._lines = max((line.number for line in log), default=0)
            self._errors = deque(zip(errors, abnormal, strict=True), maxlen=STRIP_BEATS)
            self._snapshot = replace(
                self._snapshot,
                log=tuple(self._log),
                errors=tuple(error for error, _ in self._errors),
                abnormal=tuple(each for _, each in self._errors),
            )

    def explain(self, beat: LastBeat) -> None:
        """Take over a beat with its reconstruction."""
        with self._lock:
            self._snapshot = replace(
                self._snapshot,
                last_beat=beat,
                last_abnormal=beat if beat.abnormal else self._snapshot.last_abnormal,
            )

    def _painted(self, event: Event, wall_us: int) -> BedSnapshot:
        before = self._snapshot
        match event:
            case Vitals():
                return replace(before, vitals=event)
            case Beat():
                self._classes[event.sample] = event.beat_class.value
                while len(self._classes) > STRIP_BEATS:
                    del self._classes[next(iter(self._classes))]
                return before
            case BeatScored():
                self._errors.append((event.error, event.abnormal))
                scored = replace(
                    before,
                    errors=tuple(error for error, _ in self._errors),
                    abnormal=tuple(abnormal for _, abnormal in self._errors),
                    gauge_threshold=event.gauge_threshold,
                )
                if not len(event.window_mv):
                    return scored  # heard of from afar, where waveforms go another way
                last = LastBeat(
                    wall_us,
                    event.error,
                    event.gauge_threshold,
                    event.abnormal,
                    event.window_mv,
                    event.reconstruction_mv,
                    self._classes.get(event.sample, ""),
                )
                return replace(
                    scored,
                    last_beat=last,
                    last_abnormal=last if event.abnormal else before.last_abnormal,
                )
            case AlarmChanged(instance=instance):
                if _shown(instance):
                    self._instances[instance.instance_id] = instance
                else:
                    self._instances.pop(instance.instance_id, None)
                if instance.state is not AlarmState.PENDING:
                    self._write(
                        wall_us,
                        instance.mark,
                        instance.text or CONDITIONS[instance.code].title,
                        instance.state.value,
                        instance.instance_id,
                    )
                return replace(before, instances=_by_urgency(self._instances), log=tuple(self._log))
            case SoundPaused():
                self._sound_paused_until_us = event.until_us
                words = "sound on again" if event.until_us is None else "sound paused"
                self._write(wall_us, "", f"{words} by {event.user}", "", "")
                return replace(before, log=tuple(self._log))
            case LimitsChanged():
                words = _limits_words(before, event)
                if words:
                    self._write(wall_us, "", words, "", "")
                return replace(
                    before,
                    population=event.population,
                    limits=event.limits,
                    disabled=event.disabled,
                    relaxed=event.relaxed,
                    log=tuple(self._log),
                )
            case FoundLate():
                self._write(event.found_wall_us or wall_us, "", f"found late: {event.text}", "", "")
                return replace(before, log=tuple(self._log))
            case CalibrationChanged():
                words = event.state if not event.reason else f"{event.state}: {event.reason}"
                if event.state in ("running", "proposed"):
                    return replace(before, calibration=words)
                self._write(wall_us, "", f"calibration {words}", "", "")
                return replace(
                    before,
                    calibration="" if event.state in ("accepted", "discarded") else words,
                    log=tuple(self._log),
                )
            case BedChanged():
                self._write(wall_us, "", f"{event.state.value} by {event.user}", "", "")
                self._standby_until_us = event.until_us
                self._errors.clear()
                self._instances.clear()
                return replace(
                    before,
                    bed_state=event.state,
                    session=event.session,
                    instances=(),
                    errors=(),
                    abnormal=(),
                    gauge_threshold=None,
                    last_beat=None,
                    last_abnormal=None,
                    calibration="",
                    log=tuple(self._log),
                )
            case Gap(new_boot=new_boot):
                self._write(wall_us, "", "the node restarted" if new_boot else "gap", "", "")
                return replace(before, log=tuple(self._log))
            case _:
                return before

    def _write(self, wall_us: int, mark: str, text: str, state: str, instance_id: str) -> None:
        self._lines += 1
        delivery = next(
            (line.delivery for line in self._log if line.instance_id == instance_id != ""), ""
        )
        self._log.appendleft(
            LogLine(self._lines, wall_us, mark, text, state, delivery, instance_id)
        )


class LocalFeed:
    """The feed of a station in this process."""

    def __init__(
        self,
        pictures: Mapping[str, Picture],
        act: Callable[[str, str, str, str, Mapping[str, Any], Callable[[ActionDone], None]], None],
        clock_us: Callable[[], int],
        wall_clock_us: Callable[[], int],
        user: str = "bedside",
        hops: Callable[[str], tuple[Hop, ...]] = lambda alert_id: (),
    ) -> None:
        self._pictures = pictures
        self._act = act
        self._clock_us = clock_us
        self._wall_clock_us = wall_clock_us
        self._user = user
        self._hops = hops
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


def _left_s(until_us: int | None, at_us: int) -> float | None:
    return None if until_us is None else max(0.0, (until_us - at_us) / 1e6)


def _limits_words(before: BedSnapshot, event: LimitsChanged) -> str:
    """What of the limits is other than before, in one line."""
    if event.population is not before.population:
        said = [f"limits of {event.population.value}"]
    else:
        said = [
            f"{name} {getattr(event.limits, name):g}"
            for name in BOUNDS
            if getattr(event.limits, name) != getattr(before.limits, name)
        ]
    said += [f"{code} disabled" for code in event.disabled if code not in before.disabled]
    said += [f"{code} enabled" for code in before.disabled if code not in event.disabled]
    return f"{', '.join(said)} by {event.user}" if said else ""


def _shown(instance: Instance) -> bool:
    if instance.ended_us is None:
        return instance.state is not AlarmState.PENDING
    return instance.priority is Priority.HIGH and instance.acknowledged_us is None


def _by_urgency(instances: Mapping[str, Instance]) -> tuple[Instance, ...]:
    rank = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}
    return tuple(
        sorted(
            instances.values(),
            key=lambda i: (rank[i.priority], i.ended_us is not None, -i.at_us),
        )
    )
