"""The vocabulary of the program: what enters a bed's monitor and what leaves it.

Every room speaks these frozen dataclasses and nothing else. Units stand in the names; arrays
give their shape. Nothing here reads a clock, a file or a socket.

Two clocks appear. `at_us` is the station's monotonic time of an input, scaled by `--speed`; it
orders everything. `sample` is an index into the source's own samples since its boot; conditions of
the waveform count samples, so a replay finds what the live run found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.limits import Limits, Population

Int16Array = NDArray[np.int16]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

WINDOW_RATE_HZ = 250.0
"""The rate at which the monitor works; every other source is resampled to it at the door."""

WINDOW_BEFORE_SAMPLES = 80
"""Samples of a beat's window before the R peak, at `WINDOW_RATE_HZ` (0.32 s)."""

WINDOW_SAMPLES = 192
"""Samples of a beat's window: 0.32 s before the R peak to 0.448 s after it."""


class Flags(IntFlag):
    """What the node says of every sample in a batch (WIRE.md's flag bits)."""

    LEAD_OFF_PLUS = 1
    LEAD_OFF_MINUS = 2
    CLOCK_SYNCED = 4
    REPLAYED = 8
    SATURATED = 16
    SYNTHETIC = 32
    SETTLING = 64

    def has(self, some: Flags) -> bool:
        """Whether one of `some` is set: `&` would make a set first, ten times as slowly."""
        return int.__and__(self, some) != 0


LEAD_OFF = Flags.LEAD_OFF_PLUS | Flags.LEAD_OFF_MINUS


class BeatClass(StrEnum):
    """AAMI EC57 beat classes as far as one lead tells them apart."""

    NORMAL = "N"
    SUPRAVENTRICULAR = "S"
    VENTRICULAR = "V"
    UNKNOWN = "Q"


class Priority(StrEnum):
    """Alarm priority, in the sense of IEC 60601-1-8."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def mark(self) -> str:
        """The priority as text, so that colour is never its only sign."""
        return {"high": "***", "medium": "**", "low": "*"}[self.value]


class AlarmState(StrEnum):
    """Where an alarm instance stands. `suspended`: active before, and not decidable at present."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"
    ACKNOWLEDGED = "acknowledged"


class BedState(StrEnum):
    """Whether a patient is in the bed, and whether alarms are armed for them."""

    ADMITTED = "admitted"
    STANDBY = "standby"
    DISCHARGED = "discharged"


