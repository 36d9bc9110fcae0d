"""The alarm melodies, as samples: informed by IEC 60601-1-8, annex F, and claiming no conformity.

High: ten pulses, C4 E4 G4 – G4 C5, twice. Medium: three, C4 E4 G4. Low: two, E4 C4. Each pulse is
its fundamental with four harmonics of nearly the same strength, so that a small loudspeaker, or a
tired ear, that loses one of them still has the others.
"""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

import numpy as np

from bedside.events import Float64Array, Priority

RATE_HZ = 44_100
PEAK = 0.8
"""Of full scale."""

C4_HZ, E4_HZ, G4_HZ, C5_HZ = 261.63, 329.63, 392.00, 523.25
HARMONICS = 5
_TILT_DB = 2.0
"""How much weaker each harmonic is than the one below it."""

RISE_SHARE = 0.15
FALL_SHARE = 0.25
"""Of a pulse's length: the time from silence to full sound, and back."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """A tone of `pulse_s` from `start_s` on."""

    start_s: float
    pulse_s: float
    pitch_hz: float


def pulses(priority: Priority) -> tuple[Pulse, ...]:
    """The pulses of one burst."""
    if priority is Priority.HIGH:
        pulse_s, gap_s = 0.15, 0.1
        half = _spaced(
            (C4_HZ, E4_HZ, G4_HZ, G4_HZ, C5_HZ),
            pulse_s,
            (gap_s, gap_s, 2 * gap_s + pulse_s, gap_s),
        )
        length_s = half[-1].start_s + pulse_s
        again_s = length_s + 0.5
        return (*half, *(Pulse(again_s + p.start_s, pulse_s, p.pitch_hz) for p in half))
    if priority is Priority.MEDIUM:
        return _spaced((C4_HZ, E4_HZ, G4_HZ), 0.2, (0.2, 0.2))
    return _spaced((E4_HZ, C4_HZ), 0.2, (0.2,))


def melody(priority: Priority) -> Float64Array:
    """One burst, shape (n,) at 44.1 kHz, within ±0.8."""
    notes = pulses(priority)
    samples = np.zeros(round((notes[-1].start_s + notes[-1].pulse_s + 0.05) * RATE_HZ))
    for note in notes:
        tone = _tone(note.pitch_hz, note.pulse_s)
        start = round(note.start_s * RATE_HZ)
        samples[start : start + len(tone)] += tone
    return np.asarray(samples * (PEAK / np.abs(samples).max()))


def wav(priority: Priority) -> bytes:
    """One burst as a WAV file: mono, 16 bit."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((melody(priority) * 32767).astype("<i2").tobytes())
    return out.getvalue()


def _spaced(
    pitches_hz: tuple[float, ...], pulse_s: float, gaps_s: tuple[float, ...]
) -> tuple[Pulse, ...]:
    starts_s = np.concatenate(([0.0], np.cumsum(np.asarray(gaps_s) + pulse_s)))
    return tuple(
        Pulse(float(start_s), pulse_s, pitch_hz)
        for start_s, pitch_hz in zip(starts_s, pitches_hz, strict=True)
    )


def _tone(pitch_hz: float, pulse_s: float) -> Float64Array:
    time_s = np.arange(round(pulse_s * RATE_HZ)) / RATE_HZ
    tone = sum(
        10 ** (-_TILT_DB * k / 20) * np.sin(2 * np.pi * (k + 1) * pitch_hz * time_s)
        for k in range(HARMONICS)
    )
    rise = np.clip(time_s / (RISE_SHARE * pulse_s), 0.0, 1.0)
    fall = np.clip((pulse_s - time_s) / (FALL_SHARE * pulse_s), 0.0, 1.0)
    envelope: Float64Array = np.sin(0.5 * np.pi * rise) ** 2 * np.sin(0.5 * np.pi * fall) ** 2
    return np.asarray(tone * envelope)
