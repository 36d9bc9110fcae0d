"""One bed's monitor: the same inputs, the same events, however the samples are cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.anomaly.scoring import ModelFacts
from bedside.events import (
    Action,
    ActionDone,
    AlarmChanged,
    AlarmState,
    Batch,
    Beat,
    BedChanged,
    BedState,
    Event,
    Flags,
    Float64Array,
    Gap,
    Health,
    Input,
    Score,
    ScoreRequest,
    Scores,
    Tick,
    Vitals,
    Wave,
)
from bedside.monitor import Monitor
from bedside.recording.record_reader import read_record
from tests.records import BUNDLED, batches

S = 1_000_000
MODEL = ModelFacts("test", 1.0)


@pytest.fixture(scope="module")
def real_mv() -> Float64Array:
    """A minute of the bundled record, shape (15000,), mV at 250 Hz."""
    return read_record(BUNDLED).samples_mv[:15_000]


def admitted() -> Monitor:
    return Monitor("bed-1", MODEL, state=BedState.ADMITTED, session="abcdef01")


def run(monitor: Monitor, inputs: list[Input]) -> list[Event]:
    events: list[Event] = []
    for happened in inputs:
        waiting = [happened]
        while waiting:
            for event in monitor.step(waiting.pop(0)):
                events.append(event)
                if isinstance(event, ScoreRequest):
                    scores = tuple(Score(b.sample, 0.5, b.window_mv) for b in event.beats)
                    waiting.append(Scores(event.at_us, scores, event.purpose))
    return events


def beats(events: list[Event]) -> list[tuple[int, str]]:
    return [(e.sample, e.beat_class.value) for e in events if isinstance(e, Beat)]


def alarms(events: list[Event]) -> list[tuple[str, str]]:
    return [
        (e.instance.code, e.instance.state.value) for e in events if isinstance(e, AlarmChanged)
    ]


def recut(samples_mv: Float64Array, cuts: list[int]) -> list[Batch]:
    edges = sorted({0, len(samples_mv), *cuts})
    pieces: list[Batch] = []
    for start, end in pairwise(edges):
        pieces += batches(
            samples_mv[start:end],
            piece=250,
            first_sample=start,
            first_sequence=len(pieces),
            start_us=start * 4000,
        )
    return pieces


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 14_999), max_size=40))
def test_how_the_samples_are_cut_into_batches_changes_no_beat(
    real_mv: Float64Array, cuts: list[int]
) -> None:
    whole = run(admitted(), list(batches(real_mv, piece=250)))
    cut = run(admitted(), list(recut(real_mv, cuts)))
    assert beats(cut) == beats(whole)


def test_a_replay_of_the_inputs_gives_the_same_events(real_mv: Float64Array) -> None:
    inputs: list[Input] = [
        each for batch in batches(real_mv) for each in (batch, Tick(batch.at_us))
    ]
    first, second = run(admitted(), inputs), run(admitted(), inputs)
    assert [repr(e) for e in first if not isinstance(e, Wave)] == [
        repr(e) for e in second if not isinstance(e, Wave)
    ]


def test_a_flat_line_with_both_electrodes_on_is_asystole_within_five_seconds(
    real_mv: Float64Array,
) -> None:
    flat = np.concatenate((real_mv[:5000], np.full(2500, real_mv[4999])))
    events = run(admitted(), list(batches(flat)))
    asystole = next(
        e.instance for e in events if isinstance(e, AlarmChanged) and e.instance.code == "asystole"
    )
    last_beat_us = max(e.time_us for e in events if isinstance(e, Beat))
    assert asystole.state is AlarmState.ACTIVE
    assert asystole.at_us - last_beat_us <= 5 * S


def test_a_flat_line_from_the_start_is_asystole_too() -> None:
    assert ("asystole", "active") in alarms(run(admitted(), list(batches(np.zeros(1500)))))


def test_a_loose_electrode_alarms_and_silences_the_rhythm_in_words(real_mv: Float64Array) -> None:
    monitor = admitted()
    events = run(monitor, list(batches(real_mv[:5000])))
    off = batches(
        np.zeros(2500),
        flags=Flags.LEAD_OFF_PLUS,
        first_sample=5000,
        first_sequence=100,
        start_us=20 * S,
    )
    events = run(monitor, list(off))
    assert ("lead-off", "active") in alarms(events)
    assert not [a for a in alarms(events) if a[1] == "active" and a[0] != "lead-off"]
    vitals = [e for e in events if isinstance(e, Vitals)]
    assert vitals[-1].suspended == "lead off"
    assert vitals[-1].heart_rate_bpm is None
    assert all(e.at_us <= 21 * S for e in events if isinstance(e, AlarmChanged))
    back = batches(real_mv[5000:10_000], first_sample=7500, first_sequence=150, start_us=30 * S)
    events = run(monitor, list(back))
    assert ("lead-off", "ended") in alarms(events)
    assert len(beats(events)) > 20


def test_settling_after_contact_is_not_analysed(real_mv: Float64Array) -> None:
    events = run(admitted(), list(batches(real_mv[:2500], flags=Flags.SETTLING)))
    assert beats(events) == []
    assert [e.suspended for e in events if isinstance(e, Vitals)] == ["settling"]


def test_missing_samples_are_a_gap_and_no_beat_is_invented_in_it(real_mv: Float64Array) -> None:
    first = list(batches(real_mv[:5000]))
    later = list(batches(real_mv[7500:], first_sample=7500, first_sequence=150, start_us=30 * S))
    events = run(admitted(), [*first, *later])
    gap = next(e for e in events if isinstance(e, Gap))
    assert (gap.from_sample, gap.to_sample) == (5000, 7500)
    assert not any(5000 <= sample < 7500 for sample, _ in beats(events))
    waves = [e for e in events if isinstance(e, Wave)]
    holes = [b.position - a.position - len(a.samples_mv) for a, b in pairwise(waves)]
    assert sum(holes) == 2500


def test_a_new_boot_is_a_gap_and_active_alarms_stay(real_mv: Float64Array) -> None:
    monitor = admitted()
    run(monitor, list(batches(np.zeros(1500))))
    events = run(monitor, list(batches(real_mv[:250], boot_id=8, start_us=6 * S)))
    assert any(isinstance(e, Gap) and e.new_boot for e in events)
    assert ("asystole", "ended") not in alarms(events)


def test_a_silent_node_alarms_within_five_seconds_but_not_while_the_broker_is_away() -> None:
    ticks: list[Input] = [Tick(half * S // 2) for half in range(1, 12)]
    assert ("node-silent", "active") in alarms(run(admitted(), ticks))
    away: list[Input] = [Health(0, "broker", False)]
    assert alarms(run(admitted(), [*away, *ticks])) == []


def test_a_discharged_bed_has_no_alarms(real_mv: Float64Array) -> None:
    monitor = Monitor("bed-1", MODEL)
    events = run(monitor, [*batches(np.zeros(2500)), *batches(np.zeros(500), boot_id=9)])
    assert alarms(events) == []


def test_the_next_patient_inherits_nothing(real_mv: Float64Array) -> None:
    monitor = admitted()
    run(monitor, list(batches(np.zeros(1500))))
    discharge = Action(7 * S, "1", "nurse", "discharge", {})
    admit = Action(8 * S, "2", "nurse", "admit", {"session": "feed"})
    events = run(monitor, [discharge])
    assert ("asystole", "ended") in alarms(events)
    events = run(monitor, [admit])
    assert [e.session for e in events if isinstance(e, BedChanged)] == ["feed"]
    assert alarms(run(monitor, list(batches(real_mv[:1000], boot_id=8, start_us=9 * S)))) == []


def test_an_action_that_cannot_be_done_is_refused_with_a_reason() -> None:
    for name, arguments in (
        ("acknowledge", {"instance": "x"}),
        ("admit", {}),
        ("fly", {}),
    ):
        events = run(admitted(), [Action(S, "1", "nurse", name, arguments)])
        done = next(e for e in events if isinstance(e, ActionDone))
        assert not done.done
        assert done.reason


def test_an_alarm_is_acknowledged_by_name(real_mv: Float64Array) -> None:
    monitor = admitted()
    events = run(monitor, list(batches(np.zeros(1500))))
    instance = next(e.instance for e in events if isinstance(e, AlarmChanged))
    events = run(
        monitor,
        [Action(7 * S, "1", "nurse", "acknowledge", {"instance": instance.instance_id})],
    )
    changed = next(e.instance for e in events if isinstance(e, AlarmChanged))
    assert changed.state is AlarmState.ACKNOWLEDGED
    assert changed.acknowledged_by == "nurse"


def test_calibration_is_refused_on_a_signal_that_is_not_a_heart() -> None:
    monitor = admitted()
    events = run(
        monitor,
        [Action(0, "1", "nurse", "calibrate", {"seconds": 30}), *batches(np.zeros(250 * 32))],
    )
    said = [e for e in events if type(e).__name__ == "CalibrationChanged"]
    assert [e.state for e in said] == ["running", "refused"]


def test_a_signal_at_the_rail_is_said_not_called_a_rhythm() -> None:
    events = run(admitted(), list(batches(np.full(2500, 3.0), flags=Flags.SATURATED)))
    assert ("asystole", "active") not in alarms(events)
    assert [e.suspended for e in events if isinstance(e, Vitals)][-1] == "signal saturated"


def test_standby_silences_for_its_time_and_then_what_is_wrong_alarms_anew() -> None:
    monitor = admitted()
    run(monitor, list(batches(np.zeros(1500))))
    events = run(monitor, [Action(6 * S, "1", "nurse", "standby", {"seconds": 10})])
    assert {("asystole", "ended"), ("pause", "ended")} == set(alarms(events))
    still = batches(np.zeros(2500), first_sample=1500, first_sequence=30, start_us=6 * S)
    assert alarms(run(monitor, list(still))) == []
    events = run(monitor, [Tick(17 * S)])
    assert [e.state for e in events if isinstance(e, BedChanged)] == [BedState.ADMITTED]
    after = batches(np.zeros(1500), first_sample=4000, first_sequence=80, start_us=17 * S)
    assert ("asystole", "active") in alarms(run(monitor, list(after)))


@pytest.mark.parametrize("seconds", ["soon", None, -5, float("nan"), 1e9])
def test_an_action_with_a_senseless_length_is_refused(seconds: object) -> None:
    for name in ("calibrate", "standby"):
        events = run(admitted(), [Action(S, "1", "nurse", name, {"seconds": seconds})])
        assert [e.done for e in events if isinstance(e, ActionDone)] == [False]
