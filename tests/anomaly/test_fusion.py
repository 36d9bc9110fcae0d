"""How the shape of a beat and its timing become one error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bedside.anomaly.fusion import INDIFFERENT_LOG_ODDS, MOST_DISCOUNT, UNSCORABLE_ERROR, Fusion
from bedside.events import BeatTiming

SHAPES = st.floats(0.0, 2.0)
EARLY = st.floats(-2.0, 0.9)
LOG_ODDS = st.floats(-20.0, 20.0)


@given(SHAPES, SHAPES, EARLY)
def test_of_two_beats_with_the_same_timing_the_stranger_shape_has_the_larger_error(
    one: float, other: float, early: float
) -> None:
    timing = BeatTiming(early, early)
    low, high = (Fusion().error(shape, timing, 0.0, None) for shape in sorted((one, other)))
    assert low <= high


@given(SHAPES, EARLY, EARLY)
def test_an_earlier_beat_never_has_a_smaller_error(shape: float, one: float, other: float) -> None:
    late, early = sorted((one, other))
    assert Fusion().error(shape, BeatTiming(late, late), 0.0, None) <= Fusion().error(
        shape, BeatTiming(early, early), 0.0, None
    )


@given(SHAPES, EARLY, LOG_ODDS, LOG_ODDS)
def test_a_beat_that_the_classifier_doubts_more_never_has_a_smaller_error(
    shape: float, early: float, one: float, other: float
) -> None:
    sure, doubted = sorted((one, other))
    timing = BeatTiming(early, early)
    assert Fusion().error(shape, timing, sure, None) <= Fusion().error(shape, timing, doubted, None)


@given(st.floats(0.01, 2.0), LOG_ODDS)
def test_no_certainty_of_the_classifier_outweighs_a_reconstruction_far_off(
    shape: float, log_odds: float
) -> None:
    """The odds make at most 2.5 times of an error and leave at least two fifths of it."""
    alone = Fusion(odds_weight=0.0).error(shape, BeatTiming(), 0.0, None)
    error = Fusion().error(shape, BeatTiming(), log_odds, None)
    assert 0.4 * alone < error < 2.5 * alone


def test_the_error_at_indifferent_odds_is_that_of_shape_and_timing() -> None:
    timing = BeatTiming(0.3, 0.3)
    alone = Fusion(odds_weight=0.0).error(0.1, timing, 4.0, None)
    assert Fusion().error(0.1, timing, INDIFFERENT_LOG_ODDS, None) == alone


def test_an_early_beat_among_early_normal_ones_is_less_of_a_surprise() -> None:
    """In atrial fibrillation every other normal beat is early."""
    regular, irregular = Fusion(), Fusion()
    for number in range(60):
        regular.error(0.01, BeatTiming(), -8.0, None)
        irregular.error(0.01, BeatTiming(0.25 if number % 2 else -0.25), -8.0, None)
    early = BeatTiming(0.25)
    assert irregular.error(0.02, early, 0.0, None) < 0.5 * regular.error(0.02, early, 0.0, None)


def test_ectopic_beats_do_not_make_the_next_ectopic_beat_less_strange() -> None:
    """Only beats of a normal shape tell how irregular the normal rhythm is."""
    calm, bigeminy = Fusion(), Fusion()
    for _ in range(30):
        calm.error(0.01, BeatTiming(), -8.0, None)
        bigeminy.error(0.01, BeatTiming(), -8.0, None)
        bigeminy.error(0.3, BeatTiming(0.4), 4.0, None)
    early = BeatTiming(0.4)
    assert bigeminy.error(0.3, early, 0.0, None) == calm.error(0.3, early, 0.0, None)


def test_a_change_that_stays_is_discounted_by_half_at_most() -> None:
    fusion = Fusion()
    first = fusion.error(0.5, BeatTiming(), -8.0, None)
    for _ in range(1000):
        last = fusion.error(0.5, BeatTiming(), -8.0, None)
    assert last == first / MOST_DISCOUNT


def test_beats_that_the_classifier_doubts_excuse_no_strange_shape() -> None:
    """A run of ectopic beats stays as strange as its first."""
    fusion = Fusion()
    first = fusion.error(0.5, BeatTiming(), 0.0, None)
    for _ in range(1000):
        last = fusion.error(0.5, BeatTiming(), 0.0, None)
    assert last == first


def test_a_window_without_a_beat_teaches_nothing_and_is_never_normal() -> None:
    fusion, other = Fusion(), Fusion()
    for _ in range(60):
        assert fusion.error(UNSCORABLE_ERROR, BeatTiming(), -8.0, None) == UNSCORABLE_ERROR
        assert fusion.error(float("nan"), BeatTiming(), -8.0, None) == UNSCORABLE_ERROR
    assert fusion.error(0.1, BeatTiming(), -8.0, None) == other.error(0.1, BeatTiming(), -8.0, None)
