"""How early a beat comes, from the intervals before it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.ecg.timing import USUAL_RR, RRHistory
from bedside.events import BeatTiming

INTERVALS = st.lists(st.floats(0.2, 3.0), min_size=1, max_size=400)


def last_timing(rr_s: list[float]) -> BeatTiming:
    """The timing of the last of beats that came at these intervals."""
    history = RRHistory()
    return [history.add(one) for one in rr_s][-1]


def test_of_the_first_interval_nothing_is_known() -> None:
    assert RRHistory().add(0.8) == BeatTiming()


def test_a_beat_at_half_the_interval_is_half_early() -> None:
    assert last_timing([0.8] * 10 + [0.4]).prematurity == pytest.approx(0.5)


def test_after_a_pause_the_next_beats_are_not_early() -> None:
    """Were the pause to count in full, the usual interval after it would be a third early."""
    assert last_timing([0.8] * 7 + [4.0, 0.8]).prematurity < 0.07


def test_a_run_of_ectopic_beats_stays_below_the_usual_interval() -> None:
    """The mean of the last eight has forgotten the sinus rhythm by then."""
    timing = last_timing([1.0] * 100 + [0.5] * 20)
    assert timing.prematurity == pytest.approx(0.0)
    assert timing.below_usual == pytest.approx(0.5)


@given(INTERVALS)
def test_a_beat_is_never_early_by_its_whole_interval(rr_s: list[float]) -> None:
    timing = last_timing(rr_s)
    assert timing.prematurity < 1.0
    assert timing.below_usual < 1.0


@given(INTERVALS)
def test_only_the_last_minutes_count(rr_s: list[float]) -> None:
    recent = rr_s[-(USUAL_RR + 1) :]
    assert last_timing([0.7, 1.9, *rr_s]) == last_timing(rr_s) or len(rr_s) <= USUAL_RR
    assert np.isclose(last_timing(recent).below_usual, last_timing(rr_s).below_usual)
