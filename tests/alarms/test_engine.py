"""The alarm engine: one onset, one instance; what is latched stays until it was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bedside.alarms import engine
from bedside.alarms.engine import Changes, EngineState
from bedside.events import (
    AlarmChanged,
    Instance,
    LimitsChanged,
    Observation,
    Priority,
    SoundPaused,
    SuspensionChanged,
)
from bedside.limits import PRESETS, Limits, Population

S = 1_000_000


def seen(code: str, present: bool = True, onset_s: float = 0.0) -> Observation:
    return Observation(code, present, round(onset_s * S))


def instances(changes: Changes) -> list[Instance]:
    return [change.instance for change in changes if isinstance(change, AlarmChanged)]


def states(changes: Changes) -> list[tuple[str, str]]:
    return [(i.code, i.state.value) for i in instances(changes)]


def with_alarm(code: str, at_s: float = 5) -> EngineState:
    return engine.observe(EngineState(), seen(code), round(at_s * S))[0]


def test_a_condition_of_the_waveform_is_active_at_once() -> None:
    state, changes = engine.observe(EngineState("a-"), seen("vt"), 8 * S)
    assert states(changes) == [("vt", "active")]
    (instance,) = instances(changes)
    assert instance.instance_id == "a-1"
    assert instance.onset_us == 0
    assert state.open_instance("vt") == instance


def test_a_silent_node_is_pending_for_three_seconds() -> None:
    state, changes = engine.observe(EngineState(), seen("node-silent", onset_s=10), 11 * S)
    assert states(changes) == [("node-silent", "pending")]
    state, changes = engine.tick(state, 12 * S)
    assert changes == ()
    state, changes = engine.tick(state, 13 * S)
    assert states(changes) == [("node-silent", "active")]


def test_a_pending_cause_that_goes_away_never_alarms() -> None:
    state, _ = engine.observe(EngineState(), seen("node-silent", onset_s=10), 11 * S)
    state, changes = engine.observe(state, seen("node-silent", present=False), 12 * S)
    assert states(changes) == [("node-silent", "ended")]
    assert instances(changes)[0].active_us is None
    assert state.instances == ()


def test_a_cause_that_is_told_again_changes_nothing() -> None:
    state = with_alarm("vt")
    assert engine.observe(state, replace(seen("vt"), text="faster", value=200), 6 * S) == (
        state,
        (),
    )


def test_a_high_alarm_is_latched_until_it_is_acknowledged() -> None:
    state, changes = engine.observe(with_alarm("asystole"), seen("asystole", False), 6 * S)
    assert states(changes) == [("asystole", "ended")]
    assert len(state.instances) == 1
    state, changes, refusal = engine.acknowledge(state, "1", "nurse", 7 * S)
    assert refusal == ""
    assert states(changes) == [("asystole", "acknowledged")]
    assert state.instances == ()


def test_a_medium_alarm_leaves_with_its_cause() -> None:
    state, _ = engine.observe(with_alarm("tachy"), seen("tachy", present=False), 6 * S)
    assert state.instances == ()


def test_a_recurrence_is_a_new_instance_even_while_the_old_one_is_latched() -> None:
    state, first = engine.observe(EngineState(), seen("vt"), 5 * S)
    state, _ = engine.observe(state, seen("vt", present=False), 6 * S)
    state, again = engine.observe(state, seen("vt"), 9 * S)
    assert instances(first)[0].instance_id != instances(again)[0].instance_id
    assert len(state.instances) == 2


def test_an_acknowledged_alarm_that_goes_on_stays_until_its_cause_ends() -> None:
    state, changes, _ = engine.acknowledge(with_alarm("vt"), "1", "nurse", 6 * S)
    assert instances(changes)[0].acknowledged_by == "nurse"
    state, changes = engine.observe(state, seen("vt"), 7 * S)
    assert changes == ()
    state, changes = engine.observe(state, seen("vt", present=False), 8 * S)
    assert states(changes) == [("vt", "ended")]
    assert state.instances == ()


def test_acknowledging_what_is_not_there_does_nothing_and_says_so() -> None:
    state = EngineState()
    after, changes, refusal = engine.acknowledge(state, "7", "nurse", S)
    assert (after, changes) == (state, ())
    assert "7" in refusal
    state, _, _ = engine.acknowledge(with_alarm("vt", 1), "1", "ann", 2 * S)
    _, changes, refusal = engine.acknowledge(state, "1", "bob", 3 * S)
    assert changes == ()
    assert "ann" in refusal


# ── suspension ────────────────────────────────────────────────────────────────────────────────


def test_lead_off_suspends_what_is_active_and_hides_nothing() -> None:
    state, changes = engine.suspend(with_alarm("vt"), "lead off", True, 6 * S)
    assert changes[0] == SuspensionChanged(6 * S, "lead off", True)
    assert states(changes) == [("vt", "suspended")]
    state, changes = engine.observe(state, seen("asystole"), 7 * S)
    assert changes == ()
    state, changes = engine.observe(state, seen("lead-off"), 7 * S)
    assert states(changes) == [("lead-off", "active")]
    state, changes = engine.suspend(state, "", False, 8 * S)
    assert states(changes) == [("vt", "active")]
    state, changes = engine.observe(state, seen("asystole"), 8 * S)
    assert states(changes) == [("asystole", "active")]


def test_a_poor_signal_suspends_what_is_derived_from_beats_and_not_an_arrest() -> None:
    state, changes = engine.suspend(with_alarm("tachy"), "poor signal", False, 6 * S)
    assert states(changes) == [("tachy", "suspended")]
    for code in ("asystole", "vf"):
        assert states(engine.observe(state, seen(code), 7 * S)[1]) == [(code, "active")]
    for code in ("vt", "extreme-brady", "pause", "bigeminy", "abnormal-beats"):
        assert engine.observe(state, seen(code), 7 * S)[1] == ()
    state, _ = engine.observe(state, seen("asystole"), 7 * S)
    state, changes = engine.suspend(state, "poor signal", True, 8 * S)
    assert states(changes) == [("asystole", "suspended")]
    assert engine.observe(state, seen("vf"), 9 * S)[1] == ()


def test_an_alarm_can_be_acknowledged_while_it_is_suspended() -> None:
    state, _ = engine.suspend(with_alarm("vt"), "lead off", True, 6 * S)
    state, changes, refusal = engine.acknowledge(state, "1", "nurse", 7 * S)
    assert (states(changes), refusal) == ([("vt", "suspended")], "")
    state, changes = engine.suspend(state, "", False, 8 * S)
    assert states(changes) == [("vt", "acknowledged")]


def test_a_cause_that_becomes_graver_is_a_new_instance() -> None:
    medium = replace(seen("analysis-stalled"), priority=Priority.MEDIUM)
    state, _ = engine.observe(EngineState(), medium, 4 * S)
    state, _, _ = engine.acknowledge(state, "1", "nurse", 5 * S)
    state, changes = engine.observe(state, seen("analysis-stalled"), 6 * S)
    assert [(i.instance_id, i.priority.value, i.state.value) for i in instances(changes)] == [
        ("1", "medium", "ended"),
        ("2", "high", "active"),
    ]
    _, changes = engine.observe(state, medium, 7 * S)
    assert changes == ()


def test_a_discharge_ends_everything() -> None:
    state, _ = engine.suspend(with_alarm("vt"), "lead off", True, 5 * S)
    state, changes = engine.close(state, 6 * S)
    assert states(changes) == [("vt", "ended")]
    assert (state.instances, state.suspended) == ((), "")


# ── sound, limits, restart ────────────────────────────────────────────────────────────────────


def test_a_new_high_alarm_breaks_through_an_audio_pause() -> None:
    state, changes, _ = engine.pause_sound(with_alarm("vt"), 120, "nurse", 6 * S)
    assert changes == (SoundPaused(6 * S, 126 * S, "nurse"),)
    state, changes = engine.observe(state, seen("tachy"), 7 * S)
    assert state.paused_until_us == 126 * S
    state, changes = engine.observe(state, seen("asystole"), 8 * S)
    assert changes[-1] == SoundPaused(8 * S, None, engine.BREAKTHROUGH)
    assert state.paused_until_us is None


def test_an_audio_pause_ends_by_itself_and_by_hand() -> None:
    state, _, _ = engine.pause_sound(EngineState(), 120, "nurse", 0)
    assert engine.tick(state, 119 * S) == (state, ())
    assert engine.tick(state, 120 * S)[0].paused_until_us is None
    assert engine.pause_sound(state, 0, "nurse", S)[0].paused_until_us is None


@pytest.mark.parametrize("seconds", [-1, 121, float("nan"), float("inf")])
def test_a_pause_is_never_longer_than_two_minutes(seconds: float) -> None:
    state, changes, refusal = engine.pause_sound(EngineState(), seconds, "nurse", 0)
    assert (state, changes) == (EngineState(), ())
    assert "120 s" in refusal


def test_a_disabled_condition_ends_stays_silent_and_alarms_again_when_it_is_enabled() -> None:
    adult = (Population.ADULT, Limits())
    state, changes = engine.set_limits(with_alarm("tachy"), *adult, {"tachy": False}, "ann", 6 * S)
    assert isinstance(changes[0], LimitsChanged)
    assert changes[0].disabled == ("tachy",)
    assert states(changes) == [("tachy", "ended")]
    assert engine.observe(state, seen("tachy"), 7 * S) == (state, ())
    state, _ = engine.set_limits(state, *adult, {"tachy": True}, "ann", 8 * S)
    assert states(engine.observe(state, seen("tachy"), 8 * S)[1]) == [("tachy", "active")]


def test_limits_that_let_a_lethal_condition_alarm_later_are_said_for_as_long_as_they_hold() -> None:
    lax = Limits(asystole_s=6.0, extreme_brady_bpm=30.0, tachy_bpm=130.0)
    _, changes = engine.set_limits(EngineState(), Population.ADULT, lax, {}, "ann", S)
    assert isinstance(changes[0], LimitsChanged)
    assert changes[0].relaxed == (
        "asystole only after 6 s (adult: 4)",
        "extreme bradycardia only below 30/min (adult: 40)",
    )
    athlete = PRESETS[Population.ATHLETE]
    _, changes = engine.set_limits(EngineState(), Population.ATHLETE, athlete, {}, "ann", S)
    assert isinstance(changes[0], LimitsChanged)
    assert changes[0].relaxed == ()


def test_a_restart_keeps_limits_and_latches_only_what_was_high_and_not_seen() -> None:
    state = with_alarm("vt")
    state, _ = engine.observe(state, seen("tachy"), 5 * S)
    state, _ = engine.observe(state, seen("asystole"), 5 * S)
    state, _, _ = engine.acknowledge(state, "3", "nurse", 6 * S)
    state, _ = engine.set_limits(
        state, Population.CHILD, PRESETS[Population.CHILD], {"bigeminy": False}, "ann", 7 * S
    )
    state, _, _ = engine.pause_sound(state, 60, "ann", 8 * S)
    state, _ = engine.suspend(state, "lead off", True, 9 * S)
    left, changes = engine.restarted(state)
    assert states(changes) == [("vt", "ended"), ("tachy", "ended"), ("asystole", "ended")]
    assert [i.text for i in left.instances] == ["ventricular tachycardia (before the restart)"]
    assert left.population is Population.CHILD
    assert left.disabled == {"bigeminy"}
    assert (left.paused_until_us, left.suspended) == (None, "")
    again, _ = engine.restarted(left)
    assert again.instances == left.instances
