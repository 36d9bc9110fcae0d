"""The rhythm chain: conditions of the heart, decided by rules on beats and on the waveform.

Each condition is counted on positions of the 250 Hz signal, so a replay finds what the live run
found. It needs neither the autoencoder nor a calibrated patient.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bedside.ecg.fibrillation import HOP, FibrillationRule
from bedside.ecg.irregularity import irregularly_irregular
from bedside.ecg.rpeaks import DECISION_DELAY_SAMPLES
from bedside.events import WINDOW_RATE_HZ, BeatClass, Float64Array
from bedside.limits import Limits

HOLD_S = 5.0
"""A pause or a run of ventricular beats stays present this long after its last beat."""

HYSTERESIS_BPM = 3.0
"""How far the heart rate must come back inside its limit before the alarm ends."""

RATE_BEATS = 12
"""RR intervals in the displayed heart rate …"""

SLOW_BEATS = 4
"""… and in that of a slow heart, whose last intervals are all longer than `SLOW_RR_S`."""

SLOW_RR_S = 1.2

_KEPT_BEATS = 256
_UNSURE_S = 2.0
"""A verdict on four seconds turns when about half of them fibrillate: this much after the onset."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition appeared or went. `code` is that of one of the waveform's conditions.

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

    Call `peak` when an R peak is found and `beat` when its class is known (both in order of
    position), `signal` with the samples, then `advance` for what changed. After a gap or lead-off
    call `reset` with the first usable position. Where no `peak` is given, `beat` stands for both.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        """Start at position 0 with the given limits (an adult's by default)."""
        self.limits = limits or Limits()
        self._present: dict[str, int] = {}
        self._held_to: dict[str, int] = {}
        self._findings: list[Finding] = []
        self._beats: deque[_Beat] = deque(maxlen=_KEPT_BEATS)
        self._fibrillation = FibrillationRule()
        self.reset(0)

    def reset(self, position: int = 0) -> None:
        """Forget the beats: usable signal begins at `position`. What is present stays so.

        It ends by the first evidence against it, as if the signal had never been away.
        """
        self._beats.clear()
        self._fibrillation.reset()
        self._start = position
        self._peak: int | None = None
        wanted = 1 + round((self.limits.vf_s - _UNSURE_S) * WINDOW_RATE_HZ / HOP)
        self._verdicts: deque[bool] = deque(maxlen=max(3, wanted))

    @property
    def heart_rate_bpm(self) -> float | None:
        """The displayed rate per minute.

        The mean of the last 12 RR intervals, or of the last 4 when each of them is longer than
        1.2 s; 0 in asystole, None before the second beat.
        """
        if "asystole" in self._present:
            return 0.0
        intervals_s = self._intervals_s(RATE_BEATS)
        if not intervals_s:
            return None
        last = intervals_s[-SLOW_BEATS:]
        if len(last) == SLOW_BEATS and min(last) > SLOW_RR_S:
            intervals_s = last
        return 60.0 * len(intervals_s) / sum(intervals_s)

    def signal(self, samples_mv: Float64Array) -> None:
        """Take the next raw samples of shape (n,) in mV, for the rule on the waveform itself."""
        for verdict in self._fibrillation.process(samples_mv):
            self._verdicts.append(verdict.log_odds > 0.0)
            if len(self._verdicts) < (self._verdicts.maxlen or 0):
                continue
            position = self._start + verdict.position
            if all(self._verdicts):
                onset = max(self._start, position - round(self.limits.vf_s * WINDOW_RATE_HZ))
                self._begin("vf", onset, "ventricular fibrillation or flutter", None)
            elif not any(self._verdicts):
                self._end("vf")

    def peak(self, position: int) -> None:
        """Take the next R peak: from here on the heart has not stopped before `position`."""
        self._absence(position)
        self._peak = position
        self._end("asystole")

    def beat(self, position: int, beat_class: BeatClass) -> None:
        """Take the next beat with its class."""
        if self._peak is None or position > self._peak:
            self.peak(position)
        self._beats.append(_Beat(position, beat_class))
        self._rates()
        self._runs(position)
        self._bigeminy()
        self._irregularity(position)

    def advance(self, position_now: int) -> list[Finding]:
        """Let time pass to `position_now` (samples received); give what changed since."""
        self._absence(position_now - DECISION_DELAY_SAMPLES)
        for code in [code for code, to in self._held_to.items() if position_now > to]:
            self._end(code)
        findings, self._findings = self._findings, []
        return findings

    def _intervals_s(self, count: int) -> list[float]:
        newest = itertools.islice(reversed(self._beats), count + 1)
        intervals_s = [
            (later.position - earlier.position) / WINDOW_RATE_HZ
            for later, earlier in pairwise(newest)
        ]
        return intervals_s[::-1]

    def _absence(self, decided_to: int) -> None:
        """No QRS complex up to `decided_to`."""
        last = self._start if self._peak is None else self._peak
        absent_s = (decided_to - last) / WINDOW_RATE_HZ
        for code, limit_s in (("pause", self.limits.pause_s), ("asystole", self.limits.asystole_s)):
            if absent_s >= limit_s:
                self._begin(code, last, f"no QRS for {limit_s:g} s", limit_s)
                if code == "pause":
                    self._hold(code, decided_to)

    def _rates(self) -> None:
        limits = self.limits
        for code, beats, limit_bpm, too_fast in (
            ("extreme-tachy", limits.extreme_tachy_beats, limits.extreme_tachy_bpm, True),
            ("extreme-brady", limits.extreme_brady_beats, limits.extreme_brady_bpm, False),
            ("tachy", RATE_BEATS + 1, limits.tachy_bpm, True),
            ("brady", SLOW_BEATS + 1, limits.brady_bpm, False),
        ):
            intervals_s = self._intervals_s(beats - 1)
            if len(intervals_s) < beats - 1:
                continue
            # The number that is shown decides: "50/min, below 50/min" would be no sentence.
            rate_bpm = float(round(60.0 * (beats - 1) / sum(intervals_s)))
            beyond_bpm = rate_bpm - limit_bpm if too_fast else limit_bpm - rate_bpm
            if beyond_bpm > 0.0:
                word = "above" if too_fast else "below"
                text = f"heart rate {rate_bpm:.0f}/min, {word} {limit_bpm:g}/min"
                self._begin(code, self._beats[-beats].position, text, rate_bpm)
            elif beyond_bpm < -HYSTERESIS_BPM:
                self._end(code)

    def _runs(self, position: int) -> None:
        """Ventricular beats in a row."""
        run: list[int] = []
        for beat in reversed(self._beats):
            if beat.beat_class is not BeatClass.VENTRICULAR:
                break
            run.insert(0, beat.position)
        limits = self.limits
        if len(run) >= limits.vt_beats:
            last = run[-limits.vt_beats :]
            rate_bpm = 60.0 * WINDOW_RATE_HZ * (len(last) - 1) / (last[-1] - last[0])
            if rate_bpm >= limits.vt_rate_bpm:
                text = f"{len(run)} ventricular beats in a row at {rate_bpm:.0f}/min"
                self._begin("vt", run[0], text, rate_bpm)
                self._hold("vt", position)
                self._end("pvc-run")
                return
        if len(run) >= limits.pvc_run_beats and "vt" not in self._present:
            self._begin(
                "pvc-run", run[0], f"{len(run)} ventricular beats in a row", float(len(run))
            )
            self._hold("pvc-run", position)

    def _bigeminy(self) -> None:
        """Every second beat ventricular."""
        beats = list(self._beats)[-self.limits.bigeminy_beats :]
        if len(beats) < self.limits.bigeminy_beats:
            return
        ventricular = [beat.beat_class is BeatClass.VENTRICULAR for beat in beats]
        first = ventricular[0]
        if ventricular == [first == (index % 2 == 0) for index in range(len(beats))]:
            self._begin("bigeminy", beats[0].position, "every second beat ventricular", None)
        else:
            self._end("bigeminy")

    def _irregularity(self, position: int) -> None:
        since = position - round(self.limits.irregular_s * WINDOW_RATE_HZ)
        if self._beats[0].position > since:
            return
        beats = [beat for beat in self._beats if beat.position >= since]
        intervals_s = np.array(
            [
                (later.position - earlier.position) / WINDOW_RATE_HZ
                for earlier, later in pairwise(beats)
                if BeatClass.VENTRICULAR not in (earlier.beat_class, later.beat_class)
            ]
        )
        if irregularly_irregular(intervals_s):
            self._begin("irregular", beats[0].position, "irregularly irregular rhythm", None)
        else:
            self._end("irregular")

    def _begin(self, code: str, onset: int, text: str, value: float | None) -> None:
        if code not in self._present:
            self._present[code] = onset
            self._findings.append(Finding(code, True, onset, text, value))

    def _hold(self, code: str, position: int) -> None:
        self._held_to[code] = position + round(HOLD_S * WINDOW_RATE_HZ)

    def _end(self, code: str) -> None:
        self._held_to.pop(code, None)
        if code in self._present:
            self._findings.append(Finding(code, False, self._present.pop(code)))
