"""One bed as its events have painted it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bedside.alarms.conditions import named
from bedside.events import (
    AlarmChanged,
    AlarmState,
    Beat,
    BeatScored,
    BedChanged,
    BedState,
    CalibrationChanged,
    Event,
    Flags,
    FoundLate,
    Gap,
    Instance,
    LimitsChanged,
    Priority,
    SoundPaused,
    Vitals,
    Wave,
)
from bedside.feed import BedSnapshot, LastBeat, LinkState, LogLine
from bedside.limits import BOUNDS, Limits, Population
from bedside.wave_ring import WaveRing

LOG_LINES = 200
STRIP_BEATS = 60


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
                synthetic = event.flags.has(Flags.SYNTHETIC)
                if synthetic != self._snapshot.synthetic:
                    self._snapshot = replace(self._snapshot, synthetic=synthetic)
            return
        with self._lock:
            self._snapshot = self._painted(event, wall_us)

    def set_links(self, links: tuple[LinkState, ...]) -> None:
        """Replace the states of the links."""
        with self._lock:
            if links != self._snapshot.links:
                self._snapshot = replace(self._snapshot, links=links)

    def set_fault(self, words: str) -> None:
        """Say why the picture may be believed no more; empty: it may."""
        with self._lock:
            self._snapshot = replace(self._snapshot, fault=words)

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

    @property
    def last_beat(self) -> LastBeat | None:
        """The newest beat that was scored."""
        return self._snapshot.last_beat

    def age_s(self, at_us: int) -> float:
        """The time since the last sample arrived; infinite before the first."""
        return (at_us - self._heard_at_us) / 1e6 if self._heard_at_us else float("inf")

    def snapshot(self, at_us: int, wall_us: int) -> BedSnapshot:
        """The picture at a moment, with its age."""
        with self._lock:
            return replace(
                self._snapshot,
                wall_us=wall_us,
                age_s=self.age_s(at_us),
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
                last, last_abnormal = before.last_beat, before.last_abnormal
                if len(event.window_mv):  # what is heard of from afar has its waveforms elsewhere
                    last = LastBeat(
                        wall_us,
                        event.error,
                        event.gauge_threshold,
                        event.abnormal,
                        event.window_mv,
                        event.reconstruction_mv,
                        self._classes.get(event.sample, ""),
                    )
                    last_abnormal = last if event.abnormal else last_abnormal
                errors, abnormal = zip(*self._errors, strict=True)
                return replace(
                    before,
                    errors=errors,
                    abnormal=abnormal,
                    gauge_threshold=event.gauge_threshold,
                    last_beat=last,
                    last_abnormal=last_abnormal,
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
                        named(instance.code, instance.text),
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
