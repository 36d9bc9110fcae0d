from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bedside.ecg.rpeaks import DECISION_DELAY_SAMPLES, LONGEST_DELAY_SAMPLES, RPeak, RPeakDetector
from tests.ecg.heartbeats import RATE, heart, pieces, steady


def found_in(x: NDArray[np.float64], sizes: list[int] | None = None) -> list[RPeak]:
    detector = RPeakDetector()
    return [peak for piece in pieces(x, sizes or [50]) for peak in detector.process(piece)]


def assert_same_beats(found: list[RPeak], peaks: NDArray[np.int64], within: int = 5) -> None:
    positions = np.array([peak.position for peak in found])
    assert len(positions) == len(peaks)
    assert np.abs(positions - peaks).max() <= within


@pytest.mark.parametrize("rate_bpm", [20, 30, 45, 60, 90, 120, 160, 200])
def test_every_beat_of_a_steady_rhythm_is_found_at_its_r_peak(rate_bpm: int) -> None:
    peaks = steady(rate_bpm, 60)
    assert_same_beats(found_in(heart(peaks, 60)), peaks)


@pytest.mark.parametrize("amplitude_mv", [0.2, 0.5, 2.0, 5.0, -0.2, -1.0, -5.0])
def test_size_and_polarity_do_not_matter(amplitude_mv: float) -> None:
    peaks = steady(75, 30)
    found = found_in(heart(peaks, 30, amplitude_mv, noise_mv=0.01 * abs(amplitude_mv)))
    assert_same_beats(found, peaks)
    assert all(np.sign(peak.amplitude_mv) == np.sign(amplitude_mv) for peak in found)
    assert np.median([peak.amplitude_mv for peak in found]) == pytest.approx(amplitude_mv, rel=0.2)


@pytest.mark.parametrize("x", [np.zeros(5000), np.full(5000, 3.3), np.linspace(0, 5, 5000)])
def test_a_line_has_no_beats(x: NDArray[np.float64]) -> None:
    assert found_in(x) == []


def test_small_noise_has_no_beats() -> None:
    assert found_in(np.random.default_rng(0).normal(0.0, 0.01, 15000)) == []


def test_a_beat_is_reported_within_the_stated_delay() -> None:
    peaks = steady(80, 30)
    x = heart(peaks, 30)
    detector = RPeakDetector()
    delays = [
        now + 1 - peak.position
        for now in range(len(x))
        for peak in detector.process(x[now : now + 1])
    ]
    assert len(delays) > 30
    assert np.median(delays) <= DECISION_DELAY_SAMPLES + 5
    assert max(delays) <= LONGEST_DELAY_SAMPLES <= 0.35 * RATE


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_any_split_finds_the_same_beats(sizes: list[int]) -> None:
    x = heart(steady(95, 20), 20, noise_mv=0.08, wide=(5, 9, 10))
    assert found_in(x, sizes) == found_in(x, [len(x)])


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(0.3, 4.0))
def test_the_gain_of_the_source_changes_no_position(scale: float) -> None:
    x = heart(steady(70, 20), 20, noise_mv=0.03)
    assert [peak.position for peak in found_in(scale * x)] == [
        peak.position for peak in found_in(x)
    ]


def test_a_pause_is_not_filled_with_beats() -> None:
    peaks = np.concatenate((steady(70, 15), steady(70, 15) + 25 * RATE))
    assert_same_beats(found_in(heart(peaks, 40)), peaks)


def test_beats_are_found_again_after_the_signal_shrank_to_a_fifth() -> None:
    peaks = steady(70, 60)
    x = heart(peaks, 60)
    x[30 * RATE :] *= 0.2
    late = [peak.position for peak in found_in(x) if peak.position > 40 * RATE]
    assert late == pytest.approx([peak for peak in peaks if peak > 40 * RATE], abs=5)


def test_a_tall_t_wave_is_not_a_beat() -> None:
    peaks = steady(65, 40)
    t = np.arange(40 * RATE) / RATE
    x = heart(peaks, 40)
    for peak in peaks:
        x += 0.95 * np.exp(-0.5 * ((t - peak / RATE - 0.25) / 0.045) ** 2)
    assert_same_beats(found_in(x), peaks)


def test_wide_beats_count_too() -> None:
    peaks = steady(80, 30)
    assert len(found_in(heart(peaks, 30, wide=(8, 14, 20, 21)))) == len(peaks)


def test_after_a_reset_the_detector_is_as_new() -> None:
    x = heart(steady(70, 20), 20)
    detector = RPeakDetector()
    first = detector.process(x)
    detector.reset()
    assert detector.process(x) == first


@pytest.mark.parametrize("value", [1e6, -1e6, 0.0])
def test_a_rail_makes_no_beats_beyond_its_edges(value: float) -> None:
    x = heart(steady(70, 20), 20)
    x[2000:3500] = value
    inside = [peak for peak in found_in(x) if 2100 < peak.position < 3400]
    assert inside == []


def test_one_second_of_signal_is_no_trouble() -> None:
    assert len(RPeakDetector().process(heart([125], 1))) <= 1
    assert RPeakDetector().process(np.empty(0)) == []


def test_every_beat_of_five_real_minutes_is_found(ecg_data: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    from bedside.ecg.resampling import Resampler

    record = wfdb.rdrecord(str(ecg_data / "mitdb" / "119"), channels=[0], sampto=360 * 300)
    notes = wfdb.rdann(str(ecg_data / "mitdb" / "119"), "atr", sampto=360 * 300)
    truth = np.array(
        [s for s, code in zip(notes.sample, notes.symbol, strict=True) if code in "NV"]
    )
    resampler = Resampler(360.0)
    found = RPeakDetector().process(resampler.process(record.p_signal[:, 0]))
    at = np.array([resampler.source_index(peak.position) for peak in found])
    nearest = np.abs(at[:, None] - truth[None, :]).min(axis=0)
    missed = int((nearest[truth < 360 * 298] > 54).sum())
    assert missed == 0
    assert len(found) <= len(truth)
