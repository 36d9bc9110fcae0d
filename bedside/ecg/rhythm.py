"""The rhythm chain: conditions of the heart, decided by rules on beats and on the waveform.

Each condition is counted on positions of the 250 Hz signal, so a replay finds what the live run
found. It needs neither the autoencoder nor a calibrated patient.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from bedside.ecg.baseline_jump import BaselineJump
from bedside.ecg.beat_size import BeatSize
from bedside.ecg.bigeminy import HIDING_BEATS, every_second_ventricular, hides_ventricular
from bedside.ecg.fibrillation import HOP, WINDOW, FibrillationRule, Verdict
from bedside.ecg.irregularity import irregularly_irregular
from bedside.ecg.rpeaks import DECISION_DELAY_SAMPLES
from bedside.ecg.ventricular_run import Pace, bridged, in_a_row, pace
from bedside.events import WINDOW_RATE_HZ, BeatClass, Float64Array
from bedside.limits import Limits

HOLD_S = {
    "asystole": 5.0,
    "vf": 5.0,
    "vt": 10.0,
    "pause": 30.0,
    "pvc-run": 30.0,
    "extreme-tachy": 60.0,
    "extreme-brady": 60.0,
    "tachy": 60.0,
    "brady": 60.0,
    "bigeminy": 120.0,
    "irregular": 120.0,
}
"""A condition ends when nothing has spoken for it for so long.

