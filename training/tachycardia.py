"""Tachycardia for lessons: beats told in records that have only rhythm labels, and runs made up.

`vfdb` says where the heart is in ventricular tachycardia, not where it beats. Where both of its
leads rise and fall at one even pace, the beats are beyond doubt; elsewhere nothing is taught.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from bedside.events import WINDOW_RATE_HZ

RATE = int(WINDOW_RATE_HZ)
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_WINDOW, _HOP = 5 * RATE, RATE
_BAND = signal.butter(2, (4.0, 25.0), "bandpass", fs=RATE, output="sos")
_SHORTEST, _LONGEST = round(0.19 * RATE), round(1.6 * RATE)
_EVEN = 1.35
"""The longest RR interval of a window over its shortest, at most."""

_LOW = 0.55
"""What is not a beat must stay below this share of the lowest beat beside it."""


def even_beats(leads_mv: Floats) -> tuple[Floats, Flags]:
    """Beats of leads, shape (leads, n), at 250 Hz, and per sample whether they are beyond doubt."""
    envelope = np.zeros(leads_mv.shape[1])
    for lead_mv in leads_mv:
        size = np.abs(signal.sosfiltfilt(_BAND, lead_mv))
        envelope += size / np.maximum(ndimage.maximum_filter1d(size, 4 * RATE), 0.05)
    envelope = ndimage.gaussian_filter1d(envelope, 0.03 * RATE)
    tops = np.flatnonzero(envelope == ndimage.maximum_filter1d(envelope, 2 * 25 + 1))
    sure = np.zeros(len(envelope), bool)
    beats: set[int] = set()
    for first in range(0, len(envelope) - _WINDOW + 1, _HOP):
        inside = tops[(tops >= first) & (tops < first + _WINDOW)]
        window = slice(first, first + _WINDOW)
        found = _even_beats(inside, envelope, leads_mv[:, window])
        if found is not None:
            sure[first : first + _WINDOW] = True
            beats.update(found)
    return np.array(sorted(beats), float), sure


def _even_beats(tops: NDArray[np.int64], envelope: Floats, leads_mv: Floats) -> list[int] | None:
    """Those of the tops that are beats of one even rhythm; None where that is in doubt."""
    if len(tops) < 3:
        return None
    heights = np.sort(envelope[tops])
    ratios = heights[:-1] / heights[1:]
    gap = int(np.argmin(ratios))
    lowest = heights[gap + 1] if ratios[gap] < _LOW else heights[0]
    beats = tops[envelope[tops] >= lowest]
    intervals = np.diff(beats)
    if len(intervals) < 2 or intervals.min() < _SHORTEST or intervals.max() > _LONGEST:
        return None
    if intervals.max() > _EVEN * intervals.min():
        return None
    periods = [_period(lead_mv) for lead_mv in leads_mv]
    usual = float(np.median(intervals))
    if not any(period is not None and abs(period - usual) < 0.15 * usual for period in periods):
        return None
    return [int(beat) for beat in beats]


def _period(lead_mv: Floats) -> float | None:
    """The pace at which a window of a lead repeats itself, in samples."""
    wave = lead_mv - ndimage.uniform_filter1d(lead_mv, RATE)
    likeness = signal.correlate(wave, wave, "full")[len(wave) - 1 :]
    likeness = likeness / max(float(likeness[0]), 1e-12) * len(wave)
    likeness = likeness / (len(wave) - np.arange(len(wave)))
    span = likeness[_SHORTEST : _LONGEST + 1]
    best = float(span.max())
    if best < 0.4:
        return None
    tops = np.flatnonzero((span[1:-1] >= span[:-2]) & (span[1:-1] >= span[2:])) + 1
    tops = tops[span[tops] > 0.88 * best]
    return float(_SHORTEST + tops[0]) if len(tops) else None


def wide_beats(ecg_mv: Floats, peaks: Floats, classes: tuple[str, ...]) -> list[Floats]:
    """Windows around the ventricular beats, shape (_WIDE,) each, R peak at index `WIDE_BEFORE`."""
    cuts = []
    for peak, kind in zip(peaks.astype(int), classes, strict=True):
        if kind == "V" and WIDE_BEFORE < peak < len(ecg_mv) - WIDE_AFTER:
            cut = ecg_mv[peak - WIDE_BEFORE : peak + WIDE_AFTER]
            cuts.append(cut - np.linspace(cut[:5].mean(), cut[-5:].mean(), len(cut)))
    return cuts


WIDE_BEFORE, WIDE_AFTER = round(0.16 * RATE), round(0.44 * RATE)


def made_wide_beat(rng: np.random.Generator) -> Floats:
    """A wide beat that nobody has, about 1 high."""
    t = np.arange(-WIDE_BEFORE, WIDE_AFTER) / RATE
    width_s = rng.uniform(0.025, 0.06)
    beat = np.exp(-0.5 * (t / width_s) ** 2)
    second_s = rng.uniform(1.6, 3.0) * width_s
    beat -= rng.uniform(-0.3, 1.0) * np.exp(-0.5 * ((t - second_s) / width_s) ** 2)
    t_s, spread_s = rng.uniform(0.2, 0.32), rng.uniform(0.04, 0.08)
    beat -= rng.uniform(-0.2, 0.7) * np.exp(-0.5 * ((t - t_s) / spread_s) ** 2)
    made: Floats = rng.choice([-1.0, 1.0]) * beat
    return made


def with_a_run(
    ecg_mv: Floats, peaks: Floats, wide_mv: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Some seconds replaced by a run of one wide beat, 100 to 300 a minute, shape as `ecg_mv`."""
    length = round(rng.uniform(3.0, 25.0) * RATE)
    first = int(rng.integers(0, len(ecg_mv) - length))
    period = RATE * 60.0 / rng.uniform(100.0, 300.0)
    squeeze = min(1.0, (period / len(wide_mv)) ** rng.uniform(0.3, 0.9))
    beat = np.interp(
        np.arange(0, len(wide_mv) - 1, 1.0 / squeeze), np.arange(len(wide_mv)), wide_mv
    )
    fade = np.minimum(1.0, np.minimum(np.arange(len(beat)), np.arange(len(beat))[::-1]) / 8.0)
    beat = beat * fade
    before = WIDE_BEFORE * squeeze
    wander, jitter = rng.choice([0.0, 0.05, 0.25]), rng.choice([0.005, 0.02, 0.06])
    changed = ecg_mv.copy()
    last = first + length
    line = np.linspace(changed[first], changed[last - 1], length)
    keep = np.abs(np.linspace(-1.0, 1.0, length)) ** 60 + rng.choice([0.0, 0.02])
    changed[first:last] = line + keep * (changed[first:last] - line)
    made, at = [], first + before + 2
    while at + len(beat) - before < last:
        start = round(at - before)
        size = 1.0 + wander * rng.normal() * 0.5
        changed[start : start + len(beat)] += size * beat
        made.append(start + before)
        at += period * (1.0 + jitter * rng.normal())
    if len(made) < 3:
        return ecg_mv, peaks
    stay = (peaks < made[0] - 0.2 * RATE) | (peaks > made[-1] + 0.2 * RATE)
    stay &= (peaks < first - 0.05 * RATE) | (peaks > last + 0.02 * RATE)
    return changed, np.sort(np.concatenate((peaks[stay], made)))
