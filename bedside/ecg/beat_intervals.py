"""The RR intervals of one patient: how early a beat comes, by the last ones and by many.

In a run of early beats all of the last intervals are short: so the patient's own sinus interval,
quantiles and means over minutes, pauses included, stand beside them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from math import log
from statistics import median

EARLY = -0.12
"""ln of an interval over the usual one, from which on down a beat is early."""

_LONG_MEMORY = 200
_DIFFERENCES = 63
_MINUTE = 60
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
_JITTER = 0.06
_LOST_AFTER_BEATS = 24
_PAUSE = 1.25
"""An interval this many times the patient's median is a pause."""


class Intervals:
    """RR intervals before a beat: the last ones, many, and the patient's sinus interval."""

    def __init__(self) -> None:
        """Start with no interval known."""
        self._rr_s: list[float] = []
        self._sorted_s: list[float] = []
        self._differences_s: list[float] = []
        self._sinus_s: float | None = None
        self._beats_off = 0
        self._run = 0
        self._run_lateness = 0.0
        self.lateness = 0.0
        """ln of the interval over the median of the last 8."""
        self.sinus_lateness = 0.0
        """ln of the interval over the sinus interval."""
        self.early_before = 0.0
        """`sinus_lateness` of the beat before."""
        self.compensation = 0.0
        self.after_pause = False
        self.rank = 0.5
        """The share of many intervals that were shorter."""

    @property
    def last_s(self) -> float:
        """The interval before the beat before; 0.8 s at the start."""
        return self._rr_s[-1] if self._rr_s else 0.8

    def weigh(self, rr_s: float, after_s: float) -> tuple[float, ...]:
        """What the intervals before and after a beat say, in seconds: 39 numbers."""
        known = self._rr_s
        recent_s = median(known[-8:]) if known else rr_s
        wider_s = median(known[-32:]) if known else rr_s
        quantiles_s = [rr_s] * 6
        mean_s, minute_s, paused, calm = rr_s, rr_s, 0.0, 0.0
        self.rank = 0.5
        if known:
            last = len(known) - 1
            quantiles_s = [self._sorted_s[int(q * last)] for q in _QUANTILES]
            self.rank = bisect_left(self._sorted_s, rr_s - 0.004) / len(known)
            mean_s = sum(known) / len(known)
            minute = known[-_MINUTE:]
            minute_s = sum(minute) / len(minute)
            paused = 1.0 - bisect_left(self._sorted_s, _PAUSE * quantiles_s[2]) / len(known)
            calm = sum(self._differences_s[-3:]) / 3.0
        sinus_s = self._sinus_s = self._sinus_s or rr_s
        q10_s, q25_s, q50_s, q75_s, q90_s, q95_s = quantiles_s
        self.lateness = log_ratio(rr_s, recent_s)
        self.after_pause = rr_s > _PAUSE * q50_s
        self.sinus_lateness = log_ratio(rr_s, sinus_s)
        self.compensation = log_ratio(rr_s + after_s, 2.0 * recent_s)
        one_s = known[-1] if known else rr_s
        two_s = known[-2] if len(known) > 1 else one_s
        three_s = known[-3] if len(known) > 2 else two_s
        self._run = self._run + 1 if self.sinus_lateness < EARLY else 0
        if self._run == 1:
            self._run_lateness = self.lateness
        return (
            self.sinus_lateness,
            self.lateness,
            log_ratio(rr_s, wider_s),
            log_ratio(rr_s, q25_s),
            log_ratio(rr_s, q50_s),
            log_ratio(rr_s, q75_s),
            log_ratio(rr_s, q90_s),
            self.rank,
            log_ratio(after_s, recent_s),
            log_ratio(after_s, rr_s),
            log_ratio(after_s, sinus_s),
            self.compensation,
            log_ratio(rr_s + after_s, 2.0 * sinus_s),
            log_ratio(rr_s, one_s),
            log_ratio(one_s, sinus_s),
            log_ratio(two_s, sinus_s),
            log_ratio(one_s, recent_s),
            log_ratio(after_s, one_s),
            log_ratio(rr_s, (one_s + two_s + three_s) / 3.0),
            log_ratio(rr_s, 0.8),
            log_ratio(sinus_s, 0.8),
            log_ratio(after_s, 0.8),
            log_ratio(recent_s, sinus_s),
            log_ratio(q75_s, q25_s),
            log_ratio(q90_s, q50_s),
            log_ratio(q10_s, q50_s),
            log_ratio(rr_s, mean_s),
            log_ratio(rr_s, minute_s),
            log_ratio(after_s, mean_s),
            log_ratio(rr_s, q95_s),
            log_ratio(q95_s, q50_s),
            paused,
            min(calm / recent_s, 0.5),
            *self._irregularity(recent_s, wider_s),
            min(self._run, 10) / 10.0,
            self._run_lateness if self._run else 0.0,
        )

    def _irregularity(self, recent_s: float, wider_s: float) -> tuple[float, ...]:
        """How far intervals differ from the one before, over 15 and over 63 of them."""
        differences_s = self._differences_s
        if not differences_s:
            return 0.0, 0.0, 0.0, 0.0
        last = differences_s[-15:]
        return (
            sum(min(d / recent_s, 0.5) for d in last) / len(last),
            sum(d > _JITTER * recent_s for d in last) / len(last),
            median(differences_s) / wider_s,
            sum(d > _JITTER * wider_s for d in differences_s) / len(differences_s),
        )

    def learn(self, rr_s: float, usual_shape: bool) -> None:
        """Remember the interval before a beat, and whether the beat had the usual shape."""
        known = self._rr_s
        early = len(known) < 8
        if rr_s < 3.0:
            if known:
                self._differences_s = [
                    *self._differences_s[-_DIFFERENCES + 1 :],
                    abs(rr_s - known[-1]),
                ]
            known.append(rr_s)
            insort(self._sorted_s, rr_s)
            if len(known) > _LONG_MEMORY:
                del self._sorted_s[bisect_left(self._sorted_s, known.pop(0))]
        assert self._sinus_s is not None
        self.early_before = self.sinus_lateness
        if usual_shape and abs(self.sinus_lateness) < 0.15:
            self._sinus_s += 0.12 * (rr_s - self._sinus_s)
            self._beats_off = 0
            return
        self._beats_off += 1
        if early or self._beats_off > _LOST_AFTER_BEATS:
            self._sinus_s = median(known[-16:]) if known else rr_s
        if self._beats_off > _LOST_AFTER_BEATS:
            self._beats_off = 0


def within(value: float, low: float, high: float) -> float:
    """The value, held between two others."""
    return min(max(value, low), high)


def log_ratio(a: float, b: float) -> float:
    """ln(a / b), held within ± 2."""
    # Forty of them for each beat: comparisons cost half of what `max` and `min` do.
    ratio = log((a if a > 1e-6 else 1e-6) / (b if b > 1e-6 else 1e-6))
    if ratio > 2.0:
        return 2.0
    return ratio if ratio > -2.0 else -2.0
