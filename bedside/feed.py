"""What a face reads of a station, and how it acts on it.

A face (the screen, the headless printer) sees frozen snapshots, pulls samples from a ring at its
own pace, and sends operator actions back. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bedside.events import (
    ActionDone,
    BedState,
    Float32Array,
    Instance,
    Vitals,
)
from bedside.limits import Limits, Population
from bedside.recording.archived_event import ArchivedEvent
from bedside.recording.trend import Trend


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


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A stretch of the trace at 250 Hz: `samples_mv` of shape (n,), band-passed, NaN in gaps.

    `marks` are R peaks as indices into it; `abnormal` those of them above the threshold.
    """

    from_wall_us: int
    samples_mv: Float32Array
    marks: tuple[int, ...]
    abnormal: tuple[int, ...]
    synthetic: bool


class Recording(Protocol):
    """What a review asks of what was recorded, on one thread.

    Every question may take a while, and raise BedsideError. Moments are Unix time in µs.
    """

    def course(self, bed: str, to_wall_us: int) -> Trend:
        """Heart rate and error of the 72 h before a moment, a value a minute."""

    def events(self, bed: str, to_wall_us: int) -> list[ArchivedEvent]:
        """The last thousand alarms before a moment, newest first."""

    def moment_us(self, event: ArchivedEvent) -> int:
        """When an event began, on the time of the recording."""

    def view(self, bed: str, from_wall_us: int, seconds: float) -> View:
        """The trace from a moment on, at most a minute."""

    def explain(self, bed: str, wall_us: int) -> LastBeat | None:
        """The beat nearest to a moment with its reconstruction, None where there is none near."""

    def pages(self, bed: str, from_wall_us: int, to_wall_us: int) -> list[str]:
        """A stretch as SVG pages at true scale, at most two minutes."""


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

    def contacts(self) -> tuple[str, ...]:
        """The names of those who are told, in their order; empty where none is named."""

    def recording(self) -> Recording:
        """What was recorded of its beds, for the thread that asks."""
