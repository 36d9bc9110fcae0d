"""The mains' hum: how much of it there is, and a notch that takes it out while it lasts."""

from __future__ import annotations

from statistics import median

import numpy as np

from bedside.ecg.recursion import recursive
from bedside.events import WINDOW_RATE_HZ, Float64Array

MAINS_HZ = (50.0, 60.0)
NOTCH_WIDTH_HZ = 2.0
SMALLEST_HUM_MV = 0.02
"""Of its amplitude: less is not worth a filter."""

QUIET_SECONDS = 10
"""The notch goes after this many seconds without hum."""

NOTCHES = {
    50.0: (
        np.array((0.975478390750534, -0.6028788007748811, 0.975478390750534)),
        np.array((1.0, -0.6028788007748811, 0.950956781501068)),
        np.array((0.024521609249466003, 0.024521609249466027)),
    ),
    60.0: (
        np.array((0.975478390750534, -0.12250158988968947, 0.975478390750534)),
        np.array((1.0, -0.12250158988968947, 0.950956781501068)),
        np.array((0.02452160924946602, 0.02452160924946601)),
    ),
}
"""Numerator, denominator and state after a constant 1: `iirnotch(hz, hz / NOTCH_WIDTH_HZ, fs=250)`
and its `lfilter_zi`."""

_SECOND = int(WINDOW_RATE_HZ)
_TAPER = np.hanning(_SECOND)


def hum(second_mv: Float64Array) -> tuple[float, float]:
    """Amplitude (mV) and mains frequency of the hum in one second, shape (250,); 0, 0 without."""
    spectrum = np.fft.rfft((second_mv - second_mv.sum() / _SECOND) * _TAPER)
    lines_mv = (np.abs(spectrum[: round(MAINS_HZ[-1]) + 7]) / (0.25 * _SECOND)).tolist()
    loudest = (0.0, 0.0)
    for mains_hz in MAINS_HZ:
        at = round(mains_hz)
        line_mv = max(lines_mv[at - 1 : at + 2])
        beside_mv = median(lines_mv[at - 6 : at - 2] + lines_mv[at + 3 : at + 7])
        if line_mv > 4.0 * beside_mv:
            loudest = max(loudest, (line_mv, mains_hz))
    return loudest


class MainsNotch:
    """Streaming notch of 2 Hz at 250 Hz that finds out by itself whether it is needed, and where.

    It listens for a second at a time. Hum in two seconds in a row turns it on at the end of the
    second; ten seconds without turn it off. Without hum the samples pass as they are.
    """

    def __init__(self) -> None:
        """Start without a notch."""
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next sample is sample 0 of a second."""
        self.mains_hz = 0.0
        self._heard: list[Float64Array] = []
        self._heard_samples = 0
        self._candidate_hz = 0.0
        self._quiet = 0
        self._state: Float64Array | None = None

    def process(self, samples_mv: Float64Array) -> Float64Array:
        """Take samples of shape (n,) in mV; the result has the same shape."""
        passed = []
        while len(samples_mv):
            piece = samples_mv[: _SECOND - self._heard_samples]
            samples_mv = samples_mv[len(piece) :]
            passed.append(self._filtered(piece))
            self._heard.append(piece)
            self._heard_samples += len(piece)
            if self._heard_samples == _SECOND:
                self._listen(np.concatenate(self._heard))
                self._heard, self._heard_samples = [], 0
        return passed[0] if len(passed) == 1 else np.concatenate([np.empty(0), *passed])

    def _filtered(self, piece_mv: Float64Array) -> Float64Array:
        if not self.mains_hz:
            return piece_mv
        numerator, denominator, at_rest = NOTCHES[self.mains_hz]
        if self._state is None:
            self._state = at_rest * piece_mv[0]
        filtered, self._state = recursive(numerator, denominator, piece_mv, self._state)
        return filtered

    def _listen(self, second_mv: Float64Array) -> None:
        size_mv, mains_hz = hum(second_mv)
        if size_mv < SMALLEST_HUM_MV:
            self._candidate_hz = 0.0
            self._quiet += 1
            if self._quiet >= QUIET_SECONDS:
                self.mains_hz, self._state = 0.0, None
            return
        self._quiet = 0
        if mains_hz == self._candidate_hz and mains_hz != self.mains_hz:
            self.mains_hz, self._state = mains_hz, None
        self._candidate_hz = mains_hz
