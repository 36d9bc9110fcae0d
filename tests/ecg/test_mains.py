import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.ecg.mains import MainsNotch, hum
from tests.ecg.heartbeats import RATE, heart, pieces, steady

T = np.arange(20 * RATE) / RATE
ECG = heart(steady(72, 20), 20)


def with_hum(mains_hz: float, size_mv: float = 0.5) -> np.ndarray:
    return ECG + 0.5 * size_mv * np.sin(2.0 * np.pi * mains_hz * T)


@pytest.mark.parametrize("mains_hz", [50.0, 60.0, 49.8])
def test_the_amplitude_of_the_hum_is_measured_and_its_mains_named(mains_hz: float) -> None:
    size_mv, found_hz = hum(with_hum(mains_hz)[:RATE])
    assert found_hz == round(mains_hz, -1)
    assert size_mv == pytest.approx(0.25, rel=0.15)


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_the_notch_finds_the_hum_and_takes_it_out(mains_hz: float) -> None:
    cleaned = MainsNotch().process(with_hum(mains_hz))
    left = (cleaned - ECG)[4 * RATE :]
    assert np.sqrt(np.mean(left**2)) < 0.1 * 0.5 / np.sqrt(8.0)


def test_without_hum_the_samples_pass_as_they_are() -> None:
    assert np.array_equal(MainsNotch().process(ECG), ECG)


def test_the_notch_goes_when_the_hum_has_gone() -> None:
    notch = MainsNotch()
    notch.process(with_hum(50.0))
    assert notch.mains_hz == 50.0
    notch.process(ECG)
    assert notch.mains_hz == 0.0


@settings(max_examples=10, deadline=None)
@given(sizes=st.lists(st.integers(1, 600), min_size=1, max_size=5))
def test_any_split_gives_the_same_samples(sizes: list[int]) -> None:
    x = np.concatenate((with_hum(60.0), ECG))
    notch = MainsNotch()
    parted = np.concatenate([notch.process(piece) for piece in pieces(x, sizes)])
    assert np.array_equal(parted, MainsNotch().process(x))
