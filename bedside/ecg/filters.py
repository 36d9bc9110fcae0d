"""The monitoring band: what the screen draws and what the autoencoder sees."""

from __future__ import annotations

import numpy as np

from bedside.ecg.recursion import recursive
from bedside.events import Float64Array

HIGH_PASS_HZ = 0.5
LOW_PASS_HZ = 40.0

HIGH = (
    np.array((0.991153595101663, -1.982307190203326, 0.991153595101663)),
    np.array((1.0, -1.9822289297925284, 0.9823854506141251)),
)
"""Numerator and denominator of `butter(2, HIGH_PASS_HZ, "highpass", fs=250)`."""

HIGH_AT_REST = np.array((-0.9911535951013929, 0.9911535951013977))
"""Its state after a constant 1: `lfilter_zi`."""

LOW = (
    np.array(
        (
            0.05353739686007888,
            0.2141495874403155,
            0.32122438116047325,
            0.2141495874403155,
            0.05353739686007888,
        )
    ),
    np.array(
        (
            1.0,
            -0.39976199504621635,
            0.31152539409008917,
            -0.06367126996645225,
            0.008506220683841112,
        )
    ),
)
"""Of `bessel(4, LOW_PASS_HZ, "lowpass", fs=250, norm="mag")`."""

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
        self._low: Float64Array = np.zeros(len(LOW[1]) - 1)
        self._beyond = 0

    def process(self, samples_mv: Float64Array) -> Float64Array:
        """Filter samples of shape (n,) in mV; the result has the same shape."""
        if len(samples_mv) == 0:
            return np.empty(0)
        filtered = self._filter(samples_mv)
        if self._beyond == 0 and np.abs(filtered).max() <= RESTORE_MV:
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
            self._high = HIGH_AT_REST * samples_mv[0]
        filtered, self._high = recursive(*HIGH, samples_mv, self._high)
        filtered, self._low = recursive(*LOW, filtered, self._low)
        return filtered
