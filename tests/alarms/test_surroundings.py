"""The station's own technical alarms: one for all beds, the gravest cause in words."""

from __future__ import annotations

from bedside.alarms.surroundings import Surroundings
from bedside.events import AlarmChanged, Event, Health, Tick
from bedside.limits import Limits

S = 1_000_000


def said(events: list[Event]) -> list[tuple[str, str, str, str]]:
    return [
        (e.instance.code, e.instance.priority.value, e.instance.state.value, e.instance.text)
        for e in events
        if isinstance(e, AlarmChanged)
    ]


def test_a_broker_that_is_away_alarms_three_seconds_after_it_was_last_heard() -> None:
    station = Surroundings("s-", Limits())
    events = station.step(Health(10 * S, "broker", False, "timeout", since_us=8 * S))
    assert [state for _, _, state, _ in said(events)] == ["pending"]
    assert said(station.step(Tick(10_900_000))) == []
    assert [state for _, _, state, _ in said(station.step(Tick(11 * S)))] == ["active"]
    assert [state for _, _, state, _ in said(station.step(Health(12 * S, "broker", True)))] == [
        "ended"
    ]


def test_a_stalled_analysis_is_not_hidden_by_a_failing_model() -> None:
    station = Surroundings("s-", Limits())
    station.step(Health(S, "model", False, "gone"))
    station.step(Tick(5 * S))
    events = station.step(Health(6 * S, "analysis", False, "2 faults"))
    assert said(events)[0][1:3] == ("medium", "ended")
    assert said(events)[1][:3] == ("analysis-stalled", "high", "pending")
    events = station.step(Health(7 * S, "model", True))
    assert [each[1] for each in said(events)] == []
    assert [i.priority.value for i in station.instances if i.ended_us is None] == ["high"]


def test_a_part_that_is_well_raises_nothing() -> None:
    station = Surroundings("s-", Limits())
    assert station.step(Health(S, "disk", True)) == []


def test_a_high_alert_that_cannot_leave_is_a_medium_alarm_and_others_a_low_one() -> None:
    station = Surroundings("s-", Limits())
    events = station.step(Health(40 * S, "delivery", False, "no link", since_us=5 * S))
    assert said(events) == [("delivery-failing", "low", "active", "alerts not delivered: no link")]
    events = station.step(Health(41 * S, "high-delivery", False, "no link", since_us=5 * S))
    assert [each[1:3] for each in said(events)] == [("low", "ended"), ("medium", "active")]
    assert said(events)[1][3] == "high alert not delivered: no link"
    station.step(Health(42 * S, "high-delivery", True))
    events = station.step(Health(42 * S, "delivery", True))
    assert [each[1:3] for each in said(events)] == [("medium", "ended")]
    assert station.instances == ()
