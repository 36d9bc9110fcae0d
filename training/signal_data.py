"""Signals that teach the signal chain: training records, the same made harder, and synthetic ones.

Only DS1 without 201, the training half of nsrdb, the tuning halves of vfdb and cudb and the noise
records `bw` and `ma` appear here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from bedside.ecg.resampling import Resampler
from bedside.events import WINDOW_RATE_HZ
from training.datasets import AAMI, NSRDB_TRAIN, TRAIN
from training.signal import episodes

Floats = NDArray[np.float64]

VFDB = ("418", "419", "421", "422", "424", "425", "427")
CUDB = tuple(f"cu{number:02d}" for number in range(1, 18, 2))
RATE = int(WINDOW_RATE_HZ)


@dataclass(frozen=True, eq=False)
class Lesson:
    """A signal, shape (n,), mV at 250 Hz, with its R peaks (250 Hz) and how much it counts.

    `classes` are the AAMI classes of the peaks; `flutter` stretches (250 Hz) teach nothing.
    """

    name: str
    signal_mv: Floats
    peaks: Floats
    classes: tuple[str, ...]
    flutter: tuple[tuple[float, float], ...]
    weight: float

    def part(self, first: int, count: int, name: str, weight: float) -> Lesson:
        """A stretch of it."""
        inside = (self.peaks >= first) & (self.peaks < first + count)
        return Lesson(
            name,
            self.signal_mv[first : first + count],
            self.peaks[inside] - first,
            tuple(c for c, keep in zip(self.classes, inside, strict=True) if keep),
            tuple((start - first, end - first) for start, end in self.flutter),
            weight,
        )


def at_250_hz(path: Path, channel: int = 0) -> tuple[Floats, float]:
    """A channel as the monitor sees it, and source samples per sample of 250 Hz."""
    record = wfdb.rdrecord(str(path), channels=[channel])
    samples_mv = np.nan_to_num(record.p_signal[:, 0])
    if record.fs == RATE:
        return samples_mv, 1.0
    resampler = Resampler(float(record.fs))
    return resampler.process(samples_mv), resampler.source_index(1)


def lesson(path: Path, channel: int = 0, weight: float = 1.0) -> Lesson:
    """A record with its reference beats."""
    signal_mv, step = at_250_hz(path, channel)
    notes = wfdb.rdann(str(path), "atr")
    beats = [
        (s / step, AAMI[c]) for s, c in zip(notes.sample, notes.symbol, strict=True) if c in AAMI
    ]
    starts = [s / step for s, c in zip(notes.sample, notes.symbol, strict=True) if c == "["]
    ends = [s / step for s, c in zip(notes.sample, notes.symbol, strict=True) if c == "]"]
    return Lesson(
        f"{path.name}/{channel}",
        signal_mv,
        np.array([at for at, _ in beats]),
        tuple(c for _, c in beats),
        tuple(zip(starts, ends, strict=True)),
        weight,
    )


class Noise:
    """The recorded noise of the noise-stress database that may be trained on."""

    def __init__(self, folder: Path) -> None:
        """Read `bw` and `ma`, both channels each."""
        self._kinds = {
            kind: [at_250_hz(folder / "nstdb" / kind, channel)[0] for channel in (0, 1)]
            for kind in ("bw", "ma")
        }

    def added(
        self, signal_mv: Floats, kind: str, snr_db: float, rng: np.random.Generator
    ) -> Floats:
        """The signal with noise in every second stretch of two minutes, SNR as `nst` defines it."""
        if kind == "mix":
            parts = (self._kinds["ma"][0], rng.uniform() * self._kinds["bw"][1])
            noise = sum((part / part.std() for part in parts), np.zeros(len(parts[0])))
        else:
            noise = self._kinds[kind][int(rng.integers(2))]
        noise = np.resize(np.roll(noise, int(rng.integers(len(noise)))), len(signal_mv))
        noise = noise - noise.mean()
        seconds = signal_mv[: len(signal_mv) // RATE * RATE].reshape(-1, RATE)
        swing_mv = float(np.median(np.ptp(seconds, axis=1)))
        power = swing_mv**2 / 8.0 / 10 ** (snr_db / 10.0)
        on = (np.arange(len(signal_mv)) // (120 * RATE)) % 2
        noisy: Floats = signal_mv + on * noise * np.sqrt(power / float(np.mean(noise**2)))
        return noisy


def with_tall_t_waves(given: Lesson, rng: np.random.Generator) -> Lesson:
    """Another T wave of 0.3 to 1.1 times the QRS complex's swing is added to each beat."""
    signal_mv = given.signal_mv.copy()
    peaks = given.peaks.astype(int)
    usual = float(np.median(np.diff(peaks)))
    swing_mv = float(
        np.median([np.ptp(signal_mv[max(0, peak - 10) : peak + 10]) for peak in peaks[5:200]])
    )
    offset = int(rng.uniform(0.22, 0.32) * min(250.0, usual) + rng.uniform(5, 25))
    around = np.arange(-60, 61)
    height_mv = swing_mv * rng.uniform(0.3, 1.1) * rng.choice([-1.0, 1.0])
    bump = height_mv * np.exp(-0.5 * (around / RATE / rng.uniform(0.035, 0.055)) ** 2)
    for centre in peaks + offset:
        if 60 < centre < len(signal_mv) - 61:
            signal_mv[centre - 60 : centre + 61] += bump
    return replace(given, name=f"{given.name} T", signal_mv=signal_mv, weight=0.15)


