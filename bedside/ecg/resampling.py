"""Another sampling rate becomes the monitor's 250 Hz, as the samples come."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np

from bedside.events import WINDOW_RATE_HZ, Float64Array

ZERO_CROSSINGS = 8
"""Zero crossings of the sinc on each side: the width of the kernel, and with it the delay."""

PASS_FRACTION = 0.9
"""Cut-off of the anti-aliasing filter, as a fraction of the lower Nyquist frequency."""

KAISER_BETA = 6.0


class Resampler:
    """Streaming polyphase resampler with a Kaiser-windowed sinc (Smith, CCRMA 2002).

    Output sample `k` is the signal at `k / 250` s after the first input sample since the reset;
    the kernel is symmetric, so there is no phase shift. The last few input samples (8 periods of
    the lower rate) wait inside for their right-hand neighbours. How the input is cut into calls
    does not change a bit of the output.
    """

    def __init__(self, source_hz: float) -> None:
        """Resample from `source_hz`, which must lie within 100 to 1000 Hz (ValueError)."""
        if not 100.0 <= source_hz <= 1000.0:
            raise ValueError(f"a source of {source_hz} Hz is outside 100 to 1000 Hz")
        self._step = Fraction(source_hz / WINDOW_RATE_HZ).limit_denominator(1000)
        self._kernels = _kernels(self._step)
        self._half = self._kernels.shape[1] // 2
        self.reset()

    def reset(self) -> None:
        """Start again: the next sample is sample 0."""
        self._held: Float64Array = np.empty(0)
        self._held_from = 0
        self._next_output = 0

    def source_index(self, k: int) -> float:
        """Where output sample `k` lies among the source's samples since the reset."""
        return float(k * self._step)

    def process(self, samples_mv: Float64Array) -> Float64Array:
        """Take samples of shape (n,) in mV; give the (m,) samples at 250 Hz that they complete."""
        if len(samples_mv) == 0:
            return np.empty(0)
        if len(self._held) == 0:
            self._held = np.full(self._half, samples_mv[0])
            self._held_from = -self._half
        self._held = np.concatenate((self._held, samples_mv))
        end = self._held_from + len(self._held)
        numerator, denominator = self._step.numerator, self._step.denominator
        # Output k reads source samples up to floor(k·step) + half.
        last = ((end - 1 - self._half + 1) * denominator - 1) // numerator
        ticks = np.arange(self._next_output, last + 1, dtype=np.int64) * numerator
        centres, phases = ticks // denominator, ticks % denominator
        width = self._kernels.shape[1]
        first = centres - self._half + 1 - self._held_from
        taps = self._held[first[:, None] + np.arange(width)]
        output: Float64Array = np.sum(taps * self._kernels[phases], axis=1)
        self._next_output = max(self._next_output, last + 1)
        keep_from = self._next_output * numerator // denominator - self._half + 1
        drop = max(0, keep_from - self._held_from)
        self._held = self._held[drop:]
        self._held_from += drop
        return output


@lru_cache(maxsize=8)
def _kernels(step: Fraction) -> Float64Array:
    """One interpolating kernel per phase, shape (phases, taps), each with a sum of 1."""
    cutoff = PASS_FRACTION * min(1.0, 1.0 / float(step))
    half = int(np.ceil(ZERO_CROSSINGS / cutoff))
    phases = np.arange(step.denominator)[:, None] / step.denominator
    distance = np.arange(-half + 1, half + 1)[None, :] - phases
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1.0 - (distance / half) ** 2, 0.0, None)))
    kernels = np.sinc(cutoff * distance) * window
    normalised: Float64Array = kernels / kernels.sum(axis=1, keepdims=True)
    return normalised
