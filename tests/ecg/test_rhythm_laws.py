"""What kills is present in its time, whatever the heart did before."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.ecg.rhythm import Finding
from bedside.events import BeatClass
from tests.ecg.test_rhythm import play

CLASSES = st.sampled_from([BeatClass.NORMAL, BeatClass.VENTRICULAR, BeatClass.UNKNOWN])
STRETCHES = st.tuples(
    st.sampled_from([0.3, 0.35, 0.4, 0.7, 0.8, 1.1, 1.4, 1.7, 2.2, 2.9, 5.0]), st.integers(1, 8)
)
"""An RR interval in s, and how often it comes."""

LETHAL = {"asystole", "vt", "vf"}
KNOWN_S = 1.0
"""Within this the class of a beat is known in `play`, and the next step has come."""


def present_at(found: list[tuple[float, Finding]], at_s: float) -> set[str]:
    present: set[str] = set()
    for when_s, finding in found:
        if when_s <= at_s:
            (present.add if finding.present else present.discard)(finding.code)
    return present


@given(st.lists(STRETCHES, min_size=1, max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_no_history_delays_an_arrest_a_pause_or_a_very_slow_heart(
    stretches: list[tuple[float, int]], data: st.DataObject
) -> None:
    intervals_s = [interval_s for interval_s, count in stretches for _ in range(count)]
    times_s = [0.5 + at_s for at_s in accumulate(intervals_s, initial=0.0)]
    classes = data.draw(st.lists(CLASSES, min_size=len(times_s), max_size=len(times_s)))
    end_s = times_s[-1] + 6.0
    found = play(list(zip(times_s, classes, strict=True)), end_s)
    for at_s, interval_s in zip(times_s, [*intervals_s, 6.0], strict=True):
        if interval_s >= 5.0:
            assert "asystole" in present_at(found, at_s + 5.0)
        if interval_s >= 2.9:
            assert present_at(found, at_s + 3.05) & {"pause", *LETHAL}
    for first, last_s in enumerate(times_s[4:]):
        if min(intervals_s[first : first + 4]) >= 1.6:
            present = present_at(found, last_s + KNOWN_S)
            assert present & {"extreme-brady", "pause", *LETHAL}


def test_a_block_after_bigeminy_is_no_unheard_beat() -> None:
    """Its intervals are as long as the pairs before it."""
    pairs = [BeatClass.NORMAL, BeatClass.VENTRICULAR] * 10
    beats = [(0.5 + 0.8 * n, beat_class) for n, beat_class in enumerate(pairs)]
    beats += [(16.5 + 1.6 * n, BeatClass.NORMAL) for n in range(5)]
    found = play(beats, beats[-1][0] + KNOWN_S)
    assert "extreme-brady" in present_at(found, beats[-1][0] + KNOWN_S)


@given(st.lists(STRETCHES, max_size=6), st.sampled_from([0.3, 0.35, 0.4]), st.data())
@settings(max_examples=40, deadline=None)
def test_no_history_hides_a_very_fast_heart(
    stretches: list[tuple[float, int]], fast_s: float, data: st.DataObject
) -> None:
    intervals_s = [interval_s for interval_s, count in stretches for _ in range(count)]
    intervals_s += [fast_s] * 25
    times_s = [0.5 + at_s for at_s in accumulate(intervals_s, initial=0.0)]
    classes = data.draw(st.lists(CLASSES, min_size=len(times_s), max_size=len(times_s)))
    found = play(list(zip(times_s, classes, strict=True)), times_s[-1] + KNOWN_S)
    present = present_at(found, times_s[-1] + KNOWN_S)
    assert present & {"extreme-tachy", *LETHAL}
