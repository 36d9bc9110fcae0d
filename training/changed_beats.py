"""Beats that training records lack: blocked, early and wide, with tall T waves, or paced."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bedside.events import WINDOW_RATE_HZ
from training.tachycardia import WIDE_AFTER, WIDE_BEFORE

RATE = int(WINDOW_RATE_HZ)
Floats = NDArray[np.float64]


def without_some_beats(
    ecg_mv: Floats, peaks: Floats, swing_mv: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """One to five beats in a row replaced by a line: with their P waves, or all but these.

    Now and then it is every second or third beat, and its P wave stays.
    """
    changed, stays = ecg_mv.copy(), np.ones(len(peaks), bool)
    every = int(rng.choice([2, 3])) if rng.random() < 0.2 else 0
    number = 2
    while number < len(peaks) - 6:
        if number % every if every else rng.random() >= 0.12:
            number += 1
            continue
        count = int(rng.integers(1, 6)) if not every and rng.random() < 0.5 else 1
        last = number + count - 1
        before, after = np.diff(peaks[[number - 1, number]]), np.diff(peaks[[last, last + 1]])
        if every or rng.random() < 0.5:
            spans = [
                (
                    peaks[k] - 0.09 * RATE,
                    peaks[k] + min(0.45 * RATE, 0.7 * (peaks[k + 1] - peaks[k])),
                )
                for k in range(number, last + 1)
            ]
        else:
            start = peaks[number - 1] + min(0.45 * RATE, 0.65 * float(before[0]))
            spans = [(start, peaks[last + 1] - min(0.25 * RATE, 0.3 * float(after[0])))]
        for first, end in ((int(a), int(b)) for a, b in spans):
            line = np.linspace(changed[first], changed[end], end - first)
            changed[first:end] = line + 0.01 * swing_mv * rng.normal(size=end - first)
        stays[number : last + 1] = False
        number += count if every else count + 3
    return changed, peaks[stays]


def with_tall_t_waves(
    ecg_mv: Floats, peaks: Floats, swing_mv: float, rng: np.random.Generator
) -> Floats:
    """Another T wave of 0.3 to 1.3 times the QRS complex's swing is added to each beat."""
    changed = ecg_mv.copy()
    after, width_s = int(rng.uniform(0.18, 0.36) * RATE), rng.uniform(0.03, 0.06)
    height_mv = swing_mv * rng.uniform(0.3, 1.3) * rng.choice([-1.0, 1.0])
    wave_mv = height_mv * np.exp(-0.5 * (np.arange(-50, 51) / RATE / width_s) ** 2)
    for peak, interval in zip(peaks, np.diff(peaks, append=peaks[-1] + 200), strict=True):
        centre = int(peak + min(after, 0.6 * interval))
        if 50 < centre < len(changed) - 51:
            changed[centre - 50 : centre + 51] += wave_mv
    return changed


PULSES: tuple[tuple[float, ...], ...] = (
    (1.0,),
    (0.6, 0.6),
    (0.3, 1.0, 0.3),
    (1.0, -0.4),
    (1.0, -0.3, -0.2, -0.1),
)
"""A pacing pulse of 0.1 to 2 ms as it looks at 250 Hz behind different front ends."""


def with_pacing_pulses(
    ecg_mv: Floats, peaks: Floats, swing_mv: float, rng: np.random.Generator
) -> Floats:
    """A pulse before each beat (of the ventricle or of the atrium), and some that capture none."""
    changed = ecg_mv.copy()
    height_mv = swing_mv * np.exp(rng.uniform(np.log(0.2), np.log(3.0))) * rng.choice([-1.0, 1.0])
    before_s = rng.uniform(0.03, 0.09) if rng.random() < 0.6 else rng.uniform(0.12, 0.22)
    pulse_mv = height_mv * np.array(PULSES[int(rng.integers(len(PULSES)))])
    starts = (peaks - before_s * RATE).astype(int) + rng.integers(-1, 2, len(peaks))
    if rng.random() < 0.3:
        lone = rng.integers(0, len(changed), int(rng.integers(1, 20)))
        starts = np.concatenate((starts, lone))
    for start in starts:
        if 0 <= start < len(changed) - len(pulse_mv):
            changed[start : start + len(pulse_mv)] += pulse_mv
    return changed


