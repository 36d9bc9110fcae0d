import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.ecg.resampling import Resampler


@pytest.mark.parametrize("source_hz", [100.0, 128.0, 251.9, 360.0, 500.0, 633.0, 1000.0])
def test_a_sine_keeps_its_shape_and_its_place(source_hz: float) -> None:
    source_s = np.arange(int(6 * source_hz)) / source_hz
    resampler = Resampler(source_hz)
    output = resampler.process(np.sin(2 * np.pi * 10.0 * source_s))
    at_s = np.array([resampler.source_index(k) for k in range(len(output))]) / source_hz
    assert np.abs(output - np.sin(2 * np.pi * 10.0 * at_s))[50:].max() < 0.002
    assert len(output) > 5.8 * 250


def test_what_250_hz_cannot_carry_is_removed() -> None:
    source_s = np.arange(4000) / 1000.0
    output = Resampler(1000.0).process(np.sin(2 * np.pi * 190.0 * source_s))
    assert np.abs(output)[50:].max() < 0.01


@settings(max_examples=30, deadline=None)
@given(
    source_hz=st.sampled_from([128.0, 247.3, 360.0, 1000.0]),
    cuts=st.lists(st.integers(0, 1500), max_size=12),
)
def test_any_split_gives_the_same_bits(source_hz: float, cuts: list[int]) -> None:
    x = np.random.default_rng(1).normal(size=1500)
    whole = Resampler(source_hz).process(x)
    parted = Resampler(source_hz)
    joined = np.concatenate([parted.process(piece) for piece in np.split(x, sorted(cuts))])
    assert np.array_equal(whole, joined)


def test_a_constant_stays_the_same_constant_from_the_first_sample() -> None:
    assert np.allclose(Resampler(360.0).process(np.full(1000, 1.7)), 1.7, atol=1e-12)


@pytest.mark.parametrize("source_hz", [99.0, 1001.0, 0.0, float("nan")])
def test_a_rate_out_of_range_is_refused(source_hz: float) -> None:
    with pytest.raises(ValueError, match="100 to 1000 Hz"):
        Resampler(source_hz)


def test_after_a_reset_the_next_sample_is_the_first() -> None:
    x = np.random.default_rng(2).normal(size=500)
    resampler = Resampler(360.0)
    first = resampler.process(x)
    resampler.reset()
    assert np.array_equal(first, resampler.process(x))
