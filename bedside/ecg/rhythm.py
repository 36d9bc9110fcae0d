"""The rhythm chain: conditions of the heart, decided by rules on beats and on the waveform.

Nothing here learns or guesses: each condition is counted on positions of the 250 Hz signal, so a
replay finds what the live run found.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from bedside.ecg.rpeaks import DECISION_DELAY_SAMPLES
from bedside.events import WINDOW_RATE_HZ, BeatClass, Float64Array
from bedside.limits import Limits

HOLD_S = 5.0
"""A pause or a run of ventricular beats stays present this long after its last beat."""

HYSTERESIS_BPM = 3.0
"""How far the heart rate must come back inside its limit before the alarm ends."""

_KEPT_BEATS = 256


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition appeared or went. `code` is one of ALARMS.md's conditions of the waveform.

    `onset_position` is where it began on the 250 Hz count; `value` the number behind it.
    """

    code: str
    present: bool
    onset_position: int
    text: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True)
class _Beat:
    position: int
    beat_class: BeatClass


class Rhythm:
    """The state of every rhythm condition of one bed.

    Feed `beat` in order of position, `signal` with the samples, then ask `advance` for what
    changed. After a gap or lead-off call `reset` with the first usable position.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        """Start at position 0 with the given limits (an adult's by default)."""
        self.limits = limits or Limits()
        self._present: dict[str, int] = {}
        self._hold_until: dict[str, int] = {}
        self._findings: list[Finding] = []
        self._beats: deque[_Beat] = deque(maxlen=_KEPT_BEATS)
        self._start = 0

    def reset(self, position: int = 0) -> None:
        """Forget the beats: usable signal begins at `position`. What is present stays so."""
        self._beats.clear()
        self._start = position

    @property
    def heart_rate_bpm(self) -> float | None:
        """The displayed rate per minute.

        The mean of the last 12 RR intervals, or of the last 4 when each of them is longer than
        1.2 s; 0 in asystole, None before the second beat.
        """
        if "asystole" in self._present:
            return 0.0
        intervals = self._intervals_s(12)
        if len(intervals) == 0:
            return None
        last = intervals[-4:]
        if len(last) == 4 and float(last.min()) > 1.2:
            intervals = last
        return float(60.0 / intervals.mean())

    def signal(self, samples_mv: Float64Array) -> None:
        """Take raw samples of shape (n,) in mV, for the rules on the waveform itself."""

    def beat(self, position: int, beat_class: BeatClass) -> None:
        """Take the next beat."""
        self._absence(position)
        self._beats.append(_Beat(position, beat_class))
        self._clear("asystole", position)
        self._rates(position)
        self._ventricular(position)

    def advance(self, position_now: int) -> list[Finding]:
        """Let time pass to `position_now` (samples received); give what changed since."""
        self._absence(position_now - DECISION_DELAY_SAMPLES)
        for code, until in list(self._hold_until.items()):
            if position_now > until:
                self._clear(code, until)
        findings, self._findings = self._findings, []
        return findings

    def _intervals_s(self, count: int) -> Float64Array:
        positions = [beat.position for beat in list(self._beats)[-count - 1 :]]
        return np.diff(np.array(positions, dtype=np.float64)) / WINDOW_RATE_HZ

    def _absence(self, decided_to: int) -> None:
        """No QRS up to `decided_to`."""
        last = self._beats[-1].position if self._beats else self._start
        absent_s = (decided_to - last) / WINDOW_RATE_HZ
        if absent_s >= self.limits.asystole_s:
            self._raise("asystole", last, f"no QRS for {self.limits.asystole_s:g} s", absent_s)
        if absent_s >= self.limits.pause_s:
            self._raise("pause", last, f"no QRS for {self.limits.pause_s:g} s", absent_s)
            self._hold("pause", decided_to)

    def _rates(self, position: int) -> None:
        limits = self.limits
        rate = self.heart_rate_bpm
        if rate is None:
            return
        for code, beats, limit, sign in (
            ("extreme-tachy", limits.extreme_tachy_beats, limits.extreme_tachy_bpm, 1),
            ("extreme-brady", limits.extreme_brady_beats, limits.extreme_brady_bpm, -1),
            ("tachy", 13, limits.tachy_bpm, 1),
            ("brady", 5, limits.brady_bpm, -1),
        ):
            intervals = self._intervals_s(beats - 1)
            if len(intervals) < beats - 1:
                continue
            mean = float(60.0 / intervals.mean())
            excess = sign * (mean - limit)
            if excess > 0:
                onset = self._beats[-beats].position
                word = "above" if sign > 0 else "below"
                self._raise(code, onset, f"heart rate {mean:.0f}, {word} {limit:g}/min", mean)
            elif excess < -HYSTERESIS_BPM:
                self._clear(code, position)

    def _ventricular(self, position: int) -> None:
        run: list[int] = []
        for beat in reversed(self._beats):
            if beat.beat_class is not BeatClass.VENTRICULAR:
                break
            run.append(beat.position)
        run.reverse()
        limits = self.limits
        if len(run) >= limits.vt_beats:
            recent = run[-limits.vt_beats :]
            rate = 60.0 * WINDOW_RATE_HZ * (len(recent) - 1) / (recent[-1] - recent[0])
            if rate >= limits.vt_rate_bpm:
                self._raise("vt", run[0], f"{len(run)} ventricular beats, {rate:.0f}/min", rate)
                self._hold("vt", position)
                self._clear("pvc-run", position)
        elif len(run) >= limits.pvc_run_beats:
            self._raise("pvc-run", run[0], f"run of {len(run)} ventricular beats", float(len(run)))
            self._hold("pvc-run", position)
        recent_beats = list(self._beats)[-limits.bigeminy_beats :]
        alternating = len(recent_beats) == limits.bigeminy_beats and all(
            (beat.beat_class is BeatClass.VENTRICULAR) == (index % 2 == shift)
            for shift in [0 if recent_beats[0].beat_class is BeatClass.VENTRICULAR else 1]
            for index, beat in enumerate(recent_beats)
        )
        if alternating:
            self._raise("bigeminy", recent_beats[0].position, "every second beat ventricular")
        else:
            self._clear("bigeminy", position)

    def _raise(self, code: str, onset: int, text: str, value: float | None = None) -> None:
        if code not in self._present:
            self._present[code] = onset
            self._findings.append(Finding(code, True, onset, text, value))

    def _hold(self, code: str, position: int) -> None:
        self._hold_until[code] = position + int(HOLD_S * WINDOW_RATE_HZ)

    def _clear(self, code: str, position: int) -> None:
        self._hold_until.pop(code, None)
        if code in self._present:
            self._findings.append(Finding(code, False, self._present.pop(code)))
