"""What teaches the R-peak network: stretches of training records, made harder in every way we know.

Only DS1 without 201, the training half of nsrdb, the tuning halves of vfdb and cudb, synthetic
rhythms, recorders' square waves as they might be, the noise records `bw` and `ma`, made-up motion
and what a worn AD8232 recorded besides the heart appear here. 118 and 119 are left out as well: the
noise-stress records are these two, so the network has met neither their noise nor their hearts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray
from scipy import signal

from bedside.simulator.heart import BEATLESS, RhythmKind, Shape
from bedside.simulator.patient import Rhythm, SyntheticPatient
from training.changed_beats import (
    with_early_wide_beats,
    with_pacing_pulses,
    with_tall_t_waves,
    without_some_beats,
)
from training.datasets import NSRDB_TRAIN, TRAIN
from training.motion_noise import RATE, motion
from training.signal import episodes
from training.signal_data import CUDB, VFDB, Noise, at_250_hz, lesson, synthetic
from training.tachycardia import even_beats, made_wide_beat, wide_beats, with_a_run
from training.worn_noise import worn_noise

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NOISE_STRESS = ("118", "119")
LENGTH = 40 * RATE
OFTEN = {"106": 2.0, "108": 3.0, "116": 2.0, "203": 3.0, "207": 2.0, "208": 2.0, "223": 1.6}
"""Drawn this much more often: changing shapes, small beats, P waves as tall as these, fast runs."""

SYNTHETIC = 80
CALIBRATIONS = 8
"""Recorders' square waves."""

