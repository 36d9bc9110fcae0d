import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.ecg.filters import BandPass
from tests.ecg.heartbeats import RATE, heart, pieces, steady


def gain(hz: float) -> float:
    t = np.arange(250 * 40) / 250.0
    return float(np.ptp(BandPass().process(np.sin(2 * np.pi * hz * t))[-2500:]) / 2.0)


def test_a_constant_offset_makes_no_transient() -> None:
    assert np.abs(BandPass().process(np.full(500, 3.2))).max() < 1e-9


@pytest.mark.parametrize(
    ("hz", "low", "high"), [(0.05, 0.0, 0.02), (5.0, 0.97, 1.01), (20.0, 0.9, 1.0)]
)
def test_the_monitoring_band_is_let_through_and_wander_is_not(
    hz: float, low: float, high: float
) -> None:
    assert low <= gain(hz) <= high


def test_the_corners_are_at_half_a_hertz_and_forty() -> None:
    assert gain(0.5) == pytest.approx(0.707, abs=0.02)
    assert gain(40.0) == pytest.approx(0.707, abs=0.03)


def test_the_r_peak_comes_out_by_the_stated_delay_later() -> None:
    peaks = steady(70, 20)
    filtered = BandPass().process(heart(peaks, 20, noise_mv=0.0))
    for peak in peaks[2:]:
        found = peak - 20 + int(np.argmax(filtered[peak - 20 : peak + 20]))
        assert abs(found - peak - BandPass.delay_samples) <= 1


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 800), max_size=12))
def test_any_split_gives_the_same_bits(cuts: list[int]) -> None:
    x = np.random.default_rng(1).normal(size=800)
    parted = BandPass()
    joined = np.concatenate([parted.process(piece) for piece in np.split(x, sorted(cuts))])
    assert np.array_equal(BandPass().process(x), joined)


def test_a_baseline_that_jumps_far_is_back_within_half_a_second() -> None:
    x = heart(steady(72, 20), 20)
    x[10 * RATE :] += 30.0
    after = BandPass().process(x)[round(10.3 * RATE) :]
    assert np.abs(after).max() < 2.0


def test_a_tall_heart_is_no_jump_of_the_baseline() -> None:
    x = heart(steady(72, 20), 20, amplitude_mv=12.0)
    straight = BandPass()
    expected = straight._filter(x)
    assert np.array_equal(BandPass().process(x), expected)


@settings(max_examples=10, deadline=None)
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_any_split_restores_the_same_baseline(sizes: list[int]) -> None:
    x = heart(steady(72, 6), 6)
    x[2 * RATE : 4 * RATE] += 40.0
    band = BandPass()
    parted = np.concatenate([band.process(piece) for piece in pieces(x, sizes)])
    assert np.array_equal(parted, BandPass().process(x))
