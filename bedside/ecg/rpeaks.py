"""Where the heart beats: R peaks, found as the samples come.

The envelope of the QRS band rises at each beat. A peak of the envelope is a candidate. What it is
follows from its height against the beats and the noise before it, its likeness to this patient's
beats, the time since the last one, and the 160 ms after it (a taller peak there: it was a P wave).
These are weighed in one sum (a logistic rule; the weights are fitted on noisy training records).
The envelope is that of Pan and Tompkins 1985 and Hamilton 2002, with a band nearer to Elgendi 2013.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from scipy import ndimage, signal

from bedside.ecg.qrs_weights import HIDDEN, HIDDEN_BIAS, OUTPUT, OUTPUT_BIAS
from bedside.events import WINDOW_RATE_HZ, Float64Array

DECISION_DELAY_SAMPLES = 70
"""From an R peak to its report: 280 ms. Search-back and the first two seconds report later."""

_RATE = int(WINDOW_RATE_HZ)
_TAPS = 41
_BANDS = (
    signal.firwin(_TAPS, (7.0, 22.0), pass_zero=False, fs=WINDOW_RATE_HZ),
    signal.firwin(_TAPS, (10.0, 30.0), pass_zero=False, fs=WINDOW_RATE_HZ),
)
_SMOOTH = np.full(21, 1.0 / 21.0)
_FILTER_DELAY = 30
"""Of band and smoothing together; the envelope's peak lies this much after the QRS."""

_AHEAD = DECISION_DELAY_SAMPLES - _FILTER_DELAY
_NEIGHBOURHOOD = 25
"""A candidate is the highest point of the envelope within ± 100 ms."""

_REFRACTORY = 50
_LEARNING = 2 * _RATE
_LEARNED_SHARE = 0.5
_KEPT = 4 * _RATE
_FLOOR_MV = 0.015
"""An envelope below this is not a beat: the smallest beats, of 0.2 mV, reach 0.03 mV and more."""

_SEARCH_BACK_SCORE = -2.0
"""A missed candidate must have come this near to being a beat."""

_SEARCH_BACK = 3 * _RATE
"""How far back a missed candidate may lie."""

_AROUND = 40
_HALF_SHAPE = 20
_LAGS = 8
_SHAPES = 3


@dataclass(frozen=True, slots=True)
class RPeak:
    """A beat. `position` counts input samples at 250 Hz since the reset.

    `amplitude_mv` is the signed height of the R wave (or the depth of a dominant Q or S wave)
    above the local baseline.
    """

    position: int
    amplitude_mv: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    at: int
    """Where the envelope peaks, on the count of the envelope."""
    height: float
    sharp: float
    """The envelope of the higher band there."""
    ahead: float
    """The highest envelope between 100 and 160 ms later."""
    behind: float
    """The highest envelope between 100 and 160 ms earlier."""
    floor: float
    """The median of the envelope over the second before."""
    swing_mv: float
    """Peak to peak of the signal within ± 80 ms."""
    around_mv: Float64Array
    """The signal within ± 160 ms, shape (81,)."""
    shapes: Float64Array
    """Normalised cuts of it at each lag, shape (17, 41)."""


@dataclass(slots=True)
class _Levels:
    """What beats looked like so far on this patient."""

    heights: list[float] = field(default_factory=list)
    sharps: list[float] = field(default_factory=list)
    swings_mv: list[float] = field(default_factory=list)
    intervals: list[int] = field(default_factory=list)
    noise: float = 0.0
    templates: list[Float64Array] = field(default_factory=list)
    uses: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    """Where the R peak lies in each template, against its centre."""

    def height(self, overdue: int) -> float:
        """The usual height of a beat; when none comes it sinks: contact may have changed."""
        return median(self.heights) * math.exp2(-max(0, overdue - 2 * _RATE) / _RATE)

    def likeness(self, shapes: Float64Array) -> tuple[float, int, int]:
        """The best correlation with a template, which template and at which lag."""
        if not self.templates:
            return 0.0, -1, 0
        correlation = shapes @ np.array(self.templates).T
        lag, which = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
        return float(correlation[lag, which]), int(which), int(lag)

    def learn_shape(self, candidate: _Candidate) -> int:
        """Let a beat refine its template, or found one; give its R peak against the centre."""
        likeness, which, lag = self.likeness(candidate.shapes)
        self.uses = [0.98 * use for use in self.uses]
        if likeness > 0.8:
            mixed = 0.85 * self.templates[which] + 0.15 * candidate.shapes[lag]
            self.templates[which] = mixed / max(float(np.linalg.norm(mixed)), 1e-12)
            self.uses[which] += 1.0
            shift = lag - _LAGS
            return _extreme(candidate.around_mv, self.peaks[which] + shift, 3)
        if len(self.templates) == _SHAPES:
            rarest = int(np.argmin(self.uses))
            del self.templates[rarest], self.uses[rarest], self.peaks[rarest]
        peak = _extreme(candidate.around_mv, 0, _HALF_SHAPE)
        self.templates.append(candidate.shapes[_LAGS])
        self.uses.append(1.0)
        self.peaks.append(peak)
        return peak


