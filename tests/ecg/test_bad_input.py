"""What a front end can send that is no heart: no exception, no invented beat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bedside.ecg.chain import SignalChain
from bedside.limits import Limits
from tests.ecg.heartbeats import RATE, heart, pieces, steady


def beats(x: NDArray[np.float64], rate_hz: float = 250.0) -> list[int]:
    chain = SignalChain(Limits())
    chain.restart(0, 0, rate_hz)
    return [peak for piece in pieces(x, [50]) for peak in chain.process(piece).peaks]


@pytest.mark.parametrize("scale", [0.1, 10.0, -1.0, -0.1, -10.0])
def test_size_and_polarity_of_the_lead_cost_no_beat(scale: float) -> None:
    peaks = steady(72, 30)
    found = beats(scale * heart(peaks, 30, amplitude_mv=1.5, noise_mv=0.01))
    assert found == pytest.approx(peaks.tolist(), abs=5)


@pytest.mark.parametrize("value", [0.0, 3.3, -32.7])
def test_a_constant_has_no_beats(value: float) -> None:
    assert beats(np.full(20 * RATE, value)) == []


def test_a_rail_invents_no_beat_and_loses_none_a_second_later() -> None:
    peaks = steady(72, 40)
    x = heart(peaks, 40)
    x[15 * RATE : 20 * RATE] = 32.7
    found = np.array(beats(x))
    assert not ((found > 15.2 * RATE) & (found < 19.8 * RATE)).any()
    late = peaks[peaks > 22 * RATE]
    assert found[found > 22 * RATE - 20] == pytest.approx(late, abs=5)


@pytest.mark.parametrize("rate_hz", [125.0, 360.0, 500.0, 1000.0])
def test_another_sampling_rate_finds_the_same_beats(rate_hz: float) -> None:
    peaks = steady(72, 20)
    x = heart(peaks, 20)
    at = np.arange(0, len(x) / RATE, 1.0 / rate_hz)
    found = beats(np.interp(at, np.arange(len(x)) / RATE, x), rate_hz)
    assert found == pytest.approx(peaks[: len(found)].tolist(), abs=5)
    assert len(found) >= len(peaks) - 1


def test_ten_minutes_of_gap_are_a_new_start() -> None:
    x = heart(steady(72, 20), 20)
    chain = SignalChain(Limits())
    first = [peak for piece in pieces(x, [50]) for peak in chain.process(piece).peaks]
    chain.restart(chain.position + 600 * RATE, 620 * RATE, 250.0)
    again = [peak for piece in pieces(x, [50]) for peak in chain.process(piece).peaks]
    assert [peak - 620 * RATE for peak in again] == first


def test_one_second_of_a_record_is_no_trouble() -> None:
    chain = SignalChain(Limits())
    chain.process(heart([125], 1))
    assert len(chain.flush()) <= 1


@settings(max_examples=8, deadline=None)
@given(shift=st.integers(1, 60))
def test_the_moment_at_which_the_monitor_starts_moves_beats_by_no_more_than_a_frame(
    shift: int,
) -> None:
    peaks = steady(80, 20)
    x = heart(peaks, 20, noise_mv=0.02)
    found = np.array([peak + shift for peak in beats(x[shift:])])
    whole = np.array(beats(x))
    assert found == pytest.approx(whole[whole >= shift][-len(found) :], abs=3)
    assert len(found) >= len(whole) - 1


def test_a_heart_of_one_millivolt_with_t_waves_of_1_2_millivolts_is_counted_once() -> None:
    """IEC 60601-2-27: QRS of 1 mV and 100 ms, QT interval 350 ms, T wave of 180 ms."""
    peaks = steady(80, 30)
    t = np.arange(30 * RATE) / RATE
    x = heart(peaks, 30)
    for peak in peaks:
        start_s = peak / RATE - 0.05 + 0.35 - 0.18
        inside = (t > start_s) & (t < start_s + 0.18)
        x[inside] += 0.95 * np.sin(np.pi * (t[inside] - start_s) / 0.18)
    assert beats(x) == pytest.approx(peaks.tolist(), abs=5)


@pytest.mark.parametrize(("before_s", "height_mv"), [(0.04, 1.0), (0.16, 1.0), (0.16, -2.5)])
def test_a_pacing_pulse_before_a_beat_is_no_second_beat(before_s: float, height_mv: float) -> None:
    peaks = steady(70, 30)
    x = heart(peaks, 30)
    x[peaks - round(before_s * RATE)] += height_mv
    assert beats(x) == pytest.approx(peaks.tolist(), abs=5)
