"""A synthetic one-lead ECG: sinus rhythm, ectopic beats and the rhythms that kill.

Beats are sums of Gaussians around the R peak, the shapes of McSharry et al. ("A dynamical model for
generating synthetic electrocardiogram signals", IEEE Trans Biomed Eng 50(3):289-294, 2003);
fibrillation is an oscillator around 5 Hz whose frequency and size wander. The same seed gives the
same signal, however it is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.signal import lfilter

from bedside.errors import SettingsError
from bedside.events import Float64Array

SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0

_REACH_BEFORE_S = 0.4
_REACH_AFTER_S = 0.9
_RESPIRATION_HZ = 0.25
_RESPIRATION_MV = 0.03
_FIBRILLATION_HZ = 5.0
_PREMATURITY = 0.4
"""An isolated ectopic beat comes this fraction of an RR interval early."""

# amplitude (of the R wave), centre and width in s at 60/min
_NORMAL = ((0.12, -0.18, 0.025), (-0.1, -0.028, 0.008), (1.0, 0.0, 0.012), (-0.22, 0.03, 0.01),
           (0.28, 0.29, 0.055))  # fmt: skip
_VENTRICULAR = ((1.3, 0.0, 0.032), (-0.55, 0.085, 0.034), (-0.4, 0.3, 0.07))


class RhythmKind(StrEnum):
    """What the heart does. `lead-off` is no rhythm: an electrode is off and nothing is seen."""

    SINUS = "sinus"
    PVCS = "pvcs"
    VT = "vt"
    VF = "vf"
    ASYSTOLE = "asystole"
    LEAD_OFF = "lead-off"


_USUAL_BPM = {RhythmKind.VT: 180.0}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A rhythm and its rate (of `sinus`, `pvcs` and `vt`); with `pvcs`, every how many beats."""

    kind: RhythmKind = RhythmKind.SINUS
    rate_bpm: float = 75.0
    ectopic_every: int = 6

    @classmethod
    def parse(cls, text: str) -> Rhythm:
        """`sinus`, `sinus:120`, `vt:180`, `vf`, … Raises SettingsError for anything else."""
        name, _, rate = text.strip().partition(":")
        try:
            kind = RhythmKind(name)
            rate_bpm = float(rate) if rate else _USUAL_BPM.get(kind, 75.0)
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
        self._beats: list[tuple[float, float, bool]] = []
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
        self._beats = [beat for beat in self._beats if beat[0] <= now_s]
        self._next_beat_s = now_s + min(0.3, 60.0 / rhythm.rate_bpm)
        self._since_ectopic = 0

    def take(self, count: int) -> Float64Array:
        """The next `count` samples, shape (count,), mV."""
        ecg_mv = np.zeros(count)
        if not count:
            return ecg_mv
        time_s = (self._position + np.arange(count)) / self.rate_hz
        self._schedule(float(time_s[-1]) + _REACH_BEFORE_S)
        for beat in self._beats:
            self._draw(beat, time_s, ecg_mv)
        self._beats = [b for b in self._beats if b[0] + _REACH_AFTER_S > time_s[-1]]
        if self._rhythm.kind is RhythmKind.VF:
            ecg_mv += self._fibrillation_mv(count)
        self._position += count
        ecg_mv += _RESPIRATION_MV * np.sin(2 * np.pi * _RESPIRATION_HZ * time_s)
        return ecg_mv + self.noise_mv * self._noise_random.standard_normal(count)

    def _schedule(self, until_s: float) -> None:
        """Place the beats up to a moment, as (R peak in s, RR in s, ventricular)."""
        if self._rhythm.kind not in (RhythmKind.SINUS, RhythmKind.PVCS, RhythmKind.VT):
            return
        while self._next_beat_s <= until_s:
            rr_s = 60.0 / self._rhythm.rate_bpm
            ventricular = self._rhythm.kind is RhythmKind.VT
            variation = 0.01 if ventricular else 0.03
            following_s = rr_s * (
                1 + variation * np.clip(self._beat_random.standard_normal(), -3, 3)
            )
            if self._rhythm.kind is RhythmKind.PVCS:
                self._since_ectopic += 1
                ventricular = self._since_ectopic == self._rhythm.ectopic_every
                if ventricular:
                    self._since_ectopic = 0
                    following_s *= 1 + _PREMATURITY
                elif self._since_ectopic == self._rhythm.ectopic_every - 1:
                    following_s *= 1 - _PREMATURITY
            self._beats.append((self._next_beat_s, rr_s, ventricular))
            self._next_beat_s += following_s

    def _draw(
        self, beat: tuple[float, float, bool], time_s: Float64Array, out: Float64Array
    ) -> None:
        """Add one beat; what lies far from the R peak moves closer as the rate goes up (Bazett)."""
        r_s, rr_s, ventricular = beat
        near = slice(*np.searchsorted(time_s, (r_s - _REACH_BEFORE_S, r_s + _REACH_AFTER_S)))
        since_r_s = time_s[near] - r_s
        squeeze = min(np.sqrt(rr_s), 1.2)
        for amplitude, centre_s, width_s in _VENTRICULAR if ventricular else _NORMAL:
            far = abs(centre_s) > 0.1
            centre, width = (centre_s * squeeze, width_s * squeeze) if far else (centre_s, width_s)
            wave = np.exp(-0.5 * ((since_r_s - centre) / width) ** 2)
            out[near] += self.amplitude_mv * amplitude * wave

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
