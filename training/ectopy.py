"""Rhythms that the training records lack, composed of their beats: ectopy, fibrillation, pauses.

A training patient's normal beats, with their P waves, are laid out in the order and at the times
of a textbook rhythm. Supraventricular beats get the P wave of another focus or none, ventricular
ones come from another training patient or from a formula. 22 records hold few such rhythms, and
most of their supraventricular beats belong to five people; a classifier that meets only those
learns the people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bedside.ecg.filters import BandPass
from bedside.events import WINDOW_RATE_HZ

Floats = NDArray[np.float64]
Beats = list[tuple[float, str]]
"""Times in seconds and AAMI classes."""

RATE = int(WINDOW_RATE_HZ)
KINDS = {
    "premature": 0.10,
    "bigeminy": 0.05,
    "supraventricular runs": 0.10,
    "sick sinus": 0.15,
    "fibrillation": 0.16,
    "paroxysms": 0.14,
    "breathing": 0.04,
    "ramp": 0.04,
    "mixed": 0.05,
    "block": 0.04,
    "ventricular": 0.05,
    "flutter": 0.04,
    "ventricular runs": 0.04,
}
"""Rhythms and how often each is composed."""

_BEFORE, _AFTER = 40, 110
"""Samples of a ventricular beat."""
_FEWEST = 60
_BANK = 50


@dataclass(frozen=True, eq=False)
class Heard:
    """A band-passed signal, (n,) mV at 250 Hz, its R peaks as detected, (k,), and their classes.

    A class outside N, S and V teaches nothing.
    """

    signal_mv: Floats
    peaks: NDArray[np.int64]
    classes: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class _Settled:
    """A normal beat between normal beats at the same rate: its R peak and intervals, samples."""

    at: int
    before: int
    after: int


def settled(heard: Heard) -> list[_Settled]:
    """The beats that rhythms are composed of."""
    found = []
    classes, peaks = heard.classes, heard.peaks + BandPass.delay_samples
    for k in range(1, len(peaks) - 1):
        before, after = int(peaks[k] - peaks[k - 1]), int(peaks[k + 1] - peaks[k])
        inside = peaks[k] >= 110 and peaks[k] + 180 <= len(heard.signal_mv)
        steady = min(before, after) >= 120 and abs(before - after) <= 0.15 * before
        if inside and steady and all(classes[k - 1 : k + 2] == "N"):
            found.append(_Settled(int(peaks[k]), before, after))
    return found


def ventricular(heard: Heard) -> list[Floats]:
    """The ventricular beats of a record, shape (150,) each, of size 1, without their baseline."""
    found = []
    for peak in heard.peaks[heard.classes == "V"] + BandPass.delay_samples:
        wave = heard.signal_mv[max(0, peak - _BEFORE) : peak + _AFTER]
        if len(wave) < _BEFORE + _AFTER:
            continue
        wave = wave - np.linspace(wave[:5].mean(), wave[-5:].mean(), len(wave))
        size_mv = float(np.ptp(wave[15:75]))
        if size_mv > 0.1:
            found.append(wave / size_mv)
    return found


def compose(
    heard: Heard, foreign: Mapping[str, list[Floats]], rng: np.random.Generator
) -> Heard | None:
    """Half a minute to ten minutes of a rhythm drawn at random; None from too few beats.

    `foreign` holds the ventricular beats of other patients by record.
    """
    bank = settled(heard)
    if len(bank) < _FEWEST:
        return None
    first = int(rng.integers(0, len(bank) - _BANK))
    bank = bank[first : first + _BANK]
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    often_short = 0.65 if kind.startswith("ventricular") else 0.3
    seconds = float(rng.uniform(30, 120)) if rng.uniform() < often_short else 600.0
    usual_s = float(np.median([beat.after for beat in bank])) / RATE
    base_s = float(np.clip(usual_s * np.exp(0.12 * rng.normal()), 0.45, 1.25))
    schedule = _Schedule(kind, base_s, rng)
    schedule.until(seconds - 2.0)
    return _draw(heard.signal_mv, bank, schedule, kind, foreign, round(seconds * RATE), rng)


class _Schedule:
    """When beats come, and of which class."""

    def __init__(self, kind: str, base_s: float, rng: np.random.Generator) -> None:
        self._rng, self._base_s = rng, base_s
        self._slow_s = max(base_s, 0.8)
        self._breath = rng.uniform(0.08, 0.25) if kind == "breathing" else rng.uniform(0.0, 0.12)
        self._breath_hz, self._jitter = rng.uniform(0.15, 0.3), rng.uniform(0.004, 0.03)
        self._ramp = 0.35 if kind == "ramp" else 0.0
        self._variation = rng.uniform(0.07, 0.33)
        self._ventricular = float(rng.choice([0.0, 0.0, 0.03, 0.1]))
        if kind == "ventricular":
            self._ventricular = rng.uniform(0.1, 0.45)
        self._runs = float(rng.choice([0.0, 0.01], p=[0.85, 0.15]))
        if kind == "ventricular runs":
            self._runs = 0.03
        self._begins_with_run = kind == "ventricular runs" and rng.uniform() < 0.5
        self._full_pause = rng.uniform() < 0.7
        self._premature = {"premature": 0.06, "mixed": 0.12, "bigeminy": 0.4}.get(kind, 0.0)
        if kind == "paroxysms":
            self._premature = float(rng.choice([0.0, 0.02, 0.08]))
        self.fibrillating: list[tuple[float, float]] = []
        """From when to when the atria fibrillate or flutter: no P waves."""
        if kind in ("fibrillation", "flutter"):
            self.fibrillating.append((0.0, float("inf")))
        self._turns_s = 1.0 + float(np.exp(rng.uniform(np.log(8.0), np.log(120.0))))
        self._early, self._early_jitter = rng.uniform(0.5, 0.85), rng.choice([0.01, 0.03, 0.06])
        self._longest_run = float(rng.choice([6.0, 20.0, 60.0]))
        self._flutter_s = rng.uniform(0.19, 0.25)
        self._conducted = rng.choice([2, 3, 4, 5], size=3).tolist()
        self._drift, self._is_fibrillating = 0.0, False
        self.beats: Beats = []
        self._now_s = 1.0
        self._step: Callable[[], None] = {
            "fibrillation": self._fibrillate,
            "paroxysms": self._perhaps_fibrillate,
            "flutter": self._flutter,
            "sick sinus": self._sick_sinus,
            "supraventricular runs": lambda: self._perhaps_run(0.015),
            "mixed": lambda: self._perhaps_run(0.01),
            "block": self._block,
        }.get(kind, self._sinus)

    def until(self, end_s: float) -> None:
        if self._begins_with_run:
            self._ventricular_run()
        while self._now_s < end_s:
            if self._rng.uniform() < self._runs:
                self._ventricular_run()
            elif self._rng.uniform() < self._ventricular and self.beats:
                early = self._rng.uniform(0.55, 0.85)
                self._add(self._rr_s() * early, "V")
                self._add(self._rr_s() * (2.0 - early if self._full_pause else 1.0), "N")
            elif self._rng.uniform() < self._premature and self.beats and not self._in_paroxysm():
                self._premature_beats()
            else:
                self._step()

    def _rr_s(self) -> float:
        self._drift = 0.97 * self._drift + 0.008 * self._rng.normal()
        breath = self._breath * np.sin(2 * np.pi * self._breath_hz * self._now_s)
        ramp = self._ramp * np.sin(2 * np.pi * self._now_s / 90.0)
        noise = self._jitter * self._rng.normal()
        return float(self._base_s * np.exp(self._drift) * (1.0 + breath + noise) * (1.0 + ramp))

    def _add(self, after_s: float, beat_class: str) -> None:
        self._now_s += max(after_s, 0.25)
        self.beats.append((self._now_s, beat_class))

    def _sinus(self) -> None:
        self._add(self._rr_s(), "N")

    def _premature_beats(self) -> None:
        count = 1 if self._rng.uniform() < 0.85 else int(self._rng.integers(2, 4))
        for _ in range(count):
            self._add(self._rr_s() * self._rng.uniform(0.5, 0.87), "S")
        self._add(self._rr_s() * self._rng.uniform(0.95, 1.35), "N")

    def _run(self, longest: int, rr_s: float, jitter: float, beat_class: str) -> None:
        for _ in range(int(np.exp(self._rng.uniform(np.log(3), np.log(longest))))):
            self._add(rr_s * (1.0 + jitter * self._rng.normal()), beat_class)

    def _ventricular_run(self) -> None:
        self._run(40, self._rng.uniform(0.3, 0.6), self._rng.uniform(0.005, 0.06), "V")
        self._add(self._rr_s() * self._rng.uniform(0.9, 1.4), "N")

    def _perhaps_run(self, share: float) -> None:
        if self._rng.uniform() >= share or not self.beats:
            return self._sinus()
        rr_s = max(0.3, self._rng.uniform(0.35, 0.8) * self._base_s)
        self._run(80, rr_s, self._rng.uniform(0.005, 0.05), "S")
        return self._add(self._rr_s() * self._rng.uniform(1.0, 1.6), "N")

    def _sick_sinus(self) -> None:
        """A pause, perhaps sinus beats, then a run of another focus at its own rate."""
        self._add(self._rng.uniform(1.0, 2.5) * self._slow_s, "N")
        if self._rng.uniform() < 0.3:
            for _ in range(int(self._rng.integers(1, 5))):
                self._add(1.15 * self._rr_s(), "N")
        if self._rng.uniform() < 0.85:
            early_s = self._early * self._slow_s * self._rng.uniform(0.93, 1.07)
            for _ in range(int(np.exp(self._rng.uniform(0.0, np.log(self._longest_run))))):
                self._add(max(0.35, early_s * (1 + self._early_jitter * self._rng.normal())), "S")

    def _fibrillate(self) -> None:
        shape = self._variation**-2
        factor = np.clip(self._rng.gamma(shape, 1.0 / shape), 0.45, 2.2)
        self._add(max(0.28, self._base_s * float(factor)), "N")

    def _in_paroxysm(self) -> bool:
        return bool(self.fibrillating) and self.fibrillating[-1][1] > self._now_s

    def _perhaps_fibrillate(self) -> None:
        if self._now_s > self._turns_s:
            self._turns_s = self._now_s + float(np.exp(self._rng.uniform(np.log(8), np.log(150))))
            self._is_fibrillating = not self._is_fibrillating
            if self._is_fibrillating:
                self.fibrillating.append((self._now_s + 0.01, self._turns_s))
        if self._is_fibrillating:
            self._fibrillate()
        else:
            self._sinus()

    def _flutter(self) -> None:
        waves = int(self._rng.choice(self._conducted))
        if self._base_s > 0.9 and self._rng.uniform() < 0.5:
            waves *= 2
        rr_s = self._flutter_s * waves * (1.0 + 0.01 * self._rng.normal())
        self._add(max(rr_s, 0.3), "N")

    def _block(self) -> None:
        dropped = self._rng.uniform() < 0.15
        self._add(self._rr_s() * (2.0 * self._rng.uniform(0.95, 1.05) if dropped else 1.0), "N")


def _draw(
    source_mv: Floats,
    bank: list[_Settled],
    schedule: _Schedule,
    kind: str,
    foreign: Mapping[str, list[Floats]],
    count: int,
    rng: np.random.Generator,
) -> Heard:
    """Lay the beats out and add the noise of a quiet recording."""
    size_mv = float(np.median([np.ptp(source_mv[b.at - 15 : b.at + 15]) for b in bank]))
    p_mv = float(np.median([np.ptp(source_mv[b.at - 75 : b.at - 20]) for b in bank]))
    foci = _foci(max(p_mv, 0.05 * size_mv), rng)
    ventricular_waves = _ventricular_waves(size_mv, foreign, rng)
    spread = float(rng.choice([0.01, 0.05, 0.1]))
    signal_mv, peaks, classes = np.zeros(count), [], []
    for number, (at_s, beat_class) in enumerate(schedule.beats):
        at = round(at_s * RATE)
        if at < 200 or at + 250 > count:
            continue
        peaks.append(at - BandPass.delay_samples)
        classes.append(beat_class)
        gain = float(np.exp(spread * rng.normal()))
        if beat_class == "V":
            signal_mv[at - _BEFORE : at + _AFTER] += gain * next(ventricular_waves)
            continue
        like = bank[number % len(bank)]
        end = min(int(0.62 * like.after), 170)
        onset_mv = source_mv[like.at - 20 : like.at - 14].mean()
        offset_mv = source_mv[like.at + end - 3 : like.at + end + 3].mean()
        complex_mv = source_mv[like.at - 18 : like.at + end]
        baseline_mv = np.linspace(onset_mv, offset_mv, len(complex_mv))
        signal_mv[at - 18 : at + end] += gain * (complex_mv - baseline_mv)
        if any(start_s <= at_s <= end_s for start_s, end_s in schedule.fibrillating):
            continue
        focus = foci[number % len(foci) if rng.uniform() < 0.1 else 0]
        if beat_class == "N" or focus is _SINUS:
            before = min(60, int(0.36 * like.before))
            p_wave_mv = source_mv[like.at - 18 - before : like.at - 18]
            signal_mv[at - 18 - before : at - 18] += p_wave_mv - np.linspace(
                p_wave_mv[:4].mean(), onset_mv, before
            )
        elif len(focus):
            signal_mv[at - len(focus) : at] += focus
    waves_mv = _atrial_waves(kind, count, size_mv, rng)
    for start_s, end_s in schedule.fibrillating:
        span = slice(round(start_s * RATE), round(min(end_s * RATE, count)))
        signal_mv[span] += waves_mv[span]
    hiss = np.exp(rng.uniform(np.log(0.003), np.log(0.05)))
    wander = _noise(count, (0.3, 1.0), rng)
    signal_mv += size_mv * (hiss * rng.normal(size=count) + rng.uniform(0, 0.06) * wander)
    return Heard(signal_mv, np.array(peaks, dtype=np.int64), np.array(classes))


_SINUS: Floats = np.zeros(1)


def _foci(p_mv: float, rng: np.random.Generator) -> list[Floats]:
    """P waves of one or two foci as they lie before the R peak; empty: hidden in the complex."""
    foci: list[Floats] = []
    for _ in range(int(rng.integers(1, 3))):
        what = rng.uniform()
        height_mv = float(rng.choice([-1.0, 1.0])) * p_mv * rng.uniform(0.3, 1.3)
        before, width = int(rng.integers(22, 52)), rng.uniform(4.0, 10.0)
        wave = height_mv * np.exp(-0.5 * ((np.arange(-90, 0) + before) / width) ** 2)
        foci.append(np.empty(0) if what < 0.15 else _SINUS if what < 0.25 else wave)
    return foci


def _ventricular_waves(
    size_mv: float, foreign: Mapping[str, list[Floats]], rng: np.random.Generator
) -> Iterator[Floats]:
    """One ventricular beat after the other, of one or two shapes."""
    if foreign and rng.uniform() < 0.75:
        waves = foreign[str(rng.choice(sorted(foreign)))]
        first, spread = int(rng.integers(len(waves))), int(rng.choice([1, 4, 30]))
        scale_mv = size_mv * float(np.exp(rng.uniform(np.log(0.7), np.log(2.2))))
        scale_mv *= float(rng.choice([-1.0, 1.0]))
        while True:
            yield scale_mv * waves[(first + int(rng.integers(spread))) % len(waves)]
    shapes = [_formula(size_mv, rng) for _ in range(2)]
    share = 0.4 if rng.uniform() < 0.4 else 0.0
    while True:
        yield shapes[int(rng.uniform() < share)]


def _formula(size_mv: float, rng: np.random.Generator) -> Floats:
    t = np.arange(-_BEFORE, _AFTER) / RATE
    height_mv = size_mv * rng.uniform(0.8, 2.0) * float(rng.choice([-1.0, 1.0]))
    width_s, second, t_wave = (
        rng.uniform(0.028, 0.045),
        rng.uniform(-0.7, 0.2),
        rng.uniform(-0.5, -0.2),
    )
    wave: Floats = height_mv * (
        np.exp(-0.5 * (t / width_s) ** 2)
        + second * np.exp(-0.5 * ((t - 2.3 * width_s) / width_s) ** 2)
        + t_wave * np.exp(-0.5 * ((t - 0.28) / 0.06) ** 2)
    )
    return wave


def _atrial_waves(kind: str, count: int, size_mv: float, rng: np.random.Generator) -> Floats:
    if kind == "flutter":
        phase = (np.arange(count) / RATE / rng.uniform(0.19, 0.25)) % 1.0
        saw = phase - 0.5 + 0.1 * np.sin(2 * np.pi * phase)
        return saw * size_mv * rng.uniform(0.03, 0.15) * float(rng.choice([-1.0, 1.0]))
    if kind in ("fibrillation", "paroxysms"):
        band = (rng.uniform(3.5, 5.0), rng.uniform(6.5, 9.0))
        return size_mv * rng.uniform(0.005, 0.09) * _noise(count, band, rng)
    return np.zeros(count)


def _noise(count: int, band_hz: tuple[float, float], rng: np.random.Generator) -> Floats:
    """Noise of standard deviation 1 in a band."""
    sections = signal.butter(2, band_hz, "bandpass", fs=WINDOW_RATE_HZ, output="sos")
    noise: Floats = signal.sosfilt(sections, rng.normal(size=count))
    return noise / max(float(noise.std()), 1e-9)
