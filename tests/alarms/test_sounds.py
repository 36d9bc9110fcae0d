"""The melodies measured as a sound meter would: pitch, harmonics, pulses, rise and fall."""

from __future__ import annotations

import io
import wave
from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import find_peaks, hilbert

from bedside.alarms.sounds import RATE_HZ, melody, pulses, wav
from bedside.events import Float64Array, Priority

C4, E4, G4, C5 = 261.63, 329.63, 392.00, 523.25


def envelope(samples: Float64Array) -> Float64Array:
    """The loudness over time, of full scale, smoothed over 8 ms."""
    window = round(0.008 * RATE_HZ)
    squared = np.convolve(samples**2, np.ones(window) / window, "same")
    return np.sqrt(squared)


def sounding(samples: Float64Array) -> list[tuple[float, float]]:
    """Start and length in s of each stretch louder than a tenth of the loudest."""
    loud = envelope(samples)
    on = (loud > 0.1 * loud.max()).astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], on, [0]))))
    return [
        (start / RATE_HZ, (end - start) / RATE_HZ)
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def spectrum(samples: Float64Array, start_s: float, length_s: float) -> list[tuple[float, float]]:
    """Frequency in Hz and level in dB below the strongest, of each line of one pulse."""
    part = samples[round(start_s * RATE_HZ) :][: round(length_s * RATE_HZ)]
    size = 1 << 18
    lines = np.abs(np.fft.rfft(part * np.hanning(len(part)), size))
    decibels = 20 * np.log10(lines / lines.max() + 1e-9)
    peaks, _ = find_peaks(decibels, height=-20, distance=round(60 * size / RATE_HZ))
    return [(peak * RATE_HZ / size, float(decibels[peak])) for peak in peaks]


@pytest.mark.parametrize(
    ("priority", "pitches"),
    [
        (Priority.HIGH, [C4, E4, G4, G4, C5] * 2),
        (Priority.MEDIUM, [C4, E4, G4]),
        (Priority.LOW, [E4, C4]),
    ],
)
def test_each_pulse_has_its_pitch_and_four_harmonics_at_nearly_its_strength(
    priority: Priority, pitches: list[float]
) -> None:
    samples = melody(priority)
    found = sounding(samples)
    assert len(found) == len(pitches)
    for (start_s, length_s), pitch in zip(found, pitches, strict=True):
        lines = spectrum(samples, start_s, length_s)
        assert lines[0][0] == pytest.approx(pitch, rel=0.01)
        assert 150 <= lines[0][0] <= 1000
        harmonics = [line for line in lines if 300 <= line[0] <= 4000]
        assert len(harmonics) >= 4
        assert min(level for _, level in lines) > -15


def gaps(found: list[tuple[float, float]]) -> list[float]:
    return [later[0] - first[0] - first[1] for first, later in pairwise(found)]


def test_the_high_burst_is_two_times_three_and_two_quick_pulses() -> None:
    found = sounding(melody(Priority.HIGH))
    assert all(0.075 <= length <= 0.2 for _, length in found)
    between = gaps(found)
    quick = [gap for number, gap in enumerate(between) if number not in (2, 4, 7)]
    assert all(0.05 <= gap <= 0.125 for gap in quick)
    assert between[2] == pytest.approx(0.35, abs=0.03)
    assert between[7] == pytest.approx(between[2], abs=0.01)
    assert 0.35 <= between[4] <= 1.3
    assert found[-1][0] + found[-1][1] < 3.5


def test_the_medium_burst_is_three_slower_pulses() -> None:
    found = sounding(melody(Priority.MEDIUM))
    assert all(0.125 <= length <= 0.25 for _, length in found)
    assert all(0.125 <= gap <= 0.25 for gap in gaps(found))
    assert max(length for _, length in sounding(melody(Priority.HIGH))) < min(
        length for _, length in found
    )


@pytest.mark.parametrize("priority", list(Priority))
def test_pulses_rise_and_fall_without_a_click(priority: Priority) -> None:
    samples = melody(priority)
    for pulse in pulses(priority):
        part = samples[round(pulse.start_s * RATE_HZ) :][: round(pulse.pulse_s * RATE_HZ)]
        loud = np.abs(hilbert(part))
        loud = np.convolve(loud, np.ones(441) / 441, "same")
        top = np.median(loud[len(loud) // 3 : len(loud) // 2])
        rise_s = np.argmax(loud > 0.9 * top) / RATE_HZ - np.argmax(loud > 0.1 * top) / RATE_HZ
        assert 0.05 <= rise_s / pulse.pulse_s <= 0.40
        assert abs(part[0]) < 0.01
        assert abs(part[-1]) < 0.01
    assert np.abs(samples).max() == pytest.approx(0.8)


def test_the_file_holds_the_melody() -> None:
    with wave.open(io.BytesIO(wav(Priority.HIGH))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
    np.testing.assert_allclose(samples, melody(Priority.HIGH), atol=1e-4)