class RPeakDetector:
    """Causal R-peak detector at 250 Hz; any split of the input finds the same beats."""

    def __init__(self) -> None:
        """Start with nothing learned."""
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next sample is sample 0."""
        self._count = 0
        self._raw: Float64Array = np.empty(0)
        self._envelopes: list[Float64Array] = [np.empty(0) for _ in _BANDS]
        self._powers: list[Float64Array] = [np.zeros(len(_SMOOTH) - 1) for _ in _BANDS]
        self._next = _NEIGHBOURHOOD
        self._learning: list[_Candidate] | None = []
        self._levels = _Levels()
        self._last = -_RATE
        self._last_height = 0.0
        self._last_score = 0.0
        self._missed: tuple[float, _Candidate] | None = None

    def process(self, samples_mv: Float64Array) -> list[RPeak]:
        """Take raw samples of shape (n,) in mV; give the beats that became certain.

        A long array is worked through in pieces, so that the memory in use stays small.
        """
        found: list[RPeak] = []
        for start in range(0, len(samples_mv), _RATE):
            self._take(samples_mv[start : start + _RATE])
            found.extend(self._decide())
        return found

    def _take(self, samples_mv: Float64Array) -> None:
        """Filter, and keep the last seconds of signal and envelopes."""
        if self._count == 0:
            self._raw = np.full(_TAPS - 1, samples_mv[0])
        n = len(samples_mv)
        self._raw = np.concatenate((self._raw[-_KEPT:], samples_mv))
        recent = self._raw[-n - _TAPS + 1 :]
        for index, band in enumerate(_BANDS):
            wave = np.convolve(recent, band, "valid")
            power = np.concatenate((self._powers[index], wave * wave))
            self._powers[index] = power[-len(_SMOOTH) + 1 :]
            envelope = np.sqrt(np.convolve(power, _SMOOTH, "valid"))
            self._envelopes[index] = np.concatenate((self._envelopes[index][-_KEPT:], envelope))
        self._count += n

    def _decide(self) -> list[RPeak]:
        """Walk over the peaks of the envelope whose 160 ms of future are here."""
        end = self._count - _AHEAD
        start = self._next
        if end <= start:
            return []
        self._next = end
        origin = self._count - len(self._envelopes[0])
        piece = self._envelopes[0][start - _NEIGHBOURHOOD - origin : end + _NEIGHBOURHOOD - origin]
        highest = ndimage.maximum_filter1d(piece, 2 * _NEIGHBOURHOOD + 1)
        inner = slice(_NEIGHBOURHOOD, len(piece) - _NEIGHBOURHOOD)
        before = piece[_NEIGHBOURHOOD - 1 : len(piece) - _NEIGHBOURHOOD - 1]
        is_peak = (
            (piece[inner] == highest[inner]) & (piece[inner] > before) & (piece[inner] > _FLOOR_MV)
        )
        found: list[RPeak] = []
        for index in np.flatnonzero(is_peak):
            at = int(start + index)
            found.extend(self._learned(at))
            candidate = self._cut(at)
            if self._learning is None:
                found.extend(self._judge(candidate))
            else:
                self._learning.append(candidate)
        return found + self._learned(end)

    def _learned(self, now: int) -> list[RPeak]:
        """After two seconds, set the levels; what stood out meanwhile was the beats."""
        if self._learning is None or now < _LEARNING:
            return []
        candidates, self._learning = self._learning, None
        if not candidates:
            return []
        least = _LEARNED_SHARE * max(candidate.sharp for candidate in candidates)
        tall = [candidate for candidate in candidates if candidate.sharp >= least]
        low = [candidate.height for candidate in candidates if candidate.sharp < least]
        self._levels.heights = [median(candidate.height for candidate in tall)]
        self._levels.sharps = [median(candidate.sharp for candidate in tall)]
        self._levels.swings_mv = [median(candidate.swing_mv for candidate in tall)]
        self._levels.noise = median(low) if low else 0.0
        return [
            self._accept(candidate, 0.0)
            for candidate in tall
            if candidate.at - self._last >= _REFRACTORY
        ]

    def _cut(self, at: int) -> _Candidate:
        """Everything that the judgement needs, so that it can also be made later."""
        centre = at - _FILTER_DELAY - (self._count - len(self._raw))
        around = self._raw[max(0, centre - _AROUND) : centre + _AROUND + 1]
        if len(around) < 2 * _AROUND + 1:
            around = np.pad(around, (2 * _AROUND + 1 - len(around), 0), mode="edge")
        reach = _HALF_SHAPE + _LAGS
        piece = around[_AROUND - reach : _AROUND + reach + 1]
        cuts = np.lib.stride_tricks.sliding_window_view(piece, 2 * _HALF_SHAPE + 1)
        shapes = cuts - cuts.mean(axis=1, keepdims=True)
        norms = np.sqrt(np.sum(shapes * shapes, axis=1, keepdims=True))
        here = at - (self._count - len(self._envelopes[0]))
        envelope, sharp = self._envelopes
        return _Candidate(
            at=at,
            height=float(envelope[here]),
            sharp=float(sharp[max(0, here - 5) : here + 6].max()),
            ahead=float(envelope[here + _NEIGHBOURHOOD : here + _AHEAD].max()),
            behind=float(envelope[max(0, here - _AHEAD) : here - _NEIGHBOURHOOD + 1].max()),
            floor=median(envelope[max(0, here - _RATE) : here + 1 : 5].tolist()),
            swing_mv=float(np.ptp(piece[_LAGS:-_LAGS])),
            around_mv=around,
            shapes=shapes / np.maximum(norms, 1e-12),
        )

    def _judge(self, candidate: _Candidate) -> list[RPeak]:
        """A beat or not; and before it, whether one was missed."""
        if not self._levels.heights:
            self._levels.heights = [candidate.height]
            self._levels.sharps = [candidate.sharp]
            self._levels.swings_mv = [candidate.swing_mv]
        found: list[RPeak] = []
        since = candidate.at - self._last
        if self._missed is not None and since > 1.5 * self._expected():
            score, missed = self._missed
            if score > _SEARCH_BACK_SCORE and candidate.at - missed.at < _SEARCH_BACK:
                found.append(self._accept(missed, score))
                since = candidate.at - self._last
        if since < _REFRACTORY:
            return found
        score = self._score(candidate)
        if score > 0.0:
            found.append(self._accept(candidate, score))
            return found
        levels = self._levels
        levels.noise += 0.125 * (min(candidate.height, levels.height(0)) - levels.noise)
        if self._missed is None or score > self._missed[0]:
            self._missed = (score, candidate)
        return found

    def _expected(self) -> float:
        intervals = self._levels.intervals
        return median(intervals) if intervals else 0.8 * _RATE

    def _score(self, candidate: _Candidate) -> float:
        """Above 0: rather a beat than not (the logarithm of the odds)."""
        hidden = np.tanh(HIDDEN @ self._evidence(candidate) + HIDDEN_BIAS)
        return float(OUTPUT @ hidden) + OUTPUT_BIAS

    def _evidence(self, candidate: _Candidate) -> Float64Array:
        """What speaks for and against a beat, each about 1 in size, shape (18,)."""
        levels = self._levels
        since = candidate.at - self._last
        height = candidate.height
        expected = self._expected()
        likeness, which, _ = levels.likeness(candidate.shapes)
        return np.array(
            (
                _log_ratio(height, levels.height(since)),
                _log_ratio(height, self._last_height or height),
                _log_ratio(candidate.sharp, median(levels.sharps)),
                _log_ratio(candidate.sharp, height),
                _log_ratio(candidate.swing_mv, median(levels.swings_mv)),
                _log_ratio(candidate.ahead, height),
                _log_ratio(candidate.behind, height),
                _log_ratio(levels.noise, levels.height(0)),
                _log_ratio(candidate.floor, height),
                _log_ratio(self._missed[1].height, height) if self._missed else -2.5,
                2.0 * (1.0 - likeness),
                levels.uses[which] / sum(levels.uses) if levels.uses else 0.0,
                _log_ratio(since, expected),
                _log_ratio(since, levels.intervals[-1] if levels.intervals else expected),
                min(2.0, since / _RATE),
                min(1.0, max(0.0, (100 - since) / 30.0)),
                self._regularity(),
                self._last_score / 4.0,
            )
        )

    def _regularity(self) -> float:
        """From 0 (irregular) to 1: how well the last interval foretells the next."""
        intervals = self._levels.intervals
        if len(intervals) < 4:
            return 0.0
        middle = median(intervals)
        spread = median(abs(interval - middle) for interval in intervals)
        return max(0.0, 1.0 - 10.0 * spread / middle)

    def _accept(self, candidate: _Candidate, score: float) -> RPeak:
        levels = self._levels
        levels.heights = [*levels.heights[-7:], candidate.height]
        levels.sharps = [*levels.sharps[-7:], candidate.sharp]
        levels.swings_mv = [*levels.swings_mv[-7:], candidate.swing_mv]
        interval = candidate.at - self._last
        if self._last >= 0 and interval < 3 * _RATE:
            levels.intervals = [*levels.intervals[-7:], interval]
        peak = levels.learn_shape(candidate)
        self._last = candidate.at
        self._last_height = candidate.height
        self._last_score = min(4.0, max(-4.0, score))
        self._missed = None
        height_mv = candidate.around_mv[_AROUND + peak] - median(candidate.around_mv.tolist())
        return RPeak(max(0, candidate.at - _FILTER_DELAY + peak), float(height_mv))


def _log_ratio(a: float, b: float) -> float:
    """ln(a / b), held within ± 2.5."""
    if a <= 0.0 or b <= 0.0:
        return -2.5 if a <= 0.0 else 2.5
    return min(2.5, max(-2.5, math.log(a / b)))


def _extreme(around_mv: Float64Array, centre: int, reach: int) -> int:
    """The largest deflection from the local baseline within `reach` of `centre`."""
    low = max(0, _AROUND + centre - reach)
    near = np.abs(around_mv[low : _AROUND + centre + reach + 1] - median(around_mv.tolist()))
    return low + int(np.argmax(near)) - _AROUND
