"""Where the heart beats: R peaks, found as the samples come.

A small network says for every 20 ms how likely a beat is (`qrs_net`); where that likelihood,
summed over 120 ms, peaks high enough, there is a beat. Likeness to this patient's earlier beats
then tells where in it the R peak lies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from statistics import median

import numpy as np

from bedside.ecg.qrs_net import FRAME, LOOKAHEAD, SPIKE, QrsNet, Unspiked
from bedside.events import WINDOW_RATE_HZ, Float64Array

_EARLIER, _LATER = 3, 2
"""Frames before and after that are summed up: a beat may be a little earlier or later."""

_BEFORE, _AFTER = 3, 2
"""Frames before and after that must not be likelier."""

_BEAT = 0.65
"""The summed likelihood from which on it is a beat; a certain one reaches 1.9."""

_REFRACTORY = 8
"""Frames between two beats: 160 ms."""

_SETTLING = 25
"""Frames at the start, 0.5 s, in which nothing is called a beat: how large one is, is not known."""

_SUMMED = _EARLIER + 1 + _LATER
_HISTORY = _EARLIER + _LATER + _BEFORE + _AFTER

DECISION_DELAY_SAMPLES = (LOOKAHEAD + _LATER + _AFTER) * FRAME + FRAME // 2 + SPIKE + 1
"""From the middle of a beat's frame to its report: 300 ms."""

_EARLIEST = 12
"""Samples by which its R peak may lie before that middle."""

LONGEST_DELAY_SAMPLES = DECISION_DELAY_SAMPLES + _EARLIEST
"""From an R peak to its report, at most: 348 ms."""

_SMALLEST_MV = 0.07
"""Peak to peak within ± 80 ms: what is smaller is no beat, whatever it looks like."""

_RATE = int(WINDOW_RATE_HZ)
_KEPT = 2 * _RATE
_AROUND = 40
_HALF_SHAPE = 20
_SHAPE = 2 * _HALF_SHAPE + 1
_LAGS = 8
_SHAPES = 3
_ALIKE = 0.8
"""From this correlation on a beat has the shape of a template."""


@dataclass(frozen=True, slots=True)
class RPeak:
    """A beat. `position` counts input samples at 250 Hz since the reset.

    `amplitude_mv` is the signed height of the R wave (or the depth of a dominant Q or S wave)
    above the local baseline.
    """

    position: int
    amplitude_mv: float


@dataclass(slots=True)
class _Shapes:
    """What this patient's QRS complexes look like, and where each has its R peak."""

    templates: list[Float64Array] = field(default_factory=list)
    """Normalised shapes, (41,) each."""
    uses: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    """Where the R peak lies in each template, against its centre."""

    def r_peak(self, around_mv: Float64Array, baseline_mv: float) -> int:
        """Where the R peak lies against the middle of `around_mv`, shape (81,); learns from it.

        `baseline_mv` is the median of `around_mv`.
        """
        reach = _HALF_SHAPE + _LAGS
        piece = around_mv[_AROUND - reach : _AROUND + reach + 1]
        step = piece.strides[0]
        cuts = np.ndarray((2 * _LAGS + 1, _SHAPE), np.float64, piece, strides=(step, step))
        shapes = cuts - np.add.reduce(cuts, axis=1, keepdims=True) / _SHAPE
        sizes = np.sqrt(np.add.reduce(shapes * shapes, axis=1, keepdims=True))
        shapes /= np.maximum(sizes, 1e-12)
        self.uses = [0.98 * use for use in self.uses]
        if self.templates:
            correlation = shapes @ np.array(self.templates).T
            lag, which = divmod(int(correlation.argmax()), len(self.templates))
            if correlation[lag, which] > _ALIKE:
                mixed = 0.85 * self.templates[which] + 0.15 * shapes[lag]
                self.templates[which] = mixed / max(sqrt(mixed @ mixed), 1e-12)
                self.uses[which] += 1.0
                return _extreme(around_mv, baseline_mv, self.peaks[which] + lag - _LAGS, 3)
        if len(self.templates) == _SHAPES:
            rarest = self.uses.index(min(self.uses))
            del self.templates[rarest], self.uses[rarest], self.peaks[rarest]
        peak = _extreme(around_mv, baseline_mv, 0, _HALF_SHAPE)
        self.templates.append(shapes[_LAGS])
        self.uses.append(1.0)
        self.peaks.append(peak)
        return peak