_SLOPE = 3
"""Samples over which a slope is taken: 12 ms."""

_AS_STEEP = 0.4
"""An early wide beat is made about as steep as this share of the patient's own QRS complexes.

What is less steep may be a P wave that is not conducted, or a T wave.
"""

_EARLIEST, _NEXT = round(0.27 * RATE), round(0.3 * RATE)
"""Samples that an early beat keeps from the beat before it and from the one after."""

_FADE = 12
"""Samples in which it rises out of the signal and goes back into it."""


def with_early_wide_beats(
    ecg_mv: Floats, peaks: Floats, wide_mv: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Every second, third or any beat comes early and wide; of some others the P wave is left.

    `wide_mv` is a window as `tachycardia.wide_beats` cuts it; intervals are in samples.
    """
    near = peaks[(peaks > 20) & (peaks < len(ecg_mv) - 20)].astype(int)
    own = np.median([_slope_mv(ecg_mv[at - 20 : at + 20]) for at in near])
    wide_mv = wide_mv * max(1.0, _AS_STEEP * float(own) / max(_slope_mv(wide_mv), 1e-9))
    every, first = int(rng.choice([0, 2, 2, 3, 4])), int(rng.integers(1, 4))
    often, blocked = rng.uniform(0.05, 0.3), rng.choice([0.0, 0.0, 0.1, 0.2])
    early, jitter = rng.uniform(0.45, 0.9), rng.choice([0.0, 0.01, 0.03])
    changed, stays, made = ecg_mv.copy(), np.ones(len(peaks), bool), []
    busy = -1
    for number in range(1, len(peaks) - 2):
        before, after = np.diff(peaks[number - 1 : number + 2])
        chosen = (number - first) % every == 0 if every else rng.random() < often
        if number <= busy or before > 2.5 * RATE:
            continue
        if chosen:
            at = peaks[number - 1] + before * early * (1.0 + jitter * rng.normal())
            at = max(at, peaks[number - 1] + _EARLIEST)
            start, last = round(at) - WIDE_BEFORE, round(at) + WIDE_AFTER
            if start < 0 or last > len(changed) or at > peaks[number + 1] - _NEXT:
                continue
            _level(changed, peaks[number], before, after)
            length = min(len(wide_mv), int(peaks[number + 1] - 0.1 * RATE) - start)
            fade = np.minimum(1.0, np.arange(length) / _FADE)
            fade = np.minimum(fade, fade[::-1])
            changed[start : start + length] += fade * wide_mv[:length] * (1 + 0.05 * rng.normal())
            made.append(float(round(at)))
        elif rng.random() < blocked:
            _level(changed, peaks[number], 0.2 * RATE, after)
        else:
            continue
        stays[number] = False
        # The beat after one that was changed stays as it is, but in bigeminy it is the normal one.
        busy = number + 1 if every != 2 else number
    return changed, np.sort(np.concatenate((peaks[stays], made)))


def _slope_mv(ecg_mv: Floats) -> float:
    """The largest change within `_SLOPE` samples."""
    return float(np.abs(ecg_mv[_SLOPE:] - ecg_mv[:-_SLOPE]).max())


def _level(ecg_mv: Floats, peak: float, before: float, after: float) -> None:
    """A line for a beat: from its P wave, or with a small `before` from its QRS complex."""
    first = max(0, int(peak - min(0.25 * RATE, 0.45 * before)))
    last = min(len(ecg_mv) - 1, int(peak + min(0.45 * RATE, 0.6 * after)))
    ecg_mv[first:last] = np.linspace(ecg_mv[first], ecg_mv[last], last - first)
