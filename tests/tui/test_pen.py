"""The pen's pace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bedside.tui.pen import CATCH_UP_S, Pen


def test_what_arrived_is_drawn_within_the_catch_up_time() -> None:
    pen = Pen(0, now_s=0.0)
    pen.advance(50, 0.0)
    assert pen.advance(50, CATCH_UP_S) == 50


def test_the_pen_runs_through_a_batch_instead_of_jumping_over_it() -> None:
    pen = Pen(0, now_s=0.0)
    pen.advance(50, 0.0)
    assert 0 < pen.advance(50, CATCH_UP_S / 2) < 50


def test_the_pen_stands_still_when_nothing_comes() -> None:
    pen = Pen(0, now_s=0.0)
    pen.advance(50, 0.1)
    assert {pen.advance(50, 1.0), pen.advance(50, 20.0)} == {50}


def test_a_screen_that_stalled_is_right_again_at_once() -> None:
    pen = Pen(0, now_s=0.0)
    assert pen.advance(10 * 250, 10.0) == 10 * 250


@given(st.lists(st.tuples(st.integers(0, 700), st.floats(0, 2)), max_size=50))
def test_the_pen_never_runs_backwards_nor_past_the_newest_sample(
    steps: list[tuple[int, float]],
) -> None:
    pen = Pen(0, now_s=0.0)
    newest, now_s, before = 0, 0.0, 0
    for arrived, elapsed_s in steps:
        newest += arrived
        now_s += elapsed_s
        position = pen.advance(newest, now_s)
        assert before <= position <= newest
        before = position
