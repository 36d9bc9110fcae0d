"""The monitoring band: what the screen draws and what the autoencoder sees."""

from __future__ import annotations

import numpy as np
from scipy import signal

from bedside.events import WINDOW_RATE_HZ, Float64Array

HIGH_PASS_HZ = 0.5
LOW_PASS_HZ = 40.0


_HIGH: tuple[Float64Array, Float64Array] = signal.sos2tf(
    signal.butter(2, HIGH_PASS_HZ, "highpass", fs=WINDOW_RATE_HZ, output="sos")
)
_LOW: tuple[Float64Array, Float64Array] = signal.sos2tf(
    signal.bessel(4, LOW_PASS_HZ, "lowpass", fs=WINDOW_RATE_HZ, output="sos", norm="mag")
)
"""Numerators and denominators: `lfilter` on two short filters costs a third of `sosfilt`."""

_HIGH_AT_REST: Float64Array = signal.lfilter_zi(*_HIGH)

RESTORE_MV = 8.0
RESTORE_SAMPLES = 25
"""An output beyond ± 8 mV for 100 ms is a baseline that has jumped, not a heart."""


class BandPass:
    """Streaming 0.5 to 40 Hz filter at 250 Hz, one sample out for each sample in.

    The low-pass is a Bessel filter, whose group delay is the same over the QRS complex's band, so
    the output is the input `delay_samples` later, without ringing. The high-pass (Butterworth,
    second order, the "monitor" band of IEC 60601-2-27) bends slow waves: the ST segment is not for
    measuring. The first sample is taken as the baseline, so a constant offset makes no transient;
    a baseline that jumps far, as after an electrode is put back, is taken anew after 100 ms.
    """

    delay_samples = 2
    """The delay of the QRS complex at the output, in samples of 250 Hz."""

    def __init__(self) -> None:
        """Start in rest."""
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next sample is the new baseline."""
        self._high: Float64Array | None = None
        self._low: Float64Array = np.zeros(len(_LOW[1]) - 1)
        self._beyond = 0

    def process(self, samples_mv: Float64Array) -> Float64Array:
        """Filter samples of shape (n,) in mV; the result has the same shape."""
        if len(samples_mv) == 0:
            return np.empty(0)
        filtered = self._filter(samples_mv)
        if self._beyond == 0 and max(filtered.max(), -filtered.min()) <= RESTORE_MV:
            return filtered
        first = 0
        while True:
            index = np.arange(len(samples_mv) - first)
            inside = np.abs(filtered[first:]) <= RESTORE_MV
            beyond = index - np.maximum.accumulate(np.where(inside, index, -1 - self._beyond))
            self._beyond = int(beyond[-1])
            jumped = np.flatnonzero(beyond >= RESTORE_SAMPLES)
            if len(jumped) == 0:
                return filtered
            first += int(jumped[0])
            self.reset()
            filtered[first:] = self._filter(samples_mv[first:])

    def _filter(self, samples_mv: Float64Array) -> Float64Array:
        if self._high is None:
            self._high = _HIGH_AT_REST * samples_mv[0]
        filtered: Float64Array
        filtered, self._high = signal.lfilter(*_HIGH, samples_mv, zi=self._high)
        filtered, self._low = signal.lfilter(*_LOW, filtered, zi=self._low)
        return filtered
