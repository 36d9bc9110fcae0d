"""The alarm engine: one onset, one instance; what is latched stays until it was seen."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bedside.alarms import engine
from bedside.alarms.conditions import CONDITIONS
from bedside.events import AlarmState, Instance, Observation, Priority

S = 1_000_000


def seen(code: str, present: bool = True, onset_s: float = 0.0) -> Observation:
    return Observation(code, present, round(onset_s * S))


def states(changes: tuple[Instance, ...]) -> list[tuple[str, str]]:
    return [(i.code, i.state.value) for i in changes]


def test_a_condition_of_the_waveform_is_active_at_once() -> None:
    state, changes = engine.observe(engine.EngineState("a-"), seen("vt"), 8 * S)
    assert states(changes) == [("vt", "active")]
    assert changes[0].instance_id == "a-1"
    assert changes[0].onset_us == 0
    assert state.open_instance("vt") == changes[0]


def test_a_silent_node_is_pending_for_three_seconds() -> None:
    state, changes = engine.observe(engine.EngineState(), seen("node-silent", onset_s=10), 11 * S)
    assert states(changes) == [("node-silent", "pending")]
    state, changes = engine.tick(state, 12 * S)
    assert changes == ()
    state, changes = engine.tick(state, 13 * S)
    assert states(changes) == [("node-silent", "active")]


def test_a_pending_cause_that_goes_away_never_alarms() -> None:
    state, _ = engine.observe(engine.EngineState(), seen("node-silent", onset_s=10), 11 * S)
    state, changes = engine.observe(state, seen("node-silent", present=False), 12 * S)
    assert states(changes) == [("node-silent", "ended")]
    assert changes[0].active_us is None
    assert state.instances == ()


def test_a_high_alarm_is_latched_until_it_is_acknowledged() -> None:
    state, _ = engine.observe(engine.EngineState(), seen("asystole"), 5 * S)
    state, changes = engine.observe(state, seen("asystole", present=False), 6 * S)
    assert states(changes) == [("asystole", "ended")]
    assert len(state.instances) == 1
    state, changes, refusal = engine.acknowledge(state, "1", "nurse", 7 * S)
    assert refusal == ""
    assert states(changes) == [("asystole", "acknowledged")]
    assert state.instances == ()


def test_a_medium_alarm_leaves_with_its_cause() -> None:
    state, _ = engine.observe(engine.EngineState(), seen("tachy"), 5 * S)
    state, _ = engine.observe(state, seen("tachy", present=False), 6 * S)
    assert state.instances == ()


def test_a_recurrence_is_a_new_instance_even_while_the_old_one_is_latched() -> None:
    state, first = engine.observe(engine.EngineState(), seen("vt"), 5 * S)
    state, _ = engine.observe(state, seen("vt", present=False), 6 * S)
    state, again = engine.observe(state, seen("vt"), 9 * S)
    assert first[0].instance_id != again[0].instance_id
    assert len(state.instances) == 2


def test_an_acknowledged_alarm_that_goes_on_stays_until_its_cause_ends() -> None:
    state, _ = engine.observe(engine.EngineState(), seen("vt"), 5 * S)
    state, changes, _ = engine.acknowledge(state, "1", "nurse", 6 * S)
    assert changes[0].acknowledged_by == "nurse"
    state, changes = engine.observe(state, seen("vt"), 7 * S)
    assert changes == ()
    state, changes = engine.observe(state, seen("vt", present=False), 8 * S)
    assert states(changes) == [("vt", "ended")]
    assert state.instances == ()


def test_acknowledging_what_is_not_there_does_nothing_and_says_so() -> None:
    state = engine.EngineState()
    after, changes, refusal = engine.acknowledge(state, "7", "nurse", S)
    assert (after, changes) == (state, ())
    assert "7" in refusal
    state, _ = engine.observe(state, seen("vt"), S)
    state, _, _ = engine.acknowledge(state, "1", "ann", 2 * S)
    _, changes, refusal = engine.acknowledge(state, "1", "bob", 3 * S)
    assert changes == ()
    assert "ann" in refusal


def test_lead_off_suspends_what_is_active_and_hides_nothing() -> None:
    state, _ = engine.observe(engine.EngineState(), seen("vt"), 5 * S)
    state, changes = engine.suspend(state, "lead off", 6 * S)
    assert states(changes) == [("vt", "suspended")]
    state, changes = engine.observe(state, seen("asystole"), 7 * S)
    assert changes == ()
    state, changes = engine.observe(state, seen("lead-off"), 7 * S)
    assert states(changes) == [("lead-off", "active")]
    state, changes = engine.suspend(state, "", 8 * S)
    assert states(changes) == [("vt", "active")]


def test_a_cause_that_becomes_graver_is_a_new_instance() -> None:
    medium = replace(seen("analysis-stalled"), priority=Priority.MEDIUM)
    state, _ = engine.observe(engine.EngineState(), medium, 4 * S)
    state, _, _ = engine.acknowledge(state, "1", "nurse", 5 * S)
    state, changes = engine.observe(state, seen("analysis-stalled"), 6 * S)
    assert [(i.instance_id, i.priority.value, i.state.value) for i in changes] == [
        ("1", "medium", "ended"),
        ("2", "high", "active"),
    ]
    _, changes = engine.observe(state, medium, 7 * S)
    assert changes == ()


def test_a_discharge_ends_everything() -> None:
    state, _ = engine.observe(engine.EngineState(), seen("vt"), 5 * S)
    state, changes = engine.close(state, 6 * S)
    assert states(changes) == [("vt", "ended")]
    assert state.instances == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["see", "unsee", "tick", "ack", "suspend", "resume"]),
            st.sampled_from(sorted(CONDITIONS)),
            st.integers(1, 4000),
        ),
        max_size=60,
    )
)
def test_no_sequence_loses_a_latched_alarm_or_doubles_an_open_one(
    steps: list[tuple[str, str, int]],
) -> None:
    state = engine.EngineState()
    at_us = 0
    log: dict[str, Instance] = {}
    for name, code, wait_ms in steps:
        at_us += wait_ms * 1000
        if name in ("see", "unsee"):
            state, changes = engine.observe(state, Observation(code, name == "see", at_us), at_us)
        elif name == "tick":
            state, changes = engine.tick(state, at_us)
        elif name == "ack":
            some = next((i.instance_id for i in state.instances if i.code == code), "none")
            state, changes, _ = engine.acknowledge(state, some, "nurse", at_us)
        else:
            state, changes = engine.suspend(state, "lead off" if name == "suspend" else "", at_us)
        for change in changes:
            assert change.at_us == at_us
            log[change.instance_id] = change
        opened = [i.code for i in state.instances if i.ended_us is None]
        assert len(opened) == len(set(opened))
    left = {i.instance_id for i in state.instances}
    for instance_id, last in log.items():
        unseen_high = (
            last.priority is Priority.HIGH
            and last.active_us is not None
            and last.acknowledged_us is None
        )
        assert (instance_id in left) == (unseen_high or last.ended_us is None)
        if last.ended_us is None and last.state is not AlarmState.PENDING:
            assert last.active_us is not None


def test_the_same_inputs_yield_the_same_log() -> None:
    state = engine.EngineState()
    assert engine.observe(state, seen("vt"), S) == engine.observe(state, seen("vt"), S)
    assert replace(state) == state
