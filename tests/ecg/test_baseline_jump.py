"""An electrode that slips hides the heart for a while; nothing else that a heart does looks so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bedside.ecg.baseline_jump import LONGEST_CREEP_S, BaselineJump
from bedside.ecg.rhythm import Finding, Rhythm
from tests.ecg.heartbeats import RATE, heart, pieces, steady


def settled_at_s(x: NDArray[np.float64]) -> float:
    jump = BaselineJump()
    jump.process(x)
    return jump.settled_at / RATE


def way_back(size_mv: float, seconds: float, constant_s: float = 1.2) -> NDArray[np.float64]:
    """What a high-pass makes of a step."""
    return size_mv * np.exp(-np.arange(round(seconds * RATE)) / RATE / constant_s)


@pytest.mark.parametrize("size_mv", [4.0, -5.0])
def test_after_a_jump_the_signal_shows_a_heart_again_once_it_has_settled(size_mv: float) -> None:
    x = np.concatenate((heart(steady(75, 10), 10), way_back(size_mv, 10)))
    assert 12.0 <= settled_at_s(x) <= 16.0


def test_a_signal_that_never_settles_is_believed_again_after_ten_seconds() -> None:
    x = np.concatenate((np.zeros(5 * RATE), 4.0 + 0.5 * np.arange(30 * RATE) / RATE))
    assert 5.0 + LONGEST_CREEP_S - 1.0 <= settled_at_s(x) <= 6.6 + LONGEST_CREEP_S


@pytest.mark.parametrize("rate_bpm", [30, 75, 200])
def test_tall_beats_and_breathing_are_no_jump(rate_bpm: int) -> None:
    t = np.arange(60 * RATE) / RATE
    x = 4.0 * heart(steady(rate_bpm, 60), 60) + 0.8 * np.sin(2 * np.pi * 0.25 * t)
    assert settled_at_s(x) == 0.0


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=4))
def test_any_split_gives_the_same_position(sizes: list[int]) -> None:
    x = np.concatenate((np.zeros(5 * RATE), way_back(5.0, 8)))
    jump = BaselineJump()
    for piece in pieces(x, sizes):
        jump.process(piece)
    assert jump.settled_at / RATE == settled_at_s(x)


def heard(x: NDArray[np.float64], peaks: list[int]) -> list[tuple[float, Finding]]:
    rhythm = Rhythm()
    found, now = [], 0
    for piece in pieces(x, [50]):
        now += len(piece)
        rhythm.signal(piece)
        while peaks and peaks[0] + 70 <= now:
            rhythm.peak(peaks.pop(0))
        found += [(now / RATE, finding) for finding in rhythm.advance(now)]
    return found


def test_a_heart_that_a_jump_hides_has_not_stopped() -> None:
    """As in record 116: the amplifier needs five seconds to show the heart again."""
    x = np.concatenate((heart(steady(75, 10), 10), way_back(4.0, 5), heart(steady(75, 10), 10)))
    peaks = [*steady(75, 10), *(15 * RATE + steady(75, 10))]
    assert heard(x, [int(peak) for peak in peaks]) == []


def test_a_heart_that_stops_behind_a_jump_alarms_four_seconds_after_it_would_be_seen() -> None:
    x = np.concatenate((heart(steady(75, 10), 10), way_back(4.0, 15)))
    found = heard(x, steady(75, 10).tolist())
    [at_s] = [at_s for at_s, finding in found if finding.code == "asystole"]
    assert at_s <= settled_at_s(x) + 5.0
