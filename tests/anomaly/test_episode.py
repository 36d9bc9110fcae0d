"""Single abnormal beats become one alarm condition."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bedside.anomaly.episode import EpisodeRule

SECOND_US = 1_000_000


def run(rule: EpisodeRule, beats: str) -> list[bool]:
    """Whether the condition was present after each beat; `x` is an abnormal one."""
    return [rule.add(beat == "x", number * SECOND_US).present for number, beat in enumerate(beats)]


def test_two_abnormal_beats_of_ten_are_no_episode() -> None:
    assert not any(run(EpisodeRule(), "x........x"))


def test_the_third_abnormal_beat_of_ten_begins_an_episode() -> None:
    assert run(EpisodeRule(), ".x..x..x") == [False] * 7 + [True]


def test_abnormal_beats_that_lie_more_than_ten_beats_apart_do_not_add_up() -> None:
    assert not any(run(EpisodeRule(), "x.........x.........x.........x"))


def test_the_onset_is_the_first_beat_that_was_counted() -> None:
    rule = EpisodeRule()
    run(rule, ".x..x")
    assert rule.add(True, 9 * SECOND_US).onset_us == 1 * SECOND_US


def test_an_episode_ends_when_ten_beats_in_a_row_were_normal() -> None:
    present = run(EpisodeRule(), "xxx" + "." * 10)
    assert present[2:] == [True] * 10 + [False]


def test_bigeminy_is_one_episode_not_many() -> None:
    present = run(EpisodeRule(), ".x" * 30 + "." * 10)
    begins = sum(now and not before for before, now in pairwise(present))
    assert begins == 1


def test_a_reset_forgets_the_beats_before_it() -> None:
    rule = EpisodeRule()
    run(rule, "xx")
    rule.reset()
    assert not rule.add(True, 5 * SECOND_US).present


@given(st.text(alphabet="x.", max_size=80), st.integers(1, 5), st.integers(5, 12))
def test_an_episode_is_present_only_after_k_of_n(beats: str, k: int, n: int) -> None:
    for number, present in enumerate(run(EpisodeRule(k, n), beats), start=1):
        if present:
            assert any(beats[max(0, end - n) : end].count("x") >= k for end in range(1, number + 1))
            assert "x" in beats[max(0, number - n) : number]
