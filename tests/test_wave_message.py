"""The trace on its way to a screen elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.events import Flags
from bedside.feed import LastBeat
from bedside.wave_message import WaveMessageError, WavePiece, decode, encode, halved

millivolts = st.floats(-30, 30, width=32) | st.just(float("nan"))


def beat(error: float = 1.5) -> LastBeat:
    window = np.linspace(-1, 1, 192).astype(np.float32)
    return LastBeat(1_700_000_000_000_000, error, 1.0, True, window, -window, "V")


@given(
    st.lists(millivolts, max_size=625),
    st.integers(0, 2**40),
    st.lists(st.integers(0, 2**63), max_size=5),
    st.integers(0, 2),
)
def test_a_piece_arrives_as_it_was_sent_to_the_microvolt(
    values: list[float], half: int, marks: list[int], beats: int
) -> None:
    samples = np.array(values, dtype=np.float32)
    sent = WavePiece(7, 2 * half, Flags.SYNTHETIC, samples, tuple(marks), (beat(),) * beats)
    heard = decode(encode(sent))
    assert (heard.run, heard.position, heard.flags) == (7, 2 * half, Flags.SYNTHETIC)
    assert heard.marks == tuple(marks)
    np.testing.assert_allclose(heard.samples_mv, samples, atol=0.0006)
    assert [one.beat_class for one in heard.beats] == ["V"] * beats
    for one in heard.beats:
        np.testing.assert_allclose(one.window_mv, beat().window_mv, atol=0.0006)
        assert (one.error, one.threshold, one.abnormal) == (1.5, 1.0, True)


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(WaveMessageError):
        decode(payload)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_piece_with_a_flipped_bit_is_refused(at: int, bit: int) -> None:
    payload = bytearray(
        encode(WavePiece(1, 0, Flags(0), np.zeros(25, np.float32), (3,), (beat(),)))
    )
    payload[at % len(payload)] ^= 1 << bit
    with pytest.raises(WaveMessageError):
        decode(bytes(payload))


def test_another_version_is_refused_in_words() -> None:
    payload = bytearray(encode(WavePiece(1, 0, Flags(0), np.zeros(2, np.float32))))
    payload[2] = 2
    with pytest.raises(WaveMessageError, match="version 2 of the trace, not 1"):
        decode(bytes(payload))


@given(st.integers(0, 1000), st.integers(0, 60))
def test_halving_keeps_the_samples_of_even_position(position: int, count: int) -> None:
    samples = np.arange(position, position + count, dtype=np.float32)
    first, kept = halved(position, samples)
    assert first % 2 == 0
    assert kept.tolist() == [value for value in samples if value % 2 == 0]


def test_doubling_draws_no_line_into_a_gap() -> None:
    samples = np.array([1.0, 2.0, np.nan, 4.0], dtype=np.float32)
    whole = WavePiece(1, 0, Flags(0), samples).whole()
    np.testing.assert_array_equal(whole, [1.0, 1.5, 2.0, np.nan, np.nan, np.nan, 4.0, 4.0])
