"""One bed's alarms: limits with their bounds and confirmations, and causes that outlast silence."""

from __future__ import annotations

import pytest

from bedside.alarms.bed_alarms import BedAlarms
from bedside.alarms.engine import EngineState
from bedside.events import Action, AlarmChanged, Event, LimitsChanged, Observation, Sound
from bedside.limits import PRESETS, Limits, Population

S = 1_000_000


def bed() -> BedAlarms:
    return BedAlarms(EngineState(), Limits(), armed=True)


def set_limit(alarms: BedAlarms, **arguments: object) -> tuple[list[Event], str, bool]:
    return alarms.set_limit(Action(S, "1", "nurse", "set-limit", arguments))


def active(events: list[Event]) -> list[str]:
    return [
        e.instance.code
        for e in events
        if isinstance(e, AlarmChanged) and e.instance.active_us == e.at_us
    ]


def test_limits_are_set_together_and_said_whole() -> None:
    alarms = bed()
    events, refusal, _ = set_limit(
        alarms, limits={"tachy_bpm": 135, "extreme_tachy_bpm": 139}, conditions={"bigeminy": False}
    )
    assert refusal == ""
    (changed,) = events
    assert isinstance(changed, LimitsChanged)
    assert changed.limits == Limits(tachy_bpm=135, extreme_tachy_bpm=139)
    assert (changed.disabled, changed.relaxed, changed.user) == (("bigeminy",), (), "nurse")


@pytest.mark.parametrize(
    "arguments",
    [
        {"limits": {"asystole_s": 6}},
        {"limits": {"extreme_brady_bpm": 30}},
        {"limits": {"vt_beats": 6}},
        {"conditions": {"vf": False}},
        {"population": "neonate", "limits": {"asystole_s": 4}},
    ],
)
def test_silencing_what_kills_needs_a_confirmation_and_stays_visible(
    arguments: dict[str, object],
) -> None:
    alarms = bed()
    events, refusal, needs_confirmation = set_limit(alarms, **arguments)
    assert (events, needs_confirmation) == ([], True)
    assert refusal.endswith("confirm it")
    assert alarms.state == EngineState()
    (changed,), refusal, _ = set_limit(alarms, **arguments, confirmed=True)
    assert refusal == ""
    assert isinstance(changed, LimitsChanged)
    assert changed.relaxed or changed.disabled


def test_what_was_confirmed_once_is_not_asked_for_again() -> None:
    alarms = bed()
    set_limit(alarms, limits={"asystole_s": 6}, confirmed=True)
    assert set_limit(alarms, limits={"tachy_bpm": 130})[1] == ""
    assert set_limit(alarms, limits={"asystole_s": 7})[2]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"limits": {"asystole_s": 60}, "confirmed": True},
        {"limits": {"brady_bpm": 130}},
        {"limits": {"pause_s": 5}},
        {"limits": {"nonsense": 1}},
        {"limits": {"tachy_bpm": "fast"}},
        {"limits": {"tachy_bpm": True}},
        {"limits": {"tachy_bpm": float("nan")}},
        {"limits": {"vt_beats": 5.5}},
        {"limits": {"broker_away_s": 5}},
        {"limits": [1]},
        {"conditions": {"lead-off": False}},
        {"conditions": {"nonsense": False}},
        {"conditions": {"tachy": "no"}},
        {"population": "alien"},
    ],
)
def test_a_limit_out_of_bounds_or_without_sense_is_refused_whatever_is_confirmed(
    arguments: dict[str, object],
) -> None:
    alarms = bed()
    events, refusal, needs_confirmation = set_limit(alarms, **arguments)
    assert (events, needs_confirmation) == ([], False)
    assert refusal
    assert alarms.state == EngineState()


def test_a_population_brings_its_limits() -> None:
    alarms = bed()
    set_limit(alarms, population="neonate")
    assert alarms.limits == PRESETS[Population.NEONATE]
    set_limit(alarms, population="adult", limits={"tachy_bpm": 110})
    assert alarms.limits == Limits(tachy_bpm=110)


def test_a_cause_that_began_while_nothing_could_alarm_alarms_afterwards() -> None:
    alarms = bed()
    alarms.suspend("lead off", S)
    assert active(alarms.observe(Observation("vt", True, S), S)) == []
    alarms.suspend("", 2 * S)
    assert active(alarms.advance(2 * S)) == ["vt"]
    set_limit(alarms, conditions={"tachy": False})
    assert active(alarms.observe(Observation("tachy", True, 3 * S), 3 * S)) == []
    set_limit(alarms, conditions={"tachy": True})
    assert active(alarms.advance(4 * S)) == ["tachy"]


def test_too_long_without_monitoring_alarms_and_the_stations_broker_is_not_counted() -> None:
    def after_a_minute(reason: str) -> list[str]:
        alarms = bed()
        alarms.suspend(reason, 0)
        return [code for half in range(120) for code in active(alarms.advance(half * S // 2))]

    assert after_a_minute("lead off") == ["no-monitoring"]
    assert after_a_minute("broker away") == []


def test_a_poor_signal_alarms_and_suspends_in_words() -> None:
    alarms = bed()
    events: list[Event] = []
    for second in range(11):
        events += alarms.second(True, second * S, (second + 1) * S)
        events += alarms.suspend("", (second + 1) * S)
    assert active(events) == ["poor-signal"]
    assert alarms.state.suspended == "poor signal"
    assert not alarms.state.decides("tachy")


def test_a_new_alarm_sounds_with_the_next_input_and_an_unarmed_bed_never_does() -> None:
    alarms = bed()
    alarms.observe(Observation("vt", True, S), S)
    sounds = [event for event in alarms.advance(S) if isinstance(event, Sound)]
    assert [(sound.priority.value, sound.why) for sound in sounds] == [("high", "new")]
    unarmed = BedAlarms(EngineState(), Limits(), armed=False)
    assert unarmed.observe(Observation("vt", True, S), S) == []
    assert unarmed.advance(S) == []
