"""Signals that teach the signal chain: training records, recorded noise and synthetic rhythms.

Only DS1 without 201, the training half of nsrdb, the tuning halves of vfdb and cudb and the noise
records `bw` and `ma` appear here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from bedside.ecg.resampling import Resampler
from bedside.events import WINDOW_RATE_HZ
from training.datasets import AAMI
from training.signal import episodes

Floats = NDArray[np.float64]

VFDB = ("418", "419", "421", "422", "424", "425", "427")
CUDB = tuple(f"cu{number:02d}" for number in range(1, 18, 2))
RATE = int(WINDOW_RATE_HZ)


@dataclass(frozen=True, eq=False)
class Lesson:
    """A signal, shape (n,), mV at 250 Hz, with its R peaks (250 Hz).

    `classes` are the AAMI classes of the peaks; `flutter` stretches (250 Hz) teach nothing.
    """

    name: str
    signal_mv: Floats
    peaks: Floats
    classes: tuple[str, ...]
    flutter: tuple[tuple[float, float], ...]


def at_250_hz(path: Path, channel: int = 0) -> tuple[Floats, float]:
    """A channel as the monitor sees it, and source samples per sample of 250 Hz."""
    record = wfdb.rdrecord(str(path), channels=[channel])
    samples_mv = np.nan_to_num(record.p_signal[:, 0])
    if record.fs == RATE:
        return samples_mv, 1.0
    resampler = Resampler(float(record.fs))
    return resampler.process(samples_mv), resampler.source_index(1)


def lesson(path: Path, channel: int = 0) -> Lesson:
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
    )


class Noise:
    """The recorded noise of the noise-stress database that may be trained on."""

    def __init__(self, folder: Path) -> None:
        """Read `bw` and `ma`, both channels each."""
        self._kinds = {
            kind: [at_250_hz(folder / "nstdb" / kind, channel)[0] for channel in (0, 1)]
            for kind in ("bw", "ma")
        }
        self.standard = {
            kind: [(noise - noise.mean()) / noise.std() for noise in channels]
            for kind, channels in self._kinds.items()
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
    return Lesson("synthetic", signal_mv, np.array(peaks, float), tuple(classes), ())


def lethal_truth(path: Path, count: int) -> NDArray[np.int64]:
    """Per sample at 250 Hz: 1 fibrillation or flutter, 2 tachycardia, 3 noise, 0 none of them."""
    truth = np.zeros(count, dtype=np.int64)
    codes = {"vf": 1, "vt": 2}
    for start_s, end_s, code in episodes(path, count / RATE, RATE):
        if code in codes:
            truth[round(start_s * RATE) : round(end_s * RATE)] = codes[code]
    return truth
