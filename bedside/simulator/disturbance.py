"""What spoils a signal: motion, muscle, the mains, an amplifier at its rail."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from scipy import signal

from bedside.events import Float64Array

_RAIL_MV = 3.0
_MAINS_MV = 0.6
_MUSCLE_MV = 0.35
_MOTION_MV = 2.5
_FASTEST_HZ = 120.0


class SignalFault(StrEnum):
    """What happens to the signal between the heart and the converter."""

    NONE = "none"
    MOTION = "motion"
    MUSCLE = "muscle"
    MAINS = "mains"
    SATURATION = "saturation"


class Disturbance:
    """One fault, sample after sample; the same each time."""

    def __init__(self, fault: SignalFault, rate_hz: float, seed: int = 0) -> None:
        """From sample 0 on."""
        self._fault = fault
        self._rate_hz = rate_hz
        self._random = np.random.default_rng(seed)
        self._position = 0
        band = {SignalFault.MOTION: (0.5, 8.0)}.get(fault, (25.0, min(_FASTEST_HZ, rate_hz * 0.45)))
        self._filter = signal.butter(2, band, "bandpass", fs=rate_hz, output="sos")
        self._state = np.zeros((len(self._filter), 2))

    def add(self, samples_mv: Float64Array) -> Float64Array:
        """The disturbed samples, shape (n,), mV."""
        count = len(samples_mv)
        time_s = (self._position + np.arange(count)) / self._rate_hz
        self._position += count
        match self._fault:
            case SignalFault.MAINS:
                return samples_mv + _MAINS_MV * np.sin(2 * np.pi * 50.0 * time_s)
            case SignalFault.SATURATION:
                return np.full(count, _RAIL_MV)
            case SignalFault.MOTION | SignalFault.MUSCLE:
                white = self._random.standard_normal(count)
                coloured, self._state = signal.sosfilt(self._filter, white, zi=self._state)
                size_mv = _MOTION_MV if self._fault is SignalFault.MOTION else _MUSCLE_MV
                share = 4.0 if self._fault is SignalFault.MOTION else 1.2
                return np.asarray(samples_mv + size_mv * share * coloured)
            case _:
                return samples_mv
