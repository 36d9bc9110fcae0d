"""The last samples of a bed, written by its analysis, read by screens at their own pace."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from bedside.events import LEAD_OFF, Float32Array, Wave
from bedside.feed import WaveSlice

RING_SAMPLES = 250 * 40
"""Samples kept for the screen's sweep: 40 s at 250 Hz."""


def drawn_samples(wave: Wave) -> Float32Array:
    """The samples of a piece as they are drawn: what a loose electrode picks up is not."""
    if wave.flags.has(LEAD_OFF):
        return np.full_like(wave.samples_mv, np.nan)
    return wave.samples_mv


class WaveRing:
    """The last 40 s of filtered samples of one bed, written by analysis, read by screens."""

    def __init__(self) -> None:
        self._samples = np.full(RING_SAMPLES, np.nan, dtype=np.float32)
        self._newest = 0
        self._marks: deque[int] = deque(maxlen=400)
        self._lead_off = np.zeros(RING_SAMPLES, dtype=np.bool_)
        self._lock = threading.Lock()

    def write(self, wave: Wave) -> None:
        """Append a piece; a jump in position leaves NaN behind."""
        lead_off = wave.flags.has(LEAD_OFF)
        samples = drawn_samples(wave)
        with self._lock:
            self._marks.extend(wave.marks)
            hole = min(wave.position - self._newest, RING_SAMPLES)
            if hole > 0:
                missing = np.full(hole, np.nan, dtype=np.float32)
                self._place(wave.position - hole, missing, lead_off=False)
            self._place(wave.position, samples, lead_off)
            self._newest = wave.position + len(samples)

    def read(self, since: int) -> WaveSlice:
        """The samples from `since` on, or from the oldest that is still held."""
        with self._lock:
            start = min(max(since, self._newest - RING_SAMPLES, 0), self._newest)
            where = np.arange(start, self._newest) % RING_SAMPLES
            marks = tuple(mark for mark in self._marks if mark >= start)
            return WaveSlice(
                start, self._newest, self._samples[where], marks, self._lead_off[where]
            )

    def _place(self, position: int, samples: Float32Array, lead_off: bool) -> None:
        first = position % RING_SAMPLES
        before_end = min(len(samples), RING_SAMPLES - first)
        self._samples[first : first + before_end] = samples[:before_end]
        self._lead_off[first : first + before_end] = lead_off
        over = len(samples) - before_end
        self._samples[:over] = samples[before_end:]
        self._lead_off[:over] = lead_off
