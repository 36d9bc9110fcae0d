"""Laws of the alarms, over random sequences of observations, faults of the signal and actions.

`python -m tests.alarms.test_alarm_laws 200000` walks that many steps; CI walks some thousands.
"""

from __future__ import annotations

import json
import sys

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bedside.alarms import engine
from bedside.alarms.bed_alarms import BedAlarms
from bedside.alarms.conditions import CONDITIONS
from bedside.alarms.engine import EngineState
from bedside.alarms.replay import Replayed, replay
from bedside.event_json import to_json
from bedside.events import (
    Action,
    AlarmChanged,
    AlarmState,
    BedChanged,
    BedState,
    Event,
    Instance,
    Observation,
    Priority,
    Sound,
)
from bedside.limits import Limits, Population

S = 1_000_000
TICK_US = S // 2
REPEAT_US = 10 * S
RUNS_WITHOUT_RESTART = 100

LETHAL = [code for code, condition in CONDITIONS.items() if condition.lethal]
codes = st.sampled_from(sorted(CONDITIONS))


class AlarmsOfABed(RuleBasedStateMachine):
    """A bed, its log, and what a bystander with a stop watch would demand of it."""

    def __init__(self) -> None:
        super().__init__()
        self.at_us = 0
        self.session = 0
        self.actions = 0
        self.present: dict[str, int] = {}
        self.waiting_us: dict[str, int] = {}
        self.log: list[str] = []
        self.sounded_us: int | None = None
        self.unheard_us = 0
        self.reason = ""
        self.alarms = BedAlarms(EngineState(), Limits(), armed=False)

    @initialize()
    def begin(self) -> None:
        self.change_bed(BedState.ADMITTED, new_session=True)

    # ── what happens ──────────────────────────────────────────────────────────────────────────

    @rule(code=codes)
    def cause_appears(self, code: str) -> None:
        if self.alarms.armed:
            self.present.setdefault(code, self.at_us)
        self.take(self.alarms.observe(Observation(code, True, self.at_us), self.at_us))

    @rule(code=codes)
    def cause_appears_while_nothing_can_be_decided(self, code: str) -> None:
        self.signal_changes("lead off")
        self.cause_appears(code)
        self.signal_changes("")
        self.pass_time(2)

    @rule(code=st.sampled_from(LETHAL))
    def cause_appears_while_the_sound_is_paused(self, code: str) -> None:
        self.somebody_pauses_the_sound(120)
        self.cause_appears(code)

    @rule(code=codes)
    def cause_goes(self, code: str) -> None:
        self.present.pop(code, None)
        self.take(self.alarms.observe(Observation(code, False, self.at_us), self.at_us))

    @rule(reason=st.sampled_from(["", "", "lead off", "settling"]))
    def signal_changes(self, reason: str) -> None:
        self.reason = reason
        self.take(self.alarms.suspend(reason, self.at_us))

    @rule(artefacts=st.lists(st.booleans(), min_size=1, max_size=14))
    def seconds_pass(self, artefacts: list[bool]) -> None:
        for artefact in artefacts:
            self.pass_time(2)
            if not self.reason:
                self.take(self.alarms.second(artefact, self.at_us - S, self.at_us))
                self.take(self.alarms.suspend("", self.at_us))

    @rule(ticks=st.integers(1, 60))
    def time_passes(self, ticks: int) -> None:
        self.pass_time(ticks)

    @precondition(lambda self: self.alarms.state.instances)
    @rule(data=st.data())
    def somebody_acknowledges(self, data: st.DataObject) -> None:
        instance = data.draw(st.sampled_from(self.alarms.state.instances))
        others = [i for i in self.alarms.state.instances if i != instance]
        events, refusal = self.alarms.acknowledge(
            self.action("acknowledge", instance=instance.instance_id)
        )
        self.take(events)
        waited = instance.state is not AlarmState.PENDING and instance.acknowledged_us is None
        assert bool(refusal) != waited
        assert [i for i in self.alarms.state.instances if i in others] == others

    @rule(seconds=st.sampled_from([0, 1, 30, 120]))
    def somebody_pauses_the_sound(self, seconds: int) -> None:
        self.take(self.alarms.pause_sound(self.action("pause-sound", seconds=seconds))[0])

    @rule(code=codes, enabled=st.booleans())
    def somebody_disables_a_condition(self, code: str, enabled: bool) -> None:
        action = self.action("set-limit", conditions={code: enabled}, confirmed=True)
        self.take(self.alarms.set_limit(action)[0])

    @rule(
        name=st.sampled_from(["asystole_s", "tachy_bpm", "node_silent_s", "no_monitoring_s"]),
        value=st.integers(1, 200),
        population=st.sampled_from(list(Population)),
    )
    def somebody_sets_a_limit(self, name: str, value: int, population: Population) -> None:
        action = self.action(
            "set-limit", limits={name: value}, population=population.value, confirmed=True
        )
        self.take(self.alarms.set_limit(action)[0])

    @rule(state=st.sampled_from(BedState), new_session=st.booleans())
    def the_bed_changes(self, state: BedState, new_session: bool) -> None:
        if state is BedState.ADMITTED and self.replayed().bed_state is not BedState.STANDBY:
            new_session = True
        self.change_bed(state, new_session)

    @rule()
    def the_station_is_killed_and_starts_again(self) -> None:
        before = self.replayed()
        unseen = {i.instance_id for i in before.alarms.instances if high_and_unseen(i)}
        left, changes = engine.restarted(before.alarms)
        assert {i.instance_id for i in left.instances} == unseen
        for each in changes:
            self.write(each)
        armed = before.bed_state is BedState.ADMITTED
        self.alarms = BedAlarms(left, Limits(), armed=armed)
        self.at_us = 0
        self.present.clear()
        self.waiting_us.clear()
        self.sounded_us, self.unheard_us, self.reason = None, 0, ""

    # ── what must hold ────────────────────────────────────────────────────────────────────────

    @invariant()
    def the_log_replays_to_the_state(self) -> None:
        assert self.replayed().alarms == self.alarms.state

    @invariant()
    def a_condition_has_one_open_instance_at_most(self) -> None:
        opened = [i.code for i in self.alarms.state.instances if i.ended_us is None]
        assert len(opened) == len(set(opened))

    @invariant()
    def a_lethal_cause_that_can_be_decided_is_an_active_alarm_within_a_tick(self) -> None:
        for code in LETHAL:
            if code not in self.present or not self.alarms.state.decides(code):
                self.waiting_us.pop(code, None)
                continue
            since_us = self.waiting_us.setdefault(code, self.at_us)
            if self.at_us - since_us > TICK_US:
                instance = self.alarms.state.open_instance(code)
                assert instance is not None, code
                assert instance.active_us is not None, code

    # ── the machinery ─────────────────────────────────────────────────────────────────────────

    def action(self, name: str, **arguments: object) -> Action:
        self.actions += 1
        return Action(self.at_us, str(self.actions), "nurse", name, arguments)

    def pass_time(self, ticks: int) -> None:
        for _ in range(ticks):
            self.at_us += TICK_US
            self.take(self.alarms.advance(self.at_us))
            self.bystander_listens()
            self.a_lethal_cause_that_can_be_decided_is_an_active_alarm_within_a_tick()

    def bystander_listens(self) -> None:
        """Nobody saw a high alarm: something high sounds within ten seconds, unless paused."""
        state = self.alarms.state
        waiting = any(high_and_unseen(i) for i in state.instances)
        if not waiting or state.paused_until_us is not None:
            self.unheard_us = 0
            return
        self.unheard_us += TICK_US
        if self.sounded_us is not None and self.at_us - self.sounded_us <= REPEAT_US:
            return
        assert self.unheard_us <= REPEAT_US + TICK_US

    def take(self, events: list[Event]) -> None:
        known = {i.instance_id for i in self.replayed().alarms.instances if i.active_us is not None}
        for event in events:
            if isinstance(event, Sound):
                if event.priority is Priority.HIGH:
                    self.sounded_us = self.at_us
                assert self.alarms.state.paused_until_us is None
            else:
                self.write(event)
        if any(begins_high(event, known) for event in events):
            assert self.alarms.state.paused_until_us is None

    def write(self, event: Event) -> None:
        before = self.replayed()
        self.log.append(json.dumps(to_json(event)))
        self.kept = replay([json.loads(self.log[-1])], before)
        if not isinstance(event, BedChanged):
            now = {i.instance_id: i for i in self.kept.alarms.instances}
            for instance in before.alarms.instances:
                left = instance.instance_id not in now
                assert not left or not high_and_unseen(instance) or event_acknowledges(event)

    def replayed(self) -> Replayed:
        return getattr(self, "kept", Replayed())

    def change_bed(self, state: BedState, new_session: bool) -> None:
        armed = state is BedState.ADMITTED
        self.take(self.alarms.close(armed, self.at_us))
        self.present.clear()
        self.reason = ""
        limits: list[Event] = []
        if new_session or state is BedState.DISCHARGED:
            self.session += 1
            limits.append(
                self.alarms.begin_session(
                    f"s{self.session}-", Population.ADULT, "nurse", self.at_us
                )
            )
        changed = BedChanged(
            self.at_us, state, str(self.session), "nurse", None, self.alarms.state.prefix
        )
        self.take([changed, *limits])


