"""A synthetic one-lead ECG: sinus rhythm, ectopic beats, blocks and the rhythms that kill.

Beats are sums of Gaussians around the R peak, the shapes of McSharry et al. ("A dynamical model for
generating synthetic electrocardiogram signals", IEEE Trans Biomed Eng 50(3):289-294, 2003);
fibrillation is an oscillator around 5 Hz whose frequency and size wander. The same seed gives the
same signal, however it is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from bedside.errors import SettingsError
from bedside.events import Float64Array
from bedside.simulator.heart import USUAL_BPM, HeartBeat, RhythmKind, Shape, beats

SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0

_REACH_BEFORE_S = 0.5
_REACH_AFTER_S = 0.9
_RESPIRATION_HZ = 0.25
_RESPIRATION_MV = 0.03
_FIBRILLATION_HZ = 5.0
_FLUTTER_HZ = 5.0
_TORSADES_HZ = 3.7
_TWIST_HZ = 0.12

# amplitude (of the R wave), centre and width in s at 60/min
_P = (0.12, -0.18, 0.025)
_QRS = ((-0.1, -0.028, 0.008), (1.0, 0.0, 0.012), (-0.22, 0.03, 0.01))
_T = (0.28, 0.29, 0.055)
_VENTRICULAR = ((1.3, 0.0, 0.032), (-0.55, 0.085, 0.034), (-0.4, 0.3, 0.07))
_WAVES: dict[Shape, tuple[tuple[float, float, float], ...]] = {
    Shape.NORMAL: (_P, *_QRS, _T),
    Shape.NO_P: (*_QRS, _T),
    Shape.LONG_PR: ((0.12, -0.32, 0.025), *_QRS, _T),
    Shape.VENTRICULAR: _VENTRICULAR,
    Shape.PACED: ((0.8, -0.07, 0.002), *_VENTRICULAR),
    Shape.ST_UP: (_P, *_QRS, (0.3, 0.16, 0.07), (0.35, 0.29, 0.055)),
    Shape.ST_DOWN: (_P, *_QRS, (-0.22, 0.14, 0.06), (0.1, 0.29, 0.055)),
    Shape.P_ALONE: (_P,),
}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A rhythm and its rate per minute; `ectopic_every` is every how many beats, where it applies.

    The flutter's atria run at 300/min whatever its rate, torsades at 222/min.
    """

    kind: RhythmKind = RhythmKind.SINUS
    rate_bpm: float = 75.0
    ectopic_every: int = 6

    @classmethod
    def parse(cls, text: str) -> Rhythm:
        """`sinus`, `sinus:120`, `vt:180`, `vf`, … Raises SettingsError for anything else."""
        name, _, rate = text.strip().partition(":")
        try:
            kind = RhythmKind(name)
            rate_bpm = float(rate) if rate else USUAL_BPM.get(kind, 75.0)
        except ValueError as error:
            known = ", ".join(kind.value for kind in RhythmKind)
            raise SettingsError(
                f"there is no rhythm {text.strip()!r}: choose one of {known}, "
                "with a rate such as sinus:75."
            ) from error
        if not SLOWEST_BPM <= rate_bpm <= FASTEST_BPM:
            raise SettingsError(
                f"a rate of {rate_bpm:g}/min is out of range: choose {SLOWEST_BPM:g} to "
                f"{FASTEST_BPM:g}/min."
            )
        return cls(kind, rate_bpm)


