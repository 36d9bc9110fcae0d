"""What teaches the R-peak network: stretches of training records, made harder in every way we know.

Only DS1 without 201, the training half of nsrdb, synthetic rhythms and the noise records `bw` and
`ma` appear here. 118 and 119 are left out as well: the noise-stress records are these two, so the
network has met neither their noise nor their hearts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets import NSRDB_TRAIN, TRAIN
from training.motion_noise import RATE, motion
from training.signal_data import Lesson, Noise, lesson, synthetic

Floats = NDArray[np.float64]

NOISE_STRESS = ("118", "119")
LENGTH = 40 * RATE
OFTEN = {"106": 2.0, "108": 3.0, "116": 2.0, "203": 3.0, "207": 2.0, "208": 2.0, "223": 1.6}
"""Drawn this much more often: changing shapes, small beats, P waves as tall as these, fast runs."""

SYNTHETIC = 80
MOTION_MINUTES = 480


@dataclass(frozen=True, eq=False)
class Stretch:
    """40 s of signal at 250 Hz in mV, its R peaks (on its own count), and what may be taught.

    `taught` holds a flag per sample; it is false in ventricular flutter.
    """

    signal_mv: Floats
    peaks: Floats
    taught: NDArray[np.bool_]


class Lessons:
    """Draws stretches; the same seed draws the same ones."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Read the records and make the synthetic rhythms and the motion noise."""
        self._rng = np.random.default_rng(seed)
        given = [
            (lesson(folder / "mitdb" / name, channel), share * OFTEN.get(name, 1.0))
            for name in TRAIN
            if name not in NOISE_STRESS
            for channel, share in ((0, 1.0), (1, 0.35))
        ]
        given += [(lesson(folder / "nsrdb" / name), 0.5) for name in NSRDB_TRAIN]
        self._records = [(record, _swing_mv(record.signal_mv)) for record, _ in given]
        shares = np.array([share for _, share in given])
        self._shares = shares / shares.sum()
        made = [synthetic(self._rng, 120.0) for _ in range(SYNTHETIC)]
        self._synthetic = [(one, max(0.05, float(np.ptp(one.signal_mv)))) for one in made]
        self._recorded = Noise(folder).standard
        self._motion = [motion(120 * RATE, self._rng) for _ in range(MOTION_MINUTES // 2)]

    def draw(self) -> Stretch:
        """The next stretch."""
        rng = self._rng
        is_made = rng.random() < 0.1
        if is_made:
            source, swing_mv = self._synthetic[int(rng.integers(len(self._synthetic)))]
        else:
            source, swing_mv = self._records[int(rng.choice(len(self._records), p=self._shares))]
        ecg_mv, peaks, taught = self._cut(source)
        if not is_made and len(peaks) > 8:
            ecg_mv, peaks = self._changed_beats(ecg_mv, peaks, swing_mv)
        if rng.random() < 0.04:
            ecg_mv, peaks = 0.01 * swing_mv * rng.random() * rng.normal(size=LENGTH), peaks[:0]
        if rng.random() < 0.06:
            ecg_mv[int(rng.integers(LENGTH)) :] *= np.exp(rng.uniform(-1.6, 1.6))
        ecg_mv = self._noisy(ecg_mv, swing_mv)
        if rng.random() < 0.03:
            first, last = np.sort(rng.integers(0, LENGTH, 2))
            rail_mv = rng.choice([-1.0, 1.0]) * swing_mv * rng.uniform(2.0, 20.0)
            ecg_mv[first:last] = ecg_mv[first] if rng.random() < 0.5 else rail_mv
            peaks = peaks[(peaks < first) | (peaks > last)]
        size_mv = np.exp(rng.uniform(np.log(0.15), np.log(6.0)))
        return Stretch(rng.choice([-1.0, 1.0]) * size_mv / swing_mv * ecg_mv, peaks, taught)

    def _cut(self, source: Lesson) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """40 s of a record, some of them played faster or slower."""
        rng = self._rng
        pace = rng.uniform(0.8, 1.3) if rng.random() < 0.3 else 1.0
        count = int(LENGTH * pace)
        first = int(rng.integers(0, len(source.signal_mv) - count))
        ecg_mv = source.signal_mv[first : first + count] - source.signal_mv[first]
        inside = (source.peaks >= first) & (source.peaks < first + count)
        taught = np.ones(LENGTH, bool)
        for start, end in source.flutter:
            low, high = (int((edge - first) / pace) for edge in (start, end))
            taught[min(LENGTH, max(0, low - 100)) : max(0, high + 300)] = False
        ecg_mv = np.interp(np.arange(LENGTH) * pace, np.arange(count), ecg_mv)
        return ecg_mv, (source.peaks[inside] - first) / pace, taught

    def _changed_beats(
        self, ecg_mv: Floats, peaks: Floats, swing_mv: float
    ) -> tuple[Floats, Floats]:
        """Beats that do not come, tall T waves or a pacemaker's pulses; most often none."""
        kind = self._rng.random()
        if kind < 0.14:
            return without_some_beats(ecg_mv, peaks, swing_mv, self._rng)
        if kind < 0.24:
            return with_tall_t_waves(ecg_mv, peaks, swing_mv, self._rng), peaks
        if kind < 0.32:
            return with_pacing_pulses(ecg_mv, peaks, swing_mv, self._rng), peaks
        return ecg_mv, peaks

    def _noisy(self, ecg_mv: Floats, swing_mv: float) -> Floats:
        """Noise of one kind at −8 to 24 dB (as `nst` counts them), hum, white noise, or none."""
        rng = self._rng
        noise = self._noise()
        if noise is not None:
            snr_db = rng.uniform(-8.0, 24.0)
            size_mv = swing_mv / np.sqrt(8.0) * 10.0 ** (-snr_db / 20.0)
            on = np.ones(LENGTH)
            if rng.random() < 0.35:
                first, last = np.sort(rng.integers(0, LENGTH, 2))
                on[first:last] = 0.0
                on = 1.0 - on if rng.random() < 0.5 else on
            ecg_mv = ecg_mv + rng.choice([-1.0, 1.0]) * size_mv * on * noise
        if rng.random() < 0.12:
            hum_hz = rng.choice([50.0, 60.0]) + 0.2 * rng.normal()
            hum_mv = swing_mv * np.exp(rng.uniform(np.log(0.02), np.log(0.6)))
            phase = 2.0 * np.pi * (hum_hz * np.arange(LENGTH) / RATE + rng.random())
            ecg_mv = ecg_mv + hum_mv * np.sin(phase)
        if rng.random() < 0.2:
            white_mv = swing_mv * np.exp(rng.uniform(np.log(0.005), np.log(0.12)))
            ecg_mv = ecg_mv + white_mv * rng.normal(size=LENGTH)
        return ecg_mv.copy()

    def _noise(self) -> Floats | None:
        kind = self._rng.random()
        if kind < 0.32:
            return self._piece(self._motion)
        if kind < 0.40:
            return self._piece(self._recorded["ma"])
        if kind < 0.46:
            return self._piece(self._recorded["bw"])
        if kind < 0.50:
            return 0.5 * self._piece(self._recorded["ma"]) + self._piece(self._motion)
        return None

    def _piece(self, noises: list[Floats]) -> Floats:
        noise = noises[int(self._rng.integers(len(noises)))]
        first = int(self._rng.integers(len(noise) - LENGTH))
        return noise[first : first + LENGTH]


def _swing_mv(signal_mv: Floats) -> float:
    """The median of the peak-to-peak sizes of the seconds."""
    seconds = signal_mv[: len(signal_mv) // RATE * RATE].reshape(-1, RATE)
    return float(np.median(np.ptp(seconds, axis=1)))


def without_some_beats(
    ecg_mv: Floats, peaks: Floats, swing_mv: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """One to five beats in a row replaced by a line: with their P waves, or all but these."""
    changed, stays = ecg_mv.copy(), np.ones(len(peaks), bool)
    number = 2
    while number < len(peaks) - 6:
        if rng.random() >= 0.12:
            number += 1
            continue
        count = int(rng.integers(1, 6)) if rng.random() < 0.5 else 1
        last = number + count - 1
        before_s, after_s = np.diff(peaks[[number - 1, number]]), np.diff(peaks[[last, last + 1]])
        if rng.random() < 0.5:
            spans = [
                (
                    peaks[k] - 0.09 * RATE,
                    peaks[k] + min(0.45 * RATE, 0.7 * (peaks[k + 1] - peaks[k])),
                )
                for k in range(number, last + 1)
            ]
        else:
            start = peaks[number - 1] + min(0.45 * RATE, 0.65 * float(before_s[0]))
            spans = [(start, peaks[last + 1] - min(0.25 * RATE, 0.3 * float(after_s[0])))]
        for first, end in ((int(a), int(b)) for a, b in spans):
            line = np.linspace(changed[first], changed[end], end - first)
            changed[first:end] = line + 0.01 * swing_mv * rng.normal(size=end - first)
        stays[number : last + 1] = False
        number += count + 3
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