SIMULATED_S = 60
MOTIONS, MOTION_S = 480, 60
"""Stretches of synthetic electrode motion, and how long each is."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """40 s of signal at 250 Hz in mV, its R peaks (on its own count), and what may be taught.

    `taught` holds a flag per sample; it is false in fibrillation and where beats are in doubt.
    """

    signal_mv: Floats
    peaks: Floats
    taught: Flags


@dataclass(frozen=True, eq=False)
class Source:
    """A whole signal like a `Stretch`, how often it is drawn, and its own wide beats."""

    signal_mv: Floats
    peaks: Floats
    taught: Flags
    share: float
    wide_mv: list[Floats]
    swing_mv: float
    is_made: bool = False


def _source(
    signal_mv: Floats, peaks: Floats, taught: Flags, share: float, wide_mv: list[Floats]
) -> Source:
    return Source(signal_mv, peaks, taught, share, wide_mv, _swing_mv(signal_mv))


def recorded(folder: Path) -> Iterator[Source]:
    """Every training record, both leads where there are two."""
    for name in TRAIN:
        if name in NOISE_STRESS:
            continue
        for channel, share in ((0, 1.0), (1, 0.4)):
            one = lesson(folder / "mitdb" / name, channel)
            taught = np.ones(len(one.signal_mv), bool)
            for start, end in one.flutter:
                taught[max(0, int(start) - 100) : int(end) + 300] = False
            wide_mv = wide_beats(one.signal_mv, one.peaks, one.classes)
            share *= OFTEN.get(name, 1.0)
            yield _source(one.signal_mv, one.peaks, taught, share, wide_mv)
    for name in NSRDB_TRAIN:
        one = lesson(folder / "nsrdb" / name)
        yield _source(one.signal_mv, one.peaks, _noted(one.peaks, len(one.signal_mv)), 0.5, [])
    for name in VFDB:
        leads_mv = np.array([at_250_hz(folder / "vfdb" / name, channel)[0] for channel in (0, 1)])
        peaks, sure = even_beats(leads_mv)
        for lead_mv in leads_mv:
            yield _source(lead_mv, peaks, sure & ~_fibrillating(folder / "vfdb" / name), 0.7, [])
    for name in CUDB:
        path = folder / "cudb" / name
        signal_mv, _ = at_250_hz(path)
        peaks = np.array(wfdb.rdann(str(path), "beat").sample, float)
        taught = _noted(peaks, len(signal_mv)) & ~_fibrillating(path)
        yield _source(signal_mv, peaks, taught, 0.5, [])


def _noted(peaks: Floats, count: int) -> Flags:
    """Where somebody noted the beats, per sample: not where 3 s bring none."""
    there = np.ones(count, bool)
    edges = np.concatenate(([0.0], peaks, [count]))
    for number in np.flatnonzero(np.diff(edges) > 3 * RATE):
        there[int(edges[number]) + 25 : max(0, int(edges[number + 1]) - 25)] = False
    return there


def _fibrillating(path: Path) -> Flags:
    """Where a record fibrillates, per sample."""
    count = int(wfdb.rdheader(str(path)).sig_len)
    there = np.zeros(count, bool)
    for start_s, end_s, code in episodes(path, count / RATE, RATE):
        if code == "vf":
            there[max(0, round((start_s - 1.0) * RATE)) : round((end_s + 1.0) * RATE)] = True
    return there


def made(rng: np.random.Generator) -> Iterator[Source]:
    """Sums of bumps at any rate, and the simulator's patients in every rhythm with beats."""
    for _ in range(SYNTHETIC):
        one = synthetic(rng, 120.0)
        swing_mv = max(0.05, float(np.ptp(one.signal_mv)))
        taught = np.ones(len(one.signal_mv), bool)
        yield Source(one.signal_mv, one.peaks, taught, 1.0, [], swing_mv, True)
    for _ in range(CALIBRATIONS):
        signal_mv, peaks = calibration_pulses(rng)
        taught = np.ones(len(signal_mv), bool)
        yield Source(signal_mv, peaks, taught, 1.0, [], 1.0, True)
    for kind in RhythmKind:
        if kind in BEATLESS and kind is not RhythmKind.ASYSTOLE:
            continue
        rates_bpm = (100.0, 150.0, 190.0, 240.0, 290.0) if kind is RhythmKind.VT else (45.0, 90.0)
        for rate_bpm in rates_bpm:
            patient = SyntheticPatient(
                RATE, Rhythm(kind, rate_bpm), seed=int(rng.integers(10000)), noise_mv=0.01
            )
            parts, peaks = [], set()
            for _ in range(4 * SIMULATED_S):
                parts.append(patient.take(RATE // 4))
                peaks |= {
                    beat.r_s * RATE for beat in patient._beats if beat.shape is not Shape.P_ALONE
                }
            signal_mv = np.concatenate(parts)
            there = np.array(sorted(peak for peak in peaks if peak < len(signal_mv)), float)
            taught = np.ones(len(signal_mv), bool)
            yield Source(signal_mv, there, taught, 1.0, [], 1.3, True)


def calibration_pulses(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A recorder's square wave behind its high-pass, with its edges.

    Some recordings of nsrdb begin with one, and their reference has a beat at each edge: a monitor
    that hears none calls it an arrest.
    """
    half = round(rng.uniform(0.3, 0.75) * RATE)
    edges = np.arange(int(rng.integers(5, half)), 120 * RATE, half)
    steps = np.zeros(120 * RATE)
    steps[edges] = np.where(np.arange(len(edges)) % 2, -1.0, 1.0)
    decay = np.exp(-1.0 / RATE / rng.uniform(0.3, 2.0))
    wave = signal.lfilter([1.0], [1.0, -decay], steps)
    smooth = signal.lfilter(*signal.butter(2, rng.uniform(25.0, 60.0), fs=RATE), wave)
    return smooth + rng.uniform(0.003, 0.02) * rng.normal(size=len(smooth)), edges + 2.0


class Lessons:
    """Draws stretches; the same seed draws the same ones."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Read the records and make the synthetic rhythms and the motion noise.

        Raises `DataError` where the recording of a worn AD8232 is missing.
        """
        self._worn = [worn_noise(folder / "ad8232" / "motion_633hz.npz")]
        self._rng = np.random.default_rng(seed)
        self._records = list(recorded(folder))
        shares = np.array([source.share for source in self._records])
        self._shares = shares / shares.sum()
        self._made = list(made(self._rng))
        self._recorded = Noise(folder).standard
        self._wide = [
            beat_mv / float(np.ptp(beat_mv))
            for source in self._records
            for beat_mv in source.wide_mv[:: max(1, len(source.wide_mv) // 20)]
        ]
        self._motion = [motion(MOTION_S * RATE, self._rng) for _ in range(MOTIONS)]

    def draw(self) -> Stretch:
        """The next stretch."""
        rng = self._rng
        if rng.random() < 0.12:
            source = self._made[int(rng.integers(len(self._made)))]
        else:
            source = self._records[int(rng.choice(len(self._records), p=self._shares))]
        swing_mv = source.swing_mv
        ecg_mv, peaks, taught = self._cut(source)
        if not source.is_made and len(peaks) > 8:
            ecg_mv, peaks = self._changed_beats(ecg_mv, peaks, source)
        if rng.random() < 0.04:
            ecg_mv, peaks = 0.01 * swing_mv * rng.random() * rng.normal(size=LENGTH), peaks[:0]
            taught[:] = True
        if rng.random() < 0.06:
            ecg_mv[int(rng.integers(LENGTH)) :] *= np.exp(rng.uniform(-1.6, 1.6))
        ecg_mv = self._noisy(ecg_mv, swing_mv)
        if rng.random() < 0.03:
            first, last = np.sort(rng.integers(0, LENGTH, 2))
            rail_mv = rng.choice([-1.0, 1.0]) * swing_mv * rng.uniform(2.0, 20.0)
            ecg_mv[first:last] = ecg_mv[first] if rng.random() < 0.5 else rail_mv
            peaks = peaks[(peaks < first) | (peaks > last)]
            taught[first:last] = True
        size_mv = np.exp(rng.uniform(np.log(0.15), np.log(6.0)))
        return Stretch(rng.choice([-1.0, 1.0]) * size_mv / swing_mv * ecg_mv, peaks, taught)

    def _cut(self, source: Source) -> tuple[Floats, Floats, Flags]:
        """40 s of a record, some of them played faster or slower."""
        rng = self._rng
        pace = rng.uniform(0.8, 1.3) if rng.random() < 0.3 else 1.0
        count = int(LENGTH * pace)
        first = int(rng.integers(0, len(source.signal_mv) - count))
        ecg_mv = source.signal_mv[first : first + count] - source.signal_mv[first]
        inside = (source.peaks >= first) & (source.peaks < first + count)
        where = np.arange(LENGTH) * pace
        taught = source.taught[first + where.astype(int)]
        ecg_mv = np.interp(where, np.arange(count), ecg_mv)
        return ecg_mv, (source.peaks[inside] - first) / pace, taught

    def _changed_beats(
        self, ecg_mv: Floats, peaks: Floats, source: Source
    ) -> tuple[Floats, Floats]:
        """Wide beats, in a run or early, missing beats, tall T waves, a pacemaker; or nothing."""
        rng, swing_mv = self._rng, source.swing_mv
        kind = rng.random()
        if kind < 0.12:
            return without_some_beats(ecg_mv, peaks, swing_mv, rng)
        if kind < 0.21:
            return with_tall_t_waves(ecg_mv, peaks, swing_mv, rng), peaks
        if kind < 0.28:
            return with_pacing_pulses(ecg_mv, peaks, swing_mv, rng), peaks
        if kind < 0.46:
            if source.wide_mv and rng.random() < 0.75:
                wide_mv = source.wide_mv[int(rng.integers(len(source.wide_mv)))]
            elif self._wide and rng.random() < 0.5:
                wide_mv = self._wide[int(rng.integers(len(self._wide)))]
                wide_mv = wide_mv * swing_mv * np.exp(rng.uniform(-0.5, 0.7))
            else:
                wide_mv = made_wide_beat(rng) * swing_mv * np.exp(rng.uniform(-1.0, 0.7))
            if kind < 0.40:
                return with_a_run(ecg_mv, peaks, wide_mv, rng)
            return with_early_wide_beats(ecg_mv, peaks, wide_mv, rng)
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
        """Noise of one kind or two; baseline wander played fast looks like moving electrodes.

        One kind is of `size` 1, a sum of two at most 3 dB larger.
        """
        rng = self._rng
        kind = rng.random()
        if kind < 0.26:
            return self._piece(self._motion)
        if kind < 0.38:
            return self._piece(self._worn, np.exp(rng.uniform(-0.5, 0.8)))
        if kind < 0.42:
            worn = self._piece(self._worn, np.exp(rng.uniform(-0.5, 0.8)))
            return worn + rng.uniform(0.2, 1.0) * self._piece(self._motion)
        if kind < 0.48:
            return self._piece(self._recorded["ma"])
        if kind < 0.53:
            return self._piece(self._recorded["ma"], np.exp(rng.uniform(-1.4, 0.0)))
        if kind < 0.55:
            return self._piece(self._recorded["bw"])
        if kind < 0.62:
            return self._piece(self._recorded["bw"], np.exp(rng.uniform(0.7, 2.7)))
        if kind < 0.69:
            return 0.5 * self._piece(self._recorded["ma"]) + self._piece(self._motion)
        return None

    def _piece(self, noises: list[Floats], pace: float = 1.0) -> Floats:
        """40 s of noise of `size` 1, played `pace` times as fast."""
        noise = noises[int(self._rng.integers(len(noises)))]
        count = int(LENGTH * pace) + 2
        first = int(self._rng.integers(len(noise) - count))
        played = np.interp(np.arange(LENGTH) * pace, np.arange(count), noise[first : first + count])
        return played / size(played)


def size(noise: Floats) -> float:
    """How large noise is as `nst` counts it: the mean of its seconds' standard deviations.

    Slow wander, most of the power of a moving electrode, hides no beat and does not count.
    """
    seconds = noise[: len(noise) // RATE * RATE].reshape(-1, RATE)
    return max(float(seconds.std(axis=1).mean()), 1e-6)


def _swing_mv(signal_mv: Floats) -> float:
    """The median of the peak-to-peak sizes of the seconds."""
    seconds = signal_mv[: len(signal_mv) // RATE * RATE].reshape(-1, RATE)
    return float(np.median(np.ptp(seconds, axis=1)))
