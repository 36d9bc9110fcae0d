"""Ventricular fibrillation and flutter, told from the waveform itself: there is no beat to find.

Every half second the last four seconds are described by what sets fibrillation apart: it fills
the time between its swings, is narrow in frequency and has no steep QRS complex. The descriptors
are those of the literature (leakage: Kuo and Dillman 1978; spectral concentration: Barro 1989;
samples near the baseline: Arafat 2011), weighed by fixed weights fitted on training records.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

import numpy as np

from bedside.ecg.fibrillation_weights import HIDDEN, HIDDEN_BIAS, OUTPUT, OUTPUT_BIAS
from bedside.ecg.recursion import recursive
from bedside.events import WINDOW_RATE_HZ, Float64Array

_RATE = int(WINDOW_RATE_HZ)
HOP = _RATE // 2
"""Samples between two verdicts."""

WINDOW = 4 * _RATE
"""Samples that a verdict rests on."""

_SMALLEST_MV = 0.15
"""Below this swing there is no fibrillation to see: it is asystole for the rhythm rules."""

BAND = (
    np.array((0.08635926487432907, 0.0, -0.17271852974865815, 0.0, 0.08635926487432907)),
    np.array(
        (
            1.0,
            -2.984389310913368,
            3.3413657981362657,
            -1.716417097831787,
            0.35967337203840244,
        )
    ),
)
"""Numerator and denominator of `butter(2, (1, 30), "bandpass", fs=250)`."""

BAND_AT_REST = np.array(
    (-0.08635926487456494, -0.086359264873861, 0.08635926487400906, 0.08635926487441391)
)
"""Its state after a constant 1: `lfilter_zi`."""
_TAPER = np.hanning(WINDOW)
_HZ_PER_BIN = 250.0 / 1024.0


@dataclass(slots=True, eq=False)
class Verdict:
    """How the four seconds before `position` look, shape (1000,), band-passed mV.

    It is judged when somebody asks: most verdicts are not needed, because one near by says no.
    """

    position: int
    window_mv: Float64Array
    _log_odds: float | None = None

    @property
    def log_odds(self) -> float:
        """Above 0 rather fibrillation than not."""
        if self._log_odds is None:
            self._log_odds = _judge(self.window_mv)
        return self._log_odds

    @property
    def has_denied(self) -> bool:
        """Whether it was asked, and is no fibrillation."""
        return self._log_odds is not None and self._log_odds <= 0.0


class FibrillationRule:
    """Streaming verdicts at 250 Hz; any split of the input gives the same ones."""

    def __init__(self) -> None:
        """Start with no past."""
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next sample is sample 0."""
        self._state: Float64Array | None = None
        self._waiting: Float64Array = np.empty(0)
        self._window_mv: Float64Array = np.empty(0)
        self._position = 0

    def process(self, samples_mv: Float64Array) -> list[Verdict]:
        """Take raw samples of shape (n,) in mV; give the verdicts that came due."""
        verdicts = []
        self._waiting = np.concatenate((self._waiting, samples_mv))
        while len(self._waiting) >= HOP:
            piece, self._waiting = self._waiting[:HOP], self._waiting[HOP:]
            if self._state is None:
                self._state = BAND_AT_REST * piece[0]
            filtered, self._state = recursive(*BAND, piece, self._state)
            self._window_mv = np.concatenate((self._window_mv[-WINDOW + HOP :], filtered))
            self._position += HOP
            if len(self._window_mv) == WINDOW:
                verdicts.append(Verdict(self._position, self._window_mv))
        return verdicts


def _judge(window_mv: Float64Array) -> float:
    evidence = describe(window_mv)
    if evidence is None:
        return -10.0
    return float(OUTPUT @ np.tanh(HIDDEN @ evidence + HIDDEN_BIAS)) + OUTPUT_BIAS


def describe(window_mv: Float64Array) -> Float64Array | None:
    """The descriptors of four seconds, shape (1000,), band-passed mV: shape (12,), each about 1.

    None where there is no swing to describe.
    """
    centred = window_mv - window_mv.sum() / WINDOW
    size = np.abs(centred)
    by_quarter = size.reshape(4, _RATE)
    quarters = by_quarter.max(axis=1)
    usual, smallest, largest = median(tops := quarters.tolist()), min(tops), max(tops)
    if 2.0 * usual < _SMALLEST_MV:
        return None
    square = centred * centred
    energy = float(square.sum())
    spectrum = np.fft.rfft(centred * _TAPER, 1024)
    power = spectrum.real**2 + spectrum.imag**2
    total = float(power.sum())
    peak = _bin(1.5) + int(power[_bin(1.5) : _bin(10.0)].argmax())
    near = float(power[peak - 4 : peak + 5].sum())
    slope = np.abs(centred[1:] - centred[:-1])
    half_period = math.pi * float(size.sum()) / max(float(slope.sum()), 1e-9)
    half_period = min(250, max(5, int(half_period)))
    later, earlier = centred[half_period:], centred[:-half_period]
    leakage = np.abs(later + earlier).sum() / (size[half_period:].sum() + size[:-half_period].sum())
    quiet = np.count_nonzero(by_quarter < 0.15 * quarters[:, None], axis=1) / _RATE
    slopes = np.append(slope, 0.0).reshape(4, _RATE)
    steepest = slopes.max(axis=1, keepdims=True)
    gentle = np.count_nonzero(slopes < 0.1 * steepest, axis=1) / _RATE
    return np.array(
        (
            math.log(float(square @ square) * WINDOW / energy**2 / 3.0),
            near / total,
            0.3 * peak * _HZ_PER_BIN - 1.2,
            3.0 * float(power[_bin(12.0) :].sum()) / total,
            3.0 * float(power[: _bin(2.0)].sum()) / total,
            2.0 * float(leakage) - 1.0,
            2.0 * sum(quiet.tolist()) / 4.0,
            2.0 * max(quiet.tolist()),
            0.5 * math.log(usual),
            math.log(max(smallest, 1e-9) / largest),
            2.0 * sum(gentle.tolist()) / 4.0,
            2.0 * max(gentle.tolist()),
        )
    )


def _bin(hz: float) -> int:
    return round(hz / _HZ_PER_BIN)
