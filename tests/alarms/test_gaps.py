"""The watching is watched: too long without monitoring, too much artefact."""

from __future__ import annotations

from bedside.alarms.gaps import NoMonitoring, PoorSignal
from bedside.limits import Limits

S = 1_000_000


def first_alarm_s(stretches: list[tuple[float, float]], until_s: int = 200) -> float | None:
    """When `no-monitoring` is present first, with these stretches suspended."""
    gaps = NoMonitoring()
    was = False
    for tick in range(until_s * 2):
        at_s = tick / 2
        now = any(start <= at_s < end for start, end in stretches)
        if now != was:
            gaps.suspended("lead off" if now else "", round(at_s * S))
            was = now
        if gaps.observe(Limits(), round(at_s * S)) is not None:
            return at_s
    return None


def test_half_a_minute_without_monitoring_alarms_at_once_when_it_is_exceeded() -> None:
    assert first_alarm_s([(10, 200)]) == 40.5
    assert first_alarm_s([(10, 40)]) is None


def test_short_stretches_add_up_within_any_minute() -> None:
    assert first_alarm_s([(0, 16), (20, 36)]) == 34.5
    assert first_alarm_s([(0, 16), (70, 86), (140, 156)]) is None


def test_it_ends_when_the_last_minute_was_monitored_enough() -> None:
    gaps = NoMonitoring()
    gaps.suspended("lead off", 0)
    assert gaps.observe(Limits(), 31 * S) is not None
    gaps.suspended("", 31 * S)
    seen = gaps.observe(Limits(), 60 * S)
    assert seen is not None
    assert seen.present
    assert seen.text == "no monitoring for 30 of 60 s: lead off"
    assert gaps.observe(Limits(), 62 * S) is None


def present(seconds: str) -> str:
    """`x` is a second of artefact; the answer says when the signal is called poor."""
    signal = PoorSignal()
    said = ""
    for number, second in enumerate(seconds):
        signal.second(second == "x", number * S, Limits())
        said += "u" if signal.undecidable else "p" if signal.present else "-"
    return said


def test_ten_seconds_of_artefact_are_a_poor_signal_and_nine_are_not() -> None:
    assert present("x" * 12) == "-" * 9 + "uuu"
    assert present("x" * 9 + "-" * 9) == "-" * 18
    assert present("xxxxx-xxxx-x") == "-" * 11 + "u"


def test_an_arrest_is_undecidable_only_near_artefact() -> None:
    assert present("x" * 12 + "-----") == "-" * 9 + "uuuuuupp"


def test_a_poor_signal_ends_once_most_of_it_is_clean_again() -> None:
    assert present("x" * 12 + "-" * 12).rstrip("-") == "-" * 9 + "u" * 6 + "p" * 6