class RPeakDetector:
    """Causal R-peak detector at 250 Hz; any split of the input finds the same beats."""

    def __init__(self) -> None:
        """Start with nothing learned."""
        self._net = QrsNet()
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next sample is sample 0."""
        self._net.reset()
        self._unspiked = Unspiked()
        self._count = 0
        self._kept: Float64Array = np.empty(0)
        self._likely: Float64Array = np.zeros(_HISTORY)
        self._next = -_LATER - _AFTER
        self._last = LOOKAHEAD + _SETTLING - _REFRACTORY
        self._shapes = _Shapes()

    def process(self, samples_mv: Float64Array) -> list[RPeak]:
        """Take raw samples of shape (n,) in mV; give the beats that became certain.

        A long array is worked through in pieces, so that the memory in use stays small.
        """
        found: list[RPeak] = []
        for start in range(0, len(samples_mv), _RATE):
            piece = self._unspiked.process(samples_mv[start : start + _RATE])
            self._count += len(piece)
            self._kept = np.concatenate((self._kept[-_KEPT:], piece))
            for frame in self._decide(self._net.process(piece)):
                found += self._locate(frame)
        return found

    def _decide(self, log_odds: Float64Array) -> list[int]:
        """The frames, counted as the network's outputs, that hold a beat."""
        likely = np.concatenate((self._likely, 1.0 / (1.0 + np.exp(-log_odds))))
        self._likely = likely[len(log_odds) :]
        first, self._next = self._next, self._next + len(log_odds)
        if likely.max() * _SUMMED <= _BEAT:
            return []
        n = len(likely) - _SUMMED + 1
        sums = np.add.reduce(
            np.ndarray((n, _SUMMED), np.float64, likely, strides=(8, 8)),
            axis=1,
        )
        beats = []
        for at in np.flatnonzero(sums[_BEFORE : n - _AFTER] > _BEAT):
            rivals = sums[at : at + _BEFORE + _AFTER + 1].tolist()
            own = rivals[_BEFORE]
            is_peak = own > max(rivals[:_BEFORE]) and own >= max(rivals[_BEFORE:])
            if is_peak and first + at - self._last >= _REFRACTORY:
                self._last = first + int(at)
                beats.append(self._last)
        return beats

    def _locate(self, frame: int) -> list[RPeak]:
        """The R peak of a beat; none where there is hardly a signal."""
        middle = (frame - LOOKAHEAD) * FRAME + FRAME // 2
        at = middle - (self._count - len(self._kept))
        around_mv = self._kept[max(0, at - _AROUND) : at + _AROUND + 1]
        if len(around_mv) < 2 * _AROUND + 1:
            around_mv = np.pad(around_mv, (2 * _AROUND + 1 - len(around_mv), 0), mode="edge")
        near_mv = around_mv[_AROUND - _HALF_SHAPE : _AROUND + _HALF_SHAPE + 1]
        if near_mv.max() - near_mv.min() < _SMALLEST_MV:
            return []
        baseline_mv = median(around_mv.tolist())
        peak = max(-_EARLIEST, self._shapes.r_peak(around_mv, baseline_mv))
        height_mv = around_mv[_AROUND + peak] - baseline_mv
        return [RPeak(max(0, middle + peak), float(height_mv))]


def _extreme(around_mv: Float64Array, baseline_mv: float, centre: int, reach: int) -> int:
    """The largest deflection from the local baseline within `reach` of `centre`."""
    low = max(0, _AROUND + centre - reach)
    near = np.abs(around_mv[low : _AROUND + centre + reach + 1] - baseline_mv)
    return low + int(near.argmax()) - _AROUND