class SyntheticPatient:
    """An endless ECG of one lead, in mV at `rate_hz`.

    `amplitude_mv` is the R wave's height, `noise_mv` the standard deviation of white noise.
    """

    def __init__(
        self,
        rate_hz: float = 250.0,
        rhythm: Rhythm | None = None,
        *,
        seed: int = 0,
        amplitude_mv: float = 1.0,
        noise_mv: float = 0.01,
    ) -> None:
        self.rate_hz = rate_hz
        self.amplitude_mv = amplitude_mv
        self.noise_mv = noise_mv
        self._beat_random, self._noise_random, self._fibrillation_random = (
            np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(3)
        )
        self._position = 0
        self._beats: list[HeartBeat] = []
        self._coming: Iterator[HeartBeat] = iter(())
        self._next: HeartBeat | None = None
        self._phase = 0.0
        self._wander = np.zeros((2, 1))
        self.change(rhythm or Rhythm())

    @property
    def rhythm(self) -> Rhythm:
        """The present rhythm."""
        return self._rhythm

    def change(self, rhythm: Rhythm) -> None:
        """Go on in another rhythm from the next sample on; the last beat still ends as it began."""
        self._rhythm = rhythm
        now_s = self._position / self.rate_hz
        self._beats = [beat for beat in self._beats if beat.r_s <= now_s]
        self._coming = beats(
            rhythm.kind,
            rhythm.rate_bpm,
            rhythm.ectopic_every,
            now_s + min(0.3, 60.0 / rhythm.rate_bpm),
            self._beat_random,
        )
        self._next = next(self._coming, None)

    def take(self, count: int) -> Float64Array:
        """The next `count` samples, shape (count,), mV."""
        ecg_mv = np.zeros(count)
        if not count:
            return ecg_mv
        time_s = (self._position + np.arange(count)) / self.rate_hz
        self._schedule(float(time_s[-1]) + _REACH_BEFORE_S)
        for beat in self._beats:
            self._draw(beat, time_s, ecg_mv)
        self._beats = [b for b in self._beats if b.r_s + _REACH_AFTER_S > time_s[-1]]
        ecg_mv += self._between_beats_mv(time_s)
        self._position += count
        ecg_mv += _RESPIRATION_MV * np.sin(2 * np.pi * _RESPIRATION_HZ * time_s)
        return ecg_mv + self.noise_mv * self._noise_random.standard_normal(count)

    def _schedule(self, until_s: float) -> None:
        """Take in the beats up to a moment."""
        while self._next is not None and self._next.r_s <= until_s:
            self._beats.append(self._next)
            self._next = next(self._coming, None)

    def _draw(self, beat: HeartBeat, time_s: Float64Array, out: Float64Array) -> None:
        """Add one beat; what lies far from the R peak moves closer as the rate goes up (Bazett)."""
        reach = (beat.r_s - _REACH_BEFORE_S, beat.r_s + _REACH_AFTER_S)
        near = slice(*np.searchsorted(time_s, reach))
        since_r_s = time_s[near] - beat.r_s
        squeeze = min(np.sqrt(beat.rr_s), 1.2)
        for wave in _WAVES[beat.shape]:
            amplitude, centre, width = wave
            if wave == _P and beat.pr_s is not None:
                centre = -beat.pr_s
            elif abs(centre) > 0.1:
                centre, width = centre * squeeze, width * squeeze
            bump = np.exp(-0.5 * ((since_r_s - centre) / width) ** 2)
            out[near] += self.amplitude_mv * amplitude * bump

    def _between_beats_mv(self, time_s: Float64Array) -> Float64Array:
        """What the heart does all the time, shape (n,): fibrillation, flutter waves."""
        match self._rhythm.kind:
            case RhythmKind.VF:
                return self._fibrillation_mv(len(time_s))
            case RhythmKind.VF_FINE:
                return 0.4 * self._fibrillation_mv(len(time_s))
            case RhythmKind.ATRIAL_FIBRILLATION:
                return 0.12 * self._fibrillation_mv(len(time_s))
            case RhythmKind.ATRIAL_FLUTTER:
                saw = (time_s * _FLUTTER_HZ) % 1.0
                return self.amplitude_mv * 0.15 * (saw - 0.5)
            case RhythmKind.TORSADES:
                twist = np.sin(2 * np.pi * _TWIST_HZ * time_s)
                size = np.where(twist < 0, -1.0, 1.0) * (0.35 + 0.65 * np.abs(twist))
                swing = np.sin(2 * np.pi * _TORSADES_HZ * time_s)
                return self.amplitude_mv * size * swing
            case _:
                return np.zeros(len(time_s))

    def _fibrillation_mv(self, count: int) -> Float64Array:
        memory = float(np.exp(-1.0 / (0.5 * self.rate_hz)))
        drive = np.sqrt(1 - memory**2) * self._fibrillation_random.standard_normal((count, 2)).T
        wander, self._wander = lfilter([1.0], [1.0, -memory], drive, zi=self._wander)
        step = 2 * np.pi * (_FIBRILLATION_HZ + 0.6 * wander[0]) / self.rate_hz
        phase = self._phase + np.cumsum(step)
        self._phase = float(phase[-1])
        size = 0.35 * self.amplitude_mv * np.clip(1 + 0.35 * wander[1], 0.4, 2.0)
        shape: Float64Array = size * (np.sin(phase) + 0.3 * np.sin(1.7 * phase + 0.8))
        return shape