def synthetic(rng: np.random.Generator, seconds: float = 240.0) -> Lesson:
    """Sums of bumps at 20 to 290 per minute, 0.2 to 5 mV, some beats wide, with white noise."""
    t = np.arange(round(seconds * RATE)) / RATE
    signal_mv = 0.3 * rng.uniform() * np.sin(2 * np.pi * 0.25 * t)
    interval_s = 60.0 / float(np.exp(rng.uniform(np.log(20.0), np.log(290.0))))
    jitter = float(rng.choice([0.01, 0.04, 0.2]))
    size_mv = float(np.exp(rng.uniform(np.log(0.2), np.log(5.0))) * rng.choice([-1.0, 1.0]))
    tight = min(1.0, interval_s / 0.5)
    width_s, wide_s = rng.uniform(0.008, 0.02), rng.uniform(0.03, 0.05)
    p, t_wave, s = rng.uniform(0, 0.2), rng.uniform(-0.3, 0.6), rng.uniform(0, 0.6)
    wide_share = float(rng.choice([0.0, 0.1]))
    peaks, classes, at_s = [], [], 0.7
    while at_s < seconds - 1.0:
        wide = rng.uniform() < wide_share
        bumps = (
            [(0.0, 1.3, wide_s), (0.12, -0.5, 0.05), (0.3, -0.4, 0.06)]
            if wide
            else [
                (-0.16 * tight, p, 0.022),
                (0.0, 1.0, width_s),
                (2 * width_s, -s, width_s),
                (0.25 * np.sqrt(tight), t_wave, 0.045 * tight),
            ]
        )
        for offset_s, height, spread_s in bumps:
            low, high = np.searchsorted(
                t, (at_s + offset_s - 4 * spread_s, at_s + offset_s + 4 * spread_s)
            )
            distance = (t[low:high] - at_s - offset_s) / spread_s
            signal_mv[low:high] += size_mv * height * np.exp(-0.5 * distance**2)
        peaks.append(round(at_s * RATE))
        classes.append("V" if wide else "N")
        at_s += max(0.2, interval_s * (1.0 + jitter * rng.normal()))
    signal_mv += rng.normal(size=len(t)) * abs(size_mv) * rng.choice([0.005, 0.02, 0.08])
    return Lesson("synthetic", signal_mv, np.array(peaks, float), tuple(classes), (), 0.15)


def qrs_lessons(folder: Path, rng: np.random.Generator) -> Iterator[Lesson]:
    """For the R-peak detector: each record plain, noisy, by its other lead, with tall T waves."""
    noise = Noise(folder)
    for name in TRAIN:
        plain = lesson(folder / "mitdb" / name)
        yield plain
        kind, snr_db = str(rng.choice(["ma", "bw", "mix"])), float(rng.choice([12, 6, 3, 0, -3]))
        noisy = noise.added(plain.signal_mv, kind, snr_db, rng)
        weight = 0.15 if snr_db < 6 else 0.3
        yield replace(plain, signal_mv=noisy).part(0, 600 * RATE, f"{name} {kind}", weight)
        first = int(rng.integers(0, 1000 * RATE))
        other = lesson(folder / "mitdb" / name, channel=1)
        yield other.part(first, 800 * RATE, f"{name} other lead", 0.3)
        if not plain.flutter:
            yield with_tall_t_waves(plain.part(0, 300 * RATE, name, 0.15), rng)
        yield synthetic(rng)
    for name in NSRDB_TRAIN:
        yield lesson(folder / "nsrdb" / name).part(0, 900 * RATE, name, 0.3)


def lethal_truth(path: Path, count: int) -> NDArray[np.int64]:
    """Per sample at 250 Hz: 1 fibrillation or flutter, 2 tachycardia, 3 noise, 0 none of them."""
    truth = np.zeros(count, dtype=np.int64)
    codes = {"vf": 1, "vt": 2}
    for start_s, end_s, code in episodes(path, count / RATE, RATE):
        if code in codes:
            truth[round(start_s * RATE) : round(end_s * RATE)] = codes[code]
    return truth
