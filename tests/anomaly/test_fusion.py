"""How the shape of a beat and its timing become one error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bedside.anomaly.fusion import MOST_DISCOUNT, UNSCORABLE_ERROR, Fusion
from bedside.events import BeatTiming

SHAPES = st.floats(0.0, 2.0)
EARLY = st.floats(-2.0, 0.9)


@given(SHAPES, SHAPES, EARLY)
def test_of_two_beats_with_the_same_timing_the_stranger_shape_has_the_larger_error(
    one: float, other: float, early: float
) -> None:
    timing = BeatTiming(early, early)
    low, high = (Fusion().error(shape, timing, None) for shape in sorted((one, other)))
    assert low <= high


@given(SHAPES, EARLY, EARLY)
def test_an_earlier_beat_never_has_a_smaller_error(shape: float, one: float, other: float) -> None:
    late, early = sorted((one, other))
    assert Fusion().error(shape, BeatTiming(late, late), None) <= Fusion().error(
        shape, BeatTiming(early, early), None
    )


def test_an_early_beat_among_early_normal_ones_is_less_of_a_surprise() -> None:
    """In atrial fibrillation every other normal beat is early."""
    regular, irregular = Fusion(), Fusion()
    for number in range(60):
        regular.error(0.01, BeatTiming(), None)
        irregular.error(0.01, BeatTiming(0.25 if number % 2 else -0.25), None)
    early = BeatTiming(0.25)
    assert irregular.error(0.02, early, None) < 0.5 * regular.error(0.02, early, None)


def test_ectopic_beats_do_not_make_the_next_ectopic_beat_less_strange() -> None:
    """Only beats of a normal shape tell how irregular the normal rhythm is."""
    calm, bigeminy = Fusion(), Fusion()
    for _ in range(30):
        calm.error(0.01, BeatTiming(), None)
        bigeminy.error(0.01, BeatTiming(), None)
        bigeminy.error(0.3, BeatTiming(0.4), None)
    early = BeatTiming(0.4)
    assert bigeminy.error(0.3, early, None) == calm.error(0.3, early, None)


def test_a_change_that_stays_is_discounted_by_half_at_most() -> None:
    fusion = Fusion()
    first = fusion.error(0.5, BeatTiming(), None)
    for _ in range(1000):
        last = fusion.error(0.5, BeatTiming(), None)
    assert last == first / MOST_DISCOUNT


def test_a_window_without_a_beat_teaches_nothing_and_is_never_normal() -> None:
    fusion, other = Fusion(), Fusion()
    for _ in range(60):
        assert fusion.error(UNSCORABLE_ERROR, BeatTiming(), None) == UNSCORABLE_ERROR
        assert fusion.error(float("nan"), BeatTiming(), None) == UNSCORABLE_ERROR
    assert fusion.error(0.1, BeatTiming(), None) == other.error(0.1, BeatTiming(), None)