def begins_high(event: Event, known: set[str]) -> bool:
    """Whether a high alarm becomes active that was not so before."""
    if not isinstance(event, AlarmChanged) or event.instance.instance_id in known:
        return False
    instance = event.instance
    return instance.state is AlarmState.ACTIVE and instance.priority is Priority.HIGH


def high_and_unseen(instance: Instance) -> bool:
    return (
        instance.priority is Priority.HIGH
        and instance.active_us is not None
        and instance.acknowledged_us is None
    )


def event_acknowledges(event: Event) -> bool:
    content = to_json(event)
    return content is not None and content.get("acknowledged_s") is not None


def walk(steps: int) -> None:
    """Sequences of 50 steps each, together as many as asked for."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        AlarmsOfABed,
        settings=settings(
            max_examples=max(1, steps // 50),
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_sequence_silences_hides_or_forgets_what_kills() -> None:
    walk(10_000)


def test_the_whole_log_replays_to_the_same_state_as_its_last_run() -> None:
    bed = AlarmsOfABed()
    bed.begin()
    bed.cause_appears("vt")
    bed.pass_time(4)
    bed.cause_goes("vt")
    bed.the_station_is_killed_and_starts_again()
    bed.cause_appears("asystole")
    whole = replay(json.loads(line) for line in bed.log)
    assert whole == bed.replayed()
    assert whole.alarms == bed.alarms.state
    assert [i.code for i in whole.alarms.instances] == ["vt", "asystole"]


if __name__ == "__main__":
    walk(int(sys.argv[1]))