# ── inputs ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Consecutive samples of one node, decoded from the wire; one set of flags is true for all.

    `samples` has shape (n,), 1 ≤ n ≤ 250, int16 LSB of `nv_per_lsb` nanovolts, input-referred.
    `wall_us` is the Unix time of the first sample in µs, or 0 while the node's clock is not synced.
    """

    node: str
    flags: Flags
    boot_id: int
    sequence: int
    first_sample: int
    wall_us: int
    rate_mhz: int
    nv_per_lsb: int
    dropped: int
    lowest_held: int
    samples: Int16Array
    at_us: int = 0

    @property
    def rate_hz(self) -> float:
        """The measured sampling rate in Hz."""
        return self.rate_mhz / 1000.0

    @property
    def end_sample(self) -> int:
        """The index just after the last sample."""
        return self.first_sample + len(self.samples)

    def millivolts(self) -> Float64Array:
        """The samples in mV, shape (n,)."""
        return self.samples.astype(np.float64) * (self.nv_per_lsb * 1e-6)


@dataclass(frozen=True, slots=True)
class Tick:
    """Time goes on: sent every 0.5 s, whether or not a batch came."""

    at_us: int


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """What the autoencoder rebuilt, shape (192,), and how far the beat's shape is from it."""

    sample: int
    shape_error: float
    reconstruction_mv: Float32Array


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of beats asked for with `ScoreRequest`, back from the inference thread.

    `purpose` is the request's: `live` or `calibration`.
    """

    at_us: int
    scores: tuple[Score, ...]
    purpose: str = "live"


@dataclass(frozen=True, slots=True)
class Health:
    """How something around the monitor fares: `subject` is a link or a part of the station.

    `since_us` dates a fault that was noticed later than it began; None: it began with the notice.
    """

    at_us: int
    subject: str
    ok: bool
    detail: str = ""
    since_us: int | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """Something an operator wants of a bed; `action_id` makes it happen at most once.

    `name` is one of these, with what `arguments` may hold (a name with ? may be left out):

    - `acknowledge`: `instance`, the id of an alarm;
    - `pause-sound`: `seconds?` up to 120, 0 to end the pause; for all sounds of the station;
    - `set-limit`: `population?` (a preset), `limits?` (`Limits`' names and values), `conditions?`
      (a code and whether it is enabled), `confirmed?` after a `needs_confirmation`;
    - `admit`: `population?`, and `session` from the station; also ends a standby;
    - `standby`: `seconds?`; `discharge`;
    - `calibrate`: `seconds?`, `retry?`, `review?` (propose the result before it is used),
      `alarms_per_day?` (the budget), or `decision` on what was proposed, `accept` or `discard`;
    - `want-wave`, and `events-since`: `number`, that of the last event heard: they change nothing.
    """

    at_us: int
    action_id: str
    user: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


Input = Batch | Tick | Scores | Health | Action


# ── between the monitor's parts ───────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class BeatTiming:
    """When a beat came, from RR intervals alone; 0 where nothing is known.

    `prematurity` is 1 − RR / mean of the last RR intervals, `below_usual` 1 − RR / the interval
    that usual beats of the last minutes followed.
    """

    prematurity: float = 0.0
    below_usual: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class BeatWindow:
    """One beat as the autoencoder sees it.

    `sample` is the R peak's index at the source; `window_mv` has shape (192,), band-passed mV at
    250 Hz with the R peak at index 80. `usable` is false where the signal quality forbids a
    verdict. `abnormal_log_odds` is what the beat classifier makes of its class: the natural
    logarithm of the odds that the beat is not normal, 0 where it could not judge.
    """

    sample: int
    window_mv: Float32Array
    timing: BeatTiming
    beat_class: BeatClass
    usable: bool
    abnormal_log_odds: float = 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What a rule sees now: `code` is present or not, since `onset_us`, and how to say it.

    `onset_us` is on the time of `at_us`. `value` is the number behind it (heart rate per minute,
    beats of n), `text` the words for the banner. `priority` replaces the condition's own where a
    cause weighs less (a failing model) or more.
    """

    code: str
    present: bool
    onset_us: int
    text: str = ""
    value: float | None = None
    priority: Priority | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """One onset of one alarm condition, from pending to ended (and acknowledged by whom, when)."""

    instance_id: str
    code: str
    priority: Priority
    state: AlarmState
    onset_us: int
    at_us: int
    text: str = ""
    value: float | None = None
    active_us: int | None = None
    ended_us: int | None = None
    acknowledged_us: int | None = None
    acknowledged_by: str = ""

    @property
    def mark(self) -> str:
        """The priority as asterisks."""
        return self.priority.mark


# ── events ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class Beat:
    """A beat was found. `heart_rate_bpm` is the displayed rate after it, None while unknown.

    `time_us` is the R peak's moment on the time of `at_us`; `quality` runs from 0 to 1.
    """

    at_us: int
    sample: int
    time_us: int
    rr_s: float | None
    beat_class: BeatClass
    quality: float
    heart_rate_bpm: float | None
    synthetic: bool


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRequest:
    """The monitor asks for scores; the answer comes back as `Scores` with the same purpose.

    `baseline` is this patient's `anomaly.baseline.Baseline`, or None before calibration.
    """

    at_us: int
    beats: tuple[BeatWindow, ...]
    baseline: Any
    purpose: str = "live"


@dataclass(frozen=True, slots=True, eq=False)
class BeatScored:
    """The reconstruction error of a beat, in units of its threshold's scale.

    `threshold` is this patient's, None until a baseline is accepted; `gauge_threshold` is what the
    gauge shows: this patient's, or else the population's. Arrays have shape (192,), in mV.
    """

    at_us: int
    sample: int
    error: float
    threshold: float | None
    gauge_threshold: float
    abnormal: bool
    window_mv: Float32Array
    reconstruction_mv: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """Filtered samples for the screen, shape (n,), mV at 250 Hz.

    `position` is the index of the first one on the monitor's own running count of 250 Hz samples,
    in which a gap leaves a hole (at most 10 s long). `marks` are positions of R peaks found since.
    """

    at_us: int
    position: int
    samples_mv: Float32Array
    flags: Flags
    marks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that were not received, or a new boot of the node; nothing is interpolated."""

    at_us: int
    from_sample: int
    to_sample: int
    boot_id: int
    new_boot: bool = False


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the numerals show; emitted when it changes. None is unknown, drawn `--`."""

    at_us: int
    heart_rate_bpm: float | None
    ectopic_per_min: float | None
    quality: float | None
    quality_reason: str = ""
    suspended: str = ""


@dataclass(frozen=True, slots=True)
class AlarmChanged:
    """A transition of an alarm instance, with the instance as it is after it."""

    at_us: int
    instance: Instance


@dataclass(frozen=True, slots=True)
class SuspensionChanged:
    """Physiological conditions cannot be decided, and why; `reason` is empty when all can again.

    `whole`: none of them can, else only those derived from beats.
    """

    at_us: int
    reason: str
    whole: bool


@dataclass(frozen=True, slots=True)
class SoundPaused:
    """All sounds pause until `until_us`, or no longer where that is None; `user` did it, or what
    broke through."""

    at_us: int
    until_us: int | None
    user: str


@dataclass(frozen=True, slots=True)
class LimitsChanged:
    """The bed's limits and the conditions that are disabled, whole, as they are from now on.

    `relaxed` says in words which lethal conditions alarm later than the population's preset.
    """

    at_us: int
    population: Population
    limits: Limits
    disabled: tuple[str, ...]
    relaxed: tuple[str, ...]
    user: str


@dataclass(frozen=True, slots=True)
class Sound:
    """A burst of the alarm sound is due: `why` is `new`, `repeat` or `reminder`."""

    at_us: int
    priority: Priority
    instance_id: str
    why: str


@dataclass(frozen=True, slots=True)
class FoundLate:
    """A high finding in samples that came too late to alarm: logged and shown, never sounded.

    `found_wall_us` is when it happened by the node's clock, 0 while that was not set.
    """

    at_us: int
    code: str
    text: str
    found_wall_us: int


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationChanged:
    """`state` is `running`, `proposed`, `accepted`, `discarded` or `refused`.

    `baseline` comes with `accepted`; `reason` is how long it runs, what was learned, or why not.
    """

    at_us: int
    state: str
    reason: str = ""
    baseline: Any = None


@dataclass(frozen=True, slots=True)
class BedChanged:
    """The bed was admitted, put on standby (until `until_us`) or discharged.

    `prefix` begins the ids of its alarm instances from now on.
    """

    at_us: int
    state: BedState
    session: str
    user: str
    until_us: int | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ActionDone:
    """The answer to an action: done, or refused and why.

    `needs_confirmation`: asked again with `confirmed`, it would be done. `told` is what was asked
    for, where the action was a question.
    """

    at_us: int
    action_id: str
    user: str
    done: bool
    reason: str = ""
    needs_confirmation: bool = False
    told: Mapping[str, Any] | None = None


Event = (
    Beat
    | ScoreRequest
    | BeatScored
    | Wave
    | Gap
    | Vitals
    | AlarmChanged
    | SuspensionChanged
    | SoundPaused
    | LimitsChanged
    | Sound
    | FoundLate
    | CalibrationChanged
    | BedChanged
    | ActionDone
)
