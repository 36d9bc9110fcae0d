"""The monitoring band: what the screen draws and what the autoencoder sees."""

from __future__ import annotations

import numpy as np
from scipy import signal

from bedside.events import WINDOW_RATE_HZ, Float64Array

HIGH_PASS_HZ = 0.5
LOW_PASS_HZ = 40.0


def _monitoring_band() -> Float64Array:
    """Second-order sections, shape (3, 6): Butterworth high-pass, then Bessel low-pass."""
    high = signal.butter(2, HIGH_PASS_HZ, "highpass", fs=WINDOW_RATE_HZ, output="sos")
    low = signal.bessel(4, LOW_PASS_HZ, "lowpass", fs=WINDOW_RATE_HZ, output="sos", norm="mag")
    sections: Float64Array = np.vstack((high, low))
    return sections


_SECTIONS = _monitoring_band()
_STEADY_STATE: Float64Array = signal.sosfilt_zi(_SECTIONS)


class BandPass:
    """Streaming 0.5 to 40 Hz filter at 250 Hz, one sample out for each sample in.

    The low-pass is a Bessel filter, whose group delay is the same over the QRS complex's band, so
    the output is the input `delay_samples` later, without ringing. The high-pass (Butterworth,
    second order, the "monitor" band of IEC 60601-2-27) bends slow waves: the ST segment is not for
    measuring. The first sample is taken as the baseline, so a constant offset makes no transient.
    """

    delay_samples = 2
    """The delay of the QRS complex at the output, in samples of 250 Hz."""

    def __init__(self) -> None:
        """Start in rest."""
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next sample is the new baseline."""
        self._state: Float64Array | None = None

    def process(self, samples_mv: Float64Array) -> Float64Array:
        """Filter samples of shape (n,) in mV; the result has the same shape."""
        if len(samples_mv) == 0:
            return np.empty(0)
        if self._state is None:
            self._state = _STEADY_STATE * samples_mv[0]
        filtered: Float64Array
        filtered, self._state = signal.sosfilt(_SECTIONS, samples_mv, zi=self._state)
        return filtered