A rhythm that is interrupted by a few beats is still the same episode: without this it would alarm
anew each time. What kills is held longer than the gap that makes an asystole, no more; an event
half a minute, a rate a minute, what describes minutes of rhythm two (as long as bedside monitors
usually wait before they call atrial fibrillation over).
"""

HYSTERESIS_BPM = 3.0
"""A rate alarm lasts until the heart rate has come back inside its limit by so much."""

FAST_S = 2.0
"""How long the rate must lie above its limit: an early beat or two lift the mean for less."""

USUAL_BEATS = 16
"""Among so many beats before a run, those that are not ventricular tell the usual RR interval."""

FEWEST_USUAL = 2

EVEN = 1.2
"""Beats whose longest RR interval is less than this many times the shortest fibrillate nowhere."""

RATE_BEATS = 12
"""RR intervals in the displayed heart rate …"""

SLOW_BEATS = 4
"""… and in that of a slow heart, whose last intervals are all longer than `SLOW_RR_S`."""

SLOW_RR_S = 1.2

BRADY_BEATS = 6
"""Beats that make a bradycardia: one that is not heard among them is outvoted …"""

VERY_SLOW_RR_S = 1.4
"""… and one fewer where each RR interval is longer than this: six would take too long."""

_VENTRICULAR = BeatClass.VENTRICULAR
_LETHAL = frozenset({"asystole", "vf", "vt"})
"""While one of them is present, a rate says nothing more."""

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
    unseen: bool
    """Whether the signal hid the heart at some time since the beat before."""
    before: int | None
    """The position of the beat before; None for the first."""
    rr_s: float | None
    """The interval since then, where neither beat is ventricular."""


class Rhythm:
    """The state of every rhythm condition of one bed.

    Call `peak` when an R peak is found and `beat` when its class is known (both in order of
    position), `signal` with the samples, then `advance` for what changed. After a gap or lead-off
    call `reset` with the first usable position. Where no `peak` is given, `beat` stands for both.
    """

    def __init__(self, limits: Limits | None = None, hold_s: Mapping[str, float] = HOLD_S) -> None:
        """Start at position 0 with the given limits (an adult's by default).

        `hold_s` says for how long each condition must be absent before it has ended.
        """
        self.limits = limits or Limits()
        self._hold_s = hold_s
        self._present: dict[str, int] = {}
        self._stopped = False
        self._held_to: dict[str, int] = {}
        self._findings: list[Finding] = []
        self._beats: deque[_Beat] = deque(maxlen=_KEPT_BEATS)
        self._fibrillation = FibrillationRule()
        self._jump = BaselineJump()
        self._size = BeatSize()
        self.reset(0)

    def reset(self, position: int = 0) -> None:
        """Forget the beats: usable signal begins at `position`. What is present stays so.

        It ends by the first evidence against it, as if the signal had never been away.
        """
        self._beats.clear()
        self._rate_bpm: float | None = None
        self._fibrillation.reset()
        self._jump.reset()
        self._size.reset()
        self._small: deque[int] = deque(maxlen=_KEPT_BEATS)
        self._start = position
        self._peak: int | None = None
        self._fast_since: dict[str, int] = {}
        self._even_to = position - WINDOW
        wanted = 1 + round((self.limits.vf_s - _UNSURE_S) * WINDOW_RATE_HZ / HOP)
        self._verdicts: deque[Verdict] = deque(maxlen=max(3, wanted))

    @property
    def heart_rate_bpm(self) -> float | None:
        """The displayed rate per minute.

        The mean of the last 12 RR intervals, or of the last 4 when each of them is longer than
        1.2 s; 0 in asystole, None before the second beat.
        """
        return 0.0 if self._stopped else self._rate_bpm

    def signal(self, samples_mv: Float64Array) -> None:
        """Take the next raw samples of shape (n,) in mV, for the rules on the waveform itself."""
        self._size.signal(samples_mv)
        settled_at = self._jump.settled_at
        self._jump.process(samples_mv)
        if self._jump.settled_at != settled_at:
            self._size.forget()
        for verdict in self._fibrillation.process(samples_mv):
            self._verdicts.append(verdict)
            if len(self._verdicts) < (self._verdicts.maxlen or 0):
                continue
            position = self._start + verdict.position
            # What a verdict judges must lie behind the last even beats of a tachycardia.
            if position - self._even_to >= WINDOW and self._all_fibrillate():
                onset = max(self._start, position - round(self.limits.vf_s * WINDOW_RATE_HZ))
                self._begin("vf", onset, "ventricular fibrillation or flutter", None)
            if "vf" in self._present and verdict.log_odds > 0.0:
                self._hold("vf", position)

    def _all_fibrillate(self) -> bool:
        # The newest that says no spares judging the others for the longest time.
        return not any(verdict.has_denied for verdict in self._verdicts) and all(
            verdict.log_odds > 0.0 for verdict in reversed(self._verdicts)
        )

    def peak(self, position: int) -> None:
        """Take the next R peak: from here on the heart has not stopped before `position`."""
        self._absence(position)
        if self._size.is_small(position - self._start):
            self._small.append(position)
            return
        self._peak = position
        self._stopped = False

    def beat(self, position: int, beat_class: BeatClass) -> None:
        """Take the next beat with its class."""
        if position in self._small:
            return
        if self._peak is None or position > self._peak:
            self.peak(position)
        unseen, before, rr_s = False, None, None
        if self._beats:
            last = self._beats[-1]
            before = last.position
            unseen = before < self._start + self._jump.settled_at
            if _VENTRICULAR not in (last.beat_class, beat_class):
                rr_s = (position - before) / WINDOW_RATE_HZ
        self._beats.append(_Beat(position, beat_class, unseen, before, rr_s))
        self._rates(position)
        self._runs(position)
        self._bigeminy(position)
        self._irregularity(position)

    def advance(self, position_now: int) -> list[Finding]:
        """Let time pass to `position_now` (samples received); give what changed since."""
        self._absence(position_now - DECISION_DELAY_SAMPLES)
        ended = [code for code, to in self._held_to.items() if position_now > to]
        for code in ended:
            self._end(code)
        if not _LETHAL.isdisjoint(ended) and self._goes_on(position_now):
            self._rates(self._beats[-1].position)  # which kept silent until now
        findings, self._findings = self._findings, []
        return findings

    def _goes_on(self, position_now: int) -> bool:
        """Whether the last beat is no longer ago than a pause may be."""
        longest = self.limits.pause_s * WINDOW_RATE_HZ + DECISION_DELAY_SAMPLES
        return bool(self._beats) and position_now - self._beats[-1].position < longest

    def _intervals_s(self, count: int) -> list[float]:
        """The last RR intervals in which the heart could be seen, in order."""
        seen = (
            (later.position - earlier.position) / WINDOW_RATE_HZ
            for later, earlier in pairwise(reversed(self._beats))
            if not later.unseen
        )
        return list(itertools.islice(seen, count))[::-1]

    def _absence(self, decided_to: int) -> None:
        """No QRS complex up to `decided_to`, although the signal would have shown one."""
        last = self._start if self._peak is None else self._peak
        absent_s = (decided_to - max(last, self._start + self._jump.settled_at)) / WINDOW_RATE_HZ
        for code, limit_s in (("pause", self.limits.pause_s), ("asystole", self.limits.asystole_s)):
            if absent_s >= limit_s and "vf" not in self._present:
                self._begin(code, last, f"no QRS for {limit_s:g} s", limit_s)
                self._hold(code, decided_to)
                self._stopped |= code == "asystole"

    def _rates(self, position: int) -> None:
        graver = not _LETHAL.isdisjoint(self._present)
        limits = self.limits
        longest = max(RATE_BEATS, limits.extreme_tachy_beats - 1, limits.extreme_brady_beats - 1)
        known_s = self._intervals_s(longest)
        self._rate_bpm = _displayed_bpm(known_s[-RATE_BEATS:])
        very_slow = min(known_s[2 - BRADY_BEATS :], default=0.0) > VERY_SLOW_RR_S
        brady_beats = BRADY_BEATS - 1 if very_slow else BRADY_BEATS
        for code, beats, limit_bpm, too_fast in (
            ("extreme-tachy", limits.extreme_tachy_beats, limits.extreme_tachy_bpm, True),
            ("extreme-brady", limits.extreme_brady_beats, limits.extreme_brady_bpm, False),
            ("tachy", RATE_BEATS + 1, limits.tachy_bpm, True),
            ("brady", brady_beats, limits.brady_bpm, False),
        ):
            if len(known_s) < beats - 1:
                continue
            intervals_s = known_s[1 - beats :]
            # The number that is shown decides: "50/min, below 50/min" would be no sentence.
            rate_bpm = float(round(60.0 * (beats - 1) / sum(intervals_s)))
            beyond_bpm = rate_bpm - limit_bpm if too_fast else limit_bpm - rate_bpm
            if beyond_bpm <= 0.0 or (code == "brady" and not self._is_slow(beats)):
                self._fast_since.pop(code, None)
            elif (not too_fast or self._long_enough(code, position)) and not graver:
                word = "above" if too_fast else "below"
                text = f"heart rate {rate_bpm:.0f}/min, {word} {limit_bpm:g}/min"
                self._begin(
                    code, self._beats[-min(beats, len(self._beats))].position, text, rate_bpm
                )
            if beyond_bpm >= -HYSTERESIS_BPM and code in self._present:
                self._hold(code, position)

    def _is_slow(self, count: int) -> bool:
        """Whether it is more than one gap that makes the mean of the last `count` beats slow.

        A beat that was not heard and a compensatory pause slow the mean and no heart. Only the
        medium alarm asks: what kills is judged by the mean as it is.
        """
        beats = self._shapes(count + HIDING_BEATS)
        heard_s = [
            (beats[last][0] - beats[last - 1][0]) / WINDOW_RATE_HZ
            for last in range(1, len(beats))
            if not hides_ventricular(beats[max(0, last + 1 - HIDING_BEATS) : last + 1])
        ][1 - count :]
        slowest_s = 60.0 / (self.limits.brady_bpm - 0.5)
        return min(median(heard_s), sum(heard_s) / len(heard_s)) > slowest_s

    def _long_enough(self, code: str, position: int) -> bool:
        since = self._fast_since.setdefault(code, position)
        return position - since >= FAST_S * WINDOW_RATE_HZ

    def _runs(self, position: int) -> None:
        """Ventricular beats in a row that have taken over the rhythm."""
        limits = self.limits
        if "vt" in self._present and self._beats_evenly():
            self._even_to = position
        if self._beats[-1].beat_class is not _VENTRICULAR or "vf" in self._present:
            return
        beats = list(reversed(self._beats))
        ventricular = [beat.beat_class is _VENTRICULAR for beat in beats]
        steps = ((b.position - a.position) / WINDOW_RATE_HZ for b, a in pairwise(beats))
        length = bridged(ventricular, list(steps), limits.vt_beats)
        found = self._pace(beats, length) if length >= limits.vt_beats else None
        if found is not None and found.taken_over and found.rate_bpm >= limits.vt_rate_bpm:
            count = sum(ventricular[:length])
            among = "in a row" if count == length else f"of {length}"
            text = f"{count} ventricular beats {among} at {found.rate_bpm:.0f}/min"
            self._begin("vt", beats[length - 1].position, text, found.rate_bpm)
            self._hold("vt", position)
            self._end("pvc-run")
            return
        length = in_a_row(ventricular)
        if length < limits.pvc_run_beats or "vt" in self._present:
            return
        if self._pace(beats, length) is not None:
            text = f"{length} ventricular beats in a row"
            self._begin("pvc-run", beats[length - 1].position, text, float(length))
            self._hold("pvc-run", position)

    def _pace(self, beats: list[_Beat], length: int) -> Pace | None:
        """That of a run, the first `length` of beats, newest first; None: the rhythm before it."""
        usual_s = _usual_interval_s(beats[length : length + USUAL_BEATS][:-1])
        last = [beat.position for beat in beats[: min(length, self.limits.vt_beats)]]
        return pace(last[::-1], usual_s)

    def _beats_evenly(self) -> bool:
        """Whether the last beats are as regular as no fibrillation is."""
        intervals_s = self._intervals_s(self.limits.vt_beats - 1)
        return bool(intervals_s) and max(intervals_s) < EVEN * min(intervals_s)

    def _bigeminy(self, position: int) -> None:
        """Every second beat ventricular, and early."""
        wanted = self.limits.bigeminy_beats
        if every_second_ventricular(self._shapes(wanted), wanted):
            onset = self._beats[-min(wanted, len(self._beats))].position
            self._begin("bigeminy", onset, "every second beat ventricular", None)
            self._hold("bigeminy", position)

    def _shapes(self, count: int) -> list[tuple[int, bool | None]]:
        """The last beats, in order: where each is, and whether it is ventricular."""
        shapes = [
            (
                beat.position,
                None if beat.beat_class is BeatClass.UNKNOWN else beat.beat_class is _VENTRICULAR,
            )
            for beat in itertools.islice(reversed(self._beats), count)
        ]
        return shapes[::-1]

    def _irregularity(self, position: int) -> None:
        since = position - round(self.limits.irregular_s * WINDOW_RATE_HZ)
        if self._beats[0].position > since:
            return
        intervals_s: list[float] = []
        onset = position
        for beat in reversed(self._beats):
            if beat.before is None or beat.before < since:
                break
            onset = beat.before
            if beat.rr_s is not None:
                intervals_s.append(beat.rr_s)
        if irregularly_irregular(np.array(intervals_s[::-1]), "irregular" in self._present):
            self._begin("irregular", onset, "irregularly irregular rhythm", None)
            self._hold("irregular", position)

    def _begin(self, code: str, onset: int, text: str, value: float | None) -> None:
        if code not in self._present:
            self._present[code] = onset
            self._findings.append(Finding(code, True, onset, text, value))

    def _hold(self, code: str, position: int) -> None:
        self._held_to[code] = position + round(self._hold_s[code] * WINDOW_RATE_HZ)

    def _end(self, code: str) -> None:
        self._held_to.pop(code, None)
        if code in self._present:
            self._findings.append(Finding(code, False, self._present.pop(code)))


def _displayed_bpm(intervals_s: list[float]) -> float | None:
    """The mean rate of the last RR intervals, at most 12; of the last 4 in a slow heart."""
    if not intervals_s:
        return None
    last = intervals_s[-SLOW_BEATS:]
    if len(last) == SLOW_BEATS and min(last) > SLOW_RR_S:
        intervals_s = last
    return 60.0 * len(intervals_s) / sum(intervals_s)


def _usual_interval_s(beats: list[_Beat]) -> float | None:
    """The median RR interval between beats that are not ventricular, None where there are few."""
    intervals_s = [beat.rr_s for beat in beats if beat.rr_s is not None]
    return median(intervals_s) if len(intervals_s) >= FEWEST_USUAL else None
