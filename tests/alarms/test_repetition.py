"""When the alarm sounds: at once, until somebody has seen it, and again when it is forgotten."""

from __future__ import annotations

from dataclasses import replace

from bedside.alarms.repetition import Repetition, bursts
from bedside.events import AlarmState, Instance, Priority

S = 1_000_000


def alarm(name: str, priority: Priority, **more: object) -> Instance:
    return replace(
        Instance(name, "vt", priority, AlarmState.ACTIVE, 0, 0, active_us=0),
        **more,  # type: ignore[arg-type]
    )


HIGH, MEDIUM, LOW = (alarm(p.value, p) for p in (Priority.HIGH, Priority.MEDIUM, Priority.LOW))


def heard(
    instances: tuple[Instance, ...], until_s: float, paused_until_us: int | None = None
) -> list[tuple[float, str, str]]:
    state, found = Repetition(), []
    for tick in range(round(until_s * 2)):
        state, sound = bursts(state, instances, paused_until_us, tick * S // 2)
        if sound is not None:
            found.append((tick / 2, sound.instance_id, sound.why))
    return found


def test_a_high_alarm_sounds_every_ten_seconds_until_it_is_acknowledged() -> None:
    assert heard((HIGH,), 31) == [
        (0, "high", "new"), (10, "high", "repeat"), (20, "high", "repeat"), (30, "high", "repeat")
    ]  # fmt: skip


def test_a_medium_alarm_sounds_every_twenty_five_seconds_and_a_low_one_once() -> None:
    assert [when for when, _, _ in heard((MEDIUM,), 51)] == [0, 25, 50]
    assert [when for when, _, _ in heard((LOW,), 400)] == [0]


def test_an_acknowledged_alarm_that_lasts_reminds_every_three_minutes() -> None:
    seen = replace(HIGH, state=AlarmState.ACKNOWLEDGED, acknowledged_us=4 * S)
    assert heard((seen,), 370) == [(184, "high", "reminder"), (364, "high", "reminder")]
    assert heard((replace(seen, priority=Priority.LOW),), 370) == []


def test_the_gravest_alarm_sounds_for_all_that_are_due() -> None:
    assert [(when, name) for when, name, _ in heard((LOW, MEDIUM, HIGH), 26)] == [
        (0, "high"), (10, "high"), (20, "high"), (25, "medium")
    ]  # fmt: skip


def test_a_latched_alarm_sounds_on_and_a_pending_one_never_does() -> None:
    assert len(heard((replace(HIGH, state=AlarmState.ENDED, ended_us=1),), 11)) == 2
    assert heard((replace(HIGH, state=AlarmState.PENDING, active_us=None),), 11) == []


def test_a_pause_silences_everything_and_what_waited_sounds_when_it_is_over() -> None:
    assert heard((HIGH, MEDIUM), 121, 120 * S) == [(120, "high", "new")]
